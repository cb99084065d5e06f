/**
 * Messages between members about records: announcements (one-way), pulls and comparisons (request and answer) and gossip.
 * SPEC.md, "Messages". Kinds are only ever appended.
 */
import { sha256, type BodyRef } from './body.js'
import { decodeMessage, encodeCbor, malformed } from './cbor.js'
import { bytesOf, Fields, hexOf } from './fields.js'
import { packRef, readRef } from './manifest.js'
import { pack, unpack } from './packed.js'
import {
  MAX_FRAME_BYTES,
  MAX_GOSSIP_BYTES,
  MAX_LACKS,
  MAX_MANIFEST_BYTES,
  MAX_PACKED_BYTES,
  MAX_RECORD_BYTES,
  MAX_SEQ,
  MAX_SYSTEM_BYTES,
  MAX_TIME
} from './limits.js'

/** How far a node holds one log. `log` 32 hex, `head` first 8 bytes of the newest record's id as 16 hex. */
export interface VectorEntry {
  readonly log: string
  readonly seq: number
  readonly head: string
}

/** One-way: what the sender durably holds. `full`: every log it has; otherwise only those that changed. */
export interface VectorMessage {
  readonly t: 'vector'
  readonly full: boolean
  readonly vector: readonly VectorEntry[]
  /** Root of the catalog after applying all of `vector`; absent while records wait or in partial messages. */
  readonly root?: string
}

/** One-way: a fingerprint of what the sender holds; whoever holds something else asks for the vector. */
export interface DigestMessage {
  readonly t: 'digest'
  /** SHA-256 over the sorted vector, 64 hex. */
  readonly digest: string
  readonly root?: string
  /** What the sender's clock says, ms since 1970: to raise an alarm by, never to decide anything by. */
  readonly clock?: number
  /** Absent: the sender runs beside no system, or knows nothing of it yet. */
  readonly beside?: Beside
}

/** What a node says of the system it runs beside: to warn by, never to decide anything by. */
export interface Beside {
  /** Name and version, such as `GeoServer 2.26.2`; 1 to `MAX_SYSTEM_BYTES`. */
  readonly system: string
  /** Plugins that it lacks and something in the catalog needs; at most `MAX_LACKS`, each 1 to `MAX_SYSTEM_BYTES`. */
  readonly lacks: readonly string[]
}

/** One-way: asks for a full vector. */
export interface AskVectorMessage {
  readonly t: 'ask-vector'
}

export interface PullRequest {
  readonly t: 'pull'
  readonly log: string
  readonly from: number
  readonly count: number
  /** The asker understands packed records. Absent: it does not. */
  readonly packed?: true
}

export interface PullAnswer {
  readonly t: 'records'
  readonly records: readonly Uint8Array[]
  /** Newest seq of that log the answerer holds. */
  readonly head: number
  /** Up to this seq the log is in a checkpoint, and its records are not to be had here. Absent: all are. */
  readonly floor?: number
}

/** Asks for the checkpoint that took the place of older records, and for the word of those who vouch for it. */
export interface CheckpointRequest {
  readonly t: 'checkpoint'
}

/** `offer` absent: there is none. Else a content that holds an offer; see `decodeOffer`. */
export interface CheckpointAnswer {
  readonly t: 'checkpoint-is'
  readonly offer?: BodyRef
}

export interface RootRequest {
  readonly t: 'root'
}

export interface RootAnswer {
  readonly t: 'root-is'
  readonly root: string
  readonly vector: readonly VectorEntry[]
}

export interface BucketsRequest {
  readonly t: 'buckets'
}

export interface BucketsAnswer {
  readonly t: 'buckets-are'
  /** Sums of all buckets, 32 bytes each. */
  readonly sums: Uint8Array
}

export interface BucketRequest {
  readonly t: 'bucket'
  readonly index: number
}

export interface BucketAnswer {
  readonly t: 'bucket-is'
  /** Entry id (16 bytes) and canonical hash (32 bytes), one after the other. */
  readonly rows: Uint8Array
}

export type SyncNotice = VectorMessage | DigestMessage | AskVectorMessage
export type SyncRequest = PullRequest | RootRequest | BucketsRequest | BucketRequest | CheckpointRequest
export type SyncAnswer = PullAnswer | RootAnswer | BucketsAnswer | BucketAnswer | CheckpointAnswer

