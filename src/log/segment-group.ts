import { GrapevineError } from '../errors.js'
import {
  MAX_PAYLOAD_BYTES,
  SEGMENT_HEADER_BYTES,
  frameBytes,
  segmentHeader,
  writeFrame,
  type Position
} from './frame.js'
import type { Location } from './segment-scan.js'
import { MAX_APPEND_BYTES, MAX_GROUP_FRAMES } from './segment-tail.js'

/** Payload bytes after which a group is closed: larger ones gain nothing and hold up those who wait. */
export const GROUP_BYTES = 4 * 1024 * 1024

/** One call of `append` that waits. */
export interface Waiting {
  readonly payloads: readonly Uint8Array[]
  readonly payloadBytes: number
  resolve(at: Location[]): void
  reject(error: GrapevineError): void
}

/** Throws when one call asks for more than can be written in one go; returns the payloads' bytes. */
export function checkAppend(payloads: readonly Uint8Array[]): number {
  let bytes = 0
  for (const payload of payloads) {
    if (payload.byteLength === 0) throw new TypeError('a payload of the log cannot be empty')
    if (payload.byteLength > MAX_PAYLOAD_BYTES) throw tooLarge('A record', payload.byteLength, MAX_PAYLOAD_BYTES)
    bytes += payload.byteLength
  }
  if (bytes > MAX_APPEND_BYTES) throw tooLarge('An append', bytes, MAX_APPEND_BYTES)
  if (payloads.length > MAX_GROUP_FRAMES) throw tooLarge('An append', payloads.length, MAX_GROUP_FRAMES)
  return bytes
}

/** Takes from the front of `queue` what is written together: at least one call, never part of one. */
export function takeGroup(queue: Waiting[]): Waiting[] {
  let bytes = 0
  let frames = 0
  let count = 0
  for (const waiting of queue) {
    bytes += waiting.payloadBytes
    frames += waiting.payloads.length
    if (count > 0 && (bytes > GROUP_BYTES || frames > MAX_GROUP_FRAMES)) break
    count += 1
  }
  return queue.splice(0, count)
}

/** Bytes that a group adds to a file, without a header. */
export function groupBytes(group: readonly Waiting[]): number {
  let bytes = 0
  for (const waiting of group) bytes += waiting.payloadBytes + frameBytes(0) * waiting.payloads.length
  return bytes
}

/** A group as one piece of file at `end`, and where each call's payloads will be. An empty file gets its header. */
export function encodeGroup(group: readonly Waiting[], end: Position): { bytes: Buffer; places: Location[][] } {
  const { segment } = end
  const headerBytes = end.offset === 0 ? SEGMENT_HEADER_BYTES : 0
  const bytes = Buffer.allocUnsafeSlow(headerBytes + groupBytes(group))
  if (headerBytes > 0) bytes.set(segmentHeader())
  let index = headerBytes
  const places = group.map((waiting) =>
    waiting.payloads.map((payload) => {
      const offset = end.offset + index
      index = writeFrame(bytes, index, { segment, offset }, payload)
      return { segment, offset, length: payload.byteLength }
    })
  )
  return { bytes, places }
}

function tooLarge(what: string, found: number, limit: number): GrapevineError {
  return new GrapevineError('too-large', `${what} of ${found} exceeds ${limit}`, {
    next: 'write it in smaller parts',
    facts: { found, limit }
  })
}
