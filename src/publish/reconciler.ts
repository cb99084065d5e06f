/**
 * Brings together what nodes did to one file apart, where the adapter knows its content. Only on nodes that may write. What
 * it writes is an ordinary change, and a pure function of the records, so that two nodes that do it at once write the same.
 *
 * Rules (tests cite the numbers):
 * 1. Two edits of one content are merged against their newest common ancestor (`Ancestry`), where the adapter can.
 * 2. Ids of objects that were made apart under one name become one (`same-names.ts`), in the object and wherever they are
 *    named, whoever wrote that and whenever it came.
 * 3. What differs besides stays a conflict; the order of its values does not change: a value that is written again with
 *    other ids keeps its time.
 * 4. Nothing is written over what was not looked at: if the values changed meanwhile, all of it is looked at again.
 */
import type { Contents } from '../adapters/contract.js'
import type { Ancestry, AuthorOf, CatalogReader, Draft, Entry, Tuple, Version } from '../catalog/index.js'
import { seenKey } from '../catalog/index.js'
import { GrapevineError, reasonOf } from '../errors.js'
import type { Clock, Logger } from '../runtime.js'
import { bodyRefOf, MAX_INLINE_BODY_BYTES, type BodyRef } from '../wire/index.js'
import type { Bodies, ChangeSink } from './importer.js'
import { relocate } from './relocate.js'
import { rootIds, SameNames } from './same-names.js'
import { bytesOfAll, MAX_SIDES, stillSays, valuesOf, type ReadBodies, type Side } from './sides.js'

export interface ReconcilerDeps {
  readonly reader: CatalogReader
  readonly contents: Contents
  readonly sink: ChangeSink
  readonly bodies: Bodies & ReadBodies
  readonly clock: Clock
  readonly logger: Logger
  readonly authorOf: AuthorOf
  /** Where an entry's contents came from; undefined when it changed too often to be read. */
  ancestry(entry: string): Promise<Ancestry | undefined>
  mayWrite(path: string): boolean
  /** Whether this node may write anywhere; who may not leaves all of this to others. */
  active(): boolean
  /** How long others are given to do it first, ms. */
  patienceMs(): number
  /** Something was brought together. */
  done(path: string, how: 'merged' | 'same-name' | 'reference'): void
}

/** Between two tries of what could not be written, ms. */
const RETRY_MS = 30_000
/** Entries looked at before others get their turn. */
const SLICE = 64

/** A value on its way: as it is, and as it is to be. */
interface Renamed {
  readonly side: Side
  readonly bytes: Uint8Array
  readonly ref: BodyRef
  readonly path: string
}

export class Reconciler {
  readonly #deps: ReconcilerDeps
  readonly #names = new SameNames()
  readonly #dirty = new Set<string>()
  /** Hash of a content that is not here -> entries that wait for it. */
  readonly #waiting = new Map<string, Set<string>>()
  /** Entry -> ids of its roots, and how many nodes had written to it when they were looked at. */
  readonly #rooted = new Map<string, { readonly writers: number; readonly ids: readonly string[] }>()
  #timer: (() => void) | undefined
  #working: Promise<void> | undefined
  #running = false

  constructor(deps: ReconcilerDeps) {
    this.#deps = deps
  }

