/**
 * Signatures checked once for all simulated nodes of a process: the same record reaches every node, and checking it is
 * the dearest thing a node does. What is remembered is bound to key, bytes and signature, so no forgery passes.
 */
import { keyPairOf, verify, type KeyPair } from '../../src/identity/index.js'
import { sha256 } from '../../src/wire/index.js'

/** Verdicts remembered; a seed needs a few hundred. */
const MAX_VERDICTS = 20_000
const verdicts = new Map<string, { key: Uint8Array; digest: Buffer; good: boolean }>()

export function verifyOnce(key: Uint8Array, bytes: Uint8Array, signature: Uint8Array): boolean {
  const name = Buffer.from(signature.buffer, signature.byteOffset, signature.byteLength).toString('latin1')
  const digest = sha256(bytes)
  const known = verdicts.get(name)
  if (known !== undefined && known.digest.equals(digest) && Buffer.compare(known.key, key) === 0) return known.good
  const good = verify(key, bytes, signature)
  if (verdicts.size >= MAX_VERDICTS) verdicts.clear()
  verdicts.set(name, { key: Uint8Array.from(key), digest, good })
  return good
}

/** Key pairs are made once a process: the nodes of every world have the same keys, and only then the seed differs. */
const keyPairs = new Map<string, KeyPair>()

export function keysNamed(name: string): KeyPair {
  let keys = keyPairs.get(name)
  if (keys === undefined) {
    keys = keyPairOf(sha256(Buffer.from(name)))
    keyPairs.set(name, keys)
  }
  return keys
}
