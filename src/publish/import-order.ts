/**
 * In which order a scan's differences are written down. Each prefix of it is what others may see for a while, or for ever
 * when the node dies in between: where things refer to each other, what others refer to is written first and removed last.
 */
import type { Adapter, TargetEntry } from '../adapters/contract.js'
import { isWithin } from '../adapters/paths.js'
import type { BaseRow } from './base.js'
import type { Diff } from './diff.js'

export interface ImportOrder {
  /** What makes way for something else, or refers to nothing. */
  readonly firstGone: readonly BaseRow[]
  readonly directories: readonly TargetEntry[]
  readonly files: ReadonlyArray<TargetEntry | Diff['changed'][number]>
  readonly lastGone: readonly BaseRow[]
}

export function importOrder(diff: Diff, adapter: Pick<Adapter, 'rankOf'>): ImportOrder {
  const byPath = (a: TargetEntry, b: TargetEntry): number => (a.path < b.path ? -1 : 1)
  const files = [...diff.changed, ...diff.added.filter(({ kind }) => kind === 'file').toSorted(byPath)]
  const gone = diff.gone.toSorted((a, b) => b.path.length - a.path.length)
  const directories = diff.added.filter(({ kind }) => kind === 'dir').toSorted(byPath)
  if (adapter.rankOf === undefined) return { firstGone: gone, directories, files, lastGone: [] }
  const rank = (item: (typeof files)[number]): number => adapter.rankOf!('now' in item ? item.now.path : item.path)
  const makesWay = whatMakesWay(diff)
  // directories are emptied before they go
  const goneRank = ({ path, kind }: BaseRow): number => (kind === 'dir' ? 1 : -adapter.rankOf!(path))
  return {
    firstGone: gone.filter(makesWay),
    directories,
    files: files.toSorted((a, b) => rank(a) - rank(b)),
    lastGone: gone.filter((row) => !makesWay(row)).toSorted((a, b) => goneRank(a) - goneRank(b))
  }
}

/**
 * What lies where something else comes, or above or below that; and what was in a directory that moved, for it moved along,
 * and what lies in its place now would be taken for it.
 */
function whatMakesWay(diff: Diff): (row: BaseRow) => boolean {
  const coming = new Set([...diff.added, ...diff.moved.map(({ now }) => now)].map(({ path }) => path))
  const above = new Set<string>()
  for (const path of coming)
    for (let cut = path.lastIndexOf('/'); cut > 0; cut = path.lastIndexOf('/', cut - 1)) above.add(path.slice(0, cut))
  const left = new Set(diff.moved.map(({ base }) => base.path))
  return ({ path }) => above.has(path) || isWithin(path, coming) || isWithin(path, left)
}
