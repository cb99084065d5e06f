/**
 * Files that GeoServer keeps in memory and looks at again by itself: bodies of styles and their graphics. It compares
 * times only, so that a new content with an older time is never seen.
 */
import { statSync } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'

interface Kept {
  content: Buffer
  mtimeMs: number
}

export class NoticedFiles {
  readonly #root: string
  readonly #kept = new Map<string, Kept>()

  constructor(root: string) {
    this.#root = root
  }

  /** What GeoServer believes the file holds; undefined when it never saw one. */
  async read(path: string): Promise<Buffer | undefined> {
    const known = this.#kept.get(path)
    if (known !== undefined) return known.content
    const now = await this.#load(path)
    if (now !== undefined) this.#kept.set(path, now)
    return now?.content
  }

  /** The look of every 10 s: only what has a newer time is read again, and what is gone is forgotten. */
  async notice(): Promise<void> {
    for (const [path, known] of this.#kept) {
      const found = statSync(join(this.#root, path), { throwIfNoEntry: false })
      if (found === undefined) this.#kept.delete(path)
      else if (found.mtimeMs > known.mtimeMs) {
        const now = await this.#load(path)
        if (now !== undefined) this.#kept.set(path, now)
      }
    }
  }

  forget(path?: string): void {
    if (path === undefined) this.#kept.clear()
    else this.#kept.delete(path)
  }

  async #load(path: string): Promise<Kept | undefined> {
    try {
      const { mtimeMs } = await stat(join(this.#root, path))
      return { content: await readFile(join(this.#root, path)), mtimeMs }
    } catch {
      return undefined
    }
  }
}
