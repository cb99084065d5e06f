/** Local changes of the target on their way into the catalog, as edits that replace only what the editor had seen. */
import type { Adapter, TargetEntry } from '../adapters/contract.js'
import {
  BODY,
  ROOT_ID,
  seenKey,
  TargetEditor,
  type CatalogReader,
  type Draft,
  type Entry,
  type TargetPlace,
  type Tuple
} from '../catalog/index.js'
import { GrapevineError, type ErrorCode } from '../errors.js'
import { MAX_INLINE_BODY_BYTES, type BodyRef } from '../wire/index.js'
import { baseRow, type Base, type BaseRow } from './base.js'
import type { Diff } from './diff.js'
import { importOrder } from './import-order.js'
import type { Problems } from './problems.js'
import { Whereabouts } from './whereabouts.js'

export interface Change<T> {
  readonly result: T
  /** The record that says so; null when nothing had to be written. */
  readonly record: { readonly log: string; readonly seq: number } | null
}

/** Where imported changes go. `time` 0 lets every value the cluster already has win over them. */
export interface ChangeSink {
  change<T>(change: (draft: Draft) => T, options: { bytes: number; time?: number }): Promise<Change<T>>
}

export interface Bodies {
  /** Keeps the bytes of a large body; durable when it resolves. */
  store(bytes: AsyncIterable<Uint8Array>): Promise<BodyRef>
}

export interface ImporterDeps {
  readonly adapter: Adapter
  readonly sink: ChangeSink
  readonly reader: CatalogReader
  readonly bodies: Bodies
  readonly base: Base
  readonly problems: Problems
  now(): number
  imported(path: string, what: 'added' | 'changed' | 'moved' | 'removed'): void
}

/** Files read and handed on at once: bounds memory and lets one record carry many. */
const WINDOW = 256

/** Not the fault of any file: the whole import is tried again, or the files would wait for the next full scan. */
const STORE_FAULTS: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'store-failed',
  'store-damaged',
  'records-lost',
  'identity-duplicated',
  'disk-full',
  'role-forbids',
  'stopped',
  'internal'
])

export class Importer {
  readonly #deps: ImporterDeps
  #where: Whereabouts

  constructor(deps: ImporterDeps) {
    this.#deps = deps
    this.#where = new Whereabouts(deps.base, { moved: [], gone: [] })
  }

