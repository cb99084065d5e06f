/** The join protocol: one request, one answer, spoken before membership. SPEC.md, "Join". */
import { GrapevineError, ERRORS, type ErrorCode } from '../errors.js'
import { decodeMessage, encodeCbor, malformed } from './cbor.js'
import { bytesOf, Fields } from './fields.js'
import { MAX_FRAME_BYTES, MAX_RECORD_BYTES, MAX_SEQ } from './limits.js'
import { packVector, unpackVector, type VectorEntry } from './messages.js'

export interface JoinRequest {
  /** 32 hex. */
  readonly invite: string
  readonly secret: Uint8Array
  /** What the newcomer calls itself. */
  readonly name: string
  /** How many records of the answer it has already: of an answer in pages. */
  readonly had?: number
}

/** What a member asks that was away, instead of redeeming an invitation: what the members space has become. */
export function encodeReturnRequest(had = 0): Uint8Array {
  return encodeCbor({ back: true, ...hadField(had) })
}

/** Whether this is that request; throws `message-malformed` when it is no request at all. */
export function isReturnRequest(bytes: Uint8Array): boolean {
  return decodeMessage(bytes).back === true
}

/** How many records of the answer whoever asks has already. */
export function hadIn(bytes: Uint8Array): number {
  return hadOf(decodeMessage(bytes))
}

/** Records of the members space, each after those it builds on: what a newcomer needs to know its admission, then more. */
export interface JoinAnswer {
  readonly records: readonly Uint8Array[]
  /** How many there are in all, when these are not the last; absent: no more are to be had. */
  readonly total?: number
  /** How far the issuer had applied each log of the catalog when it let the newcomer in; absent: it did not say. */
  readonly held?: readonly VectorEntry[]
}

/** Records of the members space in one answer. */
export const MAX_JOIN_RECORDS = 4_096

export function encodeJoinRequest(request: JoinRequest): Uint8Array {
  return encodeCbor({ i: bytesOf(request.invite), s: request.secret, name: request.name, ...hadField(request.had) })
}

export function decodeJoinRequest(bytes: Uint8Array): JoinRequest {
  const map = decodeMessage(bytes)
  const fields = new Fields(map, malformed)
  const request = { invite: fields.hex('i', 16), secret: fields.bytes('s', 16), name: fields.text('name', 128) }
  const had = hadOf(map)
  return had === 0 ? request : { ...request, had }
}

/** Older versions know no pages: nothing is said of the first. */
function hadField(had = 0): { p?: number } {
  return had === 0 ? {} : { p: had }
}

function hadOf(map: Readonly<Record<string, unknown>>): number {
  return map.p === undefined ? 0 : new Fields(map, malformed).int('p', 0, MAX_SEQ)
}

export function encodeJoinAnswer(answer: JoinAnswer): Uint8Array {
  const { records, total, held } = answer
  return encodeCbor({
    ok: true,
    r: records,
    ...(total === undefined ? {} : { n: total }),
    ...(held === undefined ? {} : { v: packVector(held) })
  })
}

export function encodeJoinRefusal(code: ErrorCode): Uint8Array {
  return encodeCbor({ ok: false, code })
}

/** Decodes the answer; a refusal is thrown as the error the issuer named. */
export function decodeJoinAnswer(bytes: Uint8Array): JoinAnswer {
  const map = decodeMessage(bytes)
  if (map.ok !== true) {
    const code =
      typeof map.code === 'string' && Object.hasOwn(ERRORS, map.code) ? (map.code as ErrorCode) : 'peer-refused'
    throw new GrapevineError(code, `the issuer refused the invitation: ${ERRORS[code].meaning}`, {
      next: 'ask for a new invitation'
    })
  }
  const records = new Fields(map, malformed).list('r', MAX_JOIN_RECORDS)
  if (!records.every((record) => record instanceof Uint8Array && record.length <= MAX_RECORD_BYTES))
    throw malformed('holds a bad record')
  const fields = new Fields(map, malformed)
  const total = map.n === undefined ? undefined : fields.int('n', 0, MAX_SEQ)
  const held = map.v === undefined ? undefined : unpackVector(fields.bytes('v', 0, MAX_FRAME_BYTES))
  return {
    records: records as readonly Uint8Array[],
    ...(total === undefined ? {} : { total }),
    ...(held === undefined ? {} : { held })
  }
}
