import type { DiskFile } from '../runtime.js'

/** Bytes read from a segment at once: bounds memory, and the time between two turns of the event loop. */
export const PIECE_BYTES = 1024 * 1024
/** Unit in which an unreadable piece is tried again: the sector size of current disks. */
const SECTOR_BYTES = 4 * 1024

/** Reads a file piece by piece, forward. What the disk cannot read appears as zeros, which are never a valid frame. */
export class SegmentWindow {
  readonly #file: DiskFile
  /** Nothing at or beyond this offset is shown. */
  readonly end: number
  #base = 0
  #bytes: Buffer = Buffer.alloc(0)
  /** Pieces read so far; a reader yields to the event loop when it grows. */
  pieces = 0
  /** Bytes that the disk refused to read. */
  unreadable = 0

  constructor(file: DiskFile, end: number) {
    this.#file = file
    this.end = end
  }

  /** The bytes [offset, offset + length), or undefined when they are not all there. Valid until the next call. */
  view(offset: number, length: number): Buffer | undefined {
    if (offset + length > this.end) return undefined
    if (offset < this.#base || offset + length > this.#base + this.#bytes.length) this.#load(offset, length)
    const start = offset - this.#base
    return start + length > this.#bytes.length ? undefined : this.#bytes.subarray(start, start + length)
  }

  /** All that is loaded from `offset` on, at least `least` bytes, or undefined at the end. */
  rest(offset: number, least: number): Buffer | undefined {
    return this.view(offset, least) && this.#bytes.subarray(offset - this.#base)
  }

  #load(offset: number, length: number): void {
    const wanted = Math.min(Math.max(length, PIECE_BYTES), this.end - offset)
    const bytes = this.#read(offset, wanted)
    this.#base = offset
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.pieces += 1
  }

  #read(offset: number, length: number): Uint8Array {
    try {
      return this.#file.read(offset, length)
    } catch {
      return this.#readSectors(offset, length)
    }
  }

  #readSectors(offset: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length)
    for (let at = 0; at < length; at += SECTOR_BYTES) {
      const wanted = Math.min(SECTOR_BYTES, length - at)
      try {
        bytes.set(this.#file.read(offset + at, wanted), at)
      } catch {
        this.unreadable += wanted
      }
    }
    return bytes
  }
}
