/** The rules of publish/drift.ts, cited by number, over a target in memory; and the rules operators write about it. */
import assert from 'node:assert/strict'
import { afterEach, describe, test } from 'node:test'
import { GrapevineError } from '../../src/errors.js'
import {
  DriftRules,
  MAX_DRIFT_RULE_CHARS,
  MAX_DRIFT_RULE_WILDCARDS,
  MAX_DRIFT_RULES
} from '../../src/publish/drift-rules.js'
import { makeSites, share, type Site } from './site.js'

let dispose: (() => Promise<void>) | undefined

afterEach(async () => {
  await dispose?.()
  dispose = undefined
})

/** An author and a public node with `d/f`, `f` and `g` in step. */
async function authorAndPublic(...driftRules: string[]): Promise<[author: Site, other: Site]> {
  const made = await makeSites(2, { roles: ['public'] })
  dispose = made.dispose
  const [a, b] = made.sites as [Site, Site]
  b.driftRules = driftRules
  await a.start()
  await b.start()
  a.adapter.makeDir('d')
  for (const path of ['d/f', 'f', 'g']) a.adapter.put(path, 'shared')
  await share([a, b])
  b.drifted.length = 0
  return [a, b]
}

const SHARED = ['d/', 'd/f=shared', 'f=shared', 'g=shared']

describe('rule 1: drift is shown until it is over', () => {
  test('what is found and what becomes of it are told once each', async () => {
    const [a, b] = await authorAndPublic()
    b.adapter.put('f', 'edited here')
    b.adapter.put('new', 'new here')
    b.adapter.remove('g')
    await b.rescan()
    await b.rescan()
    const shown = b.sync.drift.list().map(({ path, change, policy }) => `${change} ${path} ${policy}`)
    assert.deepEqual(shown, ['changed f report', 'removed g report', 'added new report'])
    b.adapter.put('f', 'shared')
    await b.rescan()
    assert.deepEqual(b.drifted.toSorted(), [
      'found added new',
      'found changed f',
      'found removed g',
      'undone changed f'
    ])
    assert.deepEqual(a.adapter.picture(), SHARED)
  })

  test('a directory that was renamed is one change, and nothing below it seems to be elsewhere', async () => {
    const [, b] = await authorAndPublic()
    b.adapter.rename('d', 'e')
    await b.rescan()
    assert.deepEqual(
      b.sync.drift.list().map(({ path, change, from }) => [path, change, from]),
      [['e', 'moved', 'd']]
    )
    assert.equal(b.base.byPath('d/f')?.path, 'd/f')
  })
})

describe('rule 2 and 3: what makes way is kept', () => {
  test('a rule lets an edit, an addition and a removal make way at once; elsewhere they are reported', async () => {
    const [, b] = await authorAndPublic('restore **', 'report g')
    b.adapter.put('f', 'edited here')
    b.adapter.put('d/new', 'new here')
    b.adapter.remove('d/f')
    b.adapter.put('g', 'stays')
    await b.rest()
    assert.deepEqual(b.adapter.picture(), ['d/', 'd/f=shared', 'f=shared', 'g=stays'])
    assert.deepEqual((await b.aside()).toSorted(), ['d/new=new here', 'f=edited here'])
    assert.deepEqual(b.sync.drift.paths(), ['g'])
    assert.deepEqual(b.drifted.filter((line) => line.startsWith('restored')).toSorted(), [
      'restored added d/new',
      'restored changed f',
      'restored removed d/f'
    ])
  })

  test('an edit is replaced in one step: at no moment is there no file', async () => {
    const [, b] = await authorAndPublic('restore **')
    const seen: string[] = []
    b.adapter.afterItem = (item) => void seen.push(`${item.do} ${item.path}`)
    b.adapter.put('f', 'edited here')
    await b.rest()
    assert.deepEqual(seen, ['write f'])
    assert.deepEqual(b.adapter.picture(), SHARED)
  })

  test('directories that were renamed, removed with all in them, or made with something in them come back', async () => {
    const [a, b] = await authorAndPublic()
    a.adapter.makeDir('gone')
    a.adapter.put('gone/f', 'shared')
    await share([a, b])
    const before = b.adapter.picture()
    b.adapter.rename('d', 'e')
    b.adapter.remove('gone')
    b.adapter.makeDir('made')
    b.adapter.put('made/f', 'new here')
    await b.rescan()
    assert.deepEqual(b.sync.drift.paths().toSorted(), ['e', 'gone', 'gone/f', 'made', 'made/f'])
    b.sync.restoreDrift()
    await b.rest()
    assert.deepEqual(b.adapter.picture(), before)
    assert.deepEqual(b.sync.drift.paths(), [])
    assert.deepEqual(await b.aside(), ['made/f=new here'])
  })

  test('only what was named makes way, with the directories it lay in', async () => {
    const [, b] = await authorAndPublic()
    b.adapter.remove('d')
    b.adapter.put('f', 'edited here')
    await b.rescan()
    assert.deepEqual(
      b.sync.restoreDrift(['d/f']).map(({ path }) => path),
      ['d/f']
    )
    await b.rest()
    assert.deepEqual(b.adapter.picture(), ['d/', 'd/f=shared', 'f=edited here', 'g=shared'])
    assert.deepEqual(b.sync.restoreDrift(['nowhere']), [])
  })

  test('a new directory that holds what is not shared stays, and is no drift any more', async () => {
    const [, b] = await authorAndPublic('restore **')
    b.adapter.ignored = (path) => path === 'made/cache'
    b.adapter.makeDir('made')
    b.adapter.put('made/cache', 'of this node')
    await b.rest()
    await b.rescan()
    assert.deepEqual(b.adapter.picture(), [
      'd/',
      'd/f=shared',
      'f=shared',
      'g=shared',
      'made/',
      'made/cache=of this node'
    ])
    assert.deepEqual(b.sync.drift.paths(), [])
  })

  test('a file in the place of a directory, and the reverse, make way', async () => {
    const [, b] = await authorAndPublic('restore **')
    await b.adapter.stop()
    b.adapter.remove('d')
    b.adapter.put('d', 'a file here')
    b.adapter.remove('f')
    b.adapter.makeDir('f')
    b.adapter.put('f/inside', 'new here')
    await b.rescan()
    await b.rescan()
    assert.deepEqual(b.adapter.picture(), SHARED)
    assert.deepEqual((await b.aside()).toSorted(), ['d=a file here', 'f/inside=new here'].toSorted())
  })

  test('the catalog takes over where something was made here, whatever the rules', async () => {
    const [a, b] = await authorAndPublic()
    b.adapter.put('new', 'new here')
    b.adapter.remove('d')
    await b.rescan()
    await a.node.put('new', 'of the cluster')
    await a.node.put('d/second', 'of the cluster')
    await share([a, b])
    assert.deepEqual(b.adapter.picture(), [
      'd/',
      'd/second=of the cluster',
      'f=shared',
      'g=shared',
      'new=of the cluster'
    ])
    assert.deepEqual(await b.aside(), ['new=new here'])
    assert.deepEqual(b.sync.drift.paths(), ['d/f'])
  })

  test('what somebody is at work on is left to a later look, and a copy that fails changes nothing', async () => {
    const [, b] = await authorAndPublic('restore f')
    const { keepCopy } = b.adapter
    let times = 0
    b.adapter.keepCopy = async () => {
      times++
      throw new GrapevineError(times === 1 ? 'file-changed' : 'disk-full', 'no', { next: 'wait' })
    }
    b.adapter.put('f', 'edited here')
    await b.rest()
    assert.equal(times, 1)
    assert.deepEqual(b.sync.drift.paths(), ['f'])
    b.sync.hint({ all: true })
    await b.node.settled()
    assert.ok(times > 1)
    assert.equal(b.adapter.picture().includes('f=edited here'), true)
    assert.match(b.lastFault, /disk-full/)
    b.adapter.keepCopy = keepCopy
    await b.rest()
    assert.deepEqual(b.adapter.picture(), SHARED)
    assert.deepEqual(await b.aside(), ['f=edited here'])
  })
})

