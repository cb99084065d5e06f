/**
 * What the target holds and the catalog does not, where this node may not write. Rules (tests cite the numbers):
 * 1. All of it is shown, until it is taken back by hand, makes way, or the catalog says the same.
 * 2. What makes way is copied aside first, as it lies there, and replaced in one step: no moment without a file, and
 *    nothing is lost.
 * 3. It makes way when the catalog changes there, when the operator's rules or somebody say so.
 * 4. What the catalog came to say by itself is no drift any more, and is not written again.
 */
import type { Adapter, ApplyItem, BodySource, TargetEntry } from '../adapters/contract.js'
import { isWithin } from '../adapters/paths.js'
import { seenKey, type CatalogReader, type Entry } from '../catalog/index.js'
import { GrapevineError } from '../errors.js'
import { baseRow, noEntry, type Base, type BaseRow } from './base.js'
import type { Diff } from './diff.js'
import type { DriftPolicy } from './drift-rules.js'

export interface DriftItem {
  readonly path: string
  readonly kind: 'file' | 'dir'
  readonly change: 'added' | 'changed' | 'moved' | 'removed'
  /** Where the catalog has it; for what was moved. */
  readonly from?: string
  /** When it was seen first in this life of the node, ms of the wall clock. */
  readonly since: number
  readonly policy: DriftPolicy
  /** What the target held when it was in step; absent for what was added. */
  readonly row?: BaseRow
  /** What it holds now; absent for what was removed. */
  readonly now?: TargetEntry
}

export interface DriftEnd {
  /** restored: it made way. adopted: the catalog says the same. undone: it was taken back by hand. */
  readonly how: 'restored' | 'adopted' | 'undone'
  /** Where its bytes lie. */
  readonly kept?: string
}

export interface DriftDeps {
  readonly adapter: Pick<Adapter, 'apply' | 'keepCopy' | 'settled'>
  readonly reader: CatalogReader
  readonly base: Base
  readonly bodies: { source: BodySource }
  readonly asideDir: string
  readonly policyOf: (path: string) => DriftPolicy
  now(): number
  /** `end` is absent when it was found. */
  changed(item: DriftItem, end?: DriftEnd): void
}

export class Drift {
  readonly #deps: DriftDeps
  readonly #all = new Map<string, DriftItem>()
  /** What is to make way when it is looked at next: these paths, and these with all below them. */
  readonly #wished = new Set<string>()
  readonly #wishedBelow = new Set<string>()
  /** What makes way and is not replaced yet -> where its bytes lie. */
  readonly #making = new Map<string, string | undefined>()

  constructor(deps: DriftDeps) {
    this.#deps = deps
  }

  get size(): number {
    return this.#all.size
  }

