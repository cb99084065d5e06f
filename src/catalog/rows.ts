/** The rows of the catalog as they are used: entries and names as what they mean, and the rest as bytes. */
import type { HeldRow, Overlay } from '../store/index.js'
import { bytesOf, hexOf } from '../wire/index.js'
import { EntryRow } from './entry-row.js'
import { PathCache } from './path-cache.js'
import type { AuthorOf } from './view.js'

export const ENTRY_ROWS = 'e/'
export const entryKey = (id: string): string => ENTRY_ROWS + id

/** Where rows are read: the index, or a stage above it. */
export interface CatalogRows {
  get(key: string): Uint8Array | undefined
  entry(id: string): EntryRow | undefined
  /** Ids of the entries that claim a name, sorted; `key` is that of the name's row. */
  claimants(key: string): readonly string[]
  /** The directory at a path, if that is known at once; see `PathCache`. */
  directoryAt(path: string): string | undefined
  /** The other way round. */
  pathOfDirectory(id: string): string | undefined
  /** Remembers it. The name is claimed by it alone, and so are all in front of it. */
  noteDirectory(path: string, id: string): void
  /** Writes down what listings must see. Returns what `noteName` needs to know. */
  flush?(): Promise<number>
  /** Brings entries to hand that `entry` would read one by one. */
  prefetch?(ids: readonly string[]): Promise<void>
  /** Whether `get` gives anything. */
  has?(key: string): boolean
  /** What `get` gives for each key. */
  getMany?(keys: readonly string[]): Promise<Array<Uint8Array | undefined>>
  /** A listing came by the row of a name. `asOf`: what `flush` returned before it began. */
  noteName?(key: string, ids: readonly string[], asOf: number): void
}

export function decodeIds(bytes: Uint8Array | undefined): string[] {
  const ids: string[] = []
  for (let at = 0; bytes !== undefined && at < bytes.length; at += 16) ids.push(hexOf(bytes.subarray(at, at + 16)))
  return ids
}

/** Who claims a name. */
export class NameRow implements HeldRow {
  readonly ids: readonly string[]

  constructor(ids: readonly string[]) {
    this.ids = ids
  }

  static read(this: void, bytes: Uint8Array): NameRow {
    return new NameRow(decodeIds(bytes))
  }

  bytes(): Uint8Array {
    return bytesOf(this.ids.join(''))
  }

  get weight(): number {
    return this.ids.length * 64
  }
}

const NOBODY: readonly string[] = []

type IndexedRows = Pick<Overlay, 'get' | 'has' | 'getMany' | 'row' | 'prefetch' | 'flush' | 'keep' | 'committed'>

/** Reads the index. */
export class IndexRows implements CatalogRows {
  readonly #rows: IndexedRows
  readonly #authorOf: AuthorOf
  readonly #paths = new PathCache()

  constructor(rows: IndexedRows, authorOf: AuthorOf) {
    this.#rows = rows
    this.#authorOf = authorOf
  }

  get(key: string): Uint8Array | undefined {
    return this.#rows.get(key)
  }

  entry(id: string): EntryRow | undefined {
    return this.#rows.row(entryKey(id), (bytes) => EntryRow.read(id, bytes, this.#authorOf))
  }

  claimants(key: string): readonly string[] {
    return this.#rows.row(key, NameRow.read)?.ids ?? NOBODY
  }

  directoryAt(path: string): string | undefined {
    return this.#paths.get(path)
  }

  pathOfDirectory(id: string): string | undefined {
    return this.#paths.pathOf(id)
  }

  noteDirectory(path: string, id: string): void {
    this.#paths.set(path, id)
  }

  /** These entries have left, or have come to share, a name. */
  parted(ids: Iterable<string>): void {
    this.#paths.forget(ids)
  }

  /** A listing of what could be written must not fail because something else could not. */
  async flush(): Promise<number> {
    await this.#rows.flush().catch(() => undefined)
    return this.#rows.committed
  }

  has(key: string): boolean {
    return this.#rows.has(key)
  }

  prefetch(ids: readonly string[]): Promise<void> {
    return this.#rows.prefetch(ids.map(entryKey), (key, bytes) =>
      EntryRow.read(key.slice(ENTRY_ROWS.length), bytes, this.#authorOf)
    )
  }

  getMany(keys: readonly string[]): Promise<Array<Uint8Array | undefined>> {
    return this.#rows.getMany(keys)
  }

  noteName(key: string, ids: readonly string[], asOf: number): void {
    this.#rows.keep(key, new NameRow(ids), asOf)
  }
}

/** Where there is nothing yet. */
export const NO_ROWS: CatalogRows = {
  get: () => undefined,
  entry: () => undefined,
  claimants: () => NOBODY,
  directoryAt: () => undefined,
  pathOfDirectory: () => undefined,
  noteDirectory: () => undefined
}
