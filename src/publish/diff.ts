/** Compares what a scan found with what the target held before. Pure: decides nothing about the catalog. */
import type { ScanResult, TargetEntry } from '../adapters/contract.js'
import type { BaseRow } from './base.js'

export interface Diff {
  readonly added: TargetEntry[]
  readonly changed: Array<{ base: BaseRow; now: TargetEntry }>
  readonly moved: Array<{ base: BaseRow; now: TargetEntry }>
  readonly gone: BaseRow[]
  /** Only the inode is another: the same content was written anew. */
  readonly refreshed: Array<{ base: BaseRow; now: TargetEntry }>
}

/** `ignores`: a path a rule leaves out now; that it is not in the scan means nothing. */
export async function diffScan(
  scan: ScanResult,
  base: AsyncIterable<BaseRow>,
  ignores: (path: string, kind: 'file' | 'dir') => boolean
): Promise<Diff> {
  const diff: Diff = { added: [], changed: [], moved: [], gone: [], refreshed: [] }
  const known = new Set<string>()
  for await (const row of base) {
    known.add(row.path)
    const now = scan.entries.get(row.path)
    if (now === undefined) {
      if (!hidden(row.path, scan) && !ignores(row.path, row.kind)) diff.gone.push(row)
    } else if (row.lingering) continue
    else if (now.kind !== row.kind) {
      diff.gone.push(row)
      diff.added.push(now)
    } else if (now.kind === 'file' && (now.body.hash !== row.hash || now.exec !== row.exec))
      diff.changed.push({ base: row, now })
    else if (now.inode !== row.inode) diff.refreshed.push({ base: row, now })
  }
  for (const [path, now] of scan.entries) if (!known.has(path)) diff.added.push(now)
  pairMoves(diff)
  return diff
}

/** What this node may say to the catalog, and what it may not: of a move both ends must be its own. */
export function splitDiff(
  diff: Diff,
  mayWrite: (path: string, kind: 'file' | 'dir') => boolean
): { ours: Diff; drift: Diff } {
  const may = ({ path }: TargetEntry | BaseRow): boolean => mayWrite(path, 'file')
  // what moved along with something that is no move of this node's is where it was, as far as the catalog goes
  const refreshed = diff.refreshed.filter(({ base, now }) => base.path === now.path || (may(base) && may(now)))
  const ours: Diff = { added: [], changed: [], moved: [], gone: [], refreshed }
  const drift: Diff = { added: [], changed: [], moved: [], gone: [], refreshed: [] }
  // a directory that leads to where this node writes may be made, and nothing else be done to it
  for (const now of diff.added) (mayWrite(now.path, now.kind) ? ours : drift).added.push(now)
  for (const pair of diff.changed) (may(pair.now) ? ours : drift).changed.push(pair)
  for (const pair of diff.moved) (may(pair.base) && may(pair.now) ? ours : drift).moved.push(pair)
  for (const row of diff.gone) (may(row) ? ours : drift).gone.push(row)
  return { ours, drift }
}

/** Whether a path, or a directory above it, could not be looked at. */
function hidden(path: string, scan: ScanResult): boolean {
  return scan.problems.some((problem) => problem.path === path || path.startsWith(`${problem.path}/`))
}

/** What went and came with one inode moved. A file must have kept its content, because inodes are used again at once. */
function pairMoves(diff: Diff): void {
  const goneByInode = new Map(
    diff.gone.filter((row) => !row.lingering).map((row) => [`${row.kind} ${row.inode} ${row.hash}`, row])
  )
  const paired = new Set<BaseRow | TargetEntry>()
  /** Where a directory is -> where it was. */
  const dirs = new Map<string, string>()
  for (const now of diff.added.toSorted((a, b) => a.path.length - b.path.length)) {
    const key = `${now.kind} ${now.inode} ${now.kind === 'file' ? now.body.hash : ''}`
    const base = goneByInode.get(key)
    if (base === undefined) continue
    goneByInode.delete(key)
    paired.add(base).add(now)
    // what moved along inside a moved directory did not move by itself
    const along = nameOf(base.path) === nameOf(now.path) && dirs.get(aboveOf(now.path)) === aboveOf(base.path)
    if (now.kind === 'dir') dirs.set(now.path, base.path)
    if (along) diff.refreshed.push({ base, now })
    else diff.moved.push({ base, now })
    if (now.kind === 'file' && now.exec !== base.exec) diff.changed.push({ base: { ...base, path: now.path }, now })
  }
  if (paired.size === 0) return
  keep(diff.added, (now) => !paired.has(now))
  keep(diff.gone, (row) => !paired.has(row))
}

const aboveOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf('/')))
const nameOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1)

/** Takes out of `items` all but which fits. */
export function keep<T>(items: T[], which: (item: T) => boolean): void {
  const kept = items.filter(which)
  items.length = 0
  for (const item of kept) items.push(item)
}
