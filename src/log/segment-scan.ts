import {
  FRAME_HEAD_BYTES,
  SEGMENT_HEADER_BYTES,
  frameBytes,
  payloadIntact,
  readHead,
  readSegmentHeader
} from './frame.js'
import type { SegmentWindow } from './segment-window.js'

/** Where a payload lies: `offset` is that of its frame in the file, `length` that of the payload, both in bytes. */
export interface Location {
  readonly segment: number
  readonly offset: number
  readonly length: number
}

/** Bytes of a segment that hold no valid frame. */
export interface Damage {
  readonly segment: number
  readonly offset: number
  readonly length: number
  readonly reason: 'bad-header' | 'bad-head' | 'bad-payload' | 'cut-short' | 'segment-missing'
}

export type Scanned = { readonly at: Location; readonly bytes: Uint8Array } | { readonly damaged: Damage }

/** Lets the event loop run between two pieces. */
const breathe = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/**
 * The frames of one segment from `from` on, in order. After damage it goes on with the next valid frame, if there is
 * one. `from` is 0 or the offset of a frame.
 */
export async function* scanSegment(window: SegmentWindow, segment: number, from: number): AsyncGenerator<Scanned> {
  let offset = from
  let pieces = 1
  if (offset < SEGMENT_HEADER_BYTES && window.end > 0) {
    const next = Math.min(SEGMENT_HEADER_BYTES, window.end)
    if (!headerIntact(window)) yield { damaged: { segment, offset: 0, length: next, reason: 'bad-header' } }
    offset = next
  }
  while (offset < window.end) {
    if (window.pieces > pieces) {
      pieces = window.pieces
      await breathe()
    }
    const frame = frameAt(window, segment, offset)
    if (frame.bytes !== undefined) {
      yield { at: { segment, offset, length: frame.bytes.byteLength }, bytes: frame.bytes }
      offset += frameBytes(frame.bytes.byteLength)
      continue
    }
    // An intact head is bound to its place and says where its frame ends; without one the next has to be searched for.
    const next = frame.end ?? (await nextHead(window, segment, offset + 1))
    yield { damaged: { segment, offset, length: next - offset, reason: frame.reason } }
    offset = next
  }
}

function headerIntact(window: SegmentWindow): boolean {
  const header = window.view(0, SEGMENT_HEADER_BYTES)
  return header !== undefined && readSegmentHeader(header) !== undefined
}

type FrameAt =
  | { readonly bytes: Uint8Array }
  | { readonly bytes?: undefined; readonly end: number | undefined; readonly reason: Damage['reason'] }

function frameAt(window: SegmentWindow, segment: number, offset: number): FrameAt {
  const head = window.view(offset, FRAME_HEAD_BYTES)
  if (head === undefined) return { end: window.end, reason: 'cut-short' }
  const length = readHead(head, 0, { segment, offset })
  if (length === undefined) return { end: undefined, reason: 'bad-head' }
  const frame = window.view(offset, frameBytes(length))
  if (frame === undefined) return { end: window.end, reason: 'cut-short' }
  if (!payloadIntact(frame)) return { end: offset + frameBytes(length), reason: 'bad-payload' }
  // A copy: a view would keep the whole piece in memory for as long as anybody keeps one record.
  return { bytes: new Uint8Array(frame.subarray(FRAME_HEAD_BYTES)) }
}

/** The offset of the next intact head at or after `from`, or the end. */
async function nextHead(window: SegmentWindow, segment: number, from: number): Promise<number> {
  for (let offset = from; ;) {
    const bytes = window.rest(offset, FRAME_HEAD_BYTES)
    if (bytes === undefined) return window.end
    const last = bytes.length - FRAME_HEAD_BYTES
    for (let index = 0; index <= last; index++) {
      if (readHead(bytes, index, { segment, offset: offset + index }) !== undefined) return offset + index
    }
    offset += last + 1
    if (offset + FRAME_HEAD_BYTES > window.end) return window.end
    await breathe()
  }
}
