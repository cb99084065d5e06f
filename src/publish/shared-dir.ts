/**
 * A target that several nodes share, each over a system of its own: whoever changes it has written it already, so nothing
 * is written here, only looked at, recorded and told. Rules (tests cite the numbers):
 * 1. What the catalog says already, in these or other letters, is taken note of and makes no record.
 * 2. Anything else is recorded when it is this node's turn: by then whoever noticed it first has most likely said so.
 * 3. The system behind the target hears of every difference at once, whoever made it, and once. Of what was there when the
 *    node met the target first it hears nothing: it began with that.
 * 4. What the catalog says and the target does not hold waits, and is looked for again and again. Nothing is written.
 */
import type { Adapter, BodySource, TargetEntry } from '../adapters/contract.js'
import { isWithin } from '../adapters/paths.js'
import { seenKey, type CatalogReader, type Entry } from '../catalog/index.js'
import { GrapevineError } from '../errors.js'
import type { BodyRef } from '../wire/index.js'
import { baseRow, expected, type Base, type BaseRow } from './base.js'
import type { Diff } from './diff.js'
import type { WaitingRoom } from './waiting-room.js'

export interface SharedDirOptions {
  /** How long this node leaves it to others to record a change, ms. */
  turnMs(): number
}

export interface SharedDirDeps {
  readonly adapter: Pick<Adapter, 'ignores' | 'meansSame' | 'noted'>
  readonly reader: CatalogReader
  readonly base: Base
  readonly waiting: WaitingRoom
  readonly bodies: { has(ref: BodyRef): boolean; readonly source: BodySource }
  /** Milliseconds that never go back. */
  now(): number
}

/** What waits is looked for again after so long, ms; while nothing joins it, more and more seldom. */
const LOOK_MIN_MS = 1_000
const LOOK_MAX_MS = 30_000
const WORDS = 'the shared directory, which does not hold it yet'

/** One difference: where it is, and what tells it from another at the same place. */
interface Item {
  readonly path: string
  readonly key: string
  /** Files that lie otherwise than before. */
  readonly files: readonly string[]
  /** Makes the base agree, when the catalog does; false when it does not. */
  agree(): Promise<boolean>
  /** Takes it over into a diff. */
  into(diff: Diff): void
}

interface Open {
  readonly key: string
  /** When it is this node's turn, ms that never go back. */
  readonly at: number
  readonly isOurs: boolean
}

export class SharedDir {
  readonly #deps: SharedDirDeps
  readonly #options: SharedDirOptions
  /** By path: differences between the target and the base. They were told of. */
  readonly #open = new Map<string, Open>()
  /** Entries that wait, when they are looked for again, and how long after that. */
  readonly #waits = new Set<string>()
  #lookAt = 0
  #lookMs = LOOK_MIN_MS

  constructor(deps: SharedDirDeps, options: SharedDirOptions) {
    this.#deps = deps
    this.#options = options
  }

