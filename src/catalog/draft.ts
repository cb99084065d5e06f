/**
 * A local record in the making: each change is turned into an edit and staged at once, through the same code that folds
 * everybody else's, so that the next change in the same record sees it.
 */
import { GrapevineError } from '../errors.js'
import { atOnce } from '../steps.js'
import {
  bodyRefOf,
  MAX_INLINE_BODY_BYTES,
  MAX_RECORD_BYTES,
  MAX_RECORD_OPS,
  MAX_UPDATE_BYTES,
  nameProblem,
  type BodyRef,
  type Op
} from '../wire/index.js'
import { bodyKey, stageEdit } from './catalog.js'
import { deleteRanges, type Tuple } from './entry.js'
import { clientIdOf, entryIdOfPath, ROOT_ID, type EntryKind } from './ids.js'
import { placementOf, type Cell, type Stage } from './stage.js'
import { Tree } from './tree.js'
import { encodeUpdate, encodeValue, isSame, type DeleteRange, type Value } from './update.js'
import { BODY, bodyValue, EXEC, PLACE, placeValue, TOMBSTONE, type EntryMeaning, type Place } from './view.js'

/** Tuples a writer had before its eyes, as `client:clock`. Absent: everything there is now. */
export type Seen = ReadonlySet<string>

export const seenKey = (tuple: { client: number; clock: number }): string => `${tuple.client}:${tuple.clock}`

export interface DraftContext {
  readonly author: Uint8Array
  readonly epoch: string
  readonly log: string
  readonly seq: number
  readonly time: number
}

/** Leave room for the body's other fields, deps and signature. */
const MAX_DRAFT_BYTES = MAX_RECORD_BYTES - 96 * 1024
const OP_OVERHEAD_BYTES = 40
/**
 * What a tombstone keeps of fields this version does not know, bytes and number: a tombstone is one update, and reviving
 * what it keeps is another. Values beyond it are in the log still.
 */
const MAX_KEPT_BYTES = MAX_UPDATE_BYTES / 2
const MAX_KEPT_FIELDS = 128

export class Draft {
  readonly stage: Stage
  readonly ops: Op[] = []
  readonly #context: DraftContext
  #bytes = 0
  #overflowed = false

  constructor(stage: Stage, context: DraftContext) {
    this.stage = stage
    this.#context = context
  }

  /** Whether another change of about `bytes` still fits into this record. */
  fits(bytes: number): boolean {
    return (
      this.ops.length === 0 || (this.#bytes + bytes + 2_048 <= MAX_DRAFT_BYTES && this.ops.length + 4 <= MAX_RECORD_OPS)
    )
  }

  get empty(): boolean {
    return this.ops.length === 0
  }

  /** A change was refused because the record has no room left for it. */
  get overflowed(): boolean {
    return this.#overflowed
  }

  /** Carries a small body along; larger ones are blobs and must be stored before. */
  body(bytes: Uint8Array): BodyRef {
    const ref = bodyRefOf(bytes)
    if (bytes.length > MAX_INLINE_BODY_BYTES)
      throw new GrapevineError('too-large', 'a body is too large to travel in a record', {
        next: 'store it as a blob first'
      })
    if (this.stage.get(bodyKey(ref.hash)) === undefined) {
      this.#reserve(bytes.length)
      this.stage.put(bodyKey(ref.hash), bytes)
      this.ops.push({ k: 'body', bytes })
    }
    return ref
  }

  /** Creates (or revives) the entry of this name; the name must be free. Returns its id. */
  create(
    parent: string,
    name: string,
    fields: { kind: EntryKind; body?: BodyRef; exec?: boolean; id?: string; order?: string | null }
  ): string {
    checkName(name)
    const id = fields.id ?? this.#freeId(parent, name, fields.kind)
    const cell = this.stage.cell(id)
    const writes: Array<[string, Value]> = [
      [PLACE, placeValue({ parent, name, order: fields.order ?? null, from: null })]
    ]
    if (fields.body !== undefined) writes.push([BODY, bodyValue(fields.body)])
    if (fields.exec === true || cell.state.tuples.length > 0) writes.push([EXEC, fields.exec === true])
    this.#write(cell, writes, cell.state.tuples)
    return id
  }

  /** The first id of the series that is not listed somewhere else, alive or as a container of what lives. */
  #freeId(parent: string, name: string, kind: EntryKind): string {
    for (let turn = 0; turn < 0xffff; turn++) {
      const id = entryIdOfPath(parent, name, kind, turn)
      if (this.stage.cell(id).placement === undefined) return id
    }
    throw new GrapevineError('path-taken', 'this name has been reused too often', {
      next: 'use another name',
      facts: { name }
    })
  }

