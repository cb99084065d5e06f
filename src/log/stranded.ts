/** Records found in the segments behind a hole of their log, until what is missing before them is back. */
import type { SignedRecord } from '../wire/index.js'
import { earlier } from './positions.js'
import type { Location, Position } from './segments.js'

/** A place where records of a log are missing though later ones are here. */
export interface Hole {
  readonly log: string
  readonly author: Uint8Array
  readonly epoch: string
  readonly space: string
  /** First and last seq that is missing. */
  readonly from: number
  readonly to: number
}

interface Waiting {
  readonly at: Location
  readonly prev: string | null
}

interface StrandedLog {
  readonly author: Uint8Array
  readonly epoch: string
  readonly space: string
  readonly records: Map<number, Waiting>
}

/** Records remembered; of more only the peers know. About 200 bytes each. */
const MAX_STRANDED = 500_000

export class Stranded {
  readonly #logs = new Map<string, StrandedLog>()
  #count = 0

  add(record: SignedRecord, at: Location): void {
    if (this.#count >= MAX_STRANDED) return
    const { author, epoch, space, seq, prev } = record.body
    const log = this.#logs.get(record.log) ?? { author, epoch, space, records: new Map<number, Waiting>() }
    if (log.records.has(seq)) return
    log.records.set(seq, { at, prev })
    this.#logs.set(record.log, log)
    this.#count += 1
  }

  /** Takes the record of `log` at `seq`, if it names `head` as the one before it. */
  take(log: string, seq: number, head: string): Location | undefined {
    const found = this.#logs.get(log)
    const waiting = found?.records.get(seq)
    if (found === undefined || waiting === undefined || waiting.prev !== head) return undefined
    found.records.delete(seq)
    if (found.records.size === 0) this.#logs.delete(log)
    this.#count -= 1
    return waiting.at
  }

  /** Where the first of them lies. */
  get first(): Position | undefined {
    let first: Position | undefined
    for (const { records } of this.#logs.values()) for (const { at } of records.values()) first = earlier(first, at)
    return first === undefined ? undefined : { segment: first.segment, offset: first.offset }
  }

  /** What is missing before them; `held` tells how far a log is held. */
  holes(held: (log: string) => number): Hole[] {
    return [...this.#logs].flatMap(([log, { author, epoch, space, records }]) => {
      const beyond = [...records.keys()].filter((seq) => seq > held(log) + 1)
      return beyond.length === 0
        ? []
        : [{ log, author, epoch, space, from: held(log) + 1, to: Math.min(...beyond) - 1 }]
    })
  }
}
