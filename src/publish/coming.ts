/** What of the catalog is next for the target, and what comes besides. Pure questions to the catalog and the base. */
import type { Adapter, Coming, ComingEntry } from '../adapters/contract.js'
import type { CatalogReader } from '../catalog/index.js'
import type { BodyRef } from '../wire/index.js'
import type { Base } from './base.js'
import type { PlannedItem } from './planner.js'

export interface ComingDeps {
  readonly reader: CatalogReader
  readonly base: Base
  readonly adapter: Pick<Adapter, 'rankOf'>
  /** Whether the bytes are here. */
  has(body: BodyRef): boolean
}

/** Removals come after everything else, what others refer to last of all. */
const REMOVED = 1_000

/** At most `limit` of these, those that others refer to first. */
export function nextOf(ids: ReadonlySet<string>, limit: number, deps: ComingDeps): string[] {
  if (ids.size <= limit || deps.adapter.rankOf === undefined) return [...ids].slice(0, limit)
  const ranked = [...ids].map((id) => ({ id, rank: rankOfEntry(id, deps) }))
  return ranked
    .toSorted((a, b) => a.rank - b.rank)
    .slice(0, limit)
    .map(({ id }) => id)
}

/** What is there no more, or never was, refers to nothing. */
function rankOfEntry(id: string, { reader, base, adapter }: ComingDeps): number {
  const path = reader.pathOf(id)
  if (path !== undefined) return adapter.rankOf!(path)
  const row = base.byId(id)
  return row === undefined ? 0 : REMOVED - adapter.rankOf!(row.path)
}

/**
 * What an adapter is told besides the set it is given: `others` wait or failed and are not in it, and `queued` may follow.
 */
export function comingBesides(
  set: readonly PlannedItem[],
  others: readonly string[],
  queued: ReadonlySet<string>,
  deps: ComingDeps
): Coming {
  const now = new Set(set.map(({ desired }) => desired.id))
  const besides = new Set(others.filter((id) => !now.has(id)))
  const more = [...queued].some((id) => !besides.has(id) && !now.has(id))
  return { entries: [...besides].flatMap((id) => changesOf(id, deps)), more }
}

/** Directories refer to nothing. */
function changesOf(id: string, { reader, base, has }: ComingDeps): ComingEntry[] {
  const entries: ComingEntry[] = []
  const body = reader.entry(id)?.meaning.body
  const path = reader.pathOf(id)
  const row = base.byId(id)
  if (path !== undefined && body !== undefined) entries.push({ path, body, here: has(body) })
  if (row !== undefined && row.kind === 'file' && row.path !== path)
    entries.push({ path: row.path, body: null, here: true })
  return entries
}
