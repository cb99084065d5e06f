/**
 * Messages of the blob lane: a request each for a tree node, a chunk, and what a peer holds, and their answers.
 * SPEC.md, "Blob lane", has every field. Kinds and fields are only ever appended; unknown fields are ignored, unknown kinds refused.
 */
import { decodeMessage, encodeCbor, malformed } from './cbor.js'
import { bytesOf, Fields } from './fields.js'
import { BLOB_CHUNK_BYTES, BLOB_TREE_FANOUT, MAX_BODY_BYTES, MAX_PART_CHUNKS } from './limits.js'

/** Hashes asked about in one `have`. */
export const MAX_HAVE_HASHES = 1_024
/** One request: a `have` of the most hashes and room for fields of later versions, bytes. */
export const MAX_BLOB_REQUEST_BYTES = 64 * 1024
/** One answer: chunks or a whole tree node and the message around them, bytes. */
export const MAX_BLOB_ANSWER_BYTES = MAX_PART_CHUNKS * BLOB_CHUNK_BYTES + 1_024
/** Highest chunk index: the last chunk of the largest body. */
export const MAX_CHUNK_INDEX = MAX_BODY_BYTES / BLOB_CHUNK_BYTES - 1
/** Highest tree level: two levels of 8,192 carry 16 TiB, more than the largest body. */
export const MAX_TREE_LEVEL = 1
/** Highest node index in a level. */
export const MAX_NODE_INDEX = (MAX_CHUNK_INDEX + 1) / BLOB_TREE_FANOUT - 1

const HASH_BYTES = 32
/** In CBOR, the first byte of bytes whose length is in the next four: the shortest way for lengths from this one on. */
const LONG_BYTES = 0x5a
const LONG_LENGTH_BYTES = 5
export const MIN_LONG_LENGTH = 65_536
/** What a node holds at most, its hashes, is the same as a chunk. */
const MAX_ANSWERED_BYTES = Math.max(MAX_PART_CHUNKS * BLOB_CHUNK_BYTES, BLOB_TREE_FANOUT * HASH_BYTES)

/** Asks for the hashes of one tree node. `hash` 64 hex, `size` bytes of the body. */
export interface NodeRequest {
  readonly t: 'node'
  readonly hash: string
  readonly size: number
  readonly level: number
  readonly index: number
}

/** Asks for the bytes of `count` chunks from `index` on; without `count`, of one. An answer may have fewer than asked for. */
export interface ChunkRequest {
  readonly t: 'chunk'
  readonly hash: string
  readonly size: number
  readonly index: number
  readonly count?: number
}

/** Asks which of these bodies the peer holds complete. */
export interface HaveRequest {
  readonly t: 'have'
  readonly hashes: readonly string[]
}

/** The node or chunks that were asked for. */
export interface BytesAnswer {
  readonly t: 'bytes'
  readonly bytes: Uint8Array
}

/** The answerer does not hold that body (in that size). A normal answer. */
export interface AbsentAnswer {
  readonly t: 'absent'
}

/** For each hash of a `have`, in its order: the size of the body held, or null. */
export interface SizesAnswer {
  readonly t: 'sizes'
  readonly sizes: ReadonlyArray<number | null>
}

export type BlobRequest = NodeRequest | ChunkRequest | HaveRequest
export type BlobAnswer = BytesAnswer | AbsentAnswer | SizesAnswer

export function encodeBlobRequest(request: BlobRequest): Uint8Array {
  if (request.t === 'have') return encodeCbor({ t: 'have', hashes: request.hashes.map(bytesOf) })
  return encodeCbor({ ...request, hash: bytesOf(request.hash) })
}

export function encodeBlobAnswer(answer: BlobAnswer): Uint8Array {
  return encodeCbor(answer)
}