  paths(): string[] {
    return [...this.#all.keys()]
  }

  /** In the order of paths: all, or what is at and below the given ones. */
  list(paths?: readonly string[]): DriftItem[] {
    const scope = paths === undefined ? undefined : new Set(paths)
    const some = [...this.#all.values()].filter(({ path }) => scope === undefined || isWithin(path, scope))
    return some.toSorted((a, b) => (a.path < b.path ? -1 : 1))
  }

  /** All drift at and below these paths makes way when it is looked at next. */
  wishBelow(paths: readonly string[]): DriftItem[] {
    for (const path of paths) this.#wishedBelow.add(path)
    return this.list(paths)
  }

  /** What lies at this path makes way when it is looked at next. Returns where to look. */
  wish(path: string): string[] {
    const paths = [path, ...this.#removedAbove(path).map((item) => item.path)]
    for (const each of paths) this.#wished.add(each)
    return paths
  }

  /**
   * What differs within `scope` (everything when absent) is drift; what differs there no more is none, but for what is
   * `missed` and looked for once more. Returns the ids of entries to be applied. Throws what copying aside throws: then
   * nothing of that path has changed.
   */
  async take(diff: Diff, scope: readonly string[] | undefined, missed: readonly string[]): Promise<string[]> {
    const found = this.#itemsOf(diff)
    const looked = new Set(scope ?? [''])
    const unsure = new Set(missed)
    for (const path of this.#all.keys())
      if (isWithin(path, looked) && !found.has(path) && !unsure.has(path)) this.ended(path, 'undone')
    for (const [path, item] of found) {
      const known = this.#all.get(path)
      this.#all.set(path, known === undefined ? item : { ...item, since: known.since })
      if (known === undefined) this.#deps.changed(item)
    }
    const ids = [...found.values()].flatMap(({ row }) => (row === undefined ? [] : [row.id]))
    const wished = ({ path, policy }: DriftItem): boolean =>
      policy === 'restore' || this.#wished.has(path) || isWithin(path, this.#wishedBelow)
    ids.push(...(await this.#makeWay([...found.values()].filter(wished))))
    for (const wishes of [this.#wished, this.#wishedBelow])
      for (const path of wishes) if (isWithin(path, looked)) wishes.delete(path)
    return ids
  }

  /** Rule 4. Called before entries are applied. */
  async meet(): Promise<void> {
    const { base } = this.#deps
    for (const item of this.#all.values()) {
      const { path, row, now, from } = item
      const entry = this.#entryOf(item)
      if (now === undefined) {
        if (entry?.listed === true) continue
        base.delete(row!)
      } else {
        if (entry === undefined || !this.#says(entry, now)) continue
        if (from !== undefined && now.kind === 'dir') await base.moveBelow(from, now.path)
        base.set(baseRow(entry.id, now, entry.state.tuples.map(seenKey)))
      }
      this.ended(path, 'adopted')
    }
  }

  /** What lay at this path is replaced, or the same as in the catalog. Nothing happens where no drift is known. */
  ended(path: string, how: DriftEnd['how']): void {
    const item = this.#all.get(path)
    if (item === undefined) return
    const making = this.#making.has(path)
    const kept = this.#making.get(path)
    this.#all.delete(path)
    this.#making.delete(path)
    this.#deps.changed(item, { how: making ? 'restored' : how, ...(kept === undefined ? {} : { kept }) })
  }

  #itemsOf({ added, changed, moved, gone }: Diff): Map<string, DriftItem> {
    const items = new Map<string, DriftItem>()
    const put = (path: string, item: Pick<DriftItem, 'change' | 'from' | 'row' | 'now'>): void => {
      const kind = (item.now ?? item.row)!.kind
      items.set(path, { path, kind, since: this.#deps.now(), policy: this.#deps.policyOf(path), ...item })
    }
    for (const row of gone) put(row.path, { change: 'removed', row })
    for (const now of added) {
      // a file where a directory was, or the reverse
      const row = items.get(now.path)?.row
      put(now.path, row === undefined ? { change: 'added', now } : { change: 'changed', row, now })
    }
    for (const { base: row, now } of changed) put(now.path, { change: 'changed', row, now })
    for (const { base: row, now } of moved) put(now.path, { change: 'moved', from: row.path, row, now })
    return items
  }

  /** What comes back needs the directories it lay in. */
  #removedAbove(path: string): DriftItem[] {
    const above: DriftItem[] = []
    for (let cut = path.lastIndexOf('/'); cut > 0; cut = path.lastIndexOf('/', cut - 1)) {
      const item = this.#all.get(path.slice(0, cut))
      if (item?.change === 'removed') above.push(item)
    }
    return above
  }

  async #makeWay(items: readonly DriftItem[]): Promise<string[]> {
    const ids: string[] = []
    const set: ApplyItem[] = []
    for (const item of items) {
      const kept = await this.#kept(item)
      if (kept === null) continue
      this.#making.set(item.path, kept)
      set.push(...this.#replace(item, ids))
    }
    // the deepest first: a directory is empty once what was in it has made way
    await this.#apply(set.toSorted((a, b) => b.path.length - a.path.length))
    await this.#deps.base.flush()
    return ids
  }

  /** Rule 2. Null where somebody is at work on it: a later look finds it again. */
  async #kept({ path, now, change }: DriftItem): Promise<string | undefined | null> {
    if (now?.kind !== 'file' || change === 'moved') return undefined
    try {
      return await this.#deps.adapter.keepCopy(path, this.#deps.asideDir)
    } catch (error) {
      if (error instanceof GrapevineError && error.code === 'file-changed') return null
      throw error
    }
  }

  /** Lets the planner write what the catalog says, or says what to do where it says nothing. */
  #replace(item: DriftItem, ids: string[]): ApplyItem[] {
    const { base } = this.#deps
    const { path, row, now, change, from } = item
    if (row !== undefined && change !== 'moved' && now?.kind === row.kind) base.set(baseRow(row.id, now, []))
    else if (row !== undefined && change !== 'moved') base.delete(row)
    if (now === undefined || now.kind === row?.kind) {
      if (change !== 'moved') return []
      return [{ do: 'move', from: path, path: from!, expect: now! }]
    }
    const entry = this.#entryOf(item)
    const takesOver = entry?.listed === true && now.kind === 'file' && !this.#deps.reader.isDirectory(entry)
    if (!takesOver || base.byId(entry.id) !== undefined) return [{ do: 'remove', path, expect: now }]
    base.set(baseRow(entry.id, now, []))
    ids.push(entry.id)
    return []
  }

  async #apply(set: readonly ApplyItem[]): Promise<void> {
    if (set.length === 0) return
    const { adapter, bodies, base } = this.#deps
    for (const { item, outcome } of await adapter.apply(set, bodies.source)) {
      if (outcome === 'done') this.ended(item.do === 'move' ? item.from : item.path, 'restored')
      else if (item.do === 'remove' && item.expect.kind === 'dir')
        // it holds what is not shared, and is remembered so that no later look takes it for new
        base.set({ ...baseRow(noEntry(item.path), item.expect, []), lingering: true })
    }
    await adapter.settled?.()
  }

  #entryOf({ path, row }: DriftItem): Entry | undefined {
    const { reader } = this.#deps
    return row === undefined ? reader.resolve(path) : reader.entry(row.id)
  }

  #says(entry: Entry, now: TargetEntry): boolean {
    const { reader } = this.#deps
    if (!entry.listed || reader.pathOf(entry.id) !== now.path) return false
    if (now.kind === 'dir') return reader.isDirectory(entry)
    return entry.meaning.body?.hash === now.body.hash && entry.meaning.exec === now.exec
  }
}