  /** Everything is looked at once: what was brought together before is known from the records alone. */
  async start(): Promise<void> {
    if (this.#running) return
    this.#running = true
    for await (const id of this.#deps.reader.listedIds()) this.#dirty.add(id)
    this.#schedule()
  }

  async stop(): Promise<void> {
    this.#running = false
    this.#timer?.()
    await this.#working
  }

  /** Whether nothing is left to be looked at now. */
  get idle(): boolean {
    return this.#working === undefined && this.#dirty.size === 0
  }

  changed(ids: Iterable<string>): void {
    if (!this.#running) return
    for (const id of ids) this.#dirty.add(id)
    this.#schedule()
  }

  bodyArrived(hash: string): void {
    const waiting = this.#waiting.get(hash)
    this.#waiting.delete(hash)
    if (waiting !== undefined) this.changed(waiting)
  }

  #schedule(ms = this.#deps.patienceMs()): void {
    if (!this.#running || this.#dirty.size === 0 || this.#timer !== undefined || this.#working !== undefined) return
    this.#timer = this.#deps.clock.timer(ms, () => {
      this.#timer = undefined
      this.#working = this.#run()
        .catch((error: unknown) => {
          if (this.#running)
            this.#deps.logger.error('What nodes did apart is not looked at.', { reason: reasonOf(error) })
        })
        .finally(() => {
          this.#working = undefined
          this.#schedule()
        })
    })
  }

  async #run(): Promise<void> {
    const ids = [...this.#dirty]
    this.#dirty.clear()
    if (!this.#deps.active()) return
    const failed: string[] = []
    let fresh = false
    const several: string[] = []
    const look = async (entry: Entry, path: string): Promise<void> => {
      fresh = (await this.#look(entry, path)) || fresh
    }
    await this.#each(ids, failed, look, (entry) => {
      if (valuesOf(entry).length > 1) several.push(entry.id)
      return isOfSeveral(entry)
    })
    const named = fresh ? await this.#naming() : []
    // where no id ever lost, what has one value is as it must be: of a catalog that has just come that is nearly all
    const rest = this.#names.none ? several : [...new Set([...ids, ...named])]
    await this.#each(rest, failed, (entry, path) => this.#settle(entry, path))
    if (failed.length === 0 || !this.#running) return
    this.#deps.clock.timer(RETRY_MS, () => this.changed(failed))
  }

  /**
   * Runs `work` for files of which something is known, and which concern it; what fails is tried again later and keeps
   * nothing else waiting.
   */
  async #each(
    ids: readonly string[],
    failed: string[],
    work: (entry: Entry, path: string) => Promise<void>,
    concerns: (entry: Entry) => boolean = () => true
  ): Promise<void> {
    const { reader, contents, clock, logger } = this.#deps
    for (const [at, id] of ids.entries()) {
      if (!this.#running) return
      if (at % SLICE === SLICE - 1) await clock.pause()
      const entry = reader.entry(id)
      if (entry?.listed !== true || entry.meaning.body === undefined || !concerns(entry)) continue
      const path = reader.pathOfEntry(entry)
      if (path === undefined || !contents.knows(path)) continue
      try {
        await work(entry, path)
      } catch (error) {
        if (!(error instanceof GrapevineError)) throw error
        failed.push(id)
        if (error.code !== 'stopped')
          logger.warn('What nodes did apart could not be brought together; it is tried again.', {
            path,
            code: error.code,
            reason: reasonOf(error)
          })
      }
    }
  }

  // --- which ids lost ---------------------------------------------------------------------------------------------------

  /** Whether an id is known to have lost only now. Of entries that several wrote to. */
  async #look(entry: Entry, path: string): Promise<boolean> {
    const ids = await this.#rootIds(entry, path)
    if (ids.length < 2) return this.#names.note(entry.id, undefined, []).length > 0
    const own = await this.#ownId(entry, path)
    // an id that was replaced in place since is what the name stands for now
    const survivor = own === undefined || ids.includes(own) ? ids[0] : own
    return this.#names.note(entry.id, survivor, ids.slice(1)).length > 0
  }

  /** Only who writes here first, or without having seen the rest, makes a root: then all of them are read again. */
  async #rootIds(entry: Entry, path: string): Promise<readonly string[]> {
    const { length } = entry.state.clients
    const known = this.#rooted.get(entry.id)
    if (known?.writers === length && valuesOf(entry).length < 2) return known.ids
    const roots = (await this.#deps.ancestry(entry.id))?.roots() ?? []
    const all =
      roots.length < 2
        ? []
        : await this.#bytes(
            entry.id,
            roots.map(({ body }) => body!)
          )
    if (all === null) return known?.ids ?? []
    const ids = rootIds(this.#withIds(path, roots, all ?? []), this.#deps.authorOf)
    this.#rooted.set(entry.id, { writers: length, ids })
    return ids
  }

  #withIds(
    path: string,
    roots: readonly Version[],
    all: readonly Uint8Array[]
  ): Array<{ version: Version; id: string }> {
    return roots.flatMap((version, at) => {
      const bytes = all[at]
      const id = bytes === undefined ? undefined : this.#deps.contents.identity(path, bytes)?.own
      return id === undefined || id === null ? [] : [{ version, id }]
    })
  }

  async #ownId({ id, meaning }: Entry, path: string): Promise<string | undefined> {
    const bytes = await this.#bytes(id, [meaning.body!])
    return (bytes && this.#deps.contents.identity(path, bytes[0]!)?.own) ?? undefined
  }

  /** All files that name an id that lost. */
  async #naming(): Promise<string[]> {
    const { reader, contents } = this.#deps
    const found: string[] = []
    const all: string[] = []
    for await (const id of reader.listedIds()) all.push(id)
    await this.#each(all, [], async (entry, path) => {
      const bytes = await this.#bytes(entry.id, [entry.meaning.body!])
      const identity = bytes ? contents.identity(path, bytes[0]!) : null
      if (identity === null) return
      if (identity.own !== null) this.#names.owns(entry.id, identity.own)
      if (identity.named.some((id) => this.#names.knows(id))) found.push(entry.id)
    })
    return found
  }

  // --- one content of several -------------------------------------------------------------------------------------------

