/**
 * Keeps the fold as if what removed members wrote beyond their cuts had never come (`removed.ts` says what that is), and
 * remembers it, to count again when an honest record turns out to have built on it and to be salvaged by people.
 */
import type { Catalog, CatalogDelta, CatalogReader, History, Touch } from '../catalog/index.js'
import { GrapevineError } from '../errors.js'
import { MEMBERS_SPACE, placeKey, type KnownRecord, type Knows, type Members, type Place } from '../identity/index.js'
import type { LogHead, RecordLog } from '../log/index.js'
import { prefixRange, type Overlay, type Store } from '../store/index.js'
import { decodeCborRaw, encodeCbor, hexOf, type SignedRecord } from '../wire/index.js'
import { byCause } from './by-cause.js'
import type { Base } from './checkpoint/base.js'
import {
  dependsOnRemovals,
  judgedVoid,
  keptByOthers,
  touchedBy,
  VoidRecords,
  withoutRight,
  type VoidRecord
} from './removed.js'

export interface RemovalsDeps {
  readonly log: RecordLog
  readonly members: Members
  readonly catalog: Catalog
  readonly reader: Pick<CatalogReader, 'history'>
  readonly rows: Overlay
  readonly store: Store
  readonly base: Pick<Base, 'entry'>
}

const VOID_ROWS = 'z/'
const voidKey = (place: Place): string => VOID_ROWS + placeKey(place)
/** Set while a change of the members is not yet carried through the catalog. */
const PENDING = '~removals'

export class Removals {
  readonly #deps: RemovalsDeps
  #voids = new VoidRecords()

  constructor(deps: RemovalsDeps) {
    this.#deps = deps
  }

  async load(): Promise<void> {
    for await (const [, bytes] of this.#deps.store.iterate(prefixRange(VOID_ROWS)))
      this.#voids.add(decodeCborRaw(bytes) as VoidRecord)
  }

  /** Records that are held and count for nothing. */
  get voids(): Pick<VoidRecords, 'size' | 'has' | typeof Symbol.iterator> {
    return this.#voids
  }

  /** What the members are is to be worked out anew; survives a crash before that is done. */
  begin(): void {
    this.#deps.rows.put(PENDING, new Uint8Array())
  }

  get isPending(): boolean {
    return this.#deps.rows.get(PENDING) !== undefined
  }

  /**
   * Folds the members anew and takes out of the catalog, or back into it, what that changes. Everything is written in one
   * go at the end. Throws `store-damaged` when a record it needs does not read back; then it is still pending.
   */
  async carryThrough(): Promise<CatalogDelta> {
    const { members, rows, catalog } = this.#deps
    await rows.flush()
    const records = this.#memberRecords()
    members.refold(records, rows)
    this.#judgeMembers(records)
    const voids = this.#judge()
    const changed = [...voids, ...this.#voids].filter((each) => voids.has(each) !== this.#voids.has(each))
    const entries = await this.#touches(new Set(changed.flatMap((each) => each.entries)), (place) => !voids.has(place))
    const delta = catalog.refold(entries)
    for (const each of changed) this.#setVoid(each, voids.has(each))
    // one that was void before may be so by another removal now
    for (const each of voids) if (this.#voids.get(each)?.removedBy !== each.removedBy) this.#setVoid(each, true)
    this.#voids = voids
    rows.delete(PENDING)
    return delta
  }

  /** All void records as they are by what is held now. */
  #judge(): VoidRecords {
    const { log, members } = this.#deps
    const catalogLogs = [...log.logs()].filter((head) => head.space !== MEMBERS_SPACE)
    const before = new Set([...this.#voids].map((each) => each.log))
    const suspects = catalogLogs.filter((head) => before.has(head.log) || members.isTouchedByRemovals(head.author))
    const voids = judgedVoid({ log, members }, suspects)
    for (const each of keptByOthers(log, voids, catalogLogs)) voids.delete(each)
    return voids
  }

  #memberRecords(): KnownRecord[] {
    const { log } = this.#deps
    const found: KnownRecord[] = []
    for (const head of log.logs()) {
      if (head.space !== MEMBERS_SPACE) continue
      for (const record of appliedRecords(log, head))
        found.push({ record, knows: log.knowledgeOf(head.log, record.body.seq) })
    }
    return found.toSorted((a, b) => byCause(a.record, b.record))
  }

  #judgeMembers(records: readonly KnownRecord[]): void {
    const { log, members } = this.#deps
    for (const { record, knows } of records) {
      const verdict = members.judge(record, knows)
      const outcome = typeof verdict === 'string' ? COUNTS : withoutRight(verdict.removedBy)
      if (log.row(record.log, record.body.seq)!.state !== outcome.state)
        log.setOutcome(record.log, record.body.seq, outcome)
    }
  }

  #setVoid(each: VoidRecord, isVoid: boolean): void {
    const { log, rows } = this.#deps
    log.setOutcome(each.log, each.seq, isVoid ? withoutRight(each.removedBy) : COUNTS)
    if (isVoid) rows.put(voidKey(each), encodeCbor({ ...each, entries: [...each.entries] }))
    else rows.delete(voidKey(each))
  }

  /** An honest record is about to be folded: what it built on counts from now on. */
  async makeRoomFor(record: SignedRecord, knows: Knows): Promise<CatalogDelta | undefined> {
    const kept = this.#builtOn(record, knows)
    if (kept.length === 0) return undefined
    await this.#deps.rows.flush()
    const back = new Set(kept.map(placeKey))
    const entries = await this.#touches(
      new Set(kept.flatMap((each) => each.entries)),
      (place) => back.has(placeKey(place)) || !this.#voids.has(place)
    )
    const delta = this.#deps.catalog.refold(entries)
    for (const each of kept) {
      this.#setVoid(each, false)
      this.#voids.delete(each)
    }
    return delta
  }