describe('rule 4: what the catalog came to say by itself is no drift', () => {
  test('an edit, an addition, a removal and moves are met without a write, and nothing is set aside', async () => {
    const [a, b] = await authorAndPublic()
    for (const { adapter } of [b, a]) {
      adapter.put('f', 'the same')
      adapter.put('new', 'the same')
      adapter.makeDir('made')
      adapter.remove('g')
      adapter.rename('d', 'e')
      if (adapter === b.adapter) await b.rescan()
    }
    assert.equal(b.sync.drift.size, 5)
    b.adapter.applied.length = 0
    await share([a, b])
    assert.deepEqual(b.adapter.picture(), ['e/', 'e/f=shared', 'f=the same', 'made/', 'new=the same'])
    assert.deepEqual(b.adapter.applied, [])
    assert.deepEqual(await b.aside(), [])
    assert.deepEqual(b.sync.drift.paths(), [])
    assert.equal(b.drifted.filter((line) => line.startsWith('adopted')).length, 5)
    await b.rescan()
    assert.deepEqual(b.sync.drift.paths(), [])
    a.adapter.put('e/f', 'later')
    await share([a, b])
    assert.deepEqual(b.adapter.picture(), a.adapter.picture())
  })
})

describe('rules about drift', () => {
  const invalid = { code: 'config-invalid' }

  test('the last that matches decides; what nothing is said about is reported', () => {
    const rules = new DriftRules(['restore styles/**', 'adopt /styles/own/*', '  report  styles/x.sld '])
    assert.equal(rules.policyOf('styles'), 'restore')
    assert.equal(rules.policyOf('styles/a/b.sld'), 'restore')
    assert.equal(rules.policyOf('styles/own/b.sld'), 'adopt')
    assert.equal(rules.policyOf('styles/own/deep/b.sld'), 'restore')
    assert.equal(rules.policyOf('styles/x.sld'), 'report')
    assert.equal(rules.policyOf('www/index.html'), 'report')
  })

  test('what cannot be understood is refused, and limits hold', () => {
    for (const line of ['undo x', 'restore', 'restore ', 'adopt {a,b}'])
      assert.throws(() => new DriftRules([line]), invalid)
    assert.ok(new DriftRules(Array.from({ length: MAX_DRIFT_RULES }, () => 'report x')))
    assert.throws(() => new DriftRules(Array.from({ length: MAX_DRIFT_RULES + 1 }, () => 'report x')), invalid)
    const longest = `report ${'x'.repeat(MAX_DRIFT_RULE_CHARS - 7)}`
    assert.ok(new DriftRules([longest]))
    assert.throws(() => new DriftRules([`${longest}x`]), invalid)
    assert.ok(new DriftRules([`report ${'*x'.repeat(MAX_DRIFT_RULE_WILDCARDS)}`]))
    assert.throws(() => new DriftRules([`report ${'*x'.repeat(MAX_DRIFT_RULE_WILDCARDS + 1)}`]), invalid)
  })
})