  async #settle(entry: Entry, path: string): Promise<void> {
    const { mayWrite, done } = this.#deps
    const values = valuesOf(entry)
    if ((values.length < 2 && this.#names.none) || values.length > MAX_SIDES || !mayWrite(path)) return
    const all = await this.#bytes(
      entry.id,
      values.map(({ ref }) => ref)
    )
    if (!all) return
    const renamed = values.map((value, at) => this.#renamed(entry.id, path, { ...value, bytes: all[at]! }))
    if (renamed.some((each) => each.path !== path)) return this.#relocate(entry, renamed)
    const tuples = values.flatMap((value) => value.tuples)
    const merged = await this.#one(entry, path, renamed)
    if (merged !== undefined) {
      if (values.length === 1 && merged.ref.hash === values[0]!.ref.hash) return
      const wrote = await this.#write(entry.id, merged, tuples, tuples)
      if (wrote) done(path, values.length === 1 ? 'reference' : 'merged')
      return
    }
    for (const each of renamed) {
      if (each.ref.hash === each.side.ref.hash) continue
      const [{ time }] = each.side.tuples as [Tuple]
      if (await this.#write(entry.id, each, each.side.tuples, tuples, time)) return done(path, 'same-name')
    }
  }

  #renamed(entry: string, path: string, side: Side): Renamed {
    const { contents } = this.#deps
    const identity = this.#names.none ? null : contents.identity(path, side.bytes)
    if (identity?.own) this.#names.owns(entry, identity.own)
    const ids = this.#names.replacementsIn(entry, identity?.named ?? [])
    const made = ids.size === 0 ? null : contents.withIds(path, side.bytes, ids)
    return made === null
      ? { side, bytes: side.bytes, ref: side.ref, path }
      : { side, bytes: made.bytes, ref: bodyRefOf(made.bytes), path: made.path }
  }

  /** The one content that all of them come to; undefined when there is none. */
  async #one(
    entry: Entry,
    path: string,
    renamed: readonly Renamed[]
  ): Promise<{ bytes: Uint8Array; ref: BodyRef } | undefined> {
    const distinct = [...new Map(renamed.map((each) => [each.ref.hash, each])).values()]
    if (distinct.length === 1) return distinct[0]
    const base = (await this.#deps.ancestry(entry.id))?.common(distinct.map(({ side }) => seenKey(side.tuples[0]!)))
    const bytes = base === undefined ? undefined : await this.#bytes(entry.id, [base])
    if (!bytes) return undefined
    const from = this.#renamed(entry.id, path, { ref: base!, bytes: bytes[0]!, tuples: [] }).bytes
    // in an order that does not depend on who does it
    const [first, ...others] = distinct.toSorted((a, b) => (a.ref.hash < b.ref.hash ? -1 : 1))
    let made: Uint8Array | null = first!.bytes
    for (const other of others) made &&= this.#deps.contents.merge(path, from, made, other.bytes)
    return made === null ? undefined : { bytes: made, ref: bodyRefOf(made) }
  }

  /** Rule 4. `replaced` makes way; `looked` is what the entry must still say. False when it says something else by now. */
  async #write(
    id: string,
    { bytes, ref }: { bytes: Uint8Array; ref: BodyRef },
    replaced: readonly Tuple[],
    looked: readonly Tuple[],
    time?: number
  ): Promise<boolean> {
    const body = await this.#bodyOf(bytes, ref)
    const { result } = await this.#deps.sink.change(
      (draft) => {
        if (!stillSays(this.#deps.reader.over(draft.stage), id, looked)) return false
        draft.set(id, { body: body(draft) }, new Set(replaced.map(seenKey)))
        return true
      },
      { bytes: bytes.length + 400, ...(time === undefined ? {} : { time }) }
    )
    if (!result) this.#dirty.add(id)
    return result
  }

  async #bodyOf(bytes: Uint8Array, ref: BodyRef): Promise<(draft: Draft) => BodyRef> {
    if (bytes.length <= MAX_INLINE_BODY_BYTES) return (draft) => draft.body(bytes)
    await this.#deps.bodies.store(
      (async function* () {
        yield bytes
      })()
    )
    return () => ref
  }

  /** A file that is named after an id belongs elsewhere with another id. */
  async #relocate(entry: Entry, renamed: readonly Renamed[]): Promise<void> {
    const { reader, sink, mayWrite, done } = this.#deps
    const [winner] = renamed.toSorted((a, b) => b.side.tuples[0]!.time - a.side.tuples[0]!.time) as [Renamed]
    if (!mayWrite(winner.path)) return
    const body = await this.#bodyOf(winner.bytes, winner.ref)
    const { result } = await sink.change(
      (draft) => {
        const over = reader.over(draft.stage)
        if (
          !stillSays(
            over,
            entry.id,
            renamed.flatMap(({ side }) => side.tuples)
          )
        )
          return false
        return relocate(draft, over, entry, winner.path, body(draft))
      },
      { bytes: winner.bytes.length + 800, time: winner.side.tuples[0]!.time }
    )
    if (result) done(winner.path, 'same-name')
    else this.#dirty.add(entry.id)
  }

  /** Null, and the entry is looked at again when they are here, while some are missing; undefined when they are too large. */
  async #bytes(entry: string, refs: readonly BodyRef[]): Promise<Buffer[] | null | undefined> {
    const all = await bytesOfAll(refs, this.#deps.bodies)
    if (all === null)
      for (const { hash } of refs) this.#waiting.set(hash, (this.#waiting.get(hash) ?? new Set()).add(entry))
    return all
  }
}

/** Whether more than one node, or one in more than one life, wrote to it: else nobody's version of it stands against another. */
function isOfSeveral({ state }: Entry): boolean {
  return state.clients.length > 1
}
