/** The rules of tell/early.ts, cited by letter: what is told while a reload is due. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Classifier } from '../../../../src/adapters/geoserver/classify.js'
import { readFacts, type FileFacts } from '../../../../src/adapters/geoserver/objects.js'
import type { FileChange } from '../../../../src/adapters/geoserver/tell/calls.js'
import { tellableNow } from '../../../../src/adapters/geoserver/tell/early.js'

const classifier = new Classifier()
const facts = (path: string, text: string | null): FileFacts | undefined =>
  text === null ? undefined : readFacts(path, classifier.classify(path), Buffer.from(text))
const ref = (name: string, id: string): string => `<${name}><id>${id}</id></${name}>`
const layer = (id: string, style = 'S1', more = ''): string =>
  `<layer><name>l</name><id>${id}</id>${more}${ref('defaultStyle', style)}${ref('resource', `F-${id}`)}</layer>`
const group = (shown: string): string =>
  `<layerGroup><id>G</id><name>g</name><publishables>${ref('published', shown)}</publishables></layerGroup>`
const tiles = (id: string): string => `<GeoServerTileLayer><id>${id}</id><name>ws:l</name></GeoServerTileLayer>`
const style = (id: string): string => `<style><id>${id}</id><name>s</name><filename>s.sld</filename></style>`

type Change = readonly [path: string, before: string | null, after: string | null]

/** Paths that are told while these others wait for a reload. */
function told(reload: readonly Change[], others: readonly Change[]): string[] {
  const changes = [...reload, ...others].map(([path, before, after]): FileChange => ({
    path,
    before: facts(path, before),
    after: facts(path, after)
  }))
  return tellableNow(changes, new Set(reload.map(([path]) => path))).map(({ path }) => path)
}

const NEW: Change = ['workspaces/ws/st/new/layer.xml', null, layer('New')]
const EDITED: Change = ['workspaces/ws/st/l/layer.xml', layer('L'), layer('L', 'S1', '<path>/sea</path>')]
const GONE: Change = ['workspaces/ws/st/old/layer.xml', layer('Old'), null]
const GROUP = 'workspaces/ws/layergroups/g.xml'

test('what has nothing to do with the reload is told', () =>
  assert.deepEqual(told([NEW], [EDITED, GONE]), [EDITED[0], GONE[0]]))

test('rule b: the tile layer of a new layer waits for it', () =>
  assert.deepEqual(told([NEW], [['gwc-layers/New.xml', null, tiles('New')], EDITED]), [EDITED[0]]))

test('rule b: an object that keeps its id, as one that lost a field, is nothing that comes', () =>
  assert.deepEqual(
    told([[EDITED[0], EDITED[2], EDITED[1]]], [['gwc-layers/L.xml', null, tiles('L')]]),
    ['gwc-layers/L.xml']
  )) // prettier-ignore

test('rule b: what refers to a new layer waits, and to an id replaced in place', () => {
  assert.deepEqual(told([NEW], [[GROUP, group('L'), group('New')]]), [])
  const replaced: Change = ['styles/s.xml', style('S1'), style('S2')]
  assert.deepEqual(told([replaced], [[EDITED[0], layer('L', 'S1'), layer('L', 'S2')]]), [])
})

test('rule c: nothing is removed while something that goes comes elsewhere', () => {
  const moved: Change = ['workspaces/shore/st/l/layer.xml', null, layer('L')]
  assert.deepEqual(told([moved], [[EDITED[0], layer('L'), null], GONE, ['styles/s.xml', style('S1'), style('S1')]]), [
    'styles/s.xml'
  ])
})

test('rule c: nothing is removed to which something that waits has referred so far', () =>
  assert.deepEqual(told([NEW], [[GROUP, group('Old'), group('New')], GONE, EDITED]), [EDITED[0]]))
