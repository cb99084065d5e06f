/**
 * Records of an answer as raw DEFLATE (RFC 1951). For the rest that a node lacks which was away for a while: there each
 * byte counts. Answers that are larger stay as they are, since a join is short of processor time and not of bytes; so
 * what comes out of one is bounded by a size that costs nobody anything.
 */
import { deflateRawSync, inflateRawSync } from 'node:zlib'
import { decodeMessage, encodeCbor, malformed } from './cbor.js'
import { MAX_PACKED_BYTES } from './limits.js'

/** What packing less than this saves is less than a packet, bytes. */
const LEAST_BYTES = 1_024

/** Undefined: too few bytes or too many, or not fewer when they are packed. */
export function pack(records: readonly Uint8Array[]): Uint8Array | undefined {
  const bytes = records.reduce((sum, record) => sum + record.length, 0)
  if (bytes < LEAST_BYTES || bytes > MAX_PACKED_BYTES) return undefined
  const plain = encodeCbor({ records })
  if (plain.length > MAX_PACKED_BYTES) return undefined
  const packed = deflateRawSync(plain)
  return packed.length < plain.length ? packed : undefined
}

/** The map that was packed. Throws `message-malformed`, also when it would be longer than what is ever packed. */
export function unpack(packed: Uint8Array): Record<string, unknown> {
  return decodeMessage(inflated(packed))
}

function inflated(packed: Uint8Array): Uint8Array {
  try {
    return inflateRawSync(packed, { maxOutputLength: MAX_PACKED_BYTES })
  } catch (error) {
    throw malformed('holds packed records that cannot be unpacked', error)
  }
}
