/** What GeoServer writes in the wake of being told is looked at later. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { WatchHint } from '../../../src/adapters/contract.js'
import { Classifier } from '../../../src/adapters/geoserver/classify.js'
import { Inventory } from '../../../src/adapters/geoserver/inventory.js'
import { readFacts } from '../../../src/adapters/geoserver/objects.js'
import { Wake, WAKE_MS } from '../../../src/adapters/geoserver/wake.js'
import { smallTree } from '../../geoserver/world.js'
import { HandClock } from '../../net/hand-clock.js'

const LAYER = 'workspaces/coast/depth/contours/layer.xml'
const FEATURE = 'workspaces/coast/depth/contours/featuretype.xml'
const TILES = 'gwc-layers/La-1.xml'

function rig(): { clock: HandClock; wake: Wake; hear: (...paths: string[]) => void; heard: WatchHint[] } {
  const clock = new HandClock()
  const classifier = new Classifier()
  const inventory = new Inventory()
  for (const [path, text] of Object.entries(smallTree()))
    inventory.set(readFacts(path, classifier.classify(path), Buffer.from(text)))
  const wake = new Wake(clock, inventory)
  const heard: WatchHint[] = []
  return { clock, wake, heard, hear: (...paths) => wake.pass({ paths }, (hint) => heard.push(hint)) }
}

for (const told of [LAYER, FEATURE])
  test(`after ${told} was told its tile layer is looked at later, and everything else at once`, async () => {
    const { clock, wake, hear, heard } = rig()
    wake.telling(told)
    hear(TILES, LAYER)
    assert.deepEqual(heard, [{ paths: [LAYER] }])
    await clock.pass(WAKE_MS - 1)
    assert.equal(heard.length, 1)
    await clock.pass(1)
    assert.deepEqual(heard.slice(1), [{ paths: [TILES] }])
    hear(TILES)
    assert.deepEqual(heard.slice(2), [{ paths: [TILES] }])
  })

test('a tile layer whose layer was not told is looked at at once, and so is everything when all is to be', () => {
  const { wake, hear, heard } = rig()
  for (const path of ['styles/line.xml', 'workspaces/coast/depth/datastore.xml', 'never.xml']) wake.telling(path)
  hear(TILES)
  wake.telling(LAYER)
  wake.pass({ all: true }, (hint) => heard.push(hint))
  assert.deepEqual(heard, [{ paths: [TILES] }, { all: true }])
})

test('a group has a tile layer, too', () => {
  const { wake, hear, heard } = rig()
  wake.telling('workspaces/coast/layergroups/all.xml')
  hear('gwc-layers/Gr-1.xml')
  assert.deepEqual(heard, [])
})

test('nothing comes after it has ended', async () => {
  const { clock, wake, hear, heard } = rig()
  wake.telling(LAYER)
  hear(TILES)
  wake.stop()
  await clock.pass(WAKE_MS)
  assert.deepEqual(heard, [])
})
