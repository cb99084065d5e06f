/**
 * The catalog: a pure fold over the valid records of its space, kept in the index. Records come in causal order; each is
 * applied whole or rejected whole, with the same verdict on every node.
 */
import { GrapevineError } from '../errors.js'
import { atOnce } from '../steps.js'
import { prefixRange, type Overlay, type Store } from '../store/index.js'
import { sha256Hex, type Op, type SignedRecord } from '../wire/index.js'
import { Buckets, MAX_OPEN } from './buckets.js'
import { compactIfLong } from './doc.js'
import { applyUpdate, emptyEntry, type EntryState, type UpdateContext } from './entry.js'
import { EntryRow } from './entry-row.js'
import type { FrozenEntry } from './frozen.js'
import { clientIdOf } from './ids.js'
import { entryKey, NO_ROWS, type IndexRows } from './rows.js'
import { Stage, type Cell } from './stage.js'
import { Tree } from './tree.js'
import { decodeUpdate, type EditUpdate } from './update.js'
import { checkField, type AuthorOf, type EntryMeaning } from './view.js'

export interface CatalogDeps {
  readonly rows: Overlay
  /** The same as the catalog reads it. */
  readonly index: IndexRows
  readonly store: Store
  readonly authorOf: AuthorOf
}

/** A conflict that came up, or is over. `name`: the entry is one of those that claim it. */
export interface ConflictChange {
  readonly id: string
  readonly kind: 'field' | 'edit-delete' | 'cycle' | 'name'
  readonly open: boolean
}

/** What one record did, for those who follow. */
export interface CatalogDelta {
  /** Entries whose tuples, listing or shown name changed. */
  readonly entries: ReadonlySet<string>
  readonly conflicts: readonly ConflictChange[]
}

/** A record that touched an entry, and what it knows. */
export interface Touch {
  readonly record: SignedRecord
  readonly knows: (log: string, seq: number) => boolean
}

/** What an entry is made from: what a checkpoint has of it, and the records behind that. */
export interface History {
  readonly from: EntryState | undefined
  readonly touches: readonly Touch[]
}

interface Committed {
  readonly log: string
  readonly body: { readonly seq: number; readonly time: number }
}

/** An entry as it counts in the sums, before and after. */
type Recount = readonly [id: string, before: EntryRow | undefined, after: EntryRow]

/** What a settled stage comes to: all of it worked out, and nothing of it in the index yet. */
export interface Ready extends CatalogDelta {
  readonly stage: Stage
  readonly recounts: readonly Recount[]
}

const BODY_ROWS = 'b/'
const CONFLICT_ROWS = 'x/'
export const HISTORY_ROWS = 'h/'
const COUNTS_KEY = '~counts'

export const bodyKey = (hash: string): string => BODY_ROWS + hash
export const historyPrefix = (id: string): string => `${HISTORY_ROWS}${id}/`
/** The record that a row of an entry's history stands for. */
export function historyPlace(key: string): { log: string; seq: number } | undefined {
  const [, , , log, seq] = key.split('/')
  return log === undefined || seq === undefined ? undefined : { log, seq: Number.parseInt(seq, 16) }
}

export const conflictRange = prefixRange(CONFLICT_ROWS)

export class Catalog {
  readonly #deps: CatalogDeps
  readonly buckets = new Buckets()
  #entries = 0
  #conflicts = 0
  readonly #watchers = new Set<(entries: ReadonlySet<string>) => void>()

  constructor(deps: CatalogDeps) {
    this.#deps = deps
  }