/** Gossip: small records whole; of larger ones only where they are to be had. */
export interface GossipMessage {
  readonly records: readonly Uint8Array[]
  readonly heads: readonly VectorEntry[]
}

export const BUCKETS = 4_096
/** Logs one vector may name: 65,536 x 28 bytes stays within a frame. */
export const MAX_VECTOR_LOGS = 60_000
export const MAX_PULL_RECORDS = 4_096

export function encodeNotice(message: SyncNotice): Uint8Array {
  if (message.t === 'ask-vector') return encodeCbor({ t: message.t })
  const map: Record<string, unknown> =
    message.t === 'digest'
      ? { t: message.t, digest: bytesOf(message.digest) }
      : { t: message.t, full: message.full, vector: packVector(message.vector) }
  if (message.root !== undefined) map.root = bytesOf(message.root)
  if (message.t === 'digest') addAdvice(map, message)
  return encodeCbor(map)
}

function addAdvice(map: Record<string, unknown>, { clock, beside }: DigestMessage): void {
  if (clock !== undefined) map.now = clock
  if (beside === undefined) return
  map.sys = beside.system
  if (beside.lacks.length > 0) map.lacks = beside.lacks
}

export function decodeNotice(bytes: Uint8Array): SyncNotice {
  const map = decodeMessage(bytes)
  const fields = new Fields(map, malformed)
  if (map.t === 'ask-vector') return { t: 'ask-vector' }
  if (map.t !== 'vector' && map.t !== 'digest') throw malformed(`is of the unknown kind ${String(map.t)}`)
  const root = fields.optionalBytes('root', 32)
  const message =
    map.t === 'digest'
      ? { t: 'digest' as const, digest: fields.hex('digest', 32), ...clockOf(map.now, fields), ...besideOf(fields) }
      : {
          t: 'vector' as const,
          full: map.full === true,
          vector: unpackVector(fields.bytes('vector', 0, MAX_FRAME_BYTES))
        }
  return root === undefined ? message : { ...message, root: hexOf(root) }
}

function clockOf(value: unknown, fields: Fields): { clock?: number } {
  return value === undefined ? {} : { clock: fields.int('now', 0, MAX_TIME) }
}

function besideOf(fields: Fields): { beside?: Beside } {
  if (!fields.has('sys')) return {}
  const lacks = fields.has('lacks') ? fields.list('lacks', MAX_LACKS) : []
  return { beside: { system: nameOf(fields.value('sys'), 'sys'), lacks: lacks.map((each) => nameOf(each, 'lacks')) } }
}

function nameOf(value: unknown, field: string): string {
  if (typeof value === 'string' && value !== '' && Buffer.byteLength(value) <= MAX_SYSTEM_BYTES) return value
  throw malformed(`holds in ${field} what is not text of 1 to ${MAX_SYSTEM_BYTES} bytes`)
}

export function encodeRequest(request: SyncRequest): Uint8Array {
  return encodeCbor(request.t === 'pull' ? { ...request, log: bytesOf(request.log) } : request)
}

export function decodeRequest(bytes: Uint8Array): SyncRequest {
  const map = decodeMessage(bytes)
  const fields = new Fields(map, malformed)
  switch (map.t) {
    case 'pull':
      return {
        t: 'pull',
        log: fields.hex('log', 16),
        from: fields.int('from', 1, MAX_SEQ),
        count: fields.int('count', 1, MAX_PULL_RECORDS),
        ...(map.packed === true ? { packed: true as const } : {})
      }
    case 'root':
      return { t: 'root' }
    case 'buckets':
      return { t: 'buckets' }
    case 'bucket':
      return { t: 'bucket', index: fields.int('index', 0, BUCKETS - 1) }
    case 'checkpoint':
      return { t: 'checkpoint' }
    default:
      throw malformed(`is a request of the unknown kind ${String(map.t)}`)
  }
}

/** For whoever understands packed records: they are packed where that makes the answer shorter. */
export function encodePacked(answer: PullAnswer): Uint8Array {
  const packed = pack(answer.records)
  return packed === undefined ? encodeAnswer(answer) : encodeCbor({ ...answer, records: [], packed })
}

export function encodeAnswer(answer: SyncAnswer): Uint8Array {
  if (answer.t === 'root-is')
    return encodeCbor({ t: answer.t, root: bytesOf(answer.root), vector: packVector(answer.vector) })
  if (answer.t === 'checkpoint-is')
    return encodeCbor(answer.offer === undefined ? answer : { ...answer, offer: packRef(answer.offer) })
  return encodeCbor(answer)
}

