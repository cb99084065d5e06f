/** What of the catalog comes to the target besides a set. Pure questions to the catalog and the base. */
import type { Coming, ComingEntry } from '../adapters/contract.js'
import type { CatalogReader } from '../catalog/index.js'
import type { BodyRef } from '../wire/index.js'
import type { Base } from './base.js'
import type { PlannedItem } from './planner.js'

export interface ComingDeps {
  readonly reader: CatalogReader
  readonly base: Base
  /** Whether the bytes are here. */
  has(body: BodyRef): boolean
}

/**
 * What an adapter is told besides the set it is given: `others` wait or failed and are not in it, and `queued` may follow.
 */
export function comingBesides(
  set: readonly PlannedItem[],
  others: readonly string[],
  queued: Iterable<string>,
  deps: ComingDeps
): Coming {
  const now = new Set(set.map(({ desired }) => desired.id))
  const besides = new Set(others.filter((id) => !now.has(id)))
  return { entries: [...besides].flatMap((id) => changesOf(id, deps)), more: hasOther(queued, besides, now) }
}

function hasOther(ids: Iterable<string>, ...known: ReadonlyArray<ReadonlySet<string>>): boolean {
  for (const id of ids) if (!known.some((some) => some.has(id))) return true
  return false
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