  async load(): Promise<void> {
    await this.buckets.load(this.#deps.store)
    const counts = this.#deps.rows.get(COUNTS_KEY)
    if (counts !== undefined)
      [this.#entries = 0, this.#conflicts = 0] = Buffer.from(counts).toString().split(' ').map(Number)
  }

  /** Tells of every change in the moment it is made. Returns what ends that. */
  watch(told: (entries: ReadonlySet<string>) => void): () => void {
    this.#watchers.add(told)
    return () => this.#watchers.delete(told)
  }

  /** Entries that are listed. */
  get entries(): number {
    return this.#entries
  }

  get conflicts(): number {
    return this.#conflicts
  }

  root(): string {
    return this.buckets.root()
  }

  stage(): Stage {
    return new Stage(this.#deps.index, this.#deps.authorOf)
  }

  /** A stage that is never committed, over entries that are as they are given here. */
  #stageOver(stateOf: (id: string) => EntryState | undefined): Stage {
    const { authorOf } = this.#deps
    const entry = (id: string): EntryRow | undefined => {
      const state = stateOf(id)
      return state && new EntryRow(id, state, authorOf)
    }
    return new Stage({ ...NO_ROWS, entry }, authorOf)
  }

  /**
   * Folds one record, in steps between which others may run; what it comes to is committed later, unless it is given up.
   * Nothing may change the catalog meanwhile. Throws `record-malformed` when any of its ops does not hold.
   */
  *fold(record: SignedRecord, knows: (log: string, seq: number) => boolean): Generator<void, Ready> {
    const stage = this.stage()
    for (const op of record.body.ops) {
      this.#stageOp(stage, op, record, knows)
      yield
    }
    yield* settle(stage)
    return yield* this.ready(stage, record)
  }

  #stageOp(stage: Stage, op: Op, record: SignedRecord, knows: (log: string, seq: number) => boolean): void {
    keepBody(stage, op)
    if (op.k !== 'edit') return
    const { author, epoch, seq, time } = record.body
    // what is kept of it must not keep all that it came in
    const { update } = op
    const bytes = update.length === update.buffer.byteLength ? update : new Uint8Array(update)
    stageEdit(stage, op.entry, decodeUpdate(bytes), bytes, {
      log: record.log,
      seq,
      time,
      client: clientIdOf(author, epoch, op.entry),
      knows
    })
  }

  /**
   * Takes note that a record which counts for nothing touched its entries: what it said may count later. What does not
   * decode never will.
   */
  noteVoid(record: SignedRecord): CatalogDelta {
    const stage = this.stage()
    for (const op of record.body.ops) {
      keepBody(stage, op)
      if (op.k === 'edit') stage.cell(op.entry).written = true
    }
    return this.commit(atOnce(this.ready(stage, record)))
  }

  /** Whether a record would have been taken where its author had written `own`, its earlier records by entry. */
  wouldHold(record: SignedRecord, own: ReadonlyMap<string, History>): boolean {
    const stage = this.#stageOver((id) => {
      const from = own.get(id)?.from
      return from && ownPart(from, record.log)
    })
    try {
      for (const [id, { touches }] of own)
        for (const { record: earlier, knows } of touches)
          for (const op of earlier.body.ops)
            if (op.k === 'edit' && op.entry === id) this.#stageOp(stage, op, earlier, knows)
      for (const op of record.body.ops) this.#stageOp(stage, op, record, () => false)
      return true
    } catch (error) {
      if (!(error instanceof GrapevineError)) throw error
      return false
    }
  }

  /** An entry as these records alone make it of what it was, which come in causal order. */
  foldAlone(
    id: string,
    touches: readonly Touch[],
    from: EntryState | undefined
  ): { state: EntryState; meaning: EntryMeaning } {
    const stage = this.#stageOver((which) => (which === id ? from : undefined))
    for (const { record, knows } of touches)
      for (const op of record.body.ops) if (op.k === 'edit' && op.entry === id) this.#stageOp(stage, op, record, knows)
    const cell = stage.cell(id)
    return { state: cell.state, meaning: cell.meaning }
  }

  /** Makes entries anew from what a checkpoint has of them and the records that count, each entry's in causal order. */
  refold(entries: ReadonlyMap<string, History>): CatalogDelta {
    const stage = this.stage()
    for (const [id, { from, touches }] of entries) {
      const cell = stage.cell(id)
      cell.written = true
      const { clients, tuples, doc } = from ?? emptyEntry()
      Object.assign(cell.state, { clients, tuples, doc })
      for (const { record, knows } of touches)
        for (const op of record.body.ops) {
          if (op.k === 'body' || (op.k === 'edit' && op.entry === id)) this.#stageOp(stage, op, record, knows)
        }
    }
    atOnce(settle(stage))
    return this.commit(atOnce(this.ready(stage)))
  }

  /** Takes entries as a checkpoint has them into a catalog that has none of them, in steps as `fold`; returns how many. */
  *thaw(entries: Iterable<FrozenEntry>): Generator<void, number> {
    const stage = this.stage()
    let count = 0
    for (const { id, state } of entries) {
      const cell = stage.cell(id)
      cell.written = true
      Object.assign(cell.state, { clients: state.clients, tuples: state.tuples, doc: state.doc })
      count += 1
      yield
    }
    yield* settle(stage)
    this.commit(yield* this.ready(stage))
    return count
  }

  /** A small body that came with a checkpoint. */
  keepBody(bytes: Uint8Array): void {
    this.#deps.rows.put(bodyKey(sha256Hex(bytes)), bytes)
  }

  /** Works out what a settled stage changes, as `fold` does. */
  *ready(stage: Stage, record?: Committed): Generator<void, Ready> {
    const conflicts: ConflictChange[] = []
    const recounts: Recount[] = []
    for (const cell of stage.cells.values()) {
      this.#stageCell(stage, cell, record, conflicts, recounts)
      yield
    }
    const entries = changedEntries(stage)
    for (const name of stage.delta.names) {
      const claimants = stage.claimants(name)
      this.#setConflict(stage, name, claimants.length > 1 ? { kind: 'name', id: claimants[0]! } : undefined, conflicts)
      // who owns a name decides how the others show
      for (const id of claimants) entries.add(id)
      yield
    }
    // so many are hashed when they are put into the sums; of fewer, one that is written again soon is hashed once
    if (recounts.length >= MAX_OPEN) yield* hashes(recounts)
    return { stage, recounts, entries, conflicts }
  }

  /** Moves it into the index: all of it in one piece, whoever reads or writes the index meanwhile. */
  commit({ stage, recounts, entries, conflicts }: Ready): CatalogDelta {
    for (const [id, before, after] of recounts) this.buckets.replace(id, before, after)
    for (const { open } of conflicts) this.#conflicts += open ? 1 : -1
    this.#entries += stage.delta.listed
    for (const [key, value] of stage.rows) {
      if (value === null) this.#deps.rows.delete(key)
      else this.#deps.rows.put(key, value)
    }
    this.#keepPaths(stage)
    this.buckets.save(this.#deps.rows)
    this.#deps.rows.put(COUNTS_KEY, Buffer.from(`${this.#entries} ${this.#conflicts}`))
    for (const told of this.#watchers) told(entries)
    return { entries, conflicts }
  }

  #keepPaths({ delta, paths }: Stage): void {
    const { index } = this.#deps
    if (delta.parted.size > 0) return index.parted(delta.parted)
    for (const [path, id] of paths) index.noteDirectory(path, id)
  }

  #stageCell(
    stage: Stage,
    cell: Cell,
    record: Committed | undefined,
    conflicts: ConflictChange[],
    recounts: Recount[]
  ): void {
    const { id, before, state } = cell
    if (cell.written) {
      compactIfLong(state)
      // an entry made anew has the history it had
      if (record !== undefined) this.#noteRecord(stage, cell, record)
      const kind = conflictIn(cell.meaning)
      if (kind !== undefined || (before !== undefined && conflictIn(before.meaning) !== undefined))
        this.#setConflict(stage, `e/${id}`, kind && { kind, id }, conflicts)
    }
    if (state.level > 0 || (before?.state.level ?? 0) > 0)
      this.#setConflict(stage, `c/${id}`, state.level > 0 ? { kind: 'cycle', id } : undefined, conflicts)
    const row = cell.finish()
    if (cell.written) recounts.push([id, before, row])
    stage.put(entryKey(id), row)
  }

  #noteRecord(stage: Stage, cell: Cell, record: Committed): void {
    if (cell.state.born === undefined)
      cell.state.born = { log: record.log, seq: record.body.seq, time: record.body.time }
    else this.#noteHistory(stage, cell, record)
  }

  #noteHistory(stage: Stage, cell: Cell, record: Committed): void {
    const stamp = `${record.body.time.toString(16).padStart(14, '0')}/${record.log}/${record.body.seq.toString(16).padStart(12, '0')}`
    stage.put(historyPrefix(cell.id) + stamp, new Uint8Array())
  }

  /** The row keeps what the conflict is: when it is over nothing else tells whose it was. */
  #setConflict(
    stage: Stage,
    what: string,
    now: Omit<ConflictChange, 'open'> | undefined,
    changes: ConflictChange[]
  ): void {
    const key = CONFLICT_ROWS + what
    const row = stage.get(key)
    if ((row !== undefined) === (now !== undefined)) return
    if (now !== undefined) stage.put(key, Buffer.from(`${now.kind} ${now.id}`))
    else stage.delete(key)
    if (now !== undefined) return void changes.push({ ...now, open: true })
    const [kind, id] = Buffer.from(row!).toString().split(' ') as [ConflictChange['kind'], string]
    changes.push({ kind, id, open: false })
  }
}