export function decodeAnswer<T extends SyncAnswer['t']>(bytes: Uint8Array, expected: T): Extract<SyncAnswer, { t: T }> {
  const map = decodeMessage(bytes)
  if (map.t !== expected) throw malformed(`answers ${String(map.t)} where ${expected} was expected`)
  return readAnswer(expected, new Fields(map, malformed)) as Extract<SyncAnswer, { t: T }>
}

function readAnswer(kind: SyncAnswer['t'], fields: Fields): SyncAnswer {
  switch (kind) {
    case 'records': {
      const records = recordsOf(fields)
      if (!records.every((record) => record instanceof Uint8Array && record.length <= MAX_RECORD_BYTES))
        throw malformed('holds a record over its size')
      const answer = {
        t: 'records' as const,
        records: records as readonly Uint8Array[],
        head: fields.int('head', 0, MAX_SEQ)
      }
      return fields.has('floor') ? { ...answer, floor: fields.int('floor', 1, MAX_SEQ) } : answer
    }
    case 'root-is':
      return {
        t: 'root-is',
        root: fields.hex('root', 32),
        vector: unpackVector(fields.bytes('vector', 0, MAX_FRAME_BYTES))
      }
    case 'buckets-are':
      return { t: 'buckets-are', sums: fields.bytes('sums', BUCKETS * 32) }
    case 'bucket-is': {
      const rows = fields.bytes('rows', 0, MAX_FRAME_BYTES)
      if (rows.length % 48 !== 0) throw malformed('holds a cut row')
      return { t: 'bucket-is', rows }
    }
    case 'checkpoint-is':
      return fields.has('offer')
        ? { t: 'checkpoint-is', offer: readRef(fields.value('offer'), MAX_MANIFEST_BYTES) }
        : { t: 'checkpoint-is' }
  }
}

function recordsOf(fields: Fields): readonly unknown[] {
  const plain = fields.list('records', MAX_PULL_RECORDS)
  if (!fields.has('packed')) return plain
  if (plain.length > 0) throw malformed('holds records both packed and not')
  const packed = unpack(fields.bytes('packed', 0, MAX_PACKED_BYTES))
  return new Fields(packed, malformed).list('records', MAX_PULL_RECORDS)
}

export function encodeGossip(message: GossipMessage): Uint8Array {
  return encodeCbor({ r: message.records, h: packVector(message.heads) })
}

export function decodeGossip(bytes: Uint8Array): GossipMessage {
  if (bytes.length > MAX_GOSSIP_BYTES)
    throw malformed(`of gossip has ${bytes.length} bytes; ${MAX_GOSSIP_BYTES} are allowed`)
  const fields = new Fields(decodeMessage(bytes), malformed)
  const records = fields.list('r', MAX_PULL_RECORDS)
  if (!records.every((record) => record instanceof Uint8Array))
    throw malformed('of gossip holds something that is not a record')
  return { records: records as readonly Uint8Array[], heads: unpackVector(fields.bytes('h', 0, MAX_GOSSIP_BYTES)) }
}

/** Fingerprint of a vector, 64 hex. */
export function vectorDigest(vector: readonly VectorEntry[]): string {
  return sha256(packVector(vector.toSorted((a, b) => (a.log < b.log ? -1 : 1)))).toString('hex')
}

const ROW = 16 + 6 + 8

/** Rows of log id (16), seq (6, big endian), head (8). */
export function packVector(vector: readonly VectorEntry[]): Uint8Array {
  const out = Buffer.alloc(vector.length * ROW)
  vector.forEach((entry, row) => {
    const at = row * ROW
    out.write(entry.log, at, 16, 'hex')
    out.writeUIntBE(entry.seq, at + 16, 6)
    out.write(entry.head, at + 22, 8, 'hex')
  })
  return out
}

/** Throws `message-malformed`. */
export function unpackVector(bytes: Uint8Array): VectorEntry[] {
  if (bytes.length % ROW !== 0 || bytes.length / ROW > MAX_VECTOR_LOGS)
    throw malformed('holds a vector of a wrong length')
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  const vector: VectorEntry[] = []
  for (let at = 0; at < buffer.length; at += ROW) {
    vector.push({
      log: buffer.toString('hex', at, at + 16),
      seq: buffer.readUIntBE(at + 16, 6),
      head: buffer.toString('hex', at + 22, at + 30)
    })
  }
  return vector
}
