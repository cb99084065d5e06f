/**
 * The rows read or written last, and keys known to have none. Two generations instead of a list: when the young one is
 * full it becomes the old one, and what is used of the old one is young again. Cheap, and bounded.
 */
import type { HeldRow } from './overlay.js'

/** What one generation takes in memory, roughly, bytes; there are two. */
export const GENERATION_BYTES = 6 * 1024 * 1024
/** What keeping any row costs besides, its key above all, bytes. */
export const ROW_OVERHEAD_BYTES = 192
/** Larger rows that are bytes are read from the store each time, bytes: bodies, above all, are read seldom. */
export const MAX_CACHED_BYTES = 512
/** A row that is a part of something larger would keep all of that in memory, bytes; small buffers come from a pool. */
const MAX_BACKING_BYTES = 8 * 1024

export class RowCache {
  #young = new Map<string, Uint8Array | HeldRow | null>()
  #old = new Map<string, Uint8Array | HeldRow | null>()
  /** Of the young generation. What is put again counts again: it is full a little early then. */
  #bytes = 0

  /** null: known to be absent; undefined: not known. */
  get(key: string): Uint8Array | HeldRow | null | undefined {
    const young = this.#young.get(key)
    if (young !== undefined) return young
    const old = this.#old.get(key)
    if (old !== undefined) this.#keep(key, old)
    return old
  }

  /** What was just read because it is not here. */
  add(key: string, value: Uint8Array | HeldRow | null): void {
    if (!(value instanceof Uint8Array) || isWorthIt(value)) this.#keep(key, value)
  }

  set(key: string, value: Uint8Array | HeldRow | null): void {
    if (value instanceof Uint8Array && !isWorthIt(value)) {
      this.#young.delete(key)
      this.#old.delete(key)
    } else this.#keep(key, value)
  }

  #keep(key: string, value: Uint8Array | HeldRow | null): void {
    if (this.#bytes >= GENERATION_BYTES) {
      this.#old = this.#young
      this.#young = new Map()
      this.#bytes = 0
    }
    this.#bytes += ROW_OVERHEAD_BYTES + weightOf(value)
    this.#young.set(key, value)
  }
}

/** Empty rows are marks, and those that are many are read only by range. */
function isWorthIt(row: Uint8Array): boolean {
  return row.length > 0 && row.length <= MAX_CACHED_BYTES && row.buffer.byteLength <= MAX_BACKING_BYTES
}

function weightOf(value: Uint8Array | HeldRow | null): number {
  if (value === null) return 0
  return value instanceof Uint8Array ? value.length : value.weight
}
