/** The join protocol: one request, one answer, spoken before membership. SPEC.md, "Join". */
import { GrapevineError, ERRORS, type ErrorCode } from '../errors.js'
import { decodeMessage, encodeCbor, malformed } from './cbor.js'
import { bytesOf, Fields } from './fields.js'
import { MAX_RECORD_BYTES } from './limits.js'

export interface JoinRequest {
  /** 32 hex. */
  readonly invite: string
  readonly secret: Uint8Array
  /** What the newcomer calls itself. */
  readonly name: string
}

/** What a member asks that was away, instead of redeeming an invitation: what the members space has become. */
export function encodeReturnRequest(): Uint8Array {
  return encodeCbor({ back: true })
}

/** Whether this is that request; throws `message-malformed` when it is no request at all. */
export function isReturnRequest(bytes: Uint8Array): boolean {
  return decodeMessage(bytes).back === true
}

/** The issuer's log of the members space up to the newcomer's admission: all a newcomer must trust to begin. */
export interface JoinAnswer {
  readonly records: readonly Uint8Array[]
}

/** Records of the members space in one answer. */
export const MAX_JOIN_RECORDS = 4_096

export function encodeJoinRequest(request: JoinRequest): Uint8Array {
  return encodeCbor({ i: bytesOf(request.invite), s: request.secret, name: request.name })
}

export function decodeJoinRequest(bytes: Uint8Array): JoinRequest {
  const fields = new Fields(decodeMessage(bytes), malformed)
  return { invite: fields.hex('i', 16), secret: fields.bytes('s', 16), name: fields.text('name', 128) }
}

export function encodeJoinAnswer(answer: JoinAnswer): Uint8Array {
  return encodeCbor({ ok: true, r: answer.records })
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
  return { records: records as readonly Uint8Array[] }
}