function settle(stage: Stage): Generator<void> {
  return new Tree(stage).settle([...stage.cells.values()].filter((cell) => cell.written))
}

/** Has them hashed: a row remembers. */
function* hashes(recounts: readonly Recount[]): Generator<void> {
  for (const [, before, after] of recounts) {
    void [before?.hash, after.hash]
    yield
  }
}

/** What one log has written to an entry. */
function ownPart(state: EntryState, log: string): EntryState {
  return {
    ...state,
    clients: state.clients.filter((row) => row.log === log),
    tuples: state.tuples.filter((tuple) => tuple.log === log),
    doc: []
  }
}

function conflictIn(meaning: EntryMeaning): 'field' | 'edit-delete' | undefined {
  return meaning.conflicts.length > 0 ? 'field' : meaning.editDelete ? 'edit-delete' : undefined
}

function keepBody(stage: Stage, op: Op): void {
  if (op.k === 'body') stage.put(bodyKey(sha256Hex(op.bytes)), op.bytes)
}

/** Entries that were written, or came into the listing or left it; not those that only count one child more. */
function changedEntries(stage: Stage): Set<string> {
  const changed = new Set<string>()
  for (const cell of stage.cells.values()) {
    const { placed, placedBefore } = cell
    const moved = placed?.parent !== placedBefore?.parent || placed?.name !== placedBefore?.name
    if (cell.written || moved) changed.add(cell.id)
  }
  return changed
}

/** Applies one decoded update to a staged entry. Both the fold and the local writer come through here. */
export function stageEdit(
  stage: Stage,
  entry: string,
  update: EditUpdate,
  bytes: Uint8Array,
  context: UpdateContext
): void {
  for (const [field, value] of update.tuples) checkField(field, value)
  const cell = stage.cell(entry)
  cell.written = true
  applyUpdate(cell.state, update, context, bytes)
}
