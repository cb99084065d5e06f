import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Classifier } from '../../../src/adapters/geoserver/classify.js'
import { groupDepths, mayGoTogether, ordered, rankOf } from '../../../src/adapters/geoserver/order.js'
import type { ApplyItem } from '../../../src/adapters/contract.js'

const classifier = new Classifier()
const body = { hash: 'ab'.repeat(32), size: 1 }
const file = (path: string) => ({ path, kind: 'file' as const, body, exec: false, inode: '1:1' })
const dir = (path: string) => ({ path, kind: 'dir' as const, inode: '1:2' })
const write = (path: string): ApplyItem => ({ do: 'write', path, body, exec: false, expect: null })
const remove = (path: string): ApplyItem => ({ do: 'remove', path, expect: file(path) })
const removeDir = (path: string): ApplyItem => ({ do: 'remove', path, expect: dir(path) })
const mkdir = (path: string): ApplyItem => ({ do: 'mkdir', path, expect: null })

function sorted(...items: ApplyItem[]): string[] {
  const set = items.map((item) => ({ item, rank: rankOf(classifier.classify(item.path)) }))
  return ordered(set).map(({ item }) => `${item.do} ${item.path}`)
}

const WRITTEN = [
  'styles/symbols/buoy.svg',
  'styles/line.sld',
  'styles/line.xml',
  'workspaces/w/workspace.xml',
  'workspaces/w/styles/own.xml',
  'workspaces/w/s/datastore.xml',
  'workspaces/w/s/l/featuretype.xml',
  'workspaces/w/s/l/layer.xml',
  'layergroups/g.xml',
  'workspaces/w/settings.xml',
  'gwc-layers/L.xml',
  'workspaces/default.xml',
  'global.xml'
]

describe('the order of a set', () => {
  test('writes what is referred to before what refers, and removes in reverse', () => {
    const writes = WRITTEN.map(write)
    assert.deepEqual(
      sorted(...writes.toReversed()),
      WRITTEN.map((path) => `write ${path}`)
    )
    assert.deepEqual(
      sorted(...WRITTEN.map(remove)),
      WRITTEN.toReversed().map((path) => `remove ${path}`)
    )
  })

  test('makes directories first, and removes only when all that takes its place is written', () => {
    assert.deepEqual(
      sorted(
        remove('styles/old.xml'),
        removeDir('www/x'),
        removeDir('www'),
        mkdir('workspaces/w'),
        write('workspaces/w/workspace.xml'),
        write('styles/new.xml')
      ),
      [
        'mkdir workspaces/w',
        'write styles/new.xml',
        'write workspaces/w/workspace.xml',
        'remove styles/old.xml',
        'remove www/x',
        'remove www'
      ]
    )
  })

  test('keeps the order given where a removal makes room, or a directory moves', () => {
    const kept = (...items: ApplyItem[]): void =>
      assert.deepEqual(
        sorted(...items),
        items.map((item) => `${item.do} ${item.path}`)
      )
    kept(remove('a'), mkdir('a'), write('a/b'))
    kept(remove('a'), write('a/b'))
    kept(remove('a/b'), removeDir('a'), write('a'))
    kept(remove('a/b'), write('a'))
    kept(remove('styles/line.xml'), { do: 'move', from: 'x', path: 'y', expect: dir('x') }, write('styles/new.xml'))
    assert.deepEqual(
      sorted(
        remove('styles/a.xml'),
        remove('workspaces/w/s/l/layer.xml'),
        remove('x'),
        mkdir('x'),
        write('global.xml'),
        write('styles/b.xml')
      ),
      [
        'remove workspaces/w/s/l/layer.xml',
        'remove styles/a.xml',
        'remove x',
        'mkdir x',
        'write styles/b.xml',
        'write global.xml'
      ]
    )
  })

  test('lets only files of one rank go together, and no two layer groups', () => {
    const together = (a: string, b: string): boolean => mayGoTogether(classifier.classify(a), classifier.classify(b))
    assert.ok(together('styles/a.xml', 'styles/b.xml') && together('www/a', 'data/b'))
    assert.ok(!together('styles/a.sld', 'styles/a.xml') && !together('styles/a.xml', 'workspaces/w/styles/a.xml'))
    assert.ok(!together('layergroups/a.xml', 'layergroups/b.xml'))
  })

  test('puts a layer group behind those it shows, and one that shows itself anywhere', () => {
    const depths = groupDepths(
      new Map([
        ['outer', ['middle', 'L1']],
        ['middle', ['inner']],
        ['inner', ['L2']],
        ['self', ['self']],
        ['a', ['b']],
        ['b', ['a']]
      ])
    )
    assert.deepEqual([depths.get('inner'), depths.get('middle'), depths.get('outer')], [0, 1, 2])
    assert.equal(depths.size, 6)
  })

  test('of a chain of ten thousand groups is found without a fault', () => {
    const chain = new Map(Array.from({ length: 10_000 }, (_, at) => [`g${at}`, [`g${at + 1}`]] as const))
    assert.equal(groupDepths(chain).get('g0'), 9_999)
  })
})
