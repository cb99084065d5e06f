/**
 * The fold of one record on trial: entries are read, changed and checked here, and reach the index only when the whole
 * record has proved good. One record is one transaction.
 */
import type { Overlay } from '../store/index.js'
import { decodeEntry, emptyEntry, entryHash, type EntryState, type Tuple } from './entry.js'
import { effectivePlace, meaningOf, type AuthorOf, type EntryMeaning } from './view.js'

export const ENTRY_ROWS = 'e/'
export const entryKey = (id: string): string => ENTRY_ROWS + id

/** Where an entry is listed: only what lives has a place. */
export interface Placement {
  readonly parent: string
  readonly name: string
}

export interface Cell {
  readonly id: string
  readonly state: EntryState
  /** Canonical hash before this record; undefined when there was no entry. */
  hashBefore: Buffer | undefined
  readonly meaningBefore: EntryMeaning | undefined
  /** Where it is listed now, as the tree rows say. */
  placed: Placement | undefined
  /** The same before this record. */
  readonly placedBefore: Placement | undefined
  /** Its tuples changed, not only what hangs below it. */
  written: boolean
  /** Parent its place named when cycles were last looked for; undefined: it had no place. */
  checkedParent: string | undefined
}

/** What a stage's placements changed: entries listed more or less, and names that are now (or no longer) shared. */
export interface TreeDelta {
  listed: number
  readonly names: Set<string>
}

export class Stage {
  readonly cells = new Map<string, Cell>()
  readonly rows = new Map<string, Uint8Array | null>()
  readonly delta: TreeDelta = { listed: 0, names: new Set() }
  readonly authorOf: AuthorOf
  readonly #below: Pick<Overlay, 'get'>
  /** What tuples mean, for as long as they are the same: one record asks several times, and an entry may hold thousands. */
  readonly #meanings = new WeakMap<readonly Tuple[], EntryMeaning>()

  constructor(below: Pick<Overlay, 'get'>, authorOf: AuthorOf) {
    this.#below = below
    this.authorOf = authorOf
  }

  get(key: string): Uint8Array | undefined {
    const own = this.rows.get(key)
    return own === undefined ? this.#below.get(key) : (own ?? undefined)
  }

  /** The state of an entry as staged, without a round through its encoding. Not to be changed. */
  entryState(id: string): EntryState | undefined {
    const cell = this.cells.get(id)
    if (cell !== undefined) return cell.written || cell.meaningBefore !== undefined ? cell.state : undefined
    const bytes = this.#below.get(entryKey(id))
    return bytes === undefined ? undefined : decodeEntry(bytes)
  }

  put(key: string, value: Uint8Array): void {
    this.rows.set(key, value)
  }

  delete(key: string): void {
    this.rows.set(key, null)
  }

  /** The entry, to be changed in place; an empty one when it is new. */
  cell(id: string): Cell {
    const known = this.cells.get(id)
    if (known !== undefined) return known
    const bytes = this.#below.get(entryKey(id))
    const cell = bytes === undefined ? this.#fresh(id) : this.#loaded(id, decodeEntry(bytes))
    this.cells.set(id, cell)
    return cell
  }

  #fresh(id: string): Cell {
    return {
      id,
      state: emptyEntry(),
      hashBefore: undefined,
      meaningBefore: undefined,
      placed: undefined,
      placedBefore: undefined,
      written: false,
      checkedParent: undefined
    }
  }

  #loaded(id: string, state: EntryState): Cell {
    const meaning = this.#meaningOf(state)
    const placed = placementOf(id, state, meaning)
    return {
      id,
      state,
      hashBefore: undefined,
      meaningBefore: meaning,
      placed,
      placedBefore: placed,
      written: false,
      checkedParent: meaning.place?.parent
    }
  }

  /** To be called before a cell's tuples change: what it counted for until now is needed later. */
  write(cell: Cell): void {
    if (cell.written) return
    cell.written = true
    if (cell.state.tuples.length > 0) cell.hashBefore = entryHash(cell.id, cell.state)
  }

  meaning(cell: Cell): EntryMeaning {
    return this.#meaningOf(cell.state)
  }

  #meaningOf(state: EntryState): EntryMeaning {
    const known = this.#meanings.get(state.tuples)
    if (known !== undefined) return known
    const meaning = meaningOf(state, this.authorOf)
    this.#meanings.set(state.tuples, meaning)
    return meaning
  }

  placement(cell: Cell): Placement | undefined {
    return placementOf(cell.id, cell.state, this.meaning(cell))
  }
}

export function placementOf(id: string, state: EntryState, meaning: EntryMeaning): Placement | undefined {
  if (!meaning.alive && state.kids === 0) return undefined
  const { parent, name } = effectivePlace(id, meaning, state.level)
  return { parent, name }
}
