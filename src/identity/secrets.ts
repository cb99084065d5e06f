/**
 * The cluster's secret on its way to each member: X25519 with a one-time key, HKDF-SHA256, ChaCha20-Poly1305, as in RFC
 * 9180's base mode in spirit. A member's X25519 key is that of its Ed25519 key (RFC 7748, section 4.1).
 */
import { ed25519 } from '@noble/curves/ed25519.js'
import {
  createCipheriv,
  createDecipheriv,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  hkdfSync,
  type KeyObject
} from 'node:crypto'
import { hexOf, sha256 } from '../wire/index.js'
import type { KeyPair } from './keys.js'

const ID_DOMAIN = Buffer.from('grapevine/secret-id/1\0')
const INFO = Buffer.from('grapevine/secret/1\0')
const PRIVATE_PREFIX = Buffer.from('302e020100300506032b656e04220420', 'hex')
const PUBLIC_PREFIX = Buffer.from('302a300506032b656e032100', 'hex')
const ALGORITHM = 'chacha20-poly1305'
const KEY_BYTES = 32
const TAG_BYTES = 16
/** Each key encrypts one message, so the nonce may stay the same. */
const NONCE = Buffer.alloc(12)

/** What tells secrets apart where they may not be shown: 32 hex. */
export function secretIdOf(secret: Uint8Array): string {
  return hexOf(sha256(Buffer.concat([ID_DOMAIN, secret])).subarray(0, 16))
}

/** `oneTime`: 32 random bytes, never used again. Throws when `member` is no key. */
export function sealSecret(secret: Uint8Array, member: Uint8Array, oneTime: Uint8Array): Uint8Array {
  const secretKey = privateKeyOf(oneTime)
  const sender = rawPublic(createPublicKey(secretKey))
  const receiver = ed25519.utils.toMontgomery(member)
  const cipher = createCipheriv(ALGORITHM, messageKey(secretKey, receiver, sender, receiver), NONCE, {
    authTagLength: TAG_BYTES
  })
  return Buffer.concat([sender, cipher.update(secret), cipher.final(), cipher.getAuthTag()])
}

/** Undefined when the box is not for this key, or not as it was made. */
export function openSecret(box: Uint8Array, keys: KeyPair): Uint8Array | undefined {
  const sender = box.subarray(0, KEY_BYTES)
  const receiver = ed25519.utils.toMontgomery(keys.publicKey)
  const secretKey = privateKeyOf(ed25519.utils.toMontgomerySecret(keys.seed))
  try {
    const key = messageKey(secretKey, sender, sender, receiver)
    const decipher = createDecipheriv(ALGORITHM, key, NONCE, { authTagLength: TAG_BYTES })
    decipher.setAuthTag(box.subarray(-TAG_BYTES))
    return Buffer.concat([decipher.update(box.subarray(KEY_BYTES, -TAG_BYTES)), decipher.final()])
  } catch {
    return undefined
  }
}

function messageKey(own: KeyObject, other: Uint8Array, sender: Uint8Array, receiver: Uint8Array): Uint8Array {
  const publicKey = createPublicKey({ key: Buffer.concat([PUBLIC_PREFIX, other]), format: 'der', type: 'spki' })
  const shared = diffieHellman({ privateKey: own, publicKey })
  return new Uint8Array(hkdfSync('sha256', shared, Buffer.concat([sender, receiver]), INFO, KEY_BYTES))
}

function privateKeyOf(seed: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.concat([PRIVATE_PREFIX, seed]), format: 'der', type: 'pkcs8' })
}

function rawPublic(key: KeyObject): Uint8Array {
  return key.export({ format: 'der', type: 'spki' }).subarray(PUBLIC_PREFIX.length)
}
