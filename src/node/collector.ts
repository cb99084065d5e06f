/**
 * Lets contents go that nothing names any more: large bodies of older versions whose records a checkpoint took the place of,
 * what was stored for a change that was never written, pieces of checkpoints that came to nothing.
 *
 * Time passes in rounds. Only what nobody stored or asked for in a whole round is looked at, so that what was just written,
 * and whose record is on its way, stays; nothing goes in a process that has not lived that long.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { BlobStore } from '../blobs/index.js'
import { reasonOf } from '../errors.js'
import type { Replica } from '../replica/index.js'
import type { Clock, Logger } from '../runtime.js'
import { regularly } from './regularly.js'
import { REISSUE_FILE } from './reissue.js'

export interface CollectorDeps {
  readonly home: string
  readonly replica: Pick<Replica, 'checkpoints' | 'failure'>
  readonly blobs: BlobStore
  readonly clock: Clock
  readonly logger: Logger
}

/** Length of a round, ms: what nothing names stays for one round at least. */
export const ROUND_MS = { least: 60_000, most: 3_600_000 } as const

export class Collector {
  readonly #deps: CollectorDeps
  readonly #roundMs: number
  #end: (() => void) | undefined
  /** How often history had been let go when contents were looked at last. */
  #prunes = 0
  /** Contents that were named then: that ends only when more of history is let go. */
  readonly #named = new Set<string>()

  /** `checkpointAgeMs`: where history is let go early, so are contents, within the limits above. */
  constructor(deps: CollectorDeps, { checkpointAgeMs }: { checkpointAgeMs: number }) {
    this.#deps = deps
    this.#roundMs = Math.min(ROUND_MS.most, Math.max(ROUND_MS.least, checkpointAgeMs))
  }

  start(): void {
    const { clock, logger } = this.#deps
    const failed = (error: unknown): void =>
      logger.warn('Contents that nothing names could not be let go; it is tried again.', { reason: reasonOf(error) })
    this.#end ??= regularly(clock, this.#roundMs, () => this.round(), failed)
  }

  stop(): void {
    this.#end?.()
    this.#end = undefined
  }

  /** Ends a round. Throws what keeps this node from knowing what is named. */
  async round(): Promise<void> {
    const { replica, blobs, logger, home } = this.#deps
    const { checkpoints, failure } = replica
    const idle = blobs.nextRound()
    // what waits to be written again names contents that no record here does
    if (checkpoints === undefined || failure !== undefined || existsSync(join(home, REISSUE_FILE))) return
    const { prunes } = checkpoints
    if (prunes !== this.#prunes) this.#named.clear()
    this.#prunes = prunes
    const candidates = idle.filter((hash) => !this.#named.has(hash))
    if (candidates.length === 0) return
    const before = blobs.gone
    const unnamed = new Set<string>()
    const looked = await checkpoints.collect(new Set(candidates), async (hash) => {
      unnamed.add(hash)
      if (this.#end !== undefined) await blobs.letGo(hash)
    })
    if (!looked) return
    for (const hash of candidates) if (!unnamed.has(hash)) this.#named.add(hash)
    const gone = { count: blobs.gone.count - before.count, bytes: blobs.gone.bytes - before.bytes }
    if (gone.count > 0) logger.info('Contents that nothing names any more were let go.', gone)
  }
}
