/** What a scan found against what the target held: moves are told from what came and went. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ScanResult, TargetEntry } from '../../src/adapters/contract.js'
import type { BaseRow } from '../../src/publish/base.js'
import { diffScan, type Diff } from '../../src/publish/diff.js'

interface Thing {
  readonly path: string
  readonly inode: string
  /** Absent for a directory. */
  readonly text?: string
  readonly exec?: boolean
}

const rowOf = ({ path, inode, text, exec = false }: Thing): BaseRow => ({
  id: `id of ${path}`,
  path,
  kind: text === undefined ? 'dir' : 'file',
  hash: text ?? '',
  size: text?.length ?? 0,
  exec,
  inode,
  seen: [],
  lingering: false
})

const entryOf = ({ path, inode, text, exec = false }: Thing): TargetEntry =>
  text === undefined
    ? { kind: 'dir', path, inode }
    : { kind: 'file', path, inode, exec, body: { hash: text, size: text.length } }

async function* each(rows: readonly BaseRow[]): AsyncGenerator<BaseRow> {
  yield* rows
}

async function diff(before: readonly Thing[], now: readonly Thing[]): Promise<Diff> {
  const scan: ScanResult = { entries: new Map(now.map((thing) => [thing.path, entryOf(thing)])), problems: [] }
  return diffScan(scan, each(before.map(rowOf)), () => false)
}

const told = ({ added, changed, moved, gone, refreshed }: Diff): Record<string, string[]> => {
  const pair = ({ base, now }: { base: BaseRow; now: TargetEntry }): string => `${base.path} > ${now.path}`
  return {
    added: added.map(({ path }) => path),
    changed: changed.map(pair),
    moved: moved.map(pair),
    gone: gone.map(({ path }) => path),
    refreshed: refreshed.map(pair)
  }
}

const NOTHING = { added: [], changed: [], moved: [], gone: [], refreshed: [] }

test('of a renamed directory only itself moved; what is in it, however deep, moved along', async () => {
  const before = [
    { path: 'd', inode: '1' },
    { path: 'd/f', inode: '2', text: 'f' },
    { path: 'd/e', inode: '3' },
    { path: 'd/e/g', inode: '4', text: 'g' }
  ]
  const now = before.map((thing) => ({ ...thing, path: `new/${thing.path}` }))
  assert.deepEqual(told(await diff(before, [{ path: 'new', inode: '9' }, ...now])), {
    ...NOTHING,
    added: ['new'],
    moved: ['d > new/d'],
    refreshed: ['d/f > new/d/f', 'd/e > new/d/e', 'd/e/g > new/d/e/g']
  })
})

test('what was renamed inside a renamed directory, or taken out of it, moved by itself', async () => {
  const before = [
    { path: 'd', inode: '1' },
    { path: 'd/f', inode: '2', text: 'f' },
    { path: 'd/out', inode: '3', text: 'out' }
  ]
  const now = [
    { path: 'e', inode: '1' },
    { path: 'e/g', inode: '2', text: 'f' },
    { path: 'out', inode: '3', text: 'out' }
  ]
  assert.deepEqual(told(await diff(before, now)), { ...NOTHING, moved: ['d > e', 'd/f > e/g', 'd/out > out'] })
})

test('what lies in a directory that took the place of one that moved along did not move along', async () => {
  const before = [
    { path: 'd', inode: '1' },
    { path: 'd/sub', inode: '2' },
    { path: 'd/sub/f', inode: '3', text: 'f' }
  ]
  const now = [
    { path: 'e', inode: '1' },
    { path: 'e/sub', inode: '7' },
    { path: 'e/sub/f', inode: '3', text: 'f' }
  ]
  assert.deepEqual(told(await diff(before, now)), {
    ...NOTHING,
    added: ['e/sub'],
    moved: ['d > e', 'd/sub/f > e/sub/f'],
    gone: ['d/sub']
  })
})

test('an inode with other content is another file; a moved one may have become executable', async () => {
  const before = [
    { path: 'a', inode: '1', text: 'a' },
    { path: 'b', inode: '2', text: 'b' }
  ]
  const now = [
    { path: 'c', inode: '1', text: 'not a' },
    { path: 'd', inode: '2', text: 'b', exec: true }
  ]
  assert.deepEqual(told(await diff(before, now)), {
    ...NOTHING,
    added: ['c'],
    changed: ['d > d'],
    moved: ['b > d'],
    gone: ['a']
  })
})