  #builtOn(record: SignedRecord, knows: Knows): VoidRecord[] {
    try {
      return this.#voids.builtOn(record, knows)
    } catch (error) {
      // an edit of no permitted form: the fold refuses it by name
      if (error instanceof GrapevineError && error.code === 'record-malformed') return []
      throw error
    }
  }

  /** Whether a record that counts for nothing wrote to this entry. */
  touched(entry: string): boolean {
    return this.#voids.at(entry).length > 0
  }

  /** Whether a record that is void when it comes would have been taken from anybody. */
  async wouldHold(record: SignedRecord): Promise<boolean> {
    const { rows, catalog } = this.#deps
    const edited = new Set(record.body.ops.flatMap((op) => (op.k === 'edit' ? [op.entry] : [])))
    await rows.flush()
    return catalog.wouldHold(record, await this.#touches(edited, (place) => place.log === record.log))
  }

  /** Takes note of such a record of the catalog. */
  takeVoid(record: SignedRecord, removedBy: string): CatalogDelta {
    const { catalog, rows } = this.#deps
    const { log, body } = record
    const each = { log, seq: body.seq, author: hexOf(body.author), removedBy, entries: touchedBy(record).edited }
    const delta = catalog.noteVoid(record)
    this.#voids.add(each)
    rows.put(voidKey(each), encodeCbor(each))
    return delta
  }

  /** Of each of these entries what a checkpoint has, and the records that touched it since and count by `counts`, in order. */
  async #touches(entries: ReadonlySet<string>, counts: (place: Place) => boolean): Promise<Map<string, History>> {
    const { log, reader, base } = this.#deps
    const found = new Map<string, History>()
    for (const id of entries) {
      const touches: Touch[] = []
      for (const place of await reader.history(id)) {
        if (log.isSettled(place.log, place.seq)) continue
        if (!dependsOnRemovals(log.row(place.log, place.seq)) || !counts(place)) continue
        touches.push({ record: log.read(place.log, place.seq), knows: log.knowledgeOf(place.log, place.seq) })
      }
      touches.sort((a, b) => byCause(a.record, b.record))
      found.set(id, { from: await base.entry(id), touches })
    }
    return found
  }

  /**
   * A checkpoint is about to take the place of these logs' records up to these seqs: what counts in it counts for good, and
   * what does not never will. Call it while the records are still there, and the floor is still the one before.
   */
  async settle(
    isSettled: (place: Place) => boolean,
    countsThere: (each: VoidRecord) => boolean
  ): Promise<CatalogDelta> {
    await this.#deps.rows.flush()
    const settled = [...this.#voids].filter(isSettled)
    const back = settled.filter(countsThere)
    const places = new Set(back.map(placeKey))
    const entries = await this.#touches(
      new Set(back.flatMap((each) => each.entries)),
      (place) => places.has(placeKey(place)) || !this.#voids.has(place)
    )
    const delta = this.#deps.catalog.refold(entries)
    for (const each of settled) {
      this.#setVoid(each, !places.has(placeKey(each)))
      this.#deps.rows.delete(voidKey(each))
      this.#voids.delete(each)
    }
    return delta
  }
}

const COUNTS = { state: 'applied', reason: '' } as const

function* appliedRecords(log: RecordLog, head: LogHead): Generator<SignedRecord> {
  for (let seq = 1; seq <= head.applied; seq++) {
    if (dependsOnRemovals(log.row(head.log, seq))) yield log.read(head.log, seq)
  }
}
