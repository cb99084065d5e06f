/**
 * What of each author is stored and waits for something it refers to. A record that names what never comes waits for
 * ever; how much of that one author may leave here is bounded, and no other author has less room for it.
 */
import type { LogHead, RecordLog } from '../log/index.js'
import { hexOf } from '../wire/index.js'

/** Records of one author that may wait: a log pulled before what it builds on is here. */
export const MAX_PARKED_RECORDS = 20_000
/** Their bytes. */
export const MAX_PARKED_BYTES = 64 * 1024 * 1024

interface Span {
  applied: number
  seq: number
  bytes: number
}

export class Parked {
  readonly #log: RecordLog
  /** Log -> what of it waits, as of the last look. */
  readonly #spans = new Map<string, Span>()

  constructor(log: RecordLog) {
    this.#log = log
  }

  /** Authors (hex) of whom nothing more is taken that would have to wait. */
  full(): ReadonlySet<string> {
    const sums = new Map<string, { records: number; bytes: number }>()
    for (const head of this.#log.logs()) {
      if (head.applied >= head.seq) this.#spans.delete(head.log)
      else {
        const author = hexOf(head.author)
        const sum = sums.get(author) ?? { records: 0, bytes: 0 }
        sum.records += head.seq - head.applied
        sum.bytes += this.#bytesOf(head)
        sums.set(author, sum)
      }
    }
    const full = [...sums].filter(
      ([, { records, bytes }]) => records >= MAX_PARKED_RECORDS || bytes >= MAX_PARKED_BYTES
    )
    return new Set(full.map(([author]) => author))
  }

  /** Only what changed since the last look is looked up. */
  #bytesOf({ log, applied, seq }: LogHead): number {
    const span = this.#spans.get(log) ?? { applied, seq: applied, bytes: 0 }
    while (span.seq < seq) span.bytes += this.#size(log, ++span.seq)
    while (span.applied < applied) span.bytes -= this.#size(log, ++span.applied)
    this.#spans.set(log, span)
    return span.bytes
  }

  #size(log: string, seq: number): number {
    return this.#log.row(log, seq)?.at.length ?? 0
  }
}
