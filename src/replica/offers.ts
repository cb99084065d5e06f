/**
 * Records from other nodes that wait to be judged, in a queue for each author. They are taken in small slices, every
 * author in turn, so that who writes without end does not keep the others waiting. What was taken counts against the
 * author's share: beyond it its records are left to the pull, and the pull waits.
 */
import { nodeIdOf } from '../identity/index.js'
import type { Clock, NodeId } from '../runtime.js'
import { Shares, type Throttled } from '../share.js'
import { bytesOf, hexOf, type SignedRecord } from '../wire/index.js'
import { Pauses } from './pauses.js'
import type { Turns } from './turns.js'

/** Records and bytes judged, stored and folded at once before others get a turn: some 20 ms of work. */
export const SLICE_RECORDS = 128
export const SLICE_BYTES = 1024 * 1024
/** Authors in one slice, and what each may have of it at least. */
const SLICE_AUTHORS = 8
const SLICE_LEAST = SLICE_RECORDS / SLICE_AUTHORS

/** While others have something to do too, a slice is so small: what it costs is mostly its fsync. */
export const SHARED_SLICE_RECORDS = 32

/** Records of one author: at once, and then each second. An honest burst of 10,000 files makes some dozens. */
export const AUTHOR_RECORDS = { perSecond: 5_000, burst: 50_000 } as const
/** Bytes of its records: at once, and then each second. Bodies of large files do not travel in records. */
export const AUTHOR_BYTES = { perSecond: 16 * 1024 * 1024, burst: 128 * 1024 * 1024 } as const

/** So many records of one author may wait to be judged before more are asked for: some slices, so that it never idles. */
export const AHEAD_RECORDS = 1_024
/** Then it is left alone for so long, ms: as a slice or two take. */
const AHEAD_MS = 16

/** As how much waiting a record counts that finds no room, ms: it is asked for again after so long. */
const PARKED_MS = 1_000

/** Records of one author that came together. */
export interface Offer {
  readonly from: NodeId
  readonly records: readonly SignedRecord[]
  /** What proves each; may hold more than these. */
  readonly proven: Promise<ReadonlySet<string>>
}

export interface OffersDeps {
  readonly clock: Clock
  readonly turns: Turns
  /** Judges, stores and folds a slice, in turn; never rejects. */
  take(slice: readonly Offer[]): Promise<void>
  /** Whether a record of another author, which is held here, waits for this one or one before it. */
  awaited(record: SignedRecord): boolean
  /** See `Shares`. */
  throttled(author: NodeId, state: Throttled | undefined): void
}

export class Offers {
  readonly shares: Shares
  readonly #deps: OffersDeps
  #queues = new Map<string, Offer[]>()
  #bytes = 0
  #taking = false
  readonly #pauses: Pauses
  /** Turns of ours; whatever else was taken was of others. */
  #ownTurns = 0
  #otherTurns = 0
  /** Who has to pause after the slice that is being taken. */
  #busy: string[] = []
  /** Callers for whom nobody pauses. */
  #hurried = 0
  #ended = false
  readonly #idle: Array<() => void> = []

