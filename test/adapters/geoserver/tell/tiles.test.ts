/** Tile layers and tiles, told to the stand-in for GeoServer. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { NOTICED_MS, QUIET_MS } from '../../../../src/adapters/geoserver/tell/pace.js'
import { calls, LAYER, rig, STYLE_BODY, TILE_LAYER } from './rig.js'

test('a tile layer is told under the name that it has over REST', async (t) => {
  const made = await rig(t)
  const changed = (await made.world.text(TILE_LAYER)).replace('</name>', '</name>\n  <gutter>17</gutter>')
  await made.write({ [TILE_LAYER]: changed })
  await made.settled()
  assert.match((await made.world.call('GET', '/gwc/rest/layers/coast:contours.xml')).text, /<gutter>17/)
  assert.match(await made.world.text(TILE_LAYER), /^<GeoServerTileLayer>[^]*<gutter>17/)
})

test('a tile layer that changed with its layer stays as it is: GeoServer saves it with the layer', async (t) => {
  const made = await rig(t)
  const tiles = (await made.world.text(TILE_LAYER)).replace('</name>', '</name>\n  <gutter>17</gutter>')
  const layer = (await made.world.text(LAYER)).replace('<type>', '<path>/sea</path>\n  <type>')
  await made.write({ [TILE_LAYER]: tiles, [LAYER]: layer })
  await made.settled()
  assert.match(await made.world.text(TILE_LAYER), /<gutter>17/)
  assert.match(await made.world.text(LAYER), /sea/)
  assert.match((await made.world.call('GET', '/gwc/rest/layers/coast:contours.xml')).text, /<gutter>17/)
})

describe('rule 7: tiles are dropped when the new look is drawn', () => {
  test('after GeoServer has noticed the body of a style, with no other call', async (t) => {
    const made = await rig(t)
    await made.write({ [STYLE_BODY]: '<StyledLayerDescriptor version="1.1.0"/>' })
    await made.clock.pass(QUIET_MS)
    await made.settled()
    assert.deepEqual(made.world.standIn.report().truncated, [])
    assert.ok(made.rows.rows.size > 0, 'they are owed over a restart')
    await made.clock.pass(NOTICED_MS)
    await made.settled(() => made.rows.rows.size === 0)
    assert.ok(made.world.standIn.report().truncated.includes('coast:contours'))
    assert.deepEqual(
      calls(made).filter((call) => !call.includes('masstruncate')),
      []
    )
  })
})
