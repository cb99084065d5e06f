/** The epoch this node writes under: told from the records alone, by no clock and no note that could be lost. */
import type { RecordLog } from '../log/index.js'
import type { Logger, Random } from '../runtime.js'
import { hexOf, logIdOf, type VectorEntry } from '../wire/index.js'

/**
 * The epoch under which `author` wrote last, or undefined when that is not certain. An epoch begins knowing the ones
 * before it, so one that another epoch of the same author knows is over; so is one with a frozen log, in both spaces.
 */
export function epochToContinue(log: RecordLog, author: Uint8Array): string | undefined {
  const own = [...log.logs()].filter((head) => Buffer.compare(head.author, author) === 0)
  const over = new Set(own.filter((head) => head.frozen).map((head) => head.epoch))
  for (const head of own)
    for (const other of own) if (other.epoch !== head.epoch && head.knowledge.has(other.log)) over.add(other.epoch)
  const open = new Set(own.map((head) => head.epoch).filter((epoch) => !over.has(epoch)))
  return open.size === 1 ? [...open][0] : undefined
}

export interface OwnEpochDeps {
  readonly log: RecordLog
  readonly random: Random
  readonly logger: Logger
  readonly author: Uint8Array
  /** Every space this node may write to. */
  readonly spaces: readonly string[]
}

export class OwnEpoch {
  readonly #deps: OwnEpochDeps
  /** 16 hex. */
  current = ''

  constructor(deps: OwnEpochDeps) {
    this.#deps = deps
  }

  /** Goes on with the newest epoch there is, unless `doubtful`: our own log may be incomplete. */
  choose(doubtful: boolean): void {
    const known = doubtful ? undefined : epochToContinue(this.#deps.log, this.#deps.author)
    if (known === undefined) this.renew()
    else this.current = known
  }

  renew(): void {
    this.current = hexOf(this.#deps.random.bytes(8))
  }

  /** Leaves an epoch that somebody has written under. */
  renewIfUsed(): void {
    if (this.#logs().some((log) => this.#deps.log.get(log) !== undefined)) this.renew()
  }

  /** Leaves an epoch whose end is held but cannot be applied yet: what it waits for may contradict what we would write. */
  renewIfWaiting(): void {
    const waits = this.#logs().some((log) => {
      const head = this.#deps.log.get(log)
      return head !== undefined && head.applied < head.seq
    })
    if (waits) this.renew()
  }

  /** Leaves an epoch of which a peer holds more than we do: our store is an older copy. Never reuse a number: write anew. */
  renewIfAhead(vector: readonly VectorEntry[]): void {
    for (const { log, seq } of vector) {
      const here = this.#deps.log.get(log)?.seq ?? 0
      if (seq <= here || !this.writesTo(log)) continue
      this.renew()
      this.#deps.logger.warn(
        "A peer holds more of this node's own log than this node; writing goes on under a new epoch.",
        { log, here, there: seq }
      )
    }
  }

  /** Whether this node writes to this log now, or would with its next record. */
  writesTo(log: string): boolean {
    return this.#logs().includes(log)
  }

  #logs(): string[] {
    return this.#deps.spaces.map((space) => logIdOf(space, this.#deps.author, this.current))
  }
}
