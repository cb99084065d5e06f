/**
 * The file that says which chunks of an unfinished blob are verified and durable: magic, bitmap, SHA-256 over magic,
 * hash, size and bitmap. It is only a shortcut: when it is missing or damaged the chunks are hashed again instead.
 */
import { sha256, type BodyRef } from '../wire/body.js'
import { Bitmap } from './bitmap.js'

const MAGIC = Buffer.from('grapevine/partial/1\n')
const CHECKSUM_BYTES = 32

export function encodePartialState(ref: BodyRef, chunks: Bitmap): Buffer {
  const bitmap = chunks.toBytes()
  return Buffer.concat([MAGIC, bitmap, checksum(ref, bitmap)])
}

/** Undefined when the bytes are not the state of this blob, whole and undamaged. */
export function decodePartialState(ref: BodyRef, count: number, bytes: Uint8Array): Bitmap | undefined {
  const end = bytes.length - CHECKSUM_BYTES
  if (end < MAGIC.length || !MAGIC.equals(bytes.subarray(0, MAGIC.length))) return undefined
  const bitmap = bytes.subarray(MAGIC.length, end)
  if (!checksum(ref, bitmap).equals(bytes.subarray(end))) return undefined
  return Bitmap.from(bitmap, count)
}

function checksum(ref: BodyRef, bitmap: Uint8Array): Buffer {
  return sha256(Buffer.concat([MAGIC, Buffer.from(`${ref.hash}-${ref.size}\n`), bitmap]))
}
