/**
 * The record: one author's signed, hash-chained change. SPEC.md, "Record". The signature covers the body's bytes as
 * sent; nothing is ever re-encoded to be checked.
 */
import { sha256, sha256Hex } from './body.js'
import { decodeCborRaw, encodeCbor, isMap } from './cbor.js'
import { bytesOf, Fields, hexOf } from './fields.js'
import { MAX_RECORD_BYTES, MAX_RECORD_DEPS, MAX_RECORD_OPS, MAX_SEQ, MAX_TIME } from './limits.js'
import { decodeOp, encodeOp, type Op } from './ops.js'
import { refuseRecord } from './refusal.js'

export const RECORD_VERSION = 1
export const SIGNATURE_BYTES = 64
/** What the signature covers: this prefix, then the body. */
export const RECORD_DOMAIN = Buffer.from('grapevine/record/1\0')
const LOG_DOMAIN = Buffer.from('grapevine/log/1\0')

/** A record elsewhere in the graph. `log` 32 hex, `id` 64 hex. */
export interface Dep {
  readonly log: string
  readonly seq: number
  readonly id: string
}

export interface RecordBody {
  /** 32 hex. */
  readonly cluster: string
  readonly space: string
  /** Raw Ed25519 public key, 32 bytes. */
  readonly author: Uint8Array
  /** 16 hex. */
  readonly epoch: string
  readonly seq: number
  /** Id of the author's previous record in this log; null at seq 1. */
  readonly prev: string | null
  readonly deps: readonly Dep[]
  readonly depth: number
  /** Hybrid clock, microseconds since 1970: advice only. */
  readonly time: number
  readonly ops: readonly Op[]
}

export interface SignedRecord {
  /** Signature, then body: what is stored and sent. */
  readonly bytes: Uint8Array
  /** SHA-256 of the body, 64 hex. */
  readonly id: string
  /** The log it belongs to, 32 hex. */
  readonly log: string
  readonly body: RecordBody
}

/** The id of a log: one author's records of one epoch in one space. 32 hex. */
export function logIdOf(space: string, author: Uint8Array, epoch: string): string {
  return sha256(Buffer.concat([LOG_DOMAIN, author, bytesOf(epoch), Buffer.from(space)])).toString('hex', 0, 16)
}

export function encodeBody(body: RecordBody): Uint8Array {
  const map: Record<string, unknown> = {
    v: RECORD_VERSION,
    cluster: bytesOf(body.cluster),
    space: body.space,
    author: body.author,
    epoch: bytesOf(body.epoch),
    seq: body.seq,
    deps: body.deps.map((dep) => [bytesOf(dep.log), dep.seq, bytesOf(dep.id)]),
    depth: body.depth,
    time: body.time,
    ops: body.ops.map(encodeOp)
  }
  if (body.prev !== null) map.prev = bytesOf(body.prev)
  return encodeCbor(map)
}

/** What is signed for `body` bytes. */
export function signedBytes(body: Uint8Array): Uint8Array {
  return Buffer.concat([RECORD_DOMAIN, body])
}

export function sealRecord(body: RecordBody, sign: (bytes: Uint8Array) => Uint8Array): SignedRecord {
  const encoded = encodeBody(body)
  const bytes = Buffer.concat([sign(signedBytes(encoded)), encoded])
  return { bytes, id: sha256Hex(encoded), log: logIdOf(body.space, body.author, body.epoch), body }
}

/** What a record's signature is checked with: the author's key, what was signed, and the signature. */
export function signatureOf({
  body,
  bytes
}: SignedRecord): [key: Uint8Array, signed: Uint8Array, signature: Uint8Array] {
  return [body.author, signedBytes(bodyOf(bytes)), bytes.subarray(0, SIGNATURE_BYTES)]
}

/** The body part of a record's bytes. */
export function bodyOf(bytes: Uint8Array): Uint8Array {
  return bytes.subarray(SIGNATURE_BYTES)
}

/** Checks size, shape and range; throws `record-malformed`. Knows nothing of membership, chain or signature. */
export function decodeRecord(bytes: Uint8Array): SignedRecord {
  if (bytes.length <= SIGNATURE_BYTES || bytes.length > MAX_RECORD_BYTES) {
    throw refuseRecord(`has ${bytes.length} bytes; ${SIGNATURE_BYTES + 1} to ${MAX_RECORD_BYTES} are allowed`)
  }
  const encoded = bodyOf(bytes)
  let value: unknown
  try {
    value = decodeCborRaw(encoded)
  } catch (error) {
    throw refuseRecord('is not strict CBOR', {}, error)
  }
  if (!isMap(value)) throw refuseRecord('is not a map')
  const body = readBody(value)
  return { bytes, id: sha256Hex(encoded), log: cachedLogId(body), body }
}

function readBody(map: Readonly<Record<string, unknown>>): RecordBody {
  const fields = new Fields(map, refuseRecord)
  if (map.v !== RECORD_VERSION) throw refuseRecord(`has version ${String(map.v)}; this node knows ${RECORD_VERSION}`)
  const seq = fields.int('seq', 1, MAX_SEQ)
  const prev = fields.optionalBytes('prev', 32)
  if ((seq === 1) !== (prev === undefined)) throw refuseRecord('must name its predecessor from seq 2 on, and only then')
  return {
    cluster: fields.hex('cluster', 16),
    space: fields.text('space', 32),
    author: fields.bytes('author', 32),
    epoch: fields.hex('epoch', 8),
    seq,
    prev: prev === undefined ? null : hexOf(prev),
    deps: fields.list('deps', MAX_RECORD_DEPS).map(readDep),
    depth: fields.int('depth', 1, MAX_SEQ),
    time: fields.int('time', 0, MAX_TIME),
    ops: fields.list('ops', MAX_RECORD_OPS).map(decodeOp)
  }
}

function readDep(value: unknown): Dep {
  if (!Array.isArray(value) || value.length !== 3) throw refuseRecord('has a dependency that is not [log, seq, id]')
  const fields = new Fields({ log: value[0], seq: value[1], id: value[2] }, refuseRecord)
  return { log: fields.hex('log', 16), seq: fields.int('seq', 1, MAX_SEQ), id: fields.hex('id', 32) }
}

/** Few authors write many records: remember the last log ids instead of hashing them anew. */
const logIds = new Map<string, string>()
const MAX_CACHED_LOG_IDS = 4_096

function cachedLogId(body: RecordBody): string {
  const key = hexOf(body.author) + body.epoch + body.space
  let id = logIds.get(key)
  if (id === undefined) {
    id = logIdOf(body.space, body.author, body.epoch)
    if (logIds.size >= MAX_CACHED_LOG_IDS) logIds.clear()
    logIds.set(key, id)
  }
  return id
}
