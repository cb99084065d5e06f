/** Reads the catalog by path and by id. Paths follow effective places; a name two entries claim belongs to the first. */
import { prefixRange, type Store } from '../store/index.js'
import type { BodyRef } from '../wire/index.js'
import { bodyKey, historyPrefix } from './catalog.js'
import type { EntryState } from './entry.js'
import { entryIdOfPath, NAME_ROWS, nameKey, ROOT_ID } from './ids.js'
import { markedName, readMarked } from './marked.js'
import { decodeIds, ENTRY_ROWS, type CatalogRows } from './rows.js'
import { compareStamps, type AuthorOf, type EntryMeaning } from './view.js'

export interface Entry {
  readonly id: string
  readonly state: EntryState
  readonly meaning: EntryMeaning
  /** Listed: it lives, or holds what lives. */
  readonly listed: boolean
  readonly parent: string
  /** The name its place gives it. */
  readonly name: string
  readonly order: string | null
  /** The key of the row that says who claims this name. */
  readonly nameKey: string
  /** Bodies of all its live values, the winner's among them, and the log each was written in. */
  readonly bodies: ReadonlyArray<{ readonly body: BodyRef; readonly log: string }>
  /** Its canonical hash; undefined when nothing of it lives. */
  readonly hash: Buffer | undefined
}

export interface Listed {
  readonly path: string
  readonly entry: Entry
}

/** Deeper paths cannot exist in a file system; also ends a walk over damaged rows. */
const MAX_DEPTH = 2_048
/** Entries read ahead at once: few beside those that are kept at hand, and many beside what one reading costs. */
const PREFETCHED = 256
/** Longer paths are not remembered, characters. */
const MAX_KEPT_PATH = 512

export class CatalogReader {
  readonly #rows: CatalogRows
  readonly #store: Store
  readonly #authorOf: AuthorOf

  constructor(deps: { rows: CatalogRows; store: Store; authorOf: AuthorOf }) {
    this.#rows = deps.rows
    this.#store = deps.store
    this.#authorOf = deps.authorOf
  }

  entry(id: string): Entry | undefined {
    return this.#rows.entry(id)
  }

