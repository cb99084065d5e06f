/**
 * When checkpoints are made, and what becomes of them: proposes one now and then, vouches for what is old enough, puts in
 * force what all members vouch for, and lets go what may go.
 */
import { GrapevineError, reasonOf } from '../errors.js'
import { isWriter, type Replica } from '../replica/index.js'
import type { Clock, Logger } from '../runtime.js'
import { hexOf } from '../wire/index.js'
import { regularly } from './regularly.js'

export interface CheckpointingDeps {
  readonly replica: Replica
  /** Raw public key of this node. */
  readonly key: Uint8Array
  readonly clock: Clock
  readonly logger: Logger
}

export interface CheckpointingOptions {
  /** Time between two proposals, ms; 0: this node proposes none. */
  readonly checkpointIntervalMs: number
  /** How old history must be before a checkpoint may take its place, ms. */
  readonly checkpointAgeMs: number
}

/** Records of the catalog that a checkpoint must be worth. */
export const MIN_RECORDS = 100
const MAX_LOOK_MS = 30_000
const MIN_LOOK_MS = 100
/** Of several writers each later one waits so much longer, in intervals, that one proposal is enough. */
const STAGGER = 1 / 16

export class Checkpointing {
  readonly #deps: CheckpointingDeps
  readonly #options: CheckpointingOptions
  #end: (() => void) | undefined
  #started = 0

  constructor(deps: CheckpointingDeps, options: CheckpointingOptions) {
    this.#deps = deps
    this.#options = options
  }

  start(): void {
    const { clock, logger } = this.#deps
    const { checkpointIntervalMs, checkpointAgeMs } = this.#options
    this.#started = clock.monotonic()
    const shortest = Math.min(checkpointIntervalMs || MAX_LOOK_MS, checkpointAgeMs || MAX_LOOK_MS)
    this.#end = regularly(
      clock,
      Math.min(MAX_LOOK_MS, Math.max(MIN_LOOK_MS, shortest / 8)),
      () => this.#look(),
      (error) => {
        logger.debug('A checkpoint was not made; it is tried again.', { reason: reasonOf(error) })
      }
    )
  }

  stop(): void {
    this.#end?.()
  }

  async #look(): Promise<void> {
    const { checkpoints, failure, members } = this.#deps.replica
    const { clock, key } = this.#deps
    if (checkpoints === undefined || failure !== undefined || members.get(key) === undefined) return
    while (await checkpoints.advance()) await checkpoints.prune()
    await checkpoints.prune()
    const due = checkpoints.due(clock.now() - this.#options.checkpointAgeMs)
    if (due !== undefined) await checkpoints.attest(due)
    if (this.#mayPropose() && checkpoints.pending === undefined && checkpoints.since >= MIN_RECORDS)
      await checkpoints.propose()
  }

  /** The writers take turns by the time that has passed since anybody proposed: one proposal at a time is enough. */
  #mayPropose(): boolean {
    const { replica, key, clock } = this.#deps
    const { checkpointIntervalMs } = this.#options
    if (checkpointIntervalMs === 0) return false
    const writers = replica.members.list().filter(({ role }) => isWriter(role))
    const place = writers
      .map((member) => hexOf(member.key))
      .toSorted()
      .indexOf(hexOf(key))
    if (place < 0) return false
    const wait = checkpointIntervalMs * (1 + place * STAGGER)
    const newest = Math.max(0, ...replica.checkpoints!.proposals.map(({ time }) => time / 1_000))
    // a clock that is far behind proposes none, one that is ahead one too many: neither does harm
    return clock.now() - newest >= wait && clock.monotonic() - this.#started >= Math.min(wait, MAX_LOOK_MS)
  }
}

/** Proposes a checkpoint now, unless one is proposed that may still come into force. Throws `role-forbids`. */
export async function compact(replica: Replica): Promise<{ proposal: string; awaited: string[] }> {
  const { checkpoints } = replica
  if (checkpoints === undefined)
    throw new GrapevineError('internal', 'this node keeps no checkpoints', { next: 'report this' })
  const { id } = checkpoints.pending ?? (await checkpoints.propose())
  return { proposal: id, awaited: checkpoints.awaited(id) }
}
