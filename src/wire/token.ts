/** The invitation token: one line of text that carries all a newcomer needs. SPEC.md, "Token". A bearer secret. */
import { badText, openText, sealText, type Envelope } from './envelope.js'
import { bytesOf } from './fields.js'
import { ROLES, type Role } from './member-ops.js'

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

/** Text length of a token, characters. */
export const MAX_TOKEN_LENGTH = 4_096

const TOKEN: Envelope = {
  prefix: 'gv1-',
  maxLength: MAX_TOKEN_LENGTH,
  what: 'invitation token',
  next: 'copy the whole line that "grapevine invite" printed, or ask for a new one'
}

export function encodeToken(token: Token): string {
  return sealText(TOKEN, {
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
}

/** Throws `token-malformed` for anything that is not a whole, undamaged token. */
export function decodeToken(text: string): Token {
  const fields = openText(TOKEN, text)
  const addresses = fields.list('a', 32)
  if (!addresses.every((address) => typeof address === 'string' && address.length <= 512))
    throw badText(TOKEN, 'holds a bad address')
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
