/**
 * What an entry means: one winner a field, and what is in conflict. Pure functions of the live tuples.
 *
 * Deletion is one tuple `!` whose value keeps a copy of the fields it deleted; the delete removes what it had seen. So a
 * tuple beside `!` was written by somebody who had not seen the deletion: the edit wins, the entry lives, and what the
 * edit did not write is taken from that copy. The next write that saw both ends it.
 */
import type { BodyRef } from '../wire/index.js'
import { hexOf, nameProblem, refuseRecord, MAX_BODY_BYTES } from '../wire/index.js'
import { ROOT_ID } from './ids.js'
import type { EntryState, Tuple } from './entry.js'
import { isSame, TOMBSTONE, type Value } from './update.js'

export const PLACE = 'place'
export const BODY = 'body'
export const EXEC = 'exec'
export { TOMBSTONE }

export interface Place {
  /** 32 hex. */
  readonly parent: string
  readonly name: string
  /** Fractional order key among siblings, or null. */
  readonly order: string | null
  /** Where the entry was before this move: what counts when the move would make a cycle. */
  readonly from: { readonly parent: string; readonly name: string } | null
}

/** Where a field's value came from. */
export interface Stamp {
  readonly time: number
  readonly log: string
  readonly seq: number
}

export interface FieldConflict {
  readonly field: string
  readonly tuples: readonly Tuple[]
}

/** Its values are gathered and put in order when somebody wants to see them. */
class Conflict implements FieldConflict {
  readonly field: string
  readonly #all: readonly Tuple[]
  readonly #authorOf: AuthorOf
  #tuples: readonly Tuple[] | undefined

  constructor(field: string, all: readonly Tuple[], authorOf: AuthorOf) {
    this.field = field
    this.#all = all
    this.#authorOf = authorOf
  }

