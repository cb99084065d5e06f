/**
 * The log of everybody's records: segments hold the bytes, the store an index over them. A record is `held` once it is
 * fsynced and `applied` once the fold has taken it; in between it waits for what it builds on.
 *
 * Invariants (tests cite the numbers):
 * 1. The records held of a log are 1..seq without a gap, each naming the one before it.
 * 2. A record is held only after its bytes are fsynced.
 * 3. Records are applied in causal order: after their predecessor and all their deps.
 * 4. Two records with one (log, seq) freeze the log: both are kept, and only what continues the one we hold is taken.
 * 5. A record behind a hole of its log (damage took the one before) is not lost: it is held once the hole is filled.
 */
import { GrapevineError } from '../errors.js'
import type { Facts, Logger } from '../runtime.js'
import { prefixRange, type Overlay, type Store } from '../store/index.js'
import {
  bodyOf,
  decodeRecord,
  sha256,
  type Dep,
  type FrozenLog,
  type SignedRecord,
  type VectorEntry
} from '../wire/index.js'
import { Blocked } from './blocked.js'
import type { DamagedRange, LogHead, Outcome } from './head.js'
import { ForkProofs } from './fork-proofs.js'
import { NOTHING, Pasts, type Past } from './pasts.js'
import { earlier, isBehind, takeBytes } from './positions.js'
import {
  decodeKnowledge,
  decodeLogRow,
  decodeRecordRow,
  encodeKnowledge,
  encodeLogRow,
  encodeRecordRow,
  idKey,
  knowledgeKey,
  LOG_ROWS,
  logKey,
  NOWHERE,
  recordKey,
  RECORD_ROWS,
  seqOfKey,
  type Knowledge,
  type LogRow,
  type RecordRow
} from './rows.js'
import type { Location, Position, SegmentLog } from './segments.js'
import { Stranded, type Hole } from './stranded.js'

export interface RecordLogDeps {
  readonly segments: SegmentLog
  readonly rows: Overlay
  readonly store: Store
  readonly logger: Logger
  /** A stored record did not read back; the caller gets `store-damaged` besides. */
  damaged?(id: string): void
}

/** Bytes of records in one append: half of what the segments take at once. */
const MAX_APPEND_RECORD_BYTES = 8 * 1024 * 1024
const MARK = '~mark'
/** Where the first record behind a hole lies, so that the next open finds it again. */
const STRANDED = '~stranded'
/** Damaged records remembered; a scrub finds them all. */
const MAX_UNREAD = 10_000

export class RecordLog {
  readonly #deps: RecordLogDeps
  readonly #logs = new Map<string, LogHead>()
  readonly blocked = new Blocked()
  readonly #stranded = new Stranded()
  /** Ids of records that did not read back and were not stored anew yet: whoever heals them may come later than the read. */
  readonly unread = new Set<string>()
  readonly #forks: ForkProofs
  readonly #pasts: Pasts

  constructor(deps: RecordLogDeps) {
    this.#deps = deps
    this.#forks = new ForkProofs(deps.rows)
    this.#pasts = new Pasts(deps.rows, this)
  }

