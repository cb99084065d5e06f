/** `--adopt cluster`: what differs from the cluster's content is set aside, bytes kept; what is equal is kept as it is. */
import type { Adapter, ApplyItem, BodySource, TargetEntry } from '../adapters/contract.js'
import type { CatalogReader } from '../catalog/index.js'
import { baseRow, noEntry, type Base } from './base.js'
import type { Diff } from './diff.js'

export interface MakeWayDeps {
  readonly adapter: Adapter
  readonly reader: CatalogReader
  readonly base: Base
  readonly bodies: { source: BodySource }
  /** A directory outside the target for what must make way. */
  readonly asideDir: string
}

/** Returns the ids of entries to be applied afterwards. */
export async function makeWay(deps: MakeWayDeps, diff: Diff, signal: AbortSignal): Promise<string[]> {
  const { adapter, reader, base, asideDir } = deps
  const ids: string[] = []
  // the deepest first: a directory is empty once what was in it has made way
  for (const entry of diff.added.toSorted((a, b) => b.path.length - a.path.length)) {
    const found = reader.resolve(entry.path)
    const equal =
      found !== undefined &&
      (entry.kind === 'dir' ? reader.isDirectory(found) : found.meaning.body?.hash === entry.body.hash)
    if (equal) base.set(baseRow(found.id, entry, []))
    else if (entry.kind === 'file') await adapter.setAside(entry.path, asideDir)
    else await clearDirectory(deps, entry, signal)
    if (found !== undefined) ids.push(found.id)
  }
  await base.flush()
  await adapter.settled?.()
  return ids
}

/** A directory that holds what is not shared stays, and is remembered, so that no later scan takes it for new. */
async function clearDirectory(
  { adapter, base, bodies }: MakeWayDeps,
  entry: TargetEntry,
  signal: AbortSignal
): Promise<void> {
  const item: ApplyItem = { do: 'remove', path: entry.path, expect: entry }
  const [result] = await adapter.apply([item], bodies.source, signal)
  if (result?.outcome === 'done') return
  base.set({ ...baseRow(noEntry(entry.path), entry, []), lingering: true })
}
