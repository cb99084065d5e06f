/**
 * What removed members wrote beyond their cuts: found among all records held, and taken out of the fold.
 *
 * 1. A record of a removed key beyond the cuts of its removal is void: held, passed on, and without effect.
 * 2. Unless an honest record built on it: one that counts, of another author, that knew it and did not know of the
 *    removal, and that edited an entry it wrote to or placed something in one. Then it counts, and so does what the same
 *    log wrote to its entries before.
 * 3. Both say nothing of the order in which anything arrived: all nodes with the same records agree.
 */
import { checkField, decodeUpdate, PLACE, readPlace } from '../catalog/index.js'
import { placeKey, type Knows, type Members, type Place } from '../identity/index.js'
import type { LogHead, Outcome, RecordLog } from '../log/index.js'
import { hexOf, type SignedRecord } from '../wire/index.js'

export const WRITERS = ['admin', 'author'] as const

/** Why a record is rejected whose author had no right to it, as far as is known. */
export const NO_RIGHT = 'its author may not write to this space'

/** What a record is that counts for nothing because of its author. */
export function withoutRight(removedBy: string): Outcome {
  return removedBy === '' ? { state: 'rejected', reason: NO_RIGHT } : { state: 'void', reason: removedBy }
}

/** Whether it depends on the removals alone that a record counts. */
export function dependsOnRemovals(row: Outcome | undefined): boolean {
  return row !== undefined && (row.state === 'applied' || row.state === 'void' || row.reason === NO_RIGHT)
}

/** A record that does not count, and the record of the removal, as `log/seq`, that takes its effect; '' when none does. */
export interface VoidRecord extends Place {
  readonly author: string
  readonly removedBy: string
  readonly entries: readonly string[]
}

export interface RemovedDeps {
  readonly log: RecordLog
  readonly members: Members
}

/** Entries a record writes to, and those it places something in. Throws `record-malformed`. */
export function touchedBy(record: SignedRecord): { edited: string[]; parents: string[] } {
  const edited = new Set<string>()
  const parents = new Set<string>()
  for (const op of record.body.ops) {
    if (op.k !== 'edit') continue
    edited.add(op.entry)
    for (const [field, value] of decodeUpdate(op.update).tuples) {
      checkField(field, value)
      if (field === PLACE) parents.add(readPlace(value).parent)
    }
  }
  return { edited: [...edited], parents: [...parents] }
}

/** Void records by the entries they wrote to. */
export class VoidRecords {
  readonly #all = new Map<string, VoidRecord>()
  readonly #byEntry = new Map<string, Set<string>>()

  get size(): number {
    return this.#all.size
  }

  add(record: VoidRecord): void {
    const key = placeKey(record)
    this.#all.set(key, record)
    for (const id of record.entries) this.#byEntry.set(id, (this.#byEntry.get(id) ?? new Set()).add(key))
  }

  delete(place: Place): void {
    const key = placeKey(place)
    for (const id of this.#all.get(key)?.entries ?? []) {
      const keys = this.#byEntry.get(id)
      keys?.delete(key)
      if (keys?.size === 0) this.#byEntry.delete(id)
    }
    this.#all.delete(key)
  }

  has(place: Place): boolean {
    return this.#all.has(placeKey(place))
  }

  get(place: Place): VoidRecord | undefined {
    return this.#all.get(placeKey(place))
  }

  *[Symbol.iterator](): IterableIterator<VoidRecord> {
    yield* this.#all.values()
  }

  at(entry: string): VoidRecord[] {
    return [...(this.#byEntry.get(entry) ?? [])].map((key) => this.#all.get(key)!)
  }

  /** Those of `these` that count because `honest` built on them, and what each needs of its own log (rule 2). */
  builtOn(honest: SignedRecord, knows: Knows): VoidRecord[] {
    const { edited, parents } = touchedBy(honest)
    const author = hexOf(honest.body.author)
    const found = new Map<string, VoidRecord>()
    for (const id of [...edited, ...parents])
      for (const each of this.at(id)) {
        if (each.removedBy === '' || each.author === author || !knows(each.log, each.seq)) continue
        if (!knowsPlace(knows, each.removedBy)) this.#keep(each, found)
      }
    return [...found.values()]
  }

  #keep(record: VoidRecord, found: Map<string, VoidRecord>): void {
    if (found.has(placeKey(record))) return
    found.set(placeKey(record), record)
    for (const id of record.entries)
      for (const each of this.at(id)) if (each.log === record.log && each.seq < record.seq) this.#keep(each, found)
  }
}

/** Every record of these logs that is void by rule 1. Throws `store-damaged` when one does not read back. */
export function judgedVoid({ log, members }: RemovedDeps, logs: Iterable<LogHead>): VoidRecords {
  const found = new VoidRecords()
  for (const head of logs) {
    const author = hexOf(head.author)
    // what a checkpoint took the place of is settled
    for (let seq = head.floor + 1; seq <= head.applied; seq++) {
      if (!dependsOnRemovals(log.row(head.log, seq))) continue
      const at = { log: head.log, seq }
      const verdict = members.verdict(head.author, WRITERS, at, log.knowledgeOf(head.log, seq))
      if (verdict === 'may' || verdict === 'never') continue
      found.add({ ...at, author, removedBy: verdict.removedBy, entries: touchedBy(log.read(head.log, seq)).edited })
    }
  }
  return found
}

/**
 * Those of `voids` that honest records of `logs` built on. Reads only the stretch of each log that knew of one of them and
 * not yet of all removals.
 */
export function keptByOthers(log: RecordLog, voids: VoidRecords, logs: Iterable<LogHead>): VoidRecord[] {
  const first = new Map<string, number>()
  const removals = new Set<string>()
  for (const { log: id, seq, removedBy } of voids) {
    if (removedBy === '') continue
    first.set(id, Math.min(first.get(id) ?? seq, seq))
    removals.add(removedBy)
  }
  const kept = new Map<string, VoidRecord>()
  for (const head of logs) {
    const knowsSome = (seq: number): boolean => {
      const knows = log.knowledgeOf(head.log, seq)
      return [...first].some(([id, at]) => id !== head.log && knows(id, at))
    }
    const knowsAllRemovals = (seq: number): boolean => {
      const knows = log.knowledgeOf(head.log, seq)
      return [...removals].every((place) => knowsPlace(knows, place))
    }
    const end = firstWhere(head.floor, head.applied, knowsAllRemovals)
    for (let seq = firstWhere(head.floor, head.applied, knowsSome); seq < end; seq++) {
      if (!dependsOnRemovals(log.row(head.log, seq)) || voids.has({ log: head.log, seq })) continue
      for (const each of voids.builtOn(log.read(head.log, seq), log.knowledgeOf(head.log, seq)))
        kept.set(placeKey(each), each)
    }
  }
  return [...kept.values()]
}

/** What stands at `log/seq`. */
export function placeOf(place: string): Place {
  const [log, seq] = place.split('/') as [string, string]
  return { log, seq: Number(seq) }
}

function knowsPlace(knows: Knows, place: string): boolean {
  const { log, seq } = placeOf(place)
  return knows(log, seq)
}

/** The first behind `floor`, up to `last`, for which `holds`, which then holds for all later ones; else `last + 1`. */
function firstWhere(floor: number, last: number, holds: (seq: number) => boolean): number {
  let low = floor + 1
  let high = last + 1
  while (low < high) {
    const middle = (low + high) >> 1
    if (holds(middle)) high = middle
    else low = middle + 1
  }
  return low
}
