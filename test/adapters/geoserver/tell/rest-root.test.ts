/** How a tile layer's document is called in its file and over REST. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asOverRest, TILE_LAYER_ROOT } from '../../../../src/adapters/geoserver/tell/rest-root.js'

const over = (text: string): string => asOverRest(Buffer.from(text), TILE_LAYER_ROOT)

test('the root alone is called otherwise', () => {
  assert.equal(
    over(
      '<?xml version="1.0"?>\n<GeoServerTileLayer>\n  <!--</GeoServerTileLayer>--><name>GeoServerTileLayer ü</name>\n</GeoServerTileLayer >\n'
    ),
    '<?xml version="1.0"?>\n<GeoServerLayer>\n  <!--</GeoServerTileLayer>--><name>GeoServerTileLayer ü</name>\n</GeoServerLayer >\n'
  )
  assert.equal(over('<GeoServerTileLayer version="1"/>'), '<GeoServerLayer version="1"/>')
})

test('a document with another root is sent as it is', () => {
  for (const text of ['', '<GeoServerTileLayers/>', '<wmsLayer/>']) assert.equal(over(text), text)
})
