/** How the log's index rows look in the store. All of it can be rebuilt from the segments. */
import { prefixRange, type Store } from '../store/index.js'
import { decodeCborRaw, encodeCbor } from '../wire/index.js'
import type { Location } from './segments.js'

/** `void`: good in itself, and counts for nothing because its author was removed. */
export type RecordState = 'waiting' | 'applied' | 'rejected' | 'void'
const STATES: readonly RecordState[] = ['waiting', 'applied', 'rejected', 'void']

/** Where a record lies and what became of it. */
export interface RecordRow {
  readonly at: Location
  /** 64 hex. */
  readonly id: string
  readonly depth: number
  readonly time: number
  /** Seq of the record of the same log whose row of knowledge holds for this one; 0: it knows nothing of others. */
  readonly knowledge: number
  readonly state: RecordState
  /** Why it was rejected; of a void one the record of the removal, as `log/seq`. */
  readonly reason: string
}

/** One log: who writes it and how far we are. */
export interface LogRow {
  readonly space: string
  readonly author: Uint8Array
  readonly epoch: string
  readonly seq: number
  readonly id: string
  /** Newest seq folded (or rejected); the rest waits for what it builds on. */
  readonly applied: number
  /** Set when two different records claimed one seq: nothing is taken beyond it. */
  readonly frozen: boolean
  /** Up to this seq a checkpoint took the place of its records; the row of that one is kept. Absent: 0. */
  readonly floor?: number
}

/** Where a record lies that only a checkpoint knows of. */
export const NOWHERE: Location = { segment: 0, offset: 0, length: 0 }

export const LOG_ROWS = 'L/'
export const RECORD_ROWS = 'R/'
const KNOWLEDGE_ROWS = 'V/'
const ID_ROWS = 'I/'
const FIXED = 4 + 6 + 4 + 32 + 6 + 7 + 6 + 1

export const logKey = (log: string): string => LOG_ROWS + log
export const recordKey = (log: string, seq: number): string =>
  `${RECORD_ROWS}${log}/${seq.toString(16).padStart(12, '0')}`
export const recordRange = (log: string, from: number): { gte: string; lt: string } => ({
  gte: recordKey(log, from),
  lt: `${RECORD_ROWS}${log}/g`
})
export const knowledgeKey = (log: string, seq: number): string =>
  `${KNOWLEDGE_ROWS}${log}/${seq.toString(16).padStart(12, '0')}`
/** Finds a record by its id: value is log and seq. */
export const idKey = (id: string): string => ID_ROWS + id.slice(0, 32)
export const seqOfKey = (key: string): number => Number.parseInt(key.slice(-12), 16)

export function encodeRecordRow(row: RecordRow): Uint8Array {
  const reason = Buffer.from(row.reason)
  const out = Buffer.alloc(FIXED + reason.length)
  let at = out.writeUInt32BE(row.at.segment, 0)
  at = out.writeUIntBE(row.at.offset, at, 6)
  at = out.writeUInt32BE(row.at.length, at)
  at += out.write(row.id, at, 32, 'hex')
  at = out.writeUIntBE(row.depth, at, 6)
  out.writeUIntBE(Math.floor(row.time / 2 ** 24), at, 4)
  out.writeUIntBE(row.time % 2 ** 24, at + 4, 3)
  at = out.writeUIntBE(row.knowledge, at + 7, 6)
  at = out.writeUInt8(STATES.indexOf(row.state), at)
  reason.copy(out, at)
  return out
}

export function decodeRecordRow(bytes: Uint8Array): RecordRow {
  const row = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  return {
    at: { segment: row.readUInt32BE(0), offset: row.readUIntBE(4, 6), length: row.readUInt32BE(10) },
    id: row.toString('hex', 14, 46),
    depth: row.readUIntBE(46, 6),
    time: row.readUIntBE(52, 4) * 2 ** 24 + row.readUIntBE(56, 3),
    knowledge: row.readUIntBE(59, 6),
    state: STATES[row.readUInt8(65)] ?? 'rejected',
    reason: row.toString('utf8', FIXED)
  }
}

export function encodeLogRow(row: LogRow): Uint8Array {
  const { floor = 0, ...kept } = row
  // rows of before there were checkpoints have none
  return encodeCbor(floor === 0 ? kept : { ...kept, floor })
}

export function decodeLogRow(bytes: Uint8Array): LogRow {
  return decodeCborRaw(bytes) as LogRow
}

/** The logs an index knows, read without opening anything else. */
export async function* storedHeads(store: Store): AsyncGenerator<{ log: string; author: Uint8Array; seq: number }> {
  for await (const [key, bytes] of store.iterate(prefixRange(LOG_ROWS))) {
    const { author, seq } = decodeLogRow(bytes)
    yield { log: key.slice(LOG_ROWS.length), author, seq }
  }
}

/** What a record knows of other logs: log id -> greatest seq in its past. */
export type Knowledge = ReadonlyMap<string, number>

export function encodeKnowledge(knowledge: Knowledge): Uint8Array {
  const out = Buffer.alloc(knowledge.size * 22)
  let at = 0
  for (const [log, seq] of knowledge) {
    out.write(log, at, 16, 'hex')
    out.writeUIntBE(seq, at + 16, 6)
    at += 22
  }
  return out
}

export function decodeKnowledge(bytes: Uint8Array): Knowledge {
  const rows = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  const knowledge = new Map<string, number>()
  for (let at = 0; at < rows.length; at += 22)
    knowledge.set(rows.toString('hex', at, at + 16), rows.readUIntBE(at + 16, 6))
  return knowledge
}
