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

/** In the place of a row that is there and not kept. */
const THERE = Symbol('there')

type Kept = Uint8Array | HeldRow | null | typeof THERE

export class RowCache {
  #young = new Map<string, Kept>()
  #old = new Map<string, Kept>()
  /** Of the young generation. What is put again counts again: it is full a little early then. */
  #bytes = 0

  /** null: known to be absent; undefined: not known. */
  get(key: string): Uint8Array | HeldRow | null | undefined {
    const kept = this.#find(key)
    return kept === THERE ? undefined : kept
  }

  /** Whether there is such a row, which need not be kept; undefined: not known. */
  has(key: string): boolean | undefined {
    const kept = this.#find(key)
    return kept === undefined ? undefined : kept !== null
  }

  #find(key: string): Kept | undefined {
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
    if (!(value instanceof Uint8Array) || isWorthIt(value)) return this.#keep(key, value)
    if (value.length > 0) return this.#keep(key, THERE)
    this.#young.delete(key)
    this.#old.delete(key)
  }

  #keep(key: string, value: Kept): void {
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

function weightOf(value: Kept): number {
  if (value === null || value === THERE) return 0
  return value instanceof Uint8Array ? value.length : value.weight
}
