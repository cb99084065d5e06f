/** Targets that are changed at random on several nodes at once end equal, and at rest. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { SeededRandom } from '../sim/random.js'
import type { MemoryAdapter } from './memory-adapter.js'
import { makeSites, share, type Site } from './site.js'

const PATHS = ['a', 'b', 'c', 'a/x', 'a/y', 'b/x', 'a/d', 'a/d/z', 'b/d']

const parentOf = (path: string): string => (path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '')

/** What some program does to a target; what it cannot do it leaves. */
function act(target: MemoryAdapter, random: SeededRandom): void {
  const path = random.pick(PATHS)
  const other = random.pick(PATHS)
  const here = target.nodes.get(path)
  const holds = (at: string): boolean => at === '' || target.nodes.get(at)?.kind === 'dir'
  const what = random.float()
  if (what < 0.4) {
    if (holds(parentOf(path)) && here?.kind !== 'dir')
      target.put(path, `${random.below(1_000)}`, { exec: random.chance(0.2) })
  } else if (what < 0.55) {
    if (holds(parentOf(path)) && here === undefined) target.makeDir(path)
  } else if (what < 0.7) {
    if (here !== undefined) target.remove(path)
  } else if (what < 0.8) {
    // a file takes the place of a directory, or a directory that of a file
    if (here === undefined) return
    target.remove(path)
    if (here.kind === 'dir') target.put(path, 'now a file')
    else target.makeDir(path)
  } else if (
    here !== undefined &&
    target.nodes.get(other) === undefined &&
    holds(parentOf(other)) &&
    !other.startsWith(`${path}/`)
  )
    target.rename(path, other)
}

async function live(seed: number, count: number): Promise<void> {
  const random = new SeededRandom(seed)
  const { sites, dispose } = await makeSites(count)
  try {
    for (const site of sites) await site.start()
    for (let step = 0; step < 24; step++) {
      const site = random.pick(sites)
      for (let left = 1 + random.below(4); left > 0; left--) act(site.adapter, random)
      site.node.clock.wall += random.below(20)
      if (random.chance(0.5)) await site.rest()
      if (random.chance(0.3)) await oneWay(random.pick(sites), site)
    }
    await share(sites)
    await check(sites)
  } finally {
    await dispose()
  }
}

/** One node hears of another while its own target may be in the middle of something. */
async function oneWay(from: Site, to: Site): Promise<void> {
  if (from === to) return
  await to.node.pull(from.node)
}

async function check(sites: readonly Site[]): Promise<void> {
  const [first] = sites as [Site]
  const tree = (await first.node.tree()).map((line) => line.replace(/!$/, '').replace(/=dir$/, '/'))
  for (const site of sites) {
    assert.deepEqual(site.adapter.picture().toSorted(), tree.toSorted())
    assert.deepEqual(site.sync.problems.list(), [])
  }
  const before = first.records
  for (const site of sites) await site.rescan()
  await share(sites)
  assert.equal(first.records, before, 'looking again at targets in step wrote records')
}

test('any changes on two or three targets at once end with all targets equal to the catalog, and quiet', async () => {
  await fc.assert(fc.asyncProperty(fc.integer({ min: 0, max: 2 ** 31 }), fc.integer({ min: 2, max: 3 }), live), {
    seed: 20_260_111,
    numRuns: 60,
    includeErrorInReport: true
  })
})
