/**
 * Where directories are, by path: what is written lies mostly where something was written before.
 *
 * A path is kept only while every name on it is claimed by one entry alone: then nothing but a change of who claims one of
 * these names makes it lead elsewhere, and whoever makes such a change says so with `forget`.
 */

/** What the paths take in memory, roughly, characters; then it begins anew. */
export const MAX_PATH_CACHE_CHARS = 512 * 1024
/** What an entry of the map takes besides, in the same measure. */
const PATH_OVERHEAD_CHARS = 192

export class PathCache {
  readonly #ids = new Map<string, string>()
  /** The other way round: whatever is in front of a path that is kept is kept too. */
  readonly #paths = new Map<string, string>()
  #chars = 0

  /** The entry at a path, if that is known; '' is no path. */
  get(path: string): string | undefined {
    return this.#ids.get(path)
  }

  /** The path of an entry, if that is known. */
  pathOf(id: string): string | undefined {
    return this.#paths.get(id)
  }

  set(path: string, id: string): void {
    if (this.#ids.has(path)) return
    if (this.#chars > MAX_PATH_CACHE_CHARS) this.clear()
    this.#chars += path.length + PATH_OVERHEAD_CHARS
    this.#ids.set(path, id)
    this.#paths.set(id, path)
  }

  /** These entries have left, or have come to share, a name. */
  forget(ids: Iterable<string>): void {
    for (const id of ids) if (this.#paths.has(id)) return this.clear()
  }

  clear(): void {
    this.#ids.clear()
    this.#paths.clear()
    this.#chars = 0
  }

  [Symbol.iterator](): IterableIterator<[string, string]> {
    return this.#ids.entries()
  }
}