  /**
   * Reads the logs from the index, then indexes what the segments hold beyond its mark. `accept` judges a record that is
   * in the segments but not in the index (after a crash, or all of them after the index was dropped).
   */
  async open(
    options: {
      onProgress?: (done: { segment: number; records: number }) => void
      /** The logs the index knows are loaded, or there are none. */
      loaded?: (empty: boolean) => Promise<void>
    } = {}
  ): Promise<{ indexed: number; damaged: DamagedRange[] }> {
    for await (const [key, bytes] of this.#deps.store.iterate(prefixRange(LOG_ROWS)))
      this.#load(key.slice(LOG_ROWS.length), decodeLogRow(bytes))
    await this.#forks.load(this.#deps.store)
    await options.loaded?.(this.#logs.size === 0)
    const damaged: DamagedRange[] = []
    let indexed = 0
    const mark = this.#mark()
    if (mark !== undefined && isBehind(this.#deps.segments.end, mark)) {
      throw new GrapevineError('store-damaged', 'the index knows records that the log does not hold', {
        next: 'the index is rebuilt from the log; peers hold what is missing',
        facts: { index: true }
      })
    }
    const from = earlier(this.#position(STRANDED), mark)
    for await (const scanned of this.#deps.segments.scan(from)) {
      if ('damaged' in scanned) {
        // what lies before the mark was reported when it was found
        if (mark === undefined || !isBehind(scanned.damaged, mark)) damaged.push(scanned.damaged)
        continue
      }
      const found = this.#indexScanned(scanned.at, scanned.bytes)
      indexed += found
      if (found > 0) options.onProgress?.({ segment: scanned.at.segment, records: indexed })
      if (this.#deps.rows.size > 20_000) await this.#deps.rows.flush()
    }
    this.#saveStranded()
    await this.#deps.rows.flush()
    return { indexed, damaged }
  }

  /** The damage that `open` reported is dealt with: the next open does not report it again. */
  damageSettled(): void {
    this.#setMark(this.#deps.segments.end)
  }

  #load(log: string, row: LogRow): void {
    const head: LogHead = { ...row, log, floor: row.floor ?? 0, knowledge: NOTHING, knowledgeAt: 0 }
    if (head.applied > 0) {
      const at = this.row(log, head.applied)?.knowledge ?? 0
      head.knowledgeAt = at
      head.knowledge = this.#pasts.knowledgeRow(log, at)
    }
    this.#logs.set(log, head)
  }

  #mark(): Position | undefined {
    return this.#position(MARK)
  }

  #position(key: string): Position | undefined {
    const bytes = this.#deps.rows.get(key)
    if (bytes === undefined) return undefined
    const row = Buffer.from(bytes)
    return { segment: row.readUInt32BE(0), offset: row.readUIntBE(4, 6) }
  }

  #setMark(position: Position): void {
    this.#setPosition(MARK, position)
  }

  #setPosition(key: string, position: Position): void {
    const row = Buffer.alloc(10)
    row.writeUInt32BE(position.segment, 0)
    row.writeUIntBE(position.offset, 4, 6)
    this.#deps.rows.put(key, row)
  }

  #saveStranded(): void {
    const { first } = this.#stranded
    if (first !== undefined) this.#setPosition(STRANDED, first)
    else if (this.#position(STRANDED) !== undefined) this.#deps.rows.delete(STRANDED)
  }

