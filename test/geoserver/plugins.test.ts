/** A GeoServer of another version or without a plugin: it takes everything and draws less. As measured on 2.26.2. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { smallTree, worldOf, type Tree } from './world.js'

const STORE = 'workspaces/coast/depth/datastore.xml'
const FEATURE = 'workspaces/coast/depth/contours/featuretype.xml'
const REST = '/rest/workspaces/coast/datastores/depth'

function mongoTree(): Tree {
  const tree = smallTree()
  return {
    ...tree,
    [STORE]: tree[STORE]!.replace('<workspace>', '<type>MongoDB</type>\n  <enabled>true</enabled>\n  <workspace>')
  }
}

describe('without the plugin of a store', () => {
  test('everything loads and answers, the store is switched off in memory, and its layers are not drawn', async (t) => {
    const world = await worldOf(t, mongoTree(), { lacks: ['mongodb'] })
    assert.match((await world.call('GET', `${REST}.xml`)).text, /<enabled>false/)
    assert.match(await world.text(STORE), /<enabled>true/)
    assert.equal((await world.call('GET', '/rest/layers/coast:contours.xml')).status, 200)
    assert.match((await world.map('coast:contours')).text, /Could not find layer coast:contours/)
    assert.match(world.standIn.report().log.join('\n'), /Error connecting to 'depth'. Disabling./)
  })

  test('the next save of anything in the store writes that it is switched off, and a PUT of its file that it is not', async (t) => {
    const world = await worldOf(t, mongoTree(), { lacks: ['mongodb'] })
    const file = await world.text(STORE)
    assert.equal(
      (await world.call('PUT', `${REST}.xml`, '<dataStore><description>x</description></dataStore>')).status,
      200
    )
    assert.match(await world.text(STORE), /<enabled>false/)
    assert.equal((await world.call('PUT', `${REST}.xml`, file)).status, 200)
    assert.match(await world.text(STORE), /<enabled>true/)
    assert.match((await world.map('coast:contours')).text, /Failed to find the datastore factory for depth/)
  })
})

test('without the plugin of a style its map and its body fail, and all else goes on', async (t) => {
  const tree = smallTree()
  tree['styles/line.xml'] = tree['styles/line.xml']!.replace('<filename>', '<format>css</format>\n  <filename>')
  const world = await worldOf(t, tree, { lacks: ['css'] })
  assert.equal((await world.call('GET', '/rest/styles/line.xml')).status, 200)
  assert.deepEqual(await world.call('GET', '/rest/styles/line.sld'), {
    status: 500,
    text: 'No such style handler: format = css'
  })
  assert.match((await world.map('coast:contours')).text, /No such style handler: format = css/)
})

test('without the plugin of a raster its map says which format it is', async (t) => {
  const tree = smallTree()
  delete tree[STORE]
  delete tree[FEATURE]
  tree[STORE.replace('datastore', 'coveragestore')] =
    '<coverageStore><id>Ds-1</id><name>depth</name><type>NetCDF</type><workspace><id>Ws-1</id></workspace></coverageStore>'
  tree[FEATURE.replace('featuretype', 'coverage')] =
    '<coverage><id>Ft-1</id><name>contours</name><namespace><id>Ns-1</id></namespace><store class="coverageStore"><id>Ds-1</id></store></coverage>'
  const world = await worldOf(t, tree, { lacks: ['netcdf'] })
  assert.match((await world.map('coast:contours')).text, /Could not find the raster plugin for format NetCDF/)
})

test('it says its version and its libraries', async (t) => {
  const world = await worldOf(t, undefined, { version: '2.25.6', lacks: ['css'] })
  assert.match((await world.call('GET', '/rest/about/version.json')).text, /2\.25\.6/)
  const modules = (await world.call('GET', '/rest/about/manifest.xml?manifest=gs-.*')).text
  assert.match(modules, /name="gs-main-2\.25\.6"/)
  assert.doesNotMatch(modules, /gs-css|gt-/)
})

test('another version drops what it does not know and adds what it has a default for, at its next save', async (t) => {
  const tree = smallTree()
  tree[FEATURE] = tree[FEATURE]!.replace(
    '<title>',
    '<metadata>\n    <entry key="a">1</entry>\n    <future>2</future>\n  </metadata>\n  <title>'
  )
  const world = await worldOf(t, tree, { dialect: { drops: ['future'], adds: { padWithZeros: 'false' } } })
  assert.match(await world.text(FEATURE), /<future>2/)
  await world.call('PUT', `${REST}/featuretypes/contours.xml`, await world.text(FEATURE))
  const written = await world.text(FEATURE)
  assert.match(written, /<entry key="a">1/)
  assert.doesNotMatch(written, /future/)
  assert.match(written, /<padWithZeros>false/)
})