  /** Whether something waits for this node's turn. */
  get defers(): boolean {
    return [...this.#open.values()].some(({ isOurs }) => !isOurs)
  }

  refuseToWrite(): never {
    throw new GrapevineError(
      'directory-shared',
      'the directory is shared with other nodes, and this one does not write to it',
      {
        next: 'undo the change at any of the GeoServers, or adopt it'
      }
    )
  }

  /** How long until it is this node's turn, ms; undefined: nothing waits for it. */
  nextTurnMs(): number | undefined {
    const times = [...this.#open.values()].flatMap(({ at, isOurs }) => (isOurs ? [] : [at]))
    return times.length === 0 ? undefined : Math.max(1, Math.min(...times) - this.#deps.now())
  }

  /** What it is this node's turn to look at once more. */
  duePaths(): string[] {
    const now = this.#deps.now()
    return [...this.#open].flatMap(([path, { at, isOurs }]) => (!isOurs && at <= now ? [path] : []))
  }

  /** How long until what waits is looked for again, ms; undefined: nothing waits. */
  nextLookMs(): number | undefined {
    return this.#waits.size === 0 ? undefined : Math.max(1, this.#lookAt - this.#deps.now())
  }

  /**
   * What of a diff is to be recorded now. `paths`: what was looked at, everything when absent. `first`: the node meets the
   * target for the first time.
   */
  async sift(diff: Diff, paths: readonly string[] | undefined, first: boolean): Promise<Diff> {
    const looked = paths === undefined ? undefined : new Set(paths)
    const isLooked = (path: string): boolean => looked === undefined || isWithin(path, looked)
    const ours: Diff = { added: [], changed: [], moved: [], gone: [], refreshed: [] }
    const items = this.#itemsOf(diff)
    const before = new Map([...this.#open].filter(([path]) => isLooked(path)))
    for (const path of before.keys()) this.#open.delete(path)
    const knownOf = ({ path, key }: Item): Open | undefined => {
      const known = before.get(path)
      return known?.key === key ? known : undefined
    }
    if (!first) await this.#tell(items.filter((item) => knownOf(item) === undefined))
    for (const item of items) {
      if (await item.agree()) continue
      const at = knownOf(item)?.at ?? this.#deps.now() + (first ? 0 : this.#options.turnMs())
      const isOurs = at <= this.#deps.now()
      this.#open.set(item.path, { key: item.key, at, isOurs })
      if (isOurs) item.into(ours)
    }
    return ours
  }

  /** Rule 3. */
  async #tell(items: readonly Item[]): Promise<void> {
    const files = items.flatMap((item) => item.files)
    if (files.length > 0) await this.#deps.adapter.noted?.(files)
  }

  #itemsOf(diff: Diff): Item[] {
    return [
      ...diff.moved.toSorted((a, b) => a.now.path.length - b.now.path.length).map((pair) => this.#moved(pair)),
      ...diff.refreshed.map((pair) => this.#refreshed(pair)),
      ...diff.gone.map((row) => this.#gone(row)),
      ...diff.added.map((now) => this.#added(now)),
      ...diff.changed.map((pair) => this.#changed(pair))
    ]
  }

  #moved(pair: Diff['moved'][number]): Item {
    const { base, now } = pair
    return {
      path: now.path,
      key: `from ${base.path}`,
      files: now.kind === 'file' ? [base.path, now.path] : [],
      agree: async () => {
        const entry = this.#deps.reader.entry(base.id)
        if (entry?.listed !== true || this.#deps.reader.pathOf(entry.id) !== now.path) return false
        return this.#keep(entry, now)
      },
      into: (diff) => diff.moved.push(pair)
    }
  }

  /** Written anew, or moved along with what it lies in: no difference to record. */
  #refreshed(pair: Diff['refreshed'][number]): Item {
    const { base, now } = pair
    const stays = base.path === now.path
    return {
      path: now.path,
      key: stays ? '' : `along from ${base.path}`,
      files: stays || now.kind === 'dir' ? [] : [base.path, now.path],
      agree: async () => {
        if (!stays && this.#deps.reader.pathOf(base.id) !== now.path) return false
        this.#deps.base.set({ ...base, path: now.path, inode: now.inode })
        return true
      },
      into: (diff) => diff.refreshed.push(pair)
    }
  }

  #gone(row: BaseRow): Item {
    return {
      path: row.path,
      key: 'gone',
      files: row.kind === 'file' ? [row.path] : [],
      agree: async () => {
        const entry = this.#deps.reader.entry(row.id)
        if (entry?.listed === true && this.#deps.reader.pathOf(entry.id) === row.path) return false
        this.#deps.base.delete(row)
        if (entry?.listed !== true) this.#over(row.id)
        return true
      },
      into: (diff) => diff.gone.push(row)
    }
  }

  #added(now: TargetEntry): Item {
    return {
      path: now.path,
      key: keyOf(now),
      files: now.kind === 'file' ? [now.path] : [],
      agree: async () => {
        const entry = this.#deps.reader.resolve(now.path)
        return entry !== undefined && (await this.#says(entry, now))
      },
      into: (diff) => diff.added.push(now)
    }
  }

  #changed(pair: Diff['changed'][number]): Item {
    const { base, now } = pair
    return {
      path: now.path,
      key: keyOf(now),
      files: [now.path],
      agree: async () => {
        const entry = this.#deps.reader.entry(base.id)
        if (entry?.listed !== true || this.#deps.reader.pathOf(entry.id) !== now.path) return false
        return this.#says(entry, now)
      },
      into: (diff) => diff.changed.push(pair)
    }
  }

  /** Rule 1. */
  async #says(entry: Entry, now: TargetEntry): Promise<boolean> {
    const { reader, adapter, bodies } = this.#deps
    if (reader.isDirectory(entry) !== (now.kind === 'dir')) return false
    if (now.kind === 'dir') return entry.meaning.alive && this.#keep(entry, now)
    const { body, exec } = entry.meaning
    if (body === undefined || exec !== now.exec) return false
    if (body.hash === now.body.hash) return this.#keep(entry, now)
    if (!bodies.has(body) || (await adapter.meansSame?.(now, body, bodies.source)) !== true) return false
    return this.#keep(entry, { ...now, body })
  }

  #keep(entry: Entry, now: TargetEntry): true {
    const { base } = this.#deps
    const before = base.byPath(now.path)
    if (before !== undefined && before.id !== entry.id) base.delete(before)
    base.set(baseRow(entry.id, now, entry.state.tuples.map(seenKey)))
    this.#over(entry.id)
    return true
  }

  /** Which of these entries the target holds otherwise than the catalog says, and where to look for them. */
  differing(ids: readonly string[]): Array<{ id: string; path: string; paths: string[] }> {
    return ids.flatMap((id) => {
      const path = this.#wanted(id)
      const row = this.#deps.base.byId(id)
      const paths = [row?.path, path].filter((each) => each !== undefined)
      if (paths.length === 0 || this.#isAgreed(id, path, row)) {
        this.#over(id)
        return []
      }
      return [{ id, path: path ?? row!.path, paths }]
    })
  }

  /** Rule 4. */
  async wait(id: string, path: string): Promise<void> {
    if (await this.#meant(id, path)) return
    const now = this.#deps.now()
    if (!this.#waits.has(id)) this.#lookMs = LOOK_MIN_MS
    if (!this.#waits.has(id) || this.#lookAt <= now) {
      this.#lookAt = now + this.#lookMs
      this.#lookMs = Math.min(LOOK_MAX_MS, this.#lookMs * 2)
    }
    this.#waits.add(id)
    this.#deps.waiting.hold(id, path, { for: [WORDS], state: 'coming' })
  }

  /** Rule 1, where the target did not change and the catalog says the same in other letters since. */
  async #meant(id: string, path: string): Promise<boolean> {
    const row = this.#deps.base.byId(id)
    const entry = this.#deps.reader.entry(id)
    if (row?.kind !== 'file' || row.path !== path || entry?.listed !== true) return false
    return this.#says(entry, expected(row))
  }

  #over(id: string): void {
    this.#waits.delete(id)
    this.#deps.waiting.over(id)
  }

  /** Where the catalog has an entry; undefined when nowhere, or where a rule leaves it out. */
  #wanted(id: string): string | undefined {
    const { reader, adapter } = this.#deps
    const entry = reader.entry(id)
    const path = entry && reader.pathOfEntry(entry)
    if (path === undefined || adapter.ignores(path, reader.isDirectory(entry!) ? 'dir' : 'file')) return undefined
    return path
  }

  #isAgreed(id: string, path: string | undefined, row: BaseRow | undefined): boolean {
    const { reader, base, adapter } = this.#deps
    if (row === undefined) return path === undefined
    if (path === undefined) {
      // what a rule leaves out now is the target's own, whatever it was before
      if (adapter.ignores(row.path, row.kind)) base.delete(row)
      return base.byId(id) === undefined
    }
    const { meaning, state } = reader.entry(id)!
    const isSame = row.kind === 'dir' || (meaning.body?.hash === row.hash && meaning.exec === row.exec)
    if (row.path !== path || !isSame) return false
    const seen = state.tuples.map(seenKey)
    if (seen.length !== row.seen.length || seen.some((key) => !row.seen.includes(key))) base.set({ ...row, seen })
    return true
  }
}

function keyOf(now: TargetEntry): string {
  return now.kind === 'dir' ? 'dir' : `${now.body.hash} ${now.exec}`
}
