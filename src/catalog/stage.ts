/**
 * The fold of one record on trial: entries are read, changed and checked here, and reach the index only when the whole
 * record has proved good. One record is one transaction.
 */
import type { HeldRow } from '../store/index.js'
import { emptyEntry, type EntryState } from './entry.js'
import { EntryRow } from './entry-row.js'
import { PathCache } from './path-cache.js'
import { decodeIds, NameRow, type CatalogRows } from './rows.js'
import { effectivePlace, meaningOf, type AuthorOf, type EntryMeaning, type Meant } from './view.js'

/** Where an entry is listed: only what lives has a place. */
export interface Placement {
  readonly parent: string
  readonly name: string
}

export class Cell {
  readonly id: string
  /** To be changed; what it began as stays as it is. */
  readonly state: EntryState
  /** The entry before this record; undefined when there was none. */
  readonly before: EntryRow | undefined
  /** Where it is listed now, as the tree rows say. */
  placed: Placement | undefined
  /** The same before this record. */
  readonly placedBefore: Placement | undefined
  /** Its tuples changed, not only what hangs below it. */
  written = false
  /** Parent its place named when cycles were last looked for; undefined: it had no place. */
  checkedParent: string | undefined
  readonly #authorOf: AuthorOf
  /** Its tuples are replaced as a whole when they change. */
  #meant: Meant | undefined
  #row: EntryRow | undefined

  constructor(id: string, before: EntryRow | undefined, authorOf: AuthorOf) {
    this.id = id
    this.before = before
    this.#authorOf = authorOf
    this.state = before === undefined ? emptyEntry() : { ...before.state }
    if (before === undefined) return
    this.#meant = { tuples: before.state.tuples, meaning: before.meaning }
    this.placed = this.placedBefore = this.placement
    this.checkedParent = before.meaning.place?.parent
  }

  get meaning(): EntryMeaning {
    if (this.#meant?.tuples !== this.state.tuples) {
      const { tuples } = this.state
      this.#meant = { tuples, meaning: meaningOf(this.state, this.#authorOf, this.#meant) }
    }
    return this.#meant.meaning
  }

  get placement(): Placement | undefined {
    return placementOf(this.id, this.state, this.meaning)
  }

  /** The entry as it stands now. */
  row(): EntryRow {
    const { state } = this
    const last = this.#row
    const same =
      last !== undefined &&
      last.state.doc === state.doc &&
      last.state.tuples === state.tuples &&
      last.state.kids === state.kids &&
      last.state.level === state.level
    if (same) return last
    this.#row = this.#rowOf({ ...state })
    return this.#row
  }

  /** The entry as it goes into the index; the cell is not used afterwards. */
  finish(): EntryRow {
    return this.#rowOf(this.state)
  }

  #rowOf(state: EntryState): EntryRow {
    const hash = this.written ? undefined : this.before?.known.hash
    return new EntryRow(this.id, state, this.#authorOf, { meaning: this.meaning, hash })
  }
}

/** What a stage's placements changed: entries listed more or less, and names that are now (or no longer) shared. */
export interface TreeDelta {
  listed: number
  readonly names: Set<string>
  /** Entries that left a name, or share one now. */
  readonly parted: Set<string>
}

export class Stage implements CatalogRows {
  readonly cells = new Map<string, Cell>()
  readonly rows = new Map<string, Uint8Array | HeldRow | null>()
  readonly delta: TreeDelta = { listed: 0, names: new Set(), parted: new Set() }
  readonly authorOf: AuthorOf
  /** Directories found by path in this stage. */
  readonly paths = new PathCache()
  readonly #below: CatalogRows

  constructor(below: CatalogRows, authorOf: AuthorOf) {
    this.#below = below
    this.authorOf = authorOf
  }

  get(key: string): Uint8Array | undefined {
    const own = this.rows.get(key)
    if (own === undefined) return this.#below.get(key)
    return own === null || own instanceof Uint8Array ? (own ?? undefined) : own.bytes()
  }

  /** The entry as staged. */
  entry(id: string): EntryRow | undefined {
    const cell = this.cells.get(id)
    if (cell === undefined) return this.#below.entry(id)
    return cell.written || cell.before !== undefined ? cell.row() : undefined
  }

  claimants(key: string): readonly string[] {
    const own = this.rows.get(key)
    if (own === undefined) return this.#below.claimants(key)
    if (own instanceof NameRow) return own.ids
    return decodeIds(this.get(key))
  }

  /** Once something has left its name, what is known below may lead elsewhere here. */
  directoryAt(path: string): string | undefined {
    return this.delta.parted.size > 0 ? undefined : (this.#below.directoryAt(path) ?? this.paths.get(path))
  }

  pathOfDirectory(id: string): string | undefined {
    return this.delta.parted.size > 0 ? undefined : (this.#below.pathOfDirectory(id) ?? this.paths.pathOf(id))
  }

  noteDirectory(path: string, id: string): void {
    this.paths.set(path, id)
  }

  put(key: string, value: Uint8Array | HeldRow): void {
    this.rows.set(key, value)
  }

  delete(key: string): void {
    this.rows.set(key, null)
  }

  /** The entry, to be changed; an empty one when it is new. */
  cell(id: string): Cell {
    let cell = this.cells.get(id)
    if (cell === undefined) {
      cell = new Cell(id, this.#below.entry(id), this.authorOf)
      this.cells.set(id, cell)
    }
    return cell
  }
}

export function placementOf(id: string, state: EntryState, meaning: EntryMeaning): Placement | undefined {
  return meaning.alive || state.kids > 0 ? effectivePlace(id, meaning, state.level) : undefined
}