  /**
   * A record found in the segments behind the mark; returns how many records it makes held. What does not continue its
   * log is left where it lies: behind a hole it waits, and a second record at one place is a fork.
   */
  #indexScanned(at: Location, bytes: Uint8Array): number {
    let record: SignedRecord
    try {
      record = decodeRecord(bytes)
    } catch (error) {
      if (!(error instanceof GrapevineError)) throw error
      this.#deps.logger.warn('A stored record is not readable by this version and is skipped.', {
        segment: at.segment,
        offset: at.offset,
        code: error.code
      })
      return 0
    }
    const relation = this.continues(record)
    if (relation === 'gap') this.#stranded.add(record, at)
    if (relation === 'fork') this.#rememberFork(record)
    if (relation !== 'next') return 0
    this.#index(record, at)
    this.#setMark(this.#deps.segments.positionAfter(at))
    return 1 + this.#adopt(record.log)
  }

  /** Records of this log that lay behind a hole and now continue it; returns how many. */
  #adopt(log: string): number {
    let adopted = 0
    for (;;) {
      const head = this.#logs.get(log)!
      const next = this.#stranded.take(log, head.seq + 1, head.id)
      const record = next === undefined ? undefined : this.#readStranded(next)
      if (record === undefined) return adopted
      this.#index(record, next!)
      adopted += 1
    }
  }

  /** Damaged in the meantime: then it is fetched like anything else. */
  #readStranded(at: Location): SignedRecord | undefined {
    try {
      return decodeRecord(this.#deps.segments.read(at))
    } catch (error) {
      if (error instanceof GrapevineError) return undefined
      throw error
    }
  }

  /** Places in logs whose records are damaged here while later ones are not. */
  holes(): Hole[] {
    return this.#stranded.holes((log) => this.#logs.get(log)?.seq ?? 0)
  }

  logs(): IterableIterator<LogHead> {
    return this.#logs.values()
  }

  get(log: string): LogHead | undefined {
    return this.#logs.get(log)
  }

  /** What we hold of every log. */
  vector(): VectorEntry[] {
    return [...this.#logs.values()].map((head) => ({ log: head.log, seq: head.seq, head: head.id.slice(0, 16) }))
  }

  row(log: string, seq: number): RecordRow | undefined {
    const bytes = this.#deps.rows.get(recordKey(log, seq))
    return bytes === undefined ? undefined : decodeRecordRow(bytes)
  }

  /** How `record` relates to what we hold: the next one, known already, beyond a gap, or proof of a fork. */
  continues(record: SignedRecord): 'next' | 'known' | 'gap' | 'fork' | 'frozen' | 'broken' {
    const head = this.#logs.get(record.log)
    const held = head?.seq ?? 0
    const { seq, prev } = record.body
    // what a checkpoint took the place of is settled, whatever else may claim that place
    if (seq < (head?.floor ?? 0)) return 'known'
    if (seq <= held) {
      const id = seq === held ? head?.id : this.row(record.log, seq)?.id
      return id === record.id ? 'known' : 'fork'
    }
    if (seq > held + 1) return 'gap'
    if (prev === (head?.id ?? null)) return 'next'
    return head?.frozen === true ? 'frozen' : 'broken'
  }

  /**
   * Appends verified records, each the next of its log, fsyncs them, then indexes them. Resolves when they are held.
   * Callers keep the order: nobody appends to a log while another append to it is under way.
   */
  async append(records: readonly SignedRecord[]): Promise<void> {
    for (let from = 0; from < records.length;) {
      const some = takeBytes(records, from, MAX_APPEND_RECORD_BYTES)
      const at = await this.#deps.segments.append(some.map((record) => record.bytes))
      some.forEach((record, index) => this.#index(record, at[index]!))
      this.#setMark(this.#deps.segments.positionAfter(at.at(-1)!))
      from += some.length
    }
    if (this.#stranded.first === undefined) return
    for (const log of new Set(records.map((record) => record.log))) this.#adopt(log)
    this.#saveStranded()
  }

  /**
   * Stores a record we hold once more, because its bytes were damaged; its row then points to the new copy. Durable when
   * it resolves.
   */
  async replace(record: SignedRecord): Promise<void> {
    const row = this.row(record.log, record.body.seq)
    if (row?.id !== record.id)
      throw new GrapevineError('internal', 'a record to be replaced is not held', { next: 'report this' })
    const [at] = await this.#deps.segments.append([record.bytes])
    this.#deps.rows.put(recordKey(record.log, record.body.seq), encodeRecordRow({ ...row, at: at! }))
    this.unread.delete(row.id)
    this.#setMark(this.#deps.segments.positionAfter(at!))
  }

  #index(record: SignedRecord, at: Location): void {
    const { body, log, id } = record
    let head = this.#logs.get(log)
    if (head === undefined) {
      head = {
        log,
        space: body.space,
        author: body.author,
        epoch: body.epoch,
        seq: 0,
        id: '',
        applied: 0,
        frozen: false,
        floor: 0,
        knowledge: NOTHING,
        knowledgeAt: 0
      }
      this.#logs.set(log, head)
    }
    head.seq = body.seq
    head.id = id
    const row: RecordRow = { at, id, depth: body.depth, time: body.time, knowledge: 0, state: 'waiting', reason: '' }
    this.#deps.rows.put(recordKey(log, body.seq), encodeRecordRow(row))
    this.#deps.rows.put(idKey(id), Buffer.from(recordKey(log, body.seq)))
    this.#saveHead(head)
  }

  #saveHead(head: Omit<LogHead, 'knowledge' | 'knowledgeAt'>): void {
    const { space, author, epoch, seq, id, applied, frozen, floor } = head
    this.#deps.rows.put(logKey(head.log), encodeLogRow({ space, author, epoch, seq, id, applied, frozen, floor }))
  }

  /** The record at (log, seq), checked against its id; throws `store-damaged` or `not-found`. */
  read(log: string, seq: number): SignedRecord {
    const row = this.row(log, seq)
    if (row === undefined || row.at.segment === NOWHERE.segment)
      throw new GrapevineError('not-found', 'there is no such record here', {
        next: 'check the log id and the sequence number; "grapevine inspect checkpoint" tells what took the place of older ones',
        facts: { log, seq }
      })
    return decodeRecord(this.readBytes(row, { log, seq }))
  }

  /** A record's bytes, checked against its id; `facts` go with `store-damaged`. */
  readBytes(row: RecordRow, facts: Facts = {}): Uint8Array {
    const bytes = this.#readSound(row)
    if (bytes !== undefined) return bytes
    if (this.unread.size < MAX_UNREAD) this.unread.add(row.id)
    this.#deps.damaged?.(row.id)
    throw new GrapevineError('store-damaged', 'a stored record is damaged', {
      next: 'it is fetched again from a peer that has it; see "grapevine scrub"',
      facts: { ...facts, id: row.id, ...row.at }
    })
  }

  /** Whether a record's bytes are what its row says. */
  isSound(row: RecordRow): boolean {
    return row.at.segment === NOWHERE.segment || this.#readSound(row) !== undefined
  }

  #readSound(row: RecordRow): Uint8Array | undefined {
    try {
      const bytes = this.#deps.segments.read(row.at)
      return sha256(bodyOf(bytes)).toString('hex') === row.id ? bytes : undefined
    } catch (error) {
      if (error instanceof GrapevineError && error.code === 'store-damaged') return undefined
      throw error
    }
  }

  /** Every record held, as the index has it. */
  async *records(): AsyncGenerator<{ log: string; seq: number; row: RecordRow }> {
    await this.#deps.rows.flush()
    for await (const [key, bytes] of this.#deps.store.iterate(prefixRange(RECORD_ROWS))) {
      yield { log: key.slice(RECORD_ROWS.length, -13), seq: seqOfKey(key), row: decodeRecordRow(bytes) }
    }
  }

  /** Log and seq of the record with this id (64 hex), if held. */
  find(id: string): { log: string; seq: number } | undefined {
    const bytes = this.#deps.rows.get(idKey(id))
    if (bytes === undefined) return undefined
    const [, log, seq] = Buffer.from(bytes).toString().split('/')
    if (log === undefined || seq === undefined) return undefined
    const found = { log, seq: Number.parseInt(seq, 16) }
    return this.row(found.log, found.seq)?.id === id ? found : undefined
  }

  /** Keeps both sides of a fork as proof, durably. The author writes on under another epoch. */
  async freeze(record: SignedRecord): Promise<void> {
    // in the segments too, so that a rebuilt index knows of it
    if (this.#rememberFork(record)) await this.#deps.segments.append([record.bytes])
  }

  #rememberFork(record: SignedRecord): boolean {
    const head = this.#logs.get(record.log)
    if (head === undefined || !this.#forks.add(record)) return false
    head.frozen = true
    this.#saveHead(head)
    return true
  }

  /** Records that contradict the ones held of this log: the other halves of the proofs, in order. */
  twins(log: string): SignedRecord[] {
    return this.#forks.of(log)
  }

  // --- causal order -------------------------------------------------------------------------------------------

  /** What `record` waits for, or undefined when it can be applied now. Its predecessor must be applied. */
  missing(record: SignedRecord): { log: string; seq: number } | undefined {
    return record.body.deps.find((dep) => (this.#logs.get(dep.log)?.applied ?? 0) < dep.seq)
  }

  /** Records held but not applied. */
  waitingCount(space?: string): number {
    let count = 0
    for (const head of this.#logs.values())
      if (space === undefined || head.space === space) count += head.seq - head.applied
    return count
  }

  /** See Pasts. */
  past(log: string, deps: readonly Dep[]): Past | undefined {
    return this.#pasts.past(log, deps)
  }

  /** What the record at (log, seq), which is applied or in a checkpoint, knows of other logs. */
  knowledge(log: string, seq: number): Knowledge {
    return this.#pasts.knowledgeAt(log, this.row(log, seq)?.knowledge ?? 0)
  }

  /** Whether a checkpoint took the place of the record at (log, seq). */
  isSettled(log: string, seq: number): boolean {
    return seq <= (this.#logs.get(log)?.floor ?? 0)
  }

  /** Takes over from a checkpoint a log of which nothing is held. */
  begin({ log, seq, id, author, epoch, depth, knowledge }: FrozenLog, space: string): void {
    const known = decodeKnowledge(knowledge)
    const knowledgeAt = known.size === 0 ? 0 : seq
    const head = { log, space, author, epoch, seq, id, applied: seq, frozen: false, floor: seq }
    this.#logs.set(log, { ...head, knowledge: known, knowledgeAt })
    if (knowledgeAt > 0) this.#deps.rows.put(knowledgeKey(log, seq), knowledge)
    const row = { at: NOWHERE, id, depth, time: 0, knowledge: knowledgeAt, state: 'applied', reason: '' } as const
    this.#deps.rows.put(recordKey(log, seq), encodeRecordRow(row))
    this.#deps.rows.put(idKey(id), Buffer.from(recordKey(log, seq)))
    this.#saveHead(head)
  }

  /** A checkpoint took the place of this log's records up to `seq`, which are all applied. Their rows are still to go. */
  raiseFloor(log: string, seq: number): void {
    const head = this.#logs.get(log)!
    head.floor = seq
    this.#deps.rows.put(recordKey(log, seq), encodeRecordRow({ ...this.row(log, seq)!, at: NOWHERE }))
    this.#saveHead(head)
  }

  /**
   * Writes records once more at the end, those of them that still lie in segments up to `last`. False, and nothing is
   * moved, when one does not read back.
   */
  async move(places: ReadonlyArray<{ log: string; seq: number }>, last: number): Promise<boolean> {
    const rows = places
      .map((place) => ({ ...place, row: this.row(place.log, place.seq) }))
      .filter(({ row }) => row !== undefined && row.at.segment !== NOWHERE.segment && row.at.segment <= last)
    const found = rows.map(({ row }) => this.#readSound(row!))
    if (found.includes(undefined)) return false
    if (rows.length === 0) return true
    const at = await this.#deps.segments.append(found as Uint8Array[])
    for (const [index, { log, seq, row }] of rows.entries())
      this.#deps.rows.put(recordKey(log, seq), encodeRecordRow({ ...row!, at: at[index]! }))
    this.#setMark(this.#deps.segments.positionAfter(at.at(-1)!))
    return true
  }

  /** Writes the proofs of forks once more at the end. */
  async keepTwins(): Promise<void> {
    const twins = [...this.#logs.keys()].flatMap((log) => this.#forks.of(log))
    if (twins.length > 0) await this.#deps.segments.append(twins.map(({ bytes }) => bytes))
  }

  /** Marks the next record of its log as folded, rejected or void, as deep as it stands, whatever it says. */
  setApplied(record: SignedRecord, past: Past, { state, reason }: Outcome = { state: 'applied', reason: '' }): void {
    const head = this.#logs.get(record.log)!
    const { seq } = record.body
    if (past.changed) {
      head.knowledge = past.knowledge
      head.knowledgeAt = seq
      this.#deps.rows.put(knowledgeKey(record.log, seq), encodeKnowledge(past.knowledge))
    }
    head.applied = seq
    const row = this.row(record.log, seq)!
    this.#deps.rows.put(
      recordKey(record.log, seq),
      encodeRecordRow({ ...row, depth: past.depth + 1, knowledge: head.knowledgeAt, state, reason })
    )
    this.#saveHead(head)
  }

  /** An applied record has come to count for something else. */
  setOutcome(log: string, seq: number, { state, reason }: Outcome): void {
    const row = this.row(log, seq)!
    this.#deps.rows.put(recordKey(log, seq), encodeRecordRow({ ...row, state, reason }))
  }

  /** What the applied record at (log, seq) has in its past, itself not among it. */
  knowledgeOf(log: string, seq: number): (log: string, seq: number) => boolean {
    const knowledge = this.knowledge(log, seq)
    return (other, at) => (other === log ? at < seq : (knowledge.get(other) ?? 0) >= at)
  }
}
