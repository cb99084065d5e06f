/** The cluster's root key: its hash is the cluster id, and it vouches for the founder. It may be kept offline. */
import { sha256 } from '../wire/index.js'
import { verify, type KeyPair } from './keys.js'

const FOUND_DOMAIN = Buffer.from('grapevine/found/1\0')

/** 32 hex. */
export function clusterIdOf(root: Uint8Array): string {
  return sha256(root).toString('hex', 0, 16)
}

export function signFounder(root: KeyPair, founder: Uint8Array): Uint8Array {
  return root.sign(Buffer.concat([FOUND_DOMAIN, founder]))
}

export function isFounder(root: Uint8Array, founder: Uint8Array, signature: Uint8Array): boolean {
  return verify(root, Buffer.concat([FOUND_DOMAIN, founder]), signature)
}