  constructor(deps: OffersDeps) {
    this.#deps = deps
    this.shares = new Shares(
      { clock: deps.clock, changed: (author, state) => deps.throttled(nodeOf(author), state) },
      { records: AUTHOR_RECORDS, bytes: AUTHOR_BYTES }
    )
    this.#pauses = new Pauses({
      clock: deps.clock,
      awaited: (author) => (this.#queues.get(author) ?? []).some(({ records }) => deps.awaited(records.at(-1)!)),
      over: () => this.#takeSoon()
    })
  }

  /** Bytes that wait. */
  get bytes(): number {
    return this.#bytes
  }

  /** Authors whose records come faster than their shares. */
  throttled(): Map<NodeId, Throttled> {
    return new Map([...this.shares.throttled()].map(([author, state]) => [nodeOf(author), state]))
  }

  /** Whether the author of this record has used up its share: it is pulled, at the pace of the share. */
  over({ body }: SignedRecord): boolean {
    return this.shares.of(hexOf(body.author)).over
  }

  add(from: NodeId, records: readonly SignedRecord[], proven: Promise<ReadonlySet<string>>): void {
    if (this.#ended) return
    const byAuthor = new Map<string, SignedRecord[]>()
    for (const record of records) {
      const author = hexOf(record.body.author)
      const before = byAuthor.get(author)
      if (before === undefined) byAuthor.set(author, [record])
      else before.push(record)
    }
    this.#bytes += sizeOf(records)
    for (const [author, own] of byAuthor) {
      const queue = this.#queues.get(author)
      if (queue === undefined) this.#queues.set(author, [{ from, records: own, proven }])
      else queue.push({ from, records: own, proven })
    }
    this.#takeSoon()
  }

  /** One slice a turn: whoever waits for a turn, as our own writing does, gets it in between. */
  #takeSoon(): void {
    if (this.#taking) return
    this.#pauses.endAwaited()
    if (![...this.#queues.keys()].some((author) => !this.#pauses.has(author))) return
    this.#taking = true
    this.#ownTurns += 1
    void this.#deps.turns.take(async () => {
      const began = this.#deps.clock.monotonic()
      const slice = this.#next()
      for (const { records } of slice) this.#bytes -= sizeOf(records)
      if (slice.length > 0) await this.#deps.take(slice)
      this.#taking = false
      const ms = this.#deps.clock.monotonic() - began
      if (this.#hurried === 0) for (const author of this.#busy) this.#pauses.begin(author, ms)
      this.#takeSoon()
      if (!this.#taking && this.#queues.size === 0) for (const wake of this.#idle.splice(0)) wake()
    })
  }

  /** Resolves when nothing waits and nothing is being taken. */
  async idle(): Promise<void> {
    while (this.#taking || this.#queues.size > 0) await new Promise<void>((resolve) => this.#idle.push(resolve))
  }

  /** The same, without a pause: who joins has nothing else to do, and nothing else keeps its process alive. */
  async through(): Promise<void> {
    this.#hurried += 1
    this.#pauses.endAll()
    this.#takeSoon()
    await this.idle()
    this.#hurried -= 1
  }

  /** The next slice: of each of a few authors the oldest, in order. Who had a turn comes last. */
  #next(): Offer[] {
    const authors = [...this.#queues.keys()].filter((author) => !this.#pauses.has(author)).slice(0, SLICE_AUTHORS)
    const otherTurns = this.#deps.turns.taken - this.#ownTurns
    if (otherTurns !== this.#otherTurns) this.#pauses.wrote()
    this.#otherTurns = otherTurns
    // as it is when the slice begins: a slow one lasts longer than anybody is remembered
    const shared = authors.filter((author) => this.#pauses.isShared(author))
    const room = shared.length > 0 ? SHARED_SLICE_RECORDS : SLICE_RECORDS
    const each = Math.max(SLICE_LEAST, Math.floor(room / Math.max(1, authors.length)))
    const slice: Offer[] = []
    let bytes = SLICE_BYTES
    this.#busy = []
    for (const author of authors) {
      if (bytes <= 0) break
      const queue = this.#queues.get(author)!
      const taken = takeFrom(queue, each, bytes)
      for (const offer of taken) bytes -= sizeOf(offer.records)
      slice.push(...taken)
      this.#queues.delete(author)
      if (queue.length === 0) this.#pauses.took(author)
      else {
        this.#queues.set(author, queue)
        if (shared.includes(author)) this.#busy.push(author)
      }
    }
    return slice
  }

  /** These were stored: their authors have used so much of their shares. */
  stored(records: readonly SignedRecord[]): void {
    for (const { body, bytes } of records) {
      const share = this.shares.of(hexOf(body.author))
      share.take('records', 1)
      share.take('bytes', bytes.length)
    }
  }

  /** There is no room for this one, which would have to wait for what it refers to. */
  parked({ body }: SignedRecord): void {
    this.shares.of(hexOf(body.author)).slowed('parked', PARKED_MS)
  }

  /** For how long no more of this author (hex; '' when it is not known yet) is asked for, ms; 0: it may be now. */
  restMs(author: string): number {
    if (author === '') return 0
    let ahead = 0
    for (const { records } of this.#queues.get(author) ?? []) ahead += records.length
    return ahead >= AHEAD_RECORDS ? AHEAD_MS : this.shares.of(author).restMs()
  }

  /** Nothing more is taken. */
  stop(): void {
    this.#ended = true
    this.#queues.clear()
    this.#pauses.endAll()
    for (const wake of this.#idle.splice(0)) wake()
    this.shares.stop()
  }
}

/** Takes from the front of a queue, at least one record, and leaves the rest of a cut offer in its place. */
function takeFrom(queue: Offer[], count: number, bytes: number): Offer[] {
  const taken: Offer[] = []
  let records = count
  let room = bytes
  while (queue.length > 0 && records > 0 && (room > 0 || taken.length === 0)) {
    const offer = queue[0]!
    let end = 0
    while (end < offer.records.length && end < records && (room > 0 || (end === 0 && taken.length === 0)))
      room -= offer.records[end++]!.bytes.length
    taken.push({ ...offer, records: offer.records.slice(0, end) })
    records -= end
    if (end === offer.records.length) queue.shift()
    else queue[0] = { ...offer, records: offer.records.slice(end) }
  }
  return taken
}

function nodeOf(author: string): NodeId {
  return nodeIdOf(bytesOf(author))
}

function sizeOf(records: readonly SignedRecord[]): number {
  return records.reduce((sum, { bytes }) => sum + bytes.length, 0)
}

/** Whom which log came from, each pair once; only of the given records, or of all. */
export function origins(
  offers: readonly Offer[],
  of?: ReadonlySet<SignedRecord>
): Array<{ log: string; from: NodeId }> {
  const found = new Map<string, { log: string; from: NodeId }>()
  for (const { from, records } of offers)
    for (const record of records)
      if (of?.has(record) !== false) found.set(`${record.log} ${from}`, { log: record.log, from })
  return [...found.values()]
}
