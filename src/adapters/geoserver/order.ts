/**
 * The order in which a set is written, so that at no moment a file refers to one that is still to come, and the reverse for
 * what is removed. Pure.
 */
import type { ApplyItem } from '../contract.js'
import type { FileKind } from './file-rules.js'
import type { FileClass } from './classify.js'

/** What comes first has the smallest number. Kinds that are not named refer to nothing and come before all. */
const RANKS: Readonly<Partial<Record<FileKind, number>>> = {
  'style-body': 1,
  workspace: 3,
  namespace: 3,
  datastore: 5,
  coveragestore: 5,
  wmsstore: 5,
  wmtsstore: 5,
  featuretype: 6,
  coverage: 6,
  wmslayer: 6,
  wmtslayer: 6,
  layer: 7,
  layergroup: 8,
  settings: 9,
  service: 9,
  'tile-layer': 10,
  'tile-settings': 10,
  'default-workspace': 11,
  global: 12,
  logging: 12
}
const GLOBAL_STYLE = 2
/** A workspace's own style refers to the workspace. */
const WORKSPACE_STYLE = 4

export function rankOf({ kind, workspace }: FileClass): number {
  if (kind === 'style') return workspace === null ? GLOBAL_STYLE : WORKSPACE_STYLE
  return RANKS[kind] ?? 0
}

/** Whether two files next to each other may be written in any order. Groups show each other: even among them it counts. */
export function mayGoTogether(a: FileClass, b: FileClass): boolean {
  return rankOf(a) === rankOf(b) && a.kind !== 'layergroup'
}

/**
 * How deep a layer group lies above others of the set: it comes after all that it shows. `groups` names what each shows.
 * Groups that show themselves load nowhere; their place does not matter.
 */
export function groupDepths(groups: ReadonlyMap<string, readonly string[]>): Map<string, number> {
  const depths = new Map([...groups.keys()].map((id) => [id, 0]))
  const shownBy = new Map<string, string[]>()
  const missing = new Map<string, number>()
  for (const [id, shown] of groups) {
    const inner = shown.filter((other) => groups.has(other))
    missing.set(id, inner.length)
    for (const other of inner) {
      const outer = shownBy.get(other)
      if (outer === undefined) shownBy.set(other, [id])
      else outer.push(id)
    }
  }
  const settled = [...groups.keys()].filter((id) => missing.get(id) === 0)
  for (let id = settled.pop(); id !== undefined; id = settled.pop()) {
    for (const outer of shownBy.get(id) ?? []) {
      depths.set(outer, Math.max(depths.get(outer)!, depths.get(id)! + 1))
      missing.set(outer, missing.get(outer)! - 1)
      if (missing.get(outer) === 0) settled.push(outer)
    }
  }
  return depths
}

/**
 * Directories and moves as given, then writes by rank, then removals in reverse; `rank` may tell items of one kind apart.
 * Where a removal makes room for something of the set, or a directory moves, the order given is the one that works: then
 * only neighbours of one sort change places.
 */
export function ordered<T extends { readonly item: ApplyItem; readonly rank: number }>(set: readonly T[]): T[] {
  const byRank = (a: T, b: T): number => a.rank - b.rank
  const isWrite = ({ item }: T): boolean => item.do === 'write'
  const isFileRemoval = ({ item }: T): boolean => item.do === 'remove' && item.expect.kind === 'file'
  if (!entangled(set.map(({ item }) => item))) {
    const removals = set.filter(isFileRemoval).toSorted((a, b) => byRank(b, a))
    const emptied = set.filter(({ item }) => item.do === 'remove' && item.expect.kind === 'dir')
    const structure = set.filter(({ item }) => item.do === 'mkdir' || item.do === 'move')
    return [...structure, ...set.filter(isWrite).toSorted(byRank), ...removals, ...emptied]
  }
  const runs: T[][] = []
  const sortOf = (each: T): string => (isWrite(each) ? 'write' : isFileRemoval(each) ? 'remove' : 'other')
  for (const each of set) {
    const run = runs.at(-1)
    if (run !== undefined && sortOf(run[0]!) === sortOf(each)) run.push(each)
    else runs.push([each])
  }
  return runs.flatMap((run) =>
    isWrite(run[0]!) ? run.toSorted(byRank) : isFileRemoval(run[0]!) ? run.toSorted((a, b) => byRank(b, a)) : run
  )
}

/** Whether something is removed in whose place, or above or below which, something else comes; or a directory moves. */
function entangled(items: readonly ApplyItem[]): boolean {
  if (items.some((item) => item.do === 'move' && item.expect.kind === 'dir')) return true
  const coming = new Set(items.flatMap((item) => (item.do === 'remove' ? [] : [item.path])))
  const above = new Set([...coming].flatMap(parentsOf))
  const files = new Set(items.flatMap((item) => (item.do === 'write' ? [item.path] : [])))
  return items.some(
    ({ do: what, path }) =>
      what === 'remove' && (coming.has(path) || above.has(path) || parentsOf(path).some((parent) => files.has(parent)))
  )
}

function parentsOf(path: string): string[] {
  const parents: string[] = []
  for (let cut = path.lastIndexOf('/'); cut > 0; cut = path.lastIndexOf('/', cut - 1)) parents.push(path.slice(0, cut))
  return parents
}
