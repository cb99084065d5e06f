/**
 * The rows read or written last, and keys known to have none. Two generations instead of a list: when the young one is
 * full it becomes the old one, and what is used of the old one is young again. Cheap, and bounded.
 */

/** Rows of one generation. */
const GENERATION_ROWS = 8_192
/** Larger rows are read from the store each time, bytes: the cache stays below 2 x 8,192 x this. */
const MAX_CACHED_BYTES = 1_024

export class RowCache {
  #young = new Map<string, Uint8Array | null>()
  #old = new Map<string, Uint8Array | null>()

  /** null: known to be absent; undefined: not known. */
  get(key: string): Uint8Array | null | undefined {
    const young = this.#young.get(key)
    if (young !== undefined) return young
    const old = this.#old.get(key)
    if (old !== undefined) this.#keep(key, old)
    return old
  }

  set(key: string, value: Uint8Array | null): void {
    if (value !== null && value.length > MAX_CACHED_BYTES) {
      this.#young.delete(key)
      this.#old.delete(key)
    } else this.#keep(key, value)
  }

  #keep(key: string, value: Uint8Array | null): void {
    if (this.#young.size >= GENERATION_ROWS) {
      this.#old = this.#young
      this.#young = new Map()
    }
    this.#young.set(key, value)
  }
}
