/** The rules above `Closure`, over inventories of small trees. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { ApplyItem } from '../../../src/adapters/contract.js'
import { Classifier } from '../../../src/adapters/geoserver/classify.js'
import { Closure, type Candidate, type ClosureDeps } from '../../../src/adapters/geoserver/closure.js'
import { keyOf, type Need } from '../../../src/adapters/geoserver/needs.js'
import { readFacts } from '../../../src/adapters/geoserver/objects.js'
import { bodyRefOf } from '../../../src/wire/index.js'
import { inventoryOf, smallTree, type Tree } from './tree.js'

const LAYER = 'workspaces/coast/depth/contours/layer.xml'
const RESOURCE = 'workspaces/coast/depth/contours/featuretype.xml'
const STORE = 'workspaces/coast/depth/datastore.xml'
const GROUP = 'workspaces/coast/layergroups/all.xml'
const STYLE = 'styles/line.xml'
const classifier = new Classifier()

function factsAt(path: string, text: string): Candidate['brings'][number] {
  return readFacts(path, classifier.classify(path), Buffer.from(text))
}

function write(path: string, text: string): Candidate {
  const body = bodyRefOf(Buffer.from(text))
  const item: ApplyItem = { do: 'write', path, body, exec: false, expect: null }
  return { item, brings: [factsAt(path, text)], clears: [path] }
}

function remove(path: string, kind: 'file' | 'dir' = 'file'): Candidate {
  const body = bodyRefOf(Buffer.from(''))
  const expect = kind === 'dir' ? { path, kind, inode: '1' } : { path, kind, body, exec: false, inode: '1' }
  return { item: { do: 'remove', path, expect }, brings: [], clears: kind === 'dir' ? [] : [path] }
}

function make(path: string): Candidate {
  return { item: { do: 'mkdir', path, expect: null }, brings: [], clears: [] }
}

function closureOf(tree: Tree, set: readonly Candidate[], deps: Partial<ClosureDeps> = {}): Closure {
  return new Closure(set, {
    inventory: inventoryOf(tree),
    coming: () => undefined,
    changes: () => false,
    more: false,
    waitMs: () => undefined,
    ...deps
  })
}

/** `path: state, what it waits for`. */
function waiting(closure: Closure): string[] {
  return [...closure.waiting]
    .map(([{ path }, { state, for: words }]) => `${path}: ${state}, ${words.join(', ')}`)
    .toSorted()
}

function without(tree: Tree, ...paths: string[]): Tree {
  return Object.fromEntries(Object.entries(tree).filter(([path]) => !paths.includes(path)))
}