  /** The same catalog as a draft sees it, with what is staged. Listings still come from the index. */
  over(rows: CatalogRows): CatalogReader {
    return new CatalogReader({ rows, store: this.#store, authorOf: this.#authorOf })
  }

  /** Small bodies that came inside records. */
  inlineBody(ref: BodyRef): Uint8Array | undefined {
    return this.#rows.get(bodyKey(ref.hash))
  }

  hasInlineBody(ref: BodyRef): boolean {
    const key = bodyKey(ref.hash)
    return this.#rows.has?.(key) ?? this.#rows.get(key) !== undefined
  }

  /** Small bodies of many, in their order: what is not at hand is read in one go. */
  async inlineBodies(refs: readonly BodyRef[]): Promise<Array<Uint8Array | undefined>> {
    const keys = refs.map(({ hash }) => bodyKey(hash))
    return this.#rows.getMany?.(keys) ?? keys.map((key) => this.#rows.get(key))
  }

  /** Brings entries to hand that are about to be asked for; no more than `PREFETCHED` at once, or the first are gone again. */
  async prefetch(ids: readonly string[]): Promise<void> {
    await this.#rows.prefetch?.(ids)
  }

  /** The entry that owns this name, and the others that claim it, in a fixed order. */
  atName(parent: string, name: string): Entry[] {
    const ids = this.#rows.claimants(nameKey(parent, name))
    const entries = ids.map((id) => this.entry(id)).filter((entry) => entry !== undefined)
    return entries.length < 2 ? entries : entries.toSorted((a, b) => this.#earlier(a, b))
  }

  /** What is not where it was put, because moves made a cycle, takes nobody's name there. */
  #earlier(a: Entry, b: Entry): number {
    const displaced = Number(a.state.level > 0) - Number(b.state.level > 0)
    if (displaced !== 0) return displaced
    const left = a.meaning.placeStamp
    const right = b.meaning.placeStamp
    const byStamp = left === undefined || right === undefined ? 0 : compareStamps(left, right, this.#authorOf)
    return byStamp || (a.id < b.id ? -1 : 1)
  }

  /** The name under which an entry shows: its own, or marked when another owns that name. */
  shownName(entry: Entry): string {
    if (this.#isSole(entry)) return entry.name
    const [owner] = this.atName(entry.parent, entry.name)
    return owner === undefined || owner.id === entry.id ? entry.name : markedName(entry.name, entry.id)
  }

  /** Whether others claim its name too. */
  isNameShared(entry: Entry): boolean {
    return this.#rows.claimants(entry.nameKey).length > 1
  }

  /** Whether nobody else claims its name. */
  #isSole(entry: Entry): boolean {
    const claimants = this.#rows.claimants(entry.nameKey)
    return claimants.length === 1 && claimants[0] === entry.id
  }

  /** The path of a listed entry; undefined when it, or what holds it, is not listed. */
  pathOf(id: string): string | undefined {
    return this.listed(id)?.path
  }

  /** An entry and its path, on the same condition. */
  listed(id: string): Listed | undefined {
    const entry = this.entry(id)
    const path = entry && this.pathOfEntry(entry)
    return path === undefined ? undefined : { path, entry: entry! }
  }

  pathOfEntry(entry: Entry): string | undefined {
    if (!entry.listed) return undefined
    const name = this.shownName(entry)
    if (entry.parent === ROOT_ID) return name
    const above = this.#rows.pathOfDirectory(entry.parent) ?? this.#walkUp(entry.parent)
    return above === undefined ? undefined : `${above}/${name}`
  }

  #walkUp(id: string): string | undefined {
    const way: Entry[] = []
    for (let at = id; at !== ROOT_ID;) {
      const entry = this.entry(at)
      if (entry === undefined || !entry.listed || way.length >= MAX_DEPTH) return undefined
      way.push(entry)
      at = entry.parent
    }
    let path = ''
    let isSole = true
    for (const entry of way.toReversed()) {
      path = join(path, this.shownName(entry))
      isSole &&= path.length <= MAX_KEPT_PATH && this.#isSole(entry)
      if (isSole) this.#rows.noteDirectory(path, entry.id)
    }
    return path
  }

  /** Where an entry is, or was: its name below what it was in, or its name alone where that is gone too. */
  lastPathOf(id: string): string {
    const path = this.pathOf(id)
    const entry = this.entry(id)
    if (path !== undefined || entry === undefined) return path ?? ''
    const above = entry.parent === ROOT_ID ? '' : this.pathOf(entry.parent)
    return above === undefined || above === '' ? entry.name : `${above}/${entry.name}`
  }

  /** The entry at a path (`''` is the root and has none), or with an id written as `id:<32 hex>`. */
  resolve(path: string): Entry | undefined {
    if (path.startsWith('id:')) return this.entry(path.slice(3))
    const cut = path.lastIndexOf('/')
    const parent = cut < 0 ? ROOT_ID : this.#directoryAt(path.slice(0, cut))
    return parent === undefined ? undefined : this.child(parent, path.slice(cut + 1))
  }

  /** The id of what is at a path; no matter whether it is a directory. */
  #directoryAt(path: string): string | undefined {
    const known = this.#rows.directoryAt(path)
    if (known !== undefined) return known
    let parent = ROOT_ID
    let isSole = path.length <= MAX_KEPT_PATH
    for (let from = 0; from <= path.length;) {
      const to = path.indexOf('/', from)
      const end = to < 0 ? path.length : to
      const name = path.slice(from, end)
      const found = this.child(parent, name)
      if (found === undefined) return undefined
      isSole &&= found.parent === parent && found.name === name && this.#isSole(found)
      if (isSole) this.#rows.noteDirectory(path.slice(0, end), found.id)
      parent = found.id
      from = end + 1
    }
    return parent
  }

  /** The child shown under this name. */
  child(parent: string, name: string): Entry | undefined {
    const [owner] = this.atName(parent, name)
    if (owner !== undefined) return owner
    const marked = readMarked(name)
    if (marked === undefined) return undefined
    if (!marked.shortened)
      return this.atName(parent, marked.name).find((entry, index) => index > 0 && entry.id.startsWith(marked.id))
    const entry = this.entry(marked.id)
    return entry?.listed === true && entry.parent === parent && this.shownName(entry) === name ? entry : undefined
  }

  /** The id an entry born at this path would have, alive or not: for the history of what is gone. */
  formerly(path: string): Entry | undefined {
    const names = path.split('/')
    const last = names.pop()!
    let parent = ROOT_ID
    for (const name of names) parent = this.child(parent, name)?.id ?? entryIdOfPath(parent, name, 'dir', 0)
    return this.entry(entryIdOfPath(parent, last, 'file', 0)) ?? this.entry(entryIdOfPath(parent, last, 'dir', 0))
  }

  isDirectory(entry: Entry): boolean {
    return entry.meaning.body === undefined
  }

  /** Listed children, by order key and then by name. */
  async children(parent: string): Promise<Entry[]> {
    const found: Entry[] = []
    const take = async (named: readonly string[]): Promise<void> => {
      await this.prefetch(named)
      for (const id of named) {
        const entry = this.entry(id)
        // the iterator shows the index as written; what is newer still is in the entry itself
        if (entry !== undefined && entry.listed && entry.parent === parent) found.push(entry)
      }
    }
    const asOf = (await this.#rows.flush?.()) ?? 0
    const named: string[] = []
    for await (const [key, row] of this.#store.iterate(prefixRange(nameKey(parent, '')))) {
      const ids = decodeIds(row)
      this.#rows.noteName?.(key, ids, asOf)
      named.push(...ids)
      if (named.length >= PREFETCHED) await take(named.splice(0))
    }
    await take(named)
    return found.toSorted(
      (a, b) => compareOrder(a.order, b.order) || (a.name < b.name ? -1 : a.name > b.name ? 1 : a.id < b.id ? -1 : 1)
    )
  }

  /** Everything below a directory, parents before children, siblings in order. */
  async *walk(parent: string, path: string): AsyncIterable<Listed> {
    // a stack of its own: a generator within a generator hands on each entry once for every directory above it
    const way = [{ path, left: (await this.children(parent)).values() }]
    for (let top = way.at(-1); top !== undefined; top = way.at(-1)) {
      const { done, value: entry } = top.left.next()
      if (done === true) way.pop()
      else {
        const at = join(top.path, this.shownName(entry))
        yield { path: at, entry }
        if (entry.state.kids > 0) way.push({ path: at, left: (await this.children(entry.id)).values() })
      }
    }
  }

  /** Rows as the index has them, after what is pending was written. */
  async #iterate(range: { gte: string; lt: string }): Promise<AsyncIterable<[string, Uint8Array]>> {
    await this.#rows.flush?.()
    return this.#store.iterate(range)
  }

  /** Records that wrote to an entry, oldest first. */
  async history(id: string): Promise<Array<{ log: string; seq: number }>> {
    const rows: Array<{ log: string; seq: number }> = []
    const born = this.entry(id)?.state.born
    if (born !== undefined) rows.push({ log: born.log, seq: born.seq })
    for await (const [key] of await this.#iterate(prefixRange(historyPrefix(id)))) {
      const [log, seq] = key.slice(historyPrefix(id).length + 15).split('/')
      if (log !== undefined && seq !== undefined) rows.push({ log, seq: Number.parseInt(seq, 16) })
    }
    return rows
  }

  /** Ids and canonical hashes of one bucket, 48 bytes an entry. */
  async bucketRows(bucket: number): Promise<Uint8Array> {
    const rows: Uint8Array[] = []
    const prefix = ENTRY_ROWS + bucket.toString(16).padStart(3, '0')
    for await (const [key] of await this.#iterate(prefixRange(prefix))) {
      const id = key.slice(ENTRY_ROWS.length)
      const hash = this.entry(id)?.hash
      if (hash !== undefined) rows.push(Buffer.from(id, 'hex'), hash)
    }
    return Buffer.concat(rows)
  }

  /** Ids of all entries ever written, gone ones included. */
  async *ids(): AsyncIterable<string> {
    for await (const [key] of await this.#iterate(prefixRange(ENTRY_ROWS))) yield key.slice(ENTRY_ROWS.length)
  }

  /** Ids of all listed entries under their parents, by the name rows. */
  async *listedIds(): AsyncIterable<string> {
    for await (const [, ids] of await this.#iterate(prefixRange(NAME_ROWS))) yield* decodeIds(ids)
  }
}

const join = (above: string, name: string): string => (above === '' ? name : `${above}/${name}`)

/** Entries without an order key come first, by name. */
function compareOrder(a: string | null, b: string | null): number {
  if (a === b) return 0
  if (a === null) return -1
  if (b === null) return 1
  return a < b ? -1 : 1
}
