/**
 * What each file said when it was read last, so that a start reads only what changed since. A row is for one content: it
 * counts where the directory's memory of stats says that the file still has that content, so a lost or stale row costs
 * reading and never truth.
 */
import { lstat } from 'node:fs/promises'
import { join } from 'node:path'
import { rowMatches, type StatCache } from '../directory/stat-cache.js'
import type { FileClass } from './classify.js'
import type { TextMemory } from './memory.js'
import { isRead, type FileFacts } from './objects.js'

/** Raise it when the same bytes say something else than before: then every file is read anew. */
export const FACTS_VERSION = 3

/** What a file says, without what its path says. */
type Said = Pick<FileFacts, 'object' | 'problem' | 'graphics'>

interface Row extends Said {
  readonly version: number
  /** Content id of what was read. */
  readonly hash: string
  /** What it was read as. */
  readonly kind: string
}

export interface FactsBookDeps {
  readonly root: string
  /** The directory's: what each file hashed to, with the stat it had then. */
  readonly cache: Pick<StatCache, 'get'>
  readonly memory: TextMemory
}

export class FactsBook {
  readonly #deps: FactsBookDeps
  /** While the directory is being read; rows that nobody asked for are of files that are gone. */
  #rows = new Map<string, Row>()

  constructor(deps: FactsBookDeps) {
    this.#deps = deps
  }

  /** Before the directory is read. */
  async open(): Promise<void> {
    const all = await this.#deps.memory.all()
    this.#rows = new Map(all.map(([path, text]) => [path, JSON.parse(text) as Row]))
  }

  /** Whether anything was noted by this version. */
  get knowsAnything(): boolean {
    return [...this.#rows.values()].some(({ version }) => version === FACTS_VERSION)
  }

  /** What the file said when it was read last, whatever it says now; null: it was not there. */
  before(path: string, fileClass: FileClass): FileFacts | null {
    if (!isRead(path, fileClass)) return { path, class: fileClass }
    const row = this.#rows.get(path)
    this.#rows.delete(path)
    return row?.version === FACTS_VERSION ? factsOf(path, fileClass, row) : null
  }

  /** Paths of files that nobody asked for since `open`. */
  rest(): string[] {
    return [...this.#rows.keys()]
  }

  /** After it was read. */
  close(): void {
    for (const path of this.#rows.keys()) this.forget(path)
    this.#rows = new Map()
  }

  /** What the file says, when it surely still says that; undefined: it must be read. Throws nothing. */
  async at(path: string, fileClass: FileClass): Promise<FileFacts | undefined> {
    const row = this.#rows.get(path)
    this.#rows.delete(path)
    if (row?.version !== FACTS_VERSION || row.kind !== fileClass.kind) return undefined
    if (row.hash !== (await this.#hashOf(path))) return undefined
    return factsOf(path, fileClass, row)
  }

  /** The content of a file whose stat is the one remembered. */
  async #hashOf(path: string): Promise<string | undefined> {
    const { cache, root } = this.#deps
    const known = cache.get(path)
    if (known === undefined || known.recheck) return undefined
    return lstat(join(root, path), { bigint: true }).then(
      (stat) => (stat.isFile() && rowMatches(known, stat) ? known.hash : undefined),
      () => undefined
    )
  }

  /** A file was read: with this content it says this. */
  note(hash: string, { path, class: { kind }, object, problem, graphics }: FileFacts): void {
    const row: Row = {
      version: FACTS_VERSION,
      hash,
      kind,
      ...(object && { object }),
      ...(problem && { problem }),
      ...(graphics && { graphics })
    }
    this.#deps.memory.set(path, JSON.stringify(row))
  }

  forget(path: string): void {
    this.#deps.memory.delete(path)
  }
}

function factsOf(path: string, fileClass: FileClass, { hash, object, problem, graphics }: Row): FileFacts {
  return {
    path,
    class: fileClass,
    hash,
    ...(object && { object }),
    ...(problem && { problem }),
    ...(graphics && { graphics })
  }
}