describe('the closure of a set', () => {
  const tree = smallTree()

  test('a set that brings all it refers to waits for nothing, in whatever order it is given (1)', () => {
    const all = Object.entries(tree).map(([path, text]) => write(path, text))
    for (const set of [all, all.toReversed()]) assert.deepEqual(waiting(closureOf({}, set)), [])
  })

  test('what refers to something missing waits, and so does what refers to that (1, 4)', () => {
    const set = [LAYER, RESOURCE, GROUP, 'gwc-layers/La-1.xml'].map((path) => write(path, tree[path]!))
    const there = without(tree, STORE, ...set.map(({ item }) => item.path))
    const coming = (need: Need): string | undefined => (keyOf(need) === 'id Ds-1' ? STORE : undefined)
    assert.deepEqual(waiting(closureOf(there, set, { coming })), [
      `gwc-layers/La-1.xml: coming, tile layer La-1 of ${LAYER}`,
      `${RESOURCE}: coming, store Ds-1 of ${STORE}`,
      `${LAYER}: coming, resource Ft-1 of ${RESOURCE}`,
      `${GROUP}: coming, published La-1 of ${LAYER}`
    ])
  })

  test('a style waits for its body, and its body for a graphic that is coming but for none that is nowhere (1, 4, 5)', () => {
    const sld = '<StyledLayerDescriptor><OnlineResource xlink:href="symbols/buoy.svg"/></StyledLayerDescriptor>'
    const set = [write('styles/line.sld', sld), write(STYLE, tree[STYLE]!)]
    const there = without(tree, 'styles/line.sld', STYLE, LAYER, GROUP, 'gwc-layers/La-1.xml')
    const coming = (need: Need): string | undefined =>
      need.by === 'path' && need.path === 'styles/symbols/buoy.svg' ? need.path : undefined
    assert.deepEqual(waiting(closureOf(there, set, { coming })), [
      'styles/line.sld: coming, styles/symbols/buoy.svg',
      'styles/line.xml: coming, styles/line.sld'
    ])
    assert.deepEqual(waiting(closureOf(there, set)), [])
  })

  test('what is still referred to does not go until that changes, and goes with it (2)', () => {
    const changed = write(LAYER, tree[LAYER]!.replace('Style-1', 'Style-2'))
    const other = write('styles/dot.xml', tree[STYLE]!.replace('Style-1', 'Style-2').replace('>line<', '>dot<'))
    const gone = remove(STYLE)
    assert.deepEqual(waiting(closureOf(tree, [gone, changed, other])), [])
    const changes = (path: string): boolean => path === LAYER
    assert.deepEqual(waiting(closureOf(tree, [gone], { changes })), [`${STYLE}: coming, a change of ${LAYER}`])
    // the change of the layer waits for its new style, and so the old one stays
    const coming = (need: Need): string | undefined => (keyOf(need) === 'id Style-2' ? 'styles/dot.xml' : undefined)
    assert.deepEqual(waiting(closureOf(tree, [gone, changed], { coming })), [
      `${STYLE}: coming, a change of ${LAYER}`,
      `${LAYER}: coming, default style Style-2 of styles/dot.xml`
    ])
  })

  test('an object gets another id together with all that refer to it, or not yet (2)', () => {
    const renamed = write(STYLE, tree[STYLE]!.replace('Style-1', 'Style-2'))
    const follows = write(LAYER, tree[LAYER]!.replace('Style-1', 'Style-2'))
    assert.deepEqual(waiting(closureOf(tree, [renamed, follows])), [])
    assert.deepEqual(waiting(closureOf(tree, [renamed], { changes: (path) => path === LAYER })), [
      `${STYLE}: coming, a change of ${LAYER}`
    ])
  })

  test('a body or a graphic that is still drawn with does not go, unless nobody is about to change that (2, 5)', () => {
    const sld = '<StyledLayerDescriptor><OnlineResource xlink:href="mast.svg"/></StyledLayerDescriptor>'
    const there = { ...tree, 'styles/line.sld': sld, 'styles/mast.svg': '<svg/>' }
    const gone = remove('styles/mast.svg')
    assert.deepEqual(waiting(closureOf(there, [gone])), [])
    assert.deepEqual(waiting(closureOf(there, [gone], { changes: (path) => path === 'styles/line.sld' })), [
      'styles/mast.svg: coming, a change of styles/line.sld'
    ])
    assert.deepEqual(waiting(closureOf(there, [remove('styles/line.sld')])), [
      `styles/line.sld: broken, a change of ${STYLE}`
    ])
  })

  test('a layer goes though its tile layer stays: that is an orphan and breaks nothing (2)', () => {
    const set = [remove(LAYER), remove(RESOURCE), remove(GROUP)]
    assert.deepEqual(waiting(closureOf(tree, set)), [])
  })

  test('what is broken in the directory already holds up nothing, and what it adds does (3)', () => {
    const broken = { ...tree, [LAYER]: tree[LAYER]!.replace('Style-1', 'Style-9') }
    const title = write(LAYER, broken[LAYER]!.replace('</layer>', '<path>/sea</path></layer>'))
    assert.deepEqual(waiting(closureOf(broken, [title])), [])
    const worse = write(LAYER, broken[LAYER]!.replace('Ft-1', 'Ft-9'))
    assert.deepEqual(waiting(closureOf(broken, [worse])), [`${LAYER}: broken, resource Ft-9`])
  })

  test('what is nowhere is passed on when its time is over, and before that the whole waits for the longest time (5)', () => {
    const bad = write(LAYER, tree[LAYER]!.replace('Style-1', 'Style-8').replace('Ft-1', 'Ft-9'))
    const times = (style: number, resource: number): Closure =>
      closureOf(tree, [bad], { waitMs: (_path, need) => (keyOf(need) === 'id Style-8' ? style : resource) })
    assert.deepEqual(waiting(times(0, 0)), [])
    assert.deepEqual(times(10, 20).waiting.get(bad.item), {
      for: ['resource Ft-9', 'default style Style-8'].toSorted().toReversed(),
      state: 'broken',
      againMs: 20
    })
    // nothing is broken while more is to come
    assert.deepEqual(closureOf(tree, [bad], { more: true, waitMs: () => 0 }).waiting.get(bad.item)?.state, 'coming')
  })

  test('what could not be applied takes along what refers to it (1, 2)', () => {
    const set = Object.entries(tree).map(([path, text]) => write(path, text))
    const closure = closureOf({}, set)
    const failed = set.find(({ item }) => item.path === STORE)!.item
    const held = [...closure.without(new Set([failed])).keys()].map(({ path }) => path)
    assert.deepEqual(held.toSorted(), ['gwc-layers/La-1.xml', RESOURCE, LAYER, GROUP].toSorted())
  })

  test('nothing is made where something waits that is still there (6)', () => {
    const set = [
      remove(STYLE),
      make(STYLE),
      write(`${STYLE}/inside.txt`, 'x'),
      remove('styles', 'dir'),
      make('styles2')
    ]
    const held = [...closureOf(tree, set, { changes: (path) => path === LAYER }).waiting.keys()]
    assert.deepEqual(held.map(({ path }) => path).toSorted(), ['styles', STYLE, STYLE, `${STYLE}/inside.txt`])
  })

  test('an object that moves to another file leaves the old one when it has the new one (6)', () => {
    const moved = [remove(STYLE), write('styles/moved.xml', tree[STYLE]!)]
    assert.deepEqual(waiting(closureOf(tree, moved)), [])
    const set = [remove(STYLE), write('styles/moved.xml', tree[STYLE]!.replace('line.sld', 'other.sld'))]
    const coming = (need: Need): string | undefined => (need.by === 'path' ? need.path : undefined)
    assert.deepEqual(waiting(closureOf(without(tree, LAYER, GROUP), set, { coming })), [
      `${STYLE}: coming, styles/other.sld`,
      'styles/moved.xml: coming, styles/other.sld'
    ])
  })

  test('groups that show each other come together', () => {
    const group = (id: string, shows: string): string =>
      `<layerGroup><id>${id}</id><name>${id}</name><publishables><published><id>${shows}</id></published></publishables></layerGroup>`
    const set = [write('layergroups/a.xml', group('Gr-a', 'Gr-b')), write('layergroups/b.xml', group('Gr-b', 'Gr-a'))]
    assert.deepEqual(waiting(closureOf(tree, set)), [])
    assert.equal(closureOf(tree, set.slice(1)).waiting.size, 1)
  })
})
