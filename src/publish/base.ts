/**
 * What the target held when it was last in step with the catalog: the third side of every comparison. A row an entry,
 * found by its id and by its path. Losing it costs comparisons, and may bring back what was just removed, so every write
 * of it is durable.
 */
import type { TargetEntry } from '../adapters/contract.js'
import { prefixRange, type Overlay, type Store } from '../store/index.js'
import { decodeCborRaw, encodeCbor, sha256 } from '../wire/index.js'

export interface BaseRow {
  readonly id: string
  readonly path: string
  readonly kind: 'file' | 'dir'
  /** Empty for directories. */
  readonly hash: string
  readonly size: number
  readonly exec: boolean
  readonly inode: string
  /** Tuples the target's content stands for, as `client:clock`. */
  readonly seen: readonly string[]
  /** The entry is gone, but its directory still holds what is not shared. */
  readonly lingering: boolean
}

/** An entry that is not to be written to the target while it stands for these tuples. */
export interface DropRow {
  readonly id: string
  readonly path: string
  readonly reason: string
  /** When it could not be applied first, ms of the wall clock. */
  readonly since: number
  readonly seen: readonly string[]
}

const DROPS = 'd/'
const BY_ID = 't/'
const BY_PATH = 'p/'

export class Base {
  readonly #rows: Overlay
  readonly #store: Store
  #flushed: Promise<void> = Promise.resolve()

  constructor(deps: { rows: Overlay; store: Store }) {
    this.#rows = deps.rows
    this.#store = deps.store
  }

  byId(id: string): BaseRow | undefined {
    const bytes = this.#rows.get(BY_ID + id)
    return bytes === undefined ? undefined : (decodeCborRaw(bytes) as BaseRow)
  }

  byPath(path: string): BaseRow | undefined {
    const id = this.#rows.get(BY_PATH + path)
    return id === undefined ? undefined : this.byId(Buffer.from(id).toString())
  }

  set(row: BaseRow): void {
    const before = this.byId(row.id)
    if (before !== undefined && before.path !== row.path) this.#rows.delete(BY_PATH + before.path)
    this.#rows.put(BY_ID + row.id, encodeCbor({ ...row, seen: [...row.seen] }))
    this.#rows.put(BY_PATH + row.path, Buffer.from(row.id))
  }

  delete(row: BaseRow): void {
    this.#rows.delete(BY_ID + row.id)
    if (Buffer.from(this.#rows.get(BY_PATH + row.path) ?? []).toString() === row.id)
      this.#rows.delete(BY_PATH + row.path)
  }

  /** Everything, or what is at and below the given paths. Flushes first, so that the listing is whole. */
  async *list(paths?: readonly string[]): AsyncIterable<BaseRow> {
    await this.flush()
    if (paths === undefined) return yield* this.#below(BY_PATH)
    for (const path of paths) {
      const own = this.byPath(path)
      if (own !== undefined) yield own
      yield* this.#below(`${BY_PATH}${path}/`)
    }
  }

  async *#below(prefix: string): AsyncIterable<BaseRow> {
    for await (const [, id] of this.#store.iterate(prefixRange(prefix))) {
      const row = this.byId(Buffer.from(id).toString())
      if (row !== undefined) yield row
    }
  }

  /** A directory was renamed: everything below it is elsewhere now. */
  async moveBelow(from: string, to: string): Promise<void> {
    const rows: BaseRow[] = []
    for await (const row of this.list([from])) rows.push(row)
    for (const row of rows) this.set({ ...row, path: to + row.path.slice(from.length) })
  }

  setDrop(row: DropRow): void {
    this.#rows.put(DROPS + row.id, encodeCbor({ ...row, seen: [...row.seen] }))
  }

  deleteDrop(id: string): void {
    this.#rows.delete(DROPS + id)
  }

  async *drops(): AsyncIterable<DropRow> {
    for await (const [, bytes] of this.#store.iterate(prefixRange(DROPS))) yield decodeCborRaw(bytes) as DropRow
  }

  async isEmpty(): Promise<boolean> {
    for await (const row of this.list()) return row === undefined
    return true
  }

  /**
   * Durable when it resolves: rows that a power cut took would make an old state of the target look like an edit, and
   * what the catalog removed meanwhile like something new.
   */
  flush(): Promise<void> {
    // without anything new the flush under way, or the last one, is the answer
    if (this.#rows.size > 0) this.#flushed = this.#rows.flush({ durable: true })
    return this.#flushed
  }
}

/** The target's view of a base row, as an adapter expects to find it. */
export function expected(row: BaseRow): TargetEntry {
  return row.kind === 'dir'
    ? { path: row.path, kind: 'dir', inode: row.inode }
    : { path: row.path, kind: 'file', body: { hash: row.hash, size: row.size }, exec: row.exec, inode: row.inode }
}

export function baseRow(id: string, entry: TargetEntry, seen: readonly string[]): BaseRow {
  const file =
    entry.kind === 'file'
      ? { hash: entry.body.hash, size: entry.body.size, exec: entry.exec }
      : { hash: '', size: 0, exec: false }
  return { id, path: entry.path, kind: entry.kind, ...file, inode: entry.inode, seen, lingering: false }
}

/** The id of a base row for a path at which the catalog has nothing. */
export function noEntry(path: string): string {
  return sha256(Buffer.from(`no entry ${path}`)).toString('hex', 0, 16)
}
