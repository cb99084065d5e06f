/** What GeoServer writes in the wake of being told is looked at later. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Classifier } from '../../../src/adapters/geoserver/classify.js'
import { Inventory } from '../../../src/adapters/geoserver/inventory.js'
import { readFacts } from '../../../src/adapters/geoserver/objects.js'
import { Wake, WAKE_MS } from '../../../src/adapters/geoserver/wake.js'
import { smallTree } from '../../geoserver/world.js'
import { HandClock } from '../../net/hand-clock.js'

const LAYER = 'workspaces/coast/depth/contours/layer.xml'
const FEATURE = 'workspaces/coast/depth/contours/featuretype.xml'
const TILES = 'gwc-layers/La-1.xml'

function rig(): { clock: HandClock; wake: Wake; over: string[] } {
  const clock = new HandClock()
  const classifier = new Classifier()
  const inventory = new Inventory()
  for (const [path, text] of Object.entries(smallTree()))
    inventory.set(readFacts(path, classifier.classify(path), Buffer.from(text)))
  const over: string[] = []
  const wake = new Wake({ clock, inventory, over: (path) => over.push(path) })
  return { clock, wake, over }
}

for (const told of [LAYER, FEATURE])
  test(`after ${told} was told its tile layer is looked at later, and everything else at once`, async () => {
    const { clock, wake, over } = rig()
    wake.telling(told)
    assert.deepEqual(
      [TILES, LAYER, FEATURE].map((path) => wake.holds(path)),
      [true, false, false]
    )
    await clock.pass(WAKE_MS - 1)
    assert.equal(wake.holds(TILES), true)
    await clock.pass(1)
    assert.equal(wake.holds(TILES), false)
    // nobody saw anything to come back for
    assert.deepEqual(over, [])
  })

test('what was seen is looked at once more when the wake is over, once', async () => {
  const { clock, wake, over } = rig()
  wake.telling(LAYER)
  await clock.pass(3_000)
  wake.later(TILES)
  wake.later(TILES)
  await clock.pass(WAKE_MS - 3_001)
  assert.deepEqual(over, [])
  await clock.pass(1)
  assert.deepEqual(over, [TILES])
  assert.equal(wake.holds(TILES), false)
})

test('a tile layer whose layer was not told is looked at at once', () => {
  const { wake } = rig()
  for (const path of ['styles/line.xml', 'workspaces/coast/depth/datastore.xml', 'never.xml']) wake.telling(path)
  assert.equal(wake.holds(TILES), false)
})

test('a group has a tile layer, too', () => {
  const { wake } = rig()
  wake.telling('workspaces/coast/layergroups/all.xml')
  assert.equal(wake.holds('gwc-layers/Gr-1.xml'), true)
})

test('nothing comes after it has ended', async () => {
  const { clock, wake, over } = rig()
  wake.telling(LAYER)
  wake.later(TILES)
  wake.stop()
  await clock.pass(WAKE_MS)
  assert.deepEqual(over, [])
})