  /** Writes fields of an entry; only what was `seen` is replaced, the rest becomes a conflict. A dead entry comes back. */
  set(id: string, fields: { body?: BodyRef; exec?: boolean }, seen?: Seen): void {
    const cell = this.stage.cell(id)
    const writes: Array<[string, Value]> = []
    if (fields.body !== undefined) writes.push([BODY, bodyValue(fields.body)])
    if (fields.exec !== undefined) writes.push([EXEC, fields.exec])
    this.#write(cell, [...writes, ...this.#revived(cell, writes, seen)], this.#replaced(cell, writes, seen))
  }

  move(id: string, parent: string, name: string, options: { order?: string | null; seen?: Seen } = {}): void {
    checkName(name)
    this.#refuseLoop(id, parent)
    const cell = this.stage.cell(id)
    const meaning = cell.meaning
    const at = placementOf(id, cell.state, meaning)
    const place: Place = {
      parent,
      name,
      order: options.order ?? null,
      from: at === undefined ? null : { parent: at.parent, name: at.name }
    }
    const writes: Array<[string, Value]> = [[PLACE, placeValue(place)]]
    this.#write(
      cell,
      [...writes, ...this.#revived(cell, writes, options.seen)],
      this.#replaced(cell, writes, options.seen)
    )
  }