  get tuples(): readonly Tuple[] {
    this.#tuples ??= this.#all
      .filter(({ field }) => field === this.field)
      .toSorted((a, b) => compareStamps(b, a, this.#authorOf))
    return this.#tuples
  }
}

/** What all values of one field come to. */
interface FieldSummary {
  readonly winner: Tuple
  /** What the first of them says, to compare the others with. */
  readonly said: Value
  /** Not all say the same: two nodes writing the same value are of one mind. */
  readonly differs: boolean
}

type Summary = ReadonlyMap<string, FieldSummary>

export interface EntryMeaning {
  /** Written and not deleted; a directory with live children lives on besides. */
  readonly alive: boolean
  readonly place: Place | undefined
  readonly placeStamp: Stamp | undefined
  readonly body: BodyRef | undefined
  readonly exec: boolean
  /** Newest stamp of anything it holds. */
  readonly newest: Stamp | undefined
  readonly conflicts: readonly FieldConflict[]
  /** It was deleted by somebody who had not seen a write that lives. */
  readonly editDelete: boolean
  /** What it was made out from, to go on from when values are added. */
  readonly summary?: Summary
}

/** Hex public key of a log's author, for ties. */
export type AuthorOf = (log: string) => string

/** What an entry meant when it held these values. */
export interface Meant {
  readonly tuples: readonly Tuple[]
  readonly meaning: EntryMeaning
}

/** `before`: what it meant a moment ago; of one to which values were only added since, those alone are looked at. */
export function meaningOf({ tuples }: Pick<EntryState, 'tuples'>, authorOf: AuthorOf, before?: Meant): EntryMeaning {
  return plainMeaning(tuples, authorOf) ?? fullMeaning(tuples, authorOf, before)
}

/** Of an entry that holds one value of each field we know and no other, as most do; undefined for all others. */
function plainMeaning(tuples: readonly Tuple[], authorOf: AuthorOf): EntryMeaning | undefined {
  let place: Tuple | undefined
  let body: Tuple | undefined
  let exec: Tuple | undefined
  for (const tuple of tuples) {
    if (tuple.field === PLACE && place === undefined) place = tuple
    else if (tuple.field === BODY && body === undefined) body = tuple
    else if (tuple.field === EXEC && exec === undefined) exec = tuple
    else return undefined
  }
  return {
    alive: tuples.length > 0,
    place: place && readPlace(place.value),
    placeStamp: place,
    body: body && readBody(body.value),
    exec: exec?.value === true,
    newest: winnerOf(tuples, authorOf),
    conflicts: NO_CONFLICTS,
    editDelete: false
  }
}

const NO_CONFLICTS: readonly FieldConflict[] = []

function fullMeaning(tuples: readonly Tuple[], authorOf: AuthorOf, before: Meant | undefined): EntryMeaning {
  const known = before?.meaning.summary !== undefined && isContinued(before.tuples, tuples) ? before : undefined
  const added = known === undefined ? tuples : tuples.slice(known.tuples.length)
  const summary = summaryOf(added, authorOf, known?.meaning.summary)
  const tombstone = summary.get(TOMBSTONE)?.winner
  const alive = summary.size > (tombstone === undefined ? 0 : 1)
  const winner = (field: string): { value: Value; stamp: Stamp } | undefined => {
    const tuple = summary.get(field)?.winner
    if (tuple !== undefined) return { value: tuple.value, stamp: tuple }
    const kept = tombstone === undefined ? undefined : (tombstone.value as Record<string, Value>)[field]
    return kept === undefined ? undefined : { value: kept, stamp: tombstone! }
  }
  const place = winner(PLACE)
  const body = winner(BODY)
  return {
    alive,
    place: place === undefined ? undefined : readPlace(place.value),
    placeStamp: place?.stamp,
    body: body === undefined ? undefined : readBody(body.value),
    exec: winner(EXEC)?.value === true,
    newest: winnerOf(
      [...summary.values()].map((field) => field.winner),
      authorOf
    ),
    conflicts: [...summary]
      .flatMap(([field, { differs }]) => (differs && field !== TOMBSTONE ? field : []))
      .toSorted()
      .map((field) => new Conflict(field, tuples, authorOf)),
    editDelete: alive && tombstone !== undefined,
    summary
  }
}

/** Whether these are those, in the same order, and more: what is taken out moves all that follow it. */
function isContinued(some: readonly Tuple[], all: readonly Tuple[]): boolean {
  return some.length <= all.length && some.at(-1) === all[some.length - 1]
}

function summaryOf(added: readonly Tuple[], authorOf: AuthorOf, known: Summary | undefined): Summary {
  const summary = new Map(known)
  for (const tuple of added) {
    const { field } = tuple
    const said = field === PLACE ? placeTarget(tuple.value) : tuple.value
    const before = summary.get(field)
    if (before === undefined) summary.set(field, { winner: tuple, said, differs: false })
    else {
      const winner = compareStamps(tuple, before.winner, authorOf) > 0 ? tuple : before.winner
      const differs = before.differs || !isSame(before.said, said)
      if (winner !== before.winner || differs !== before.differs)
        summary.set(field, { winner, said: before.said, differs })
    }
  }
  return summary
}

/** Later time wins; then the greater author key, then log, then clock: a total order every node shares. */
export function compareStamps(
  a: Stamp & { clock?: number },
  b: Stamp & { clock?: number },
  authorOf: AuthorOf
): number {
  if (a.time !== b.time) return a.time - b.time
  const byAuthor = compareText(authorOf(a.log), authorOf(b.log)) || compareText(a.log, b.log)
  return byAuthor || a.seq - b.seq || (a.clock ?? 0) - (b.clock ?? 0)
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

export function winnerOf(tuples: readonly Tuple[], authorOf: AuthorOf): Tuple | undefined {
  let best: Tuple | undefined
  for (const tuple of tuples) if (best === undefined || compareStamps(tuple, best, authorOf) > 0) best = tuple
  return best
}

/** Two moves to one place agree, wherever they came from. */
function placeTarget(value: Value): Value {
  return Array.isArray(value) ? (value as Value[]).slice(0, 3) : value
}

export function placeValue(place: Place): Value {
  const base: Value[] = [Buffer.from(place.parent, 'hex'), place.name, place.order]
  return place.from === null ? base : [...base, Buffer.from(place.from.parent, 'hex'), place.from.name]
}

export function bodyValue(body: BodyRef): Value {
  return [Buffer.from(body.hash, 'hex'), body.size]
}

export function readPlace(value: Value): Place {
  const list = value as readonly [Uint8Array, string, string | null, Uint8Array?, string?]
  return {
    parent: hexOf(list[0]),
    name: list[1],
    order: list[2],
    from: list[3] === undefined ? null : { parent: hexOf(list[3]), name: list[4]! }
  }
}

export function readBody(value: Value): BodyRef {
  const [hash, size] = value as readonly [Uint8Array, number]
  return { hash: hexOf(hash), size }
}

/** Throws `record-malformed` when a known field holds something it cannot. Unknown fields are kept as they are. */
export function checkField(field: string, value: Value): void {
  if (field === PLACE) checkPlace(value)
  else if (field === BODY) checkBody(value)
  else if (field === EXEC) {
    if (typeof value !== 'boolean') throw refuseRecord('holds an exec that is not true or false')
  } else if (field === TOMBSTONE) checkTombstone(value)
}

function checkPlace(value: Value): void {
  const list = Array.isArray(value) ? (value as readonly Value[]) : []
  const [parent, name, order, fromParent, fromName] = list
  const ok =
    (list.length === 3 || list.length === 5) &&
    isId(parent) &&
    typeof name === 'string' &&
    (order === null || (typeof order === 'string' && order.length <= 1_024)) &&
    (list.length === 3 || (isId(fromParent) && typeof fromName === 'string' && nameProblem(fromName) === undefined))
  if (!ok) throw refuseRecord('holds a place that is not [parent, name, order]')
  const problem = nameProblem(name)
  if (problem !== undefined) throw refuseRecord(`holds an entry whose name ${problem}`)
}

function isId(value: Value | undefined): boolean {
  return value instanceof Uint8Array && value.length === 16
}

function checkBody(value: Value): void {
  const [hash, size] = Array.isArray(value) && value.length === 2 ? (value as readonly Value[]) : []
  const ok =
    hash instanceof Uint8Array &&
    hash.length === 32 &&
    typeof size === 'number' &&
    Number.isSafeInteger(size) &&
    size >= 0 &&
    size <= MAX_BODY_BYTES
  if (!ok) throw refuseRecord('holds a body that is not [hash, size]')
}

function checkTombstone(value: Value): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof Uint8Array)
    throw refuseRecord('holds a tombstone that is not a map')
  for (const [field, kept] of Object.entries(value as Record<string, Value>)) {
    if (field === TOMBSTONE) throw refuseRecord('holds a tombstone within a tombstone')
    checkField(field, kept)
  }
}

export interface EffectivePlace {
  readonly parent: string
  readonly name: string
  readonly order: string | null
}

/** Where an entry is, after a move that would make a cycle was set aside `level` times. */
export function effectivePlace(id: string, meaning: EntryMeaning, level: number): EffectivePlace {
  const { place } = meaning
  if (place === undefined) return { parent: ROOT_ID, name: `lost-${id.slice(0, 12)}`, order: null }
  if (level === 0) return place
  if (level === 1 && place.from !== null) return { ...place.from, order: null }
  return { parent: ROOT_ID, name: place.name, order: null }
}
