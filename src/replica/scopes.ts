/**
 * Holds records to the paths their authors may write to (`catalog/scope.ts` has the rules). Where an entry was is worked out
 * from what the record knows, records without effect included: whether one of those counts may change with what is
 * heard of removals, and the verdict about a scope must not.
 */
import {
  checkField,
  decodeUpdate,
  namedBy,
  ROOT_ID,
  ScopeCheck,
  type Catalog,
  type CatalogReader,
  type Entry,
  type Whereabouts
} from '../catalog/index.js'
import { GrapevineError } from '../errors.js'
import type { Knows, Members } from '../identity/index.js'
import type { RecordLog } from '../log/index.js'
import type { EditOp, Op, SignedRecord } from '../wire/index.js'
import { byCause } from './by-cause.js'
import type { Base } from './checkpoint/base.js'
import type { Removals } from './removals.js'
import { dependsOnRemovals } from './removed.js'

export interface ScopesDeps {
  readonly log: RecordLog
  readonly members: Members
  readonly catalog: Catalog
  readonly reader: Pick<CatalogReader, 'entry' | 'history'>
  readonly removals: Pick<Removals, 'voids' | 'touched'>
  readonly base: Pick<Base, 'entry'>
}

export class Scopes {
  readonly #deps: ScopesDeps

  constructor(deps: ScopesDeps) {
    this.#deps = deps
  }

  /** Why a record reaches beyond its author's scope, or undefined. What is no edit at all the fold refuses by name. */
  async problem(record: SignedRecord, knows: Knows): Promise<string | undefined> {
    const scope = this.#deps.members.scopeOf(record.body.author, knows)
    if (scope === undefined) return undefined
    try {
      const edits = editsOf(record.body.ops)
      const past = await this.#placesOf(namedBy(edits), knows)
      const check = new ScopeCheck(scope, (id) => past.get(id))
      for (const { entry, update } of edits) check.check(entry, update)
      return undefined
    } catch (error) {
      if (!(error instanceof GrapevineError) || !['out-of-scope', 'record-malformed'].includes(error.code)) throw error
      return error.message
    }
  }

  /**
   * The same check for what is about to be written here, change by change; undefined when this author may write
   * everywhere. Everything held is its past.
   */
  drafting(author: Uint8Array): ((ops: readonly Op[]) => void) | undefined {
    const scope = this.#deps.members.scopeOf(author, () => true)
    if (scope === undefined) return undefined
    const { reader, removals } = this.#deps
    // what others will see there differs from what is seen here, so it is left to those who may write everywhere
    const check = new ScopeCheck(scope, (id) => (removals.touched(id) ? null : whereabouts(reader.entry(id))))
    return (ops) => {
      for (const { entry, update } of editsOf(ops)) check.check(entry, update)
    }
  }

  /** Where these entries, and all above them, were for a record that knows so much. */
  async #placesOf(ids: ReadonlySet<string>, knows: Knows): Promise<Map<string, Whereabouts | null>> {
    const found = new Map<string, Whereabouts | null>()
    const wanted = new Set(ids)
    for (const id of wanted) {
      const place = id === ROOT_ID ? undefined : whereabouts(await this.#inPast(id, knows))
      if (place === undefined) continue
      found.set(id, place)
      if (place !== null) wanted.add(place.parent)
    }
    return found
  }

  async #inPast(id: string, knows: Knows): Promise<Written | undefined> {
    const { log, reader, catalog, removals, base } = this.#deps
    const entry = reader.entry(id)
    if (entry === undefined) return undefined
    // everybody who still writes knows what a checkpoint took the place of
    const touches = (await reader.history(id)).filter((at) => !log.isSettled(at.log, at.seq))
    const known = touches.filter((at) => knows(at.log, at.seq) && dependsOnRemovals(log.row(at.log, at.seq)))
    if (known.length === touches.length && !removals.touched(id)) return entry
    const records = known.map(({ log: of, seq }) => ({ record: log.read(of, seq), knows: log.knowledgeOf(of, seq) }))
    return catalog.foldAlone(
      id,
      records.toSorted((a, b) => byCause(a.record, b.record)),
      await base.entry(id)
    )
  }
}

type Written = Pick<Entry, 'state' | 'meaning'>

function editsOf(ops: readonly Op[]): Array<{ entry: string; update: ReturnType<typeof decodeUpdate> }> {
  const edits = ops.filter((op): op is EditOp => op.k === 'edit')
  return edits.map(({ entry, update: bytes }) => {
    const update = decodeUpdate(bytes)
    for (const [field, value] of update.tuples) checkField(field, value)
    return { entry, update }
  })
}

function whereabouts(entry: Written | undefined): Whereabouts | null | undefined {
  return entry === undefined || entry.state.tuples.length === 0 ? undefined : (entry.meaning.place ?? null)
}
