/** A node's public name: the libp2p peer id text of its Ed25519 key, computed without libp2p. */
import { base58btc } from 'multiformats/bases/base58'
import type { NodeId } from '../runtime.js'

/** Identity multihash (0x00, 36 bytes) of the protobuf {type: Ed25519, data: 32 bytes}. */
const PREFIX = Uint8Array.from([0x00, 0x24, 0x08, 0x01, 0x12, 0x20])

export function nodeIdOf(publicKey: Uint8Array): NodeId {
  return base58btc.encode(Buffer.concat([PREFIX, publicKey])).slice(1)
}

/** The public key of a node id, or undefined when it is not one. */
export function publicKeyOf(node: NodeId): Uint8Array | undefined {
  if (node.length > 64) return undefined
  let bytes: Uint8Array
  try {
    bytes = base58btc.decode(`z${node}`)
  } catch {
    return undefined
  }
  const ok = bytes.length === PREFIX.length + 32 && PREFIX.every((byte, at) => bytes[at] === byte)
  return ok ? bytes.subarray(PREFIX.length) : undefined
}