  #refuseLoop(id: string, parent: string): void {
    for (let at = parent; at !== ROOT_ID;) {
      if (at === id)
        throw new GrapevineError('move-into-itself', 'a directory cannot be moved below itself', {
          next: 'choose another destination'
        })
      const cell = this.stage.cell(at)
      at = placementOf(at, cell.state, cell.meaning)?.parent ?? ROOT_ID
    }
  }

  /** Deletes what was `seen` of an entry; a write nobody had seen keeps it alive, as an edit-delete conflict. */
  remove(id: string, seen?: Seen): void {
    const cell = this.stage.cell(id)
    const gone = cell.state.tuples.filter((tuple) => seen?.has(seenKey(tuple)) ?? true)
    if (gone.length === 0) return
    this.#write(cell, [[TOMBSTONE, keptFields(cell.meaning, gone)]], gone)
  }

  /**
   * Writes values again that stood in records nobody will take: they replace the tuples in `replaced`. A value that
   * stands here already is left as it is.
   */
  rewrite(id: string, values: ReadonlyArray<readonly [string, Value]>, replaced: readonly DeleteRange[]): void {
    const cell = this.stage.cell(id)
    const gone = cell.state.tuples.filter(({ client, clock }) =>
      replaced.some((range) => range.client === client && range.clock <= clock && clock < range.clock + range.length)
    )
    const stands = (field: string, value: Value): boolean =>
      cell.state.tuples.some((tuple) => tuple.field === field && !gone.includes(tuple) && isSame(tuple.value, value))
    this.#write(
      cell,
      values.filter(([field, value]) => !stands(field, value)).map(([field, value]) => [field, value]),
      gone
    )
  }

  /** Tuples a write replaces: the seen ones of its fields, and seen tombstones. */
  #replaced(cell: Cell, writes: ReadonlyArray<[string, Value]>, seen: Seen | undefined): Tuple[] {
    const fields = new Set([...writes.map(([field]) => field), TOMBSTONE])
    return cell.state.tuples.filter((tuple) => fields.has(tuple.field) && (seen?.has(seenKey(tuple)) ?? true))
  }

  /** What a seen tombstone keeps and the live tuples lack: written again, because the tombstone goes. */
  #revived(cell: Cell, writes: ReadonlyArray<[string, Value]>, seen: Seen | undefined): Array<[string, Value]> {
    const have = new Set([...writes.map(([field]) => field), ...cell.state.tuples.map((tuple) => tuple.field)])
    const revived: Array<[string, Value]> = []
    for (const tuple of cell.state.tuples) {
      if (tuple.field !== TOMBSTONE || !(seen?.has(seenKey(tuple)) ?? true)) continue
      for (const [field, value] of Object.entries(tuple.value as Record<string, Value>)) {
        if (have.has(field)) continue
        have.add(field)
        revived.push([field, value])
      }
    }
    return revived
  }

  #write(cell: Cell, writes: ReadonlyArray<[string, Value]>, replaced: readonly Tuple[]): void {
    if (writes.length === 0) return
    const { author, epoch, log, seq, time } = this.#context
    const client = clientIdOf(author, epoch, cell.id)
    const clock = cell.state.clients.find((row) => row.client === client)?.clock ?? 0
    const update = {
      client,
      clock,
      tuples: writes.map(([field, value]) => [field, value, time, seq] as const),
      deletes: deleteRanges(replaced)
    }
    const bytes = encodeUpdate(update)
    if (bytes.length > MAX_UPDATE_BYTES)
      throw new GrapevineError('too-large', 'a change of one entry is too large for a record', {
        next: 'write fewer or smaller values at once'
      })
    this.#reserve(bytes.length)
    stageEdit(this.stage, cell.id, update, bytes, { log, seq, time, client, knows: () => true })
    atOnce(new Tree(this.stage).settle([cell]))
    this.ops.push({ k: 'edit', entry: cell.id, update: bytes })
  }

  /** Throws `too-large`, before anything is staged, when the others would refuse the record that one more op makes. */
  #reserve(bytes: number): void {
    this.#overflowed = this.ops.length >= MAX_RECORD_OPS || this.#bytes + bytes + OP_OVERHEAD_BYTES > MAX_DRAFT_BYTES
    if (this.#overflowed)
      throw new GrapevineError('too-large', 'a change is too large for one record', {
        next: 'make it in several smaller steps'
      })
    this.#bytes += bytes + OP_OVERHEAD_BYTES
  }
}

function keptFields(meaning: EntryMeaning, gone: readonly Tuple[]): Value {
  const kept: Record<string, Value> = {}
  if (meaning.place !== undefined) kept[PLACE] = placeValue({ ...meaning.place, from: null })
  if (meaning.body !== undefined) kept[BODY] = bodyValue(meaning.body)
  if (meaning.exec) kept[EXEC] = true
  let room = MAX_KEPT_BYTES
  let fields = MAX_KEPT_FIELDS
  for (const { field, value } of gone) {
    if (field === TOMBSTONE || field === EXEC || Object.hasOwn(kept, field)) continue
    const bytes = Buffer.byteLength(field) + encodeValue(value).length
    if (bytes > room || fields === 0) continue
    room -= bytes
    fields -= 1
    kept[field] = value
  }
  return kept
}

/** Throws `name-not-allowed`. */
export function checkName(name: string): void {
  const problem = nameProblem(name)
  if (problem === undefined) return
  throw new GrapevineError('name-not-allowed', `the name ${JSON.stringify(name)} ${problem}`, {
    next: 'rename it; a name needs 1 to 255 bytes of Unicode without / \\ or control characters'
  })
}
