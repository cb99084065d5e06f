/**
 * The bytes of a segment file. All integers are unsigned, 32 bits, big endian; checksums are CRC-32 (zlib's).
 *
 *     file    = header frame*
 *     header  = "gvsg" | version | CRC-32 of the eight bytes before
 *     frame   = length | place check | payload check | payload (length bytes)
 *
 * The place check covers segment number, offset of the frame and length. So a head is recognised without reading its
 * payload, which keeps the search for the next frame after damage linear, and bytes inside a payload that look like a
 * frame (a peer may send any) are not taken for one. The payload check goes on from the place check.
 */
import { crc32 } from 'node:zlib'

export const SEGMENT_VERSION = 1
export const SEGMENT_HEADER_BYTES = 12
export const FRAME_HEAD_BYTES = 12

/** Largest payload, bytes: far above any record, so that a damaged length is mostly recognised as such. */
export const MAX_PAYLOAD_BYTES = 8 * 1024 * 1024

const MAGIC = 0x67767367 // "gvsg"

export interface Position {
  readonly segment: number
  readonly offset: number
}

const place = Buffer.alloc(12)

function placeCheck(at: Position, length: number): number {
  place.writeUInt32BE(at.segment, 0)
  place.writeUInt32BE(at.offset, 4)
  place.writeUInt32BE(length, 8)
  return crc32(place)
}

export function frameBytes(payloadLength: number): number {
  return FRAME_HEAD_BYTES + payloadLength
}

/** Writes a frame into `target` at `index`; `at` is where it will stand in the log. Returns the index behind it. */
export function writeFrame(target: Buffer, index: number, at: Position, payload: Uint8Array): number {
  const check = placeCheck(at, payload.byteLength)
  target.writeUInt32BE(payload.byteLength, index)
  target.writeUInt32BE(check, index + 4)
  target.writeUInt32BE(crc32(payload, check), index + 8)
  target.set(payload, index + FRAME_HEAD_BYTES)
  return index + frameBytes(payload.byteLength)
}

/** The payload length that the head at `index` states, or undefined when there is no intact head. */
export function readHead(bytes: Buffer, index: number, at: Position): number | undefined {
  const length = bytes.readUInt32BE(index)
  // There are no empty payloads; saying so first makes the search through a run of zeros quick.
  if (length === 0 || length > MAX_PAYLOAD_BYTES) return undefined
  return bytes.readUInt32BE(index + 4) === placeCheck(at, length) ? length : undefined
}

/** Whether the payload of a frame, whose head is intact, is so too. `frame` is the frame and nothing else. */
export function payloadIntact(frame: Buffer): boolean {
  return crc32(frame.subarray(FRAME_HEAD_BYTES), frame.readUInt32BE(4)) === frame.readUInt32BE(8)
}

export function segmentHeader(): Buffer {
  const header = Buffer.alloc(SEGMENT_HEADER_BYTES)
  header.writeUInt32BE(MAGIC, 0)
  header.writeUInt32BE(SEGMENT_VERSION, 4)
  header.writeUInt32BE(crc32(header.subarray(0, 8)), 8)
  return header
}

/** The version that an intact header states, else undefined. */
export function readSegmentHeader(header: Buffer): number | undefined {
  if (header.length < SEGMENT_HEADER_BYTES || header.readUInt32BE(0) !== MAGIC) return undefined
  return header.readUInt32BE(8) === crc32(header.subarray(0, 8)) ? header.readUInt32BE(4) : undefined
}
