/** The invitation token: one line of text that carries all a newcomer needs. SPEC.md, "Token". A bearer secret. */
import { GrapevineError } from '../errors.js'
import { sha256 } from './body.js'
import { decodeCborRaw, encodeCbor, isMap } from './cbor.js'
import { bytesOf, Fields } from './fields.js'
import { ROLES, type Role } from './ops.js'

export interface Token {
  /** 32 hex. */
  readonly cluster: string
  /** Noise prologue of the cluster, 32 bytes. */
  readonly clusterSecret: Uint8Array
  /** Public key of the cluster's root, 32 bytes; the cluster id is derived from it. */
  readonly root: Uint8Array
  /** Public key of the node that redeems it. */
  readonly issuer: Uint8Array
  /** 32 hex. */
  readonly invite: string
  readonly secret: Uint8Array
  readonly role: Role
  /** Milliseconds since 1970. */
  readonly expires: number
  readonly clusterName: string
  /** Multiaddrs under which the issuer listened. */
  readonly addresses: readonly string[]
}

const PREFIX = 'gv1-'
const CHECK_BYTES = 4
/** Text length of a token, characters. */
export const MAX_TOKEN_LENGTH = 4_096

export function encodeToken(token: Token): string {
  const body = encodeCbor({
    c: bytesOf(token.cluster),
    k: token.clusterSecret,
    r: token.root,
    i: token.issuer,
    n: bytesOf(token.invite),
    s: token.secret,
    o: token.role,
    x: token.expires,
    m: token.clusterName,
    a: token.addresses
  })
  return PREFIX + Buffer.concat([body, sha256(body).subarray(0, CHECK_BYTES)]).toString('base64url')
}

/** Throws `token-malformed` for anything that is not a whole, undamaged token. */
export function decodeToken(text: string): Token {
  const trimmed = text.trim()
  if (!trimmed.startsWith(PREFIX) || trimmed.length > MAX_TOKEN_LENGTH) throw badToken('does not look like one')
  const bytes = Buffer.from(trimmed.slice(PREFIX.length), 'base64url')
  const body = bytes.subarray(0, -CHECK_BYTES)
  if (!sha256(body).subarray(0, CHECK_BYTES).equals(bytes.subarray(-CHECK_BYTES)))
    throw badToken('is cut short or damaged')
  let map: unknown
  try {
    map = decodeCborRaw(body)
  } catch (error) {
    throw badToken('is damaged', error)
  }
  if (!isMap(map)) throw badToken('is damaged')
  const fields = new Fields(map, badToken)
  const addresses = fields.list('a', 32)
  if (!addresses.every((address) => typeof address === 'string' && address.length <= 512))
    throw badToken('holds a bad address')
  return {
    cluster: fields.hex('c', 16),
    clusterSecret: fields.bytes('k', 32),
    root: fields.bytes('r', 32),
    issuer: fields.bytes('i', 32),
    invite: fields.hex('n', 16),
    secret: fields.bytes('s', 16),
    role: fields.oneOf('o', ROLES),
    expires: fields.int('x', 0, Number.MAX_SAFE_INTEGER),
    clusterName: fields.text('m', 128),
    addresses: addresses as string[]
  }
}

function badToken(what: string, cause?: unknown): GrapevineError {
  return new GrapevineError('token-malformed', `the invitation token ${what}`, {
    next: 'copy the whole line that "grapevine invite" printed, or ask for a new one',
    cause
  })
}
