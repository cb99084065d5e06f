import { crc32 } from 'node:zlib'
import { damagedError } from './level-errors.js'

/** A stored value is its checksum (CRC-32 over key and value, big endian) and the value. */
const CHECKSUM_BYTES = 4

function checksum(key: string, value: Uint8Array): number {
  return crc32(value, crc32(key))
}

/** The key is part of the checksum, so a value that surfaces under another key is noticed too. */
export function encodeRow(key: string, value: Uint8Array): Uint8Array {
  const row = Buffer.allocUnsafe(CHECKSUM_BYTES + value.byteLength)
  row.writeUInt32BE(checksum(key, value), 0)
  row.set(value, CHECKSUM_BYTES)
  return row
}

/** The value, as a view of `row`. Throws `store-damaged` naming the key when the checksum does not match. */
export function decodeRow(key: string, row: Uint8Array): Uint8Array {
  if (row.byteLength >= CHECKSUM_BYTES) {
    const value = new Uint8Array(row.buffer, row.byteOffset + CHECKSUM_BYTES, row.byteLength - CHECKSUM_BYTES)
    const stored = ((row[0]! << 24) | (row[1]! << 16) | (row[2]! << 8) | row[3]!) >>> 0
    if (checksum(key, value) === stored) return value
  }
  throw damagedError('A value of the index does not match its checksum', { key })
}
