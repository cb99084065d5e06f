/**
 * Where directories are, by path: what is written lies mostly where something was written before.
 *
 * A path is kept only while every name on it is claimed by one entry alone: then nothing but a change of who claims one of
 * these names makes it lead elsewhere, and whoever makes such a change says so with `forget`.
 */

/** What the paths take in memory, roughly, characters; then it begins anew. */
export const MAX_PATH_CACHE_CHARS = 512 * 1024
/** What an entry of the map takes besides, in the same measure. */
const PATH_OVERHEAD_CHARS = 128

export class PathCache {
  readonly #ids = new Map<string, string>()
  /** Entries on these paths: whatever is in front of a path that is kept is kept too. */
  readonly #onPaths = new Set<string>()
  #chars = 0

  /** The entry at a path, if that is known; '' is no path. */
  get(path: string): string | undefined {
    return this.#ids.get(path)
  }

  set(path: string, id: string): void {
    if (this.#ids.has(path)) return
    if (this.#chars > MAX_PATH_CACHE_CHARS) this.clear()
    this.#chars += path.length + PATH_OVERHEAD_CHARS
    this.#ids.set(path, id)
    this.#onPaths.add(id)
  }

  /** These entries have left, or have come to share, a name. */
  forget(ids: Iterable<string>): void {
    for (const id of ids) if (this.#onPaths.has(id)) return this.clear()
  }

  clear(): void {
    this.#ids.clear()
    this.#onPaths.clear()
    this.#chars = 0
  }

  [Symbol.iterator](): IterableIterator<[string, string]> {
    return this.#ids.entries()
  }
}