  /** Imports a diff; returns the ids it touched. A file that changes under our hands is left to the next scan. */
  async import(diff: Diff, options: { time?: number } = {}): Promise<string[]> {
    const touched: string[] = []
    this.#where = new Whereabouts(this.#deps.base, diff)
    for (const { base, now } of diff.refreshed) this.#deps.base.set({ ...base, path: now.path, inode: now.inode })
    await this.#moveAll(
      diff.moved.toSorted((a, b) => a.now.path.length - b.now.path.length),
      touched
    )
    const { directories, files, firstGone, lastGone } = importOrder(diff, this.#deps.adapter)
    await this.#inOrder(firstGone, touched, async (base) => () => this.#remove(base))
    await this.#inOrder(directories, touched, async (entry) => () => this.#addDirectory(entry, options.time))
    await this.#inOrder(files, touched, (item) =>
      'base' in item ? this.#change(item.base, item.now) : this.#addFile(item, options.time)
    )
    await this.#inOrder(lastGone, touched, async (base) => () => this.#remove(base))
    await this.#deps.base.flush()
    return touched
  }

  /** Contents are read and stored side by side, and written down in the order given, whichever was read first. */
  async #inOrder<T extends Item>(
    items: readonly T[],
    touched: string[],
    prepare: (item: T) => Promise<WriteDown>
  ): Promise<void> {
    for (let from = 0; from < items.length; from += WINDOW) {
      const some = items.slice(from, from + WINDOW)
      const writes = await Promise.all(some.map((item) => prepare(item)))
      const ids = await Promise.all(some.map((item, at) => this.#unlessForbidden(pathIn(item), writes[at]!)))
      for (const id of ids) if (id !== undefined) touched.push(id)
    }
  }

  /** What this node may not write there is a problem of that path alone. */
  async #unlessForbidden<T>(path: string, work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work()
    } catch (error) {
      if (!(error instanceof GrapevineError) || error.code !== 'out-of-scope') throw error
      this.#deps.problems.open(path, error, this.#deps.now())
      return undefined
    }
  }

  async #addDirectory(entry: TargetEntry, time?: number): Promise<string> {
    const { result, record } = await this.#write(
      (edit) => edit.add(this.#placeOf(entry.path), { kind: 'dir' }),
      300,
      time
    )
    this.#keep(result.id, entry, [], record)
    if (result.changed) this.#deps.imported(entry.path, 'added')
    return result.id
  }

  async #addFile(entry: TargetEntry, time?: number): Promise<WriteDown> {
    if (entry.kind !== 'file') return NOTHING
    const found = this.#deps.reader.resolve(entry.path)
    // the same bytes are there already, as the winner or as one side of a conflict: nothing to add
    if (found !== undefined && this.#heldAt(found.id) === undefined) {
      const stands = this.#standing(found, entry)
      if (stands.length > 0) {
        this.#deps.base.set(baseRow(found.id, entry, stands.map(seenKey)))
        return async () => found.id
      }
    }
    return this.#withBytes(entry, async (use, bytes) => {
      const { result, record } = await this.#write(
        (edit, draft) => edit.add(this.#placeOf(entry.path), { kind: 'file', body: use(draft), exec: entry.exec }),
        bytes + 400,
        time
      )
      this.#keep(result.id, entry, [], record)
      if (result.changed) this.#deps.imported(entry.path, 'added')
      return result.id
    })
  }

  /** Below the nearest directory above that the target knows as an entry. */
  #placeOf(path: string): TargetPlace {
    for (let cut = path.lastIndexOf('/'); cut > 0; cut = path.lastIndexOf('/', cut - 1)) {
      const above = path.slice(0, cut)
      const anchor = this.#where.entryAt(above)
      if (anchor !== undefined) return { path, anchor, depth: above.split('/').length }
    }
    return { path, anchor: ROOT_ID, depth: 0 }
  }

  #heldAt(id: string): string | undefined {
    return this.#where.pathOf(id)
  }

  /** The tuples this content stands for already: everything where it wins, itself where it lost against another. */
  #standing({ state, meaning, bodies }: Entry, entry: TargetEntry & { kind: 'file' }): readonly Tuple[] {
    if (meaning.exec !== entry.exec) return []
    if (meaning.body?.hash === entry.body.hash) return state.tuples
    const values = state.tuples.filter(({ field }) => field === BODY)
    return values.filter((_, at) => bodies[at]!.body.hash === entry.body.hash)
  }

  async #change(base: BaseRow, now: TargetEntry): Promise<WriteDown> {
    if (now.kind !== 'file') return NOTHING
    const exec = now.exec === base.exec ? {} : { exec: now.exec }
    if (now.body.hash === base.hash) return () => this.#changeTo(base, now, () => exec, 0)
    return this.#withBytes(now, (use, bytes) =>
      this.#changeTo(base, now, (draft) => ({ ...exec, body: use(draft) }), bytes)
    )
  }

  async #changeTo(
    base: BaseRow,
    now: TargetEntry,
    what: (draft: Draft) => { body?: BodyRef; exec?: boolean },
    bytes: number
  ): Promise<string> {
    const seen = new Set(base.seen)
    const { result, record } = await this.#write((edit, draft) => edit.change(base.id, what(draft), seen), bytes + 300)
    this.#keep(result.id, now, base.seen, record)
    if (result.changed) this.#deps.imported(now.path, 'changed')
    return result.id
  }

  /** Written together, noted one after the other: what moved out of something that moved is elsewhere with each note. */
  async #moveAll(moved: Diff['moved'], touched: string[]): Promise<void> {
    for (let from = 0; from < moved.length; from += WINDOW) {
      const some = moved.slice(from, from + WINDOW)
      const written = await Promise.all(
        some.map(({ base, now }) => this.#unlessForbidden(now.path, () => this.#writeMove(base, now)))
      )
      for (const [index, { base, now }] of some.entries()) {
        const change = written[index]
        if (change === undefined) continue
        await this.#noteMove(base, now, change.record)
        touched.push(base.id)
      }
    }
  }

  #writeMove(base: BaseRow, now: TargetEntry): Promise<Change<unknown>> {
    const seen = new Set(base.seen)
    return this.#write((edit) => edit.move(base.id, this.#placeOf(now.path), seen), 400)
  }

  async #noteMove(row: BaseRow, now: TargetEntry, record: Change<unknown>['record']): Promise<void> {
    const { base, imported } = this.#deps
    if (now.kind === 'dir') await base.moveBelow(base.byId(row.id)?.path ?? row.path, now.path)
    this.#keep(row.id, now, row.seen, record)
    imported(now.path, 'moved')
  }

  async #remove(base: BaseRow): Promise<string> {
    if (!base.lingering) {
      const seen = new Set(base.seen)
      await this.#write((_edit, draft) => draft.remove(base.id, seen), 300)
      this.#deps.imported(base.path, 'removed')
    }
    this.#deps.base.delete(base)
    return base.id
  }

  #write<T>(change: (edit: TargetEditor, draft: Draft) => T, bytes: number, time?: number): Promise<Change<T>> {
    return this.#deps.sink.change(
      (draft) => change(new TargetEditor(draft, this.#deps.reader, (id) => this.#heldAt(id)), draft),
      time === undefined ? { bytes } : { bytes, time }
    )
  }

  /**
   * The target holds this now. It stands for what it stood for before and what was written for it; for everything, when
   * it agreed with the catalog already.
   */
  #keep(id: string, entry: TargetEntry, before: readonly string[], record: Change<unknown>['record']): void {
    const tuples = this.#deps.reader.entry(id)?.state.tuples ?? []
    const agreed = record === null
    const seen = tuples.filter(
      (tuple) => agreed || before.includes(seenKey(tuple)) || (tuple.log === record.log && tuple.seq === record.seq)
    )
    this.#deps.base.set(baseRow(id, entry, seen.map(seenKey)))
  }

  /** Reads a file, or stores it; `work` is handed how a draft names its bytes. What cannot be read becomes a problem. */
  async #withBytes(
    entry: TargetEntry & { kind: 'file' },
    work: (use: (draft: Draft) => BodyRef, bytes: number) => Promise<string>
  ): Promise<WriteDown> {
    const { adapter, bodies } = this.#deps
    const written = await this.#unlessUnreadable(entry, async (): Promise<WriteDown> => {
      const small = entry.body.size <= MAX_INLINE_BODY_BYTES
      const bytes = small ? await collect(adapter.read(entry)) : undefined
      if (bytes === undefined) {
        const stored = await bodies.store(adapter.read(entry))
        if (stored.hash !== entry.body.hash) return NOTHING
      }
      return () => work((draft) => (bytes === undefined ? entry.body : draft.body(bytes)), bytes?.length ?? 100)
    })
    return written === undefined ? NOTHING : () => this.#unlessUnreadable(entry, written)
  }

  async #unlessUnreadable<T>({ path }: TargetEntry, work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work()
    } catch (error) {
      if (!(error instanceof GrapevineError) || STORE_FAULTS.has(error.code)) throw error
      if (error.code !== 'file-changed') this.#deps.problems.open(path, error, this.#deps.now())
      return undefined
    }
  }
}

/** Writes something down; resolves with the id of the entry, if there is one. */
type WriteDown = () => Promise<string | undefined>

const NOTHING: WriteDown = async () => undefined

type Item = TargetEntry | BaseRow | Diff['changed'][number]

function pathIn(item: Item): string {
  return 'now' in item ? item.now.path : item.path
}

async function collect(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = []
  for await (const part of source) parts.push(part)
  return Buffer.concat(parts)
}
