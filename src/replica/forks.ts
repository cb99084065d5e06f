/**
 * Finds forks between what we hold and what a peer says it holds, and where they begin: the first place of a log at
 * which both have a record, and not the same.
 */
import { reasonOf } from '../errors.js'
import type { RecordLog } from '../log/index.js'
import type { Logger, NodeId } from '../runtime.js'
import type { SignedRecord, VectorEntry } from '../wire/index.js'

export interface ForkFinderDeps {
  readonly log: RecordLog
  readonly logger: Logger
  /** The record a peer holds at (log, seq); undefined when it has none. */
  ask(node: NodeId, log: string, seq: number): Promise<SignedRecord | undefined>
  /** `record` is the peer's at the place where its branch leaves ours. Its signature is not checked yet. */
  found(from: NodeId, record: SignedRecord): void
}

export class ForkFinder {
  readonly #deps: ForkFinderDeps
  /** Logs being traced, or traced already. */
  readonly #traced = new Set<string>()

  constructor(deps: ForkFinderDeps) {
    this.#deps = deps
  }

  /** What a peer holds. */
  heard(from: NodeId, vector: readonly VectorEntry[]): void {
    for (const entry of vector) if (this.#differs(entry)) this.suspect(from, entry.log, entry.seq)
  }

  #differs({ log, seq, head }: VectorEntry): boolean {
    const held = this.#deps.log.get(log)
    if (held === undefined || seq < 1 || seq > held.seq) return false
    const id = seq === held.seq ? held.id : this.#deps.log.row(log, seq)?.id
    return id !== undefined && id.slice(0, 16) !== head
  }

  /** The peer's record at (log, seq) is not ours. */
  suspect(from: NodeId, log: string, seq: number): void {
    if (this.#traced.has(log)) return
    this.#traced.add(log)
    this.#trace(from, log, seq).then(
      (record) => {
        if (record === undefined) this.#traced.delete(log)
        else this.#deps.found(from, record)
      },
      (error: unknown) => {
        this.#traced.delete(log)
        this.#deps.logger.debug('A fork could not be traced; it is tried again with the next vector.', {
          from,
          log,
          reason: reasonOf(error)
        })
      }
    )
  }

  /** The branches differ at `seq`; below it they agree up to some place, which halving finds. */
  async #trace(from: NodeId, log: string, seq: number): Promise<SignedRecord | undefined> {
    let least = (this.#deps.log.get(log)?.floor ?? 0) + 1
    let differs = seq
    let record: SignedRecord | undefined
    while (least < differs || record === undefined) {
      const middle = Math.floor((least + differs) / 2)
      const theirs = await this.#deps.ask(from, log, middle)
      const ours = this.#deps.log.row(log, middle)?.id
      if (theirs === undefined || ours === undefined) return undefined
      if (theirs.id === ours) {
        if (least === differs) return undefined
        least = middle + 1
      } else {
        differs = middle
        record = theirs
      }
    }
    return record.body.seq === least ? record : this.#deps.ask(from, log, least)
  }
}
