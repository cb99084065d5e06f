/** Plain Ed25519 keys of identity/ as libp2p keys, and node ids. */
import { createPrivateKey, createPublicKey } from 'node:crypto'
import { privateKeyFromRaw, publicKeyFromRaw } from '@libp2p/crypto/keys'
import type { PeerId, PrivateKey } from '@libp2p/interface'
import { peerIdFromPublicKey, peerIdFromString } from '@libp2p/peer-id'
import type { NodeId } from '../runtime.js'

/** DER of a PKCS#8 Ed25519 private key up to its 32 seed bytes (RFC 8410). */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex')

/** @param seed 32 bytes, the Ed25519 private key of RFC 8032. */
export function keyFromSeed(seed: Uint8Array): PrivateKey {
  const key = createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, seed]), format: 'der', type: 'pkcs8' })
  const { x } = createPublicKey(key).export({ format: 'jwk' })
  return privateKeyFromRaw(Buffer.concat([seed, Buffer.from(x ?? '', 'base64url')]))
}

/** @param publicKey 32 bytes. */
export function nodeIdOf(publicKey: Uint8Array): NodeId {
  return peerIdFromPublicKey(publicKeyFromRaw(publicKey)).toString()
}

export function peerIdOf(node: NodeId): PeerId {
  return peerIdFromString(node)
}

/** The 32 bytes behind a peer id, or undefined for any other kind of key: no member has one. */
export function rawKeyOf(peer: PeerId): Uint8Array | undefined {
  return peer.type === 'Ed25519' ? peer.publicKey.raw : undefined
}

/** The 32 bytes behind a node id, or undefined when the text is not one. */
export function publicKeyOf(node: NodeId): Uint8Array | undefined {
  try {
    return rawKeyOf(peerIdFromString(node))
  } catch {
    return undefined
  }
}