/** Throws `message-malformed`. */
export function decodeBlobRequest(frame: Uint8Array): BlobRequest {
  const { kind, fields } = open(frame, MAX_BLOB_REQUEST_BYTES, 'a blob request')
  switch (kind) {
    case 'node':
      return {
        t: 'node',
        ...bodyOf(fields),
        level: fields.int('level', 0, MAX_TREE_LEVEL),
        index: fields.int('index', 0, MAX_NODE_INDEX)
      }
    case 'chunk':
      return {
        t: 'chunk',
        ...bodyOf(fields),
        index: fields.int('index', 0, MAX_CHUNK_INDEX),
        ...(fields.has('count') ? { count: fields.int('count', 1, MAX_PART_CHUNKS) } : {})
      }
    case 'have':
      return { t: 'have', hashes: hashesOf(fields) }
    default:
      throw malformed('is a blob request of a kind this version does not know')
  }
}

/** Throws `message-malformed`. */
export function decodeBlobAnswer(frame: Uint8Array): BlobAnswer {
  const bytes = bytesIn(frame)
  if (bytes !== undefined) return { t: 'bytes', bytes }
  const { kind, fields } = open(frame, MAX_BLOB_ANSWER_BYTES, 'a blob answer')
  switch (kind) {
    case 'bytes':
      return { t: 'bytes', bytes: fields.bytes('bytes', 0, MAX_ANSWERED_BYTES) }
    case 'absent':
      return { t: 'absent' }
    case 'sizes':
      return { t: 'sizes', sizes: sizesOf(fields) }
    default:
      throw malformed('is a blob answer of a kind this version does not know')
  }
}

/**
 * All of a `bytes` answer but the bytes, which come last in it: so they need not be copied to make one. For 64 KiB and more.
 */
export function headOfBytes(length: number): Uint8Array {
  const empty = encodeCbor({ t: 'bytes', bytes: new Uint8Array() })
  const start = empty.subarray(0, -1)
  const head = Buffer.alloc(start.length + LONG_LENGTH_BYTES)
  head.set(start)
  head[start.length] = LONG_BYTES
  head.writeUInt32BE(length, start.length + 1)
  return head
}

/** What an answer holds that begins just like this; any other is looked at more closely. */
function bytesIn(frame: Uint8Array): Uint8Array | undefined {
  const length = frame.length - HEAD_BYTES
  if (length < MIN_LONG_LENGTH || length > MAX_ANSWERED_BYTES) return undefined
  if (Buffer.compare(headOfBytes(length), frame.subarray(0, HEAD_BYTES)) !== 0) return undefined
  return new Uint8Array(frame.buffer, frame.byteOffset + HEAD_BYTES, length)
}

const HEAD_BYTES = headOfBytes(MIN_LONG_LENGTH).length

function open(frame: Uint8Array, maxBytes: number, what: string): { kind: unknown; fields: Fields } {
  if (frame.length > maxBytes) throw malformed(`is ${what} of more than ${maxBytes} bytes`)
  const map = decodeMessage(frame)
  // One value has one encoding: floats for integers, or keys out of order, decode but are refused here.
  if (Buffer.compare(encodeCbor(map), frame) !== 0) throw malformed(`is ${what} that is not in deterministic encoding`)
  return { kind: map['t'], fields: new Fields(map, malformed) }
}

function bodyOf(fields: Fields): { hash: string; size: number } {
  return { hash: fields.hex('hash', HASH_BYTES), size: fields.int('size', 0, MAX_BODY_BYTES) }
}

function hashesOf(fields: Fields): string[] {
  const hashes = fields.list('hashes', MAX_HAVE_HASHES)
  if (hashes.length === 0) throw malformed('asks about no blobs at all')
  return hashes.map((hash) => {
    if (!(hash instanceof Uint8Array) || hash.length !== HASH_BYTES) throw malformed('has a hash that is not 32 bytes')
    return Buffer.from(hash).toString('hex')
  })
}

function sizesOf(fields: Fields): Array<number | null> {
  return fields.list('sizes', MAX_HAVE_HASHES).map((size) => {
    if (size === null) return null
    if (typeof size === 'number' && Number.isSafeInteger(size) && size >= 0 && size <= MAX_BODY_BYTES) return size
    throw malformed('has a blob size out of range')
  })
}
