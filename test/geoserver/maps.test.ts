/** Maps and tiles: what would be drawn. The numbers are those of REAL-SYSTEMS.md. */
import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { describe, test } from 'node:test'
import { SLD, smallTree, worldOf, type Tree } from './world.js'

describe('a map', () => {
  test('says with which style, graphics and templates it is drawn', async (t) => {
    const world = await worldOf(t)
    const [drawn] = await world.drawn('coast:contours')
    assert.deepEqual([drawn!.layer, drawn!.style], ['coast:contours', 'line'])
    assert.deepEqual(Object.keys(drawn!.graphics), ['symbols/buoy.svg'])
    assert.deepEqual(Object.keys(drawn!.templates), ['content'])
    assert.match(drawn!.body, /^[0-9a-f]{64}$/)
    const inWorkspace = await world.call('GET', '/coast/wms?REQUEST=GetMap&LAYERS=contours')
    assert.match(inWorkspace.text, /"layer":"coast:contours"/)
    assert.match((await world.call('GET', '/wms?request=GetCapabilities')).text, /<Name>coast:contours<\/Name>/)
  })

  test('shows the style that is asked for', async (t) => {
    const tree = smallTree()
    for (const folder of ['styles', 'workspaces/coast/styles']) {
      tree[`${folder}/dots.xml`] = `<style><id>${folder}</id><name>dots</name><filename>dots.sld</filename></style>`
      tree[`${folder}/dots.sld`] = `<StyledLayerDescriptor>${folder}</StyledLayerDescriptor>`
    }
    const world = await worldOf(t, tree)
    const styleOf = async (style: string): Promise<string> =>
      /"style":"([^"]*)"/.exec((await world.map('coast:contours', style)).text)![1]!
    assert.deepEqual(
      [await styleOf('dots'), await styleOf('coast:dots'), await styleOf('line')],
      ['coast:dots', 'coast:dots', 'line']
    )
    assert.match((await world.map('coast:contours', 'none')).text, /StyleNotDefined/)
  })

  test('that cannot be drawn says why, and is counted', async (t) => {
    const world = await worldOf(t)
    assert.match((await world.map('coast:none')).text, /code="LayerNotDefined"/)
    const failing = async (content: string | undefined): Promise<string> => {
      if (content === undefined) await rm(world.at('styles/line.sld'))
      else await world.write('styles/line.sld', content)
      await world.call('POST', '/rest/reset')
      const { status, text } = await world.map('coast:contours')
      assert.equal(status, 500)
      return text
    }
    assert.match(await failing(''), /the document ends before its root element does/)
    assert.match(await failing(SLD.slice(0, 60)), /not well formed/)
    assert.match(await failing(undefined), /No such resource: styles\/line.sld/)
    const { maps, failedMaps } = world.standIn.report().counts
    assert.deepEqual([maps, failedMaps], [4, 4])
  })

  test('is drawn without a graphic that is not there, and says so', async (t) => {
    const world = await worldOf(t)
    await rm(world.at('styles/symbols/buoy.svg'))
    assert.deepEqual((await world.drawn('coast:contours'))[0]!.graphics, { 'symbols/buoy.svg': null })
  })

  test('of a group shows its members in order, a hole being the default style', async (t) => {
    const tree = smallTree()
    const inner = tree['workspaces/coast/layergroups/all.xml']!
    tree['workspaces/coast/layergroups/outer.xml'] =
      '<layerGroup><id>Gr-2</id><name>outer</name><publishables><published type="layer"><id>La-1</id></published><published type="layerGroup"><id>Gr-1</id></published></publishables><styles><style><id>Style-2</id></style><style/></styles></layerGroup>'
    tree['styles/dots.xml'] = '<style><id>Style-2</id><name>dots</name><filename>line.sld</filename></style>'
    const world = await worldOf(t, tree)
    // 2.2: order matters, empty <style/> = default, so a list with holes
    const drawn = await world.drawn('coast:outer')
    assert.deepEqual(
      drawn.map(({ style }) => style),
      ['dots', 'line']
    )
    await world.write('workspaces/coast/layergroups/all.xml', inner.replace('La-1', 'La-2'))
    await world.call('POST', '/rest/reload')
    assert.match((await world.map('coast:outer')).text, /NullPointerException/)
  })
})

describe('a tile', () => {
  const TILE = '/gwc/service/wms?layers=coast:contours'
  const restyle = (tree: Tree): string => tree['styles/line.sld']!.replace('buoy', 'light')

  test('stays as it was made until the tiles of its layer are dropped', async (t) => {
    const world = await worldOf(t)
    const before = (await world.call('GET', TILE)).text
    const type = { 'content-type': 'application/vnd.ogc.sld+xml' }
    await world.call('PUT', '/rest/styles/line?raw=true', restyle(smallTree()), type)
    assert.equal((await world.call('GET', TILE)).text, before)
    // 2.6: masstruncate drops the layer's tiles on this node; needed on every node after a style change
    const body = '<truncateLayer><layerName>coast:contours</layerName></truncateLayer>'
    assert.equal((await world.call('POST', '/gwc/rest/masstruncate', body, { 'content-type': 'text/xml' })).status, 200)
    assert.notEqual((await world.call('GET', TILE)).text, before)
    assert.deepEqual(world.standIn.report().truncated, ['coast:contours'])
    assert.equal((await world.call('GET', '/gwc/service/wms?layers=none')).status, 400)
  })

  test('cannot be made of a map that cannot be drawn', async (t) => {
    const world = await worldOf(t)
    await rm(world.at('styles/line.sld'))
    assert.equal((await world.call('GET', TILE)).status, 500)
  })

  test('layer is read, written, made and removed', async (t) => {
    const world = await worldOf(t)
    const at = '/gwc/rest/layers/coast:contours.xml'
    const doc = (await world.call('GET', at)).text
    // measured: over REST its root is called otherwise than in its file, and only that is understood
    assert.match(doc, /<GeoServerLayer>/)
    // 2.6: on 2.26 PUT writes the gwc-layers file
    await world.call('PUT', at, doc.replace('<enabled>true', '<enabled>false'))
    assert.match(await world.text('gwc-layers/La-1.xml'), /<GeoServerTileLayer>[^]*<enabled>false/)
    const asInFile = await world.call('PUT', at, await world.text('gwc-layers/La-1.xml'))
    assert.deepEqual(asInFile, { status: 500, text: 'GeoServerTileLayer' })
    assert.equal((await world.call('PUT', at, doc.replace('La-1', 'La-9'))).status, 400)
    assert.equal((await world.call('PUT', at, doc.replace('coast:contours', 'coast:all'))).status, 400)
    assert.equal((await world.call('DELETE', at)).status, 200)
    assert.equal(world.has('gwc-layers/La-1.xml'), false)
    assert.equal((await world.call('GET', at)).status, 404)
    await world.call('PUT', '/gwc/rest/layers/coast:all', '<GeoServerLayer><name>coast:all</name></GeoServerLayer>')
    assert.match(await world.text('gwc-layers/Gr-1.xml'), /<name>coast:all</)
    assert.match((await world.call('GET', '/gwc/rest/layers')).text, /<name>coast:all</)
    const none = '<GeoServerLayer><name>none</name></GeoServerLayer>'
    assert.equal((await world.call('PUT', '/gwc/rest/layers/none', none)).status, 400)
    assert.equal((await world.call('DELETE', '/gwc/rest/layers/none')).status, 404)
  })

  test('layers are read anew when that is asked for, and the answer is a page', async (t) => {
    const world = await worldOf(t)
    await world.write('gwc-layers/Gr-1.xml', '<GeoServerTileLayer><name>coast:all</name></GeoServerTileLayer>')
    assert.equal((await world.call('POST', '/gwc/rest/reload', '')).status, 400)
    // 2.6: reload_configuration=1; answers HTML
    const answer = await world.call('POST', '/gwc/rest/reload', 'reload_configuration=1')
    assert.match(answer.text, /^<html>/)
    assert.deepEqual(world.standIn.server.tiles.names, ['coast:all', 'coast:contours'])
    assert.equal(world.standIn.report().counts.tileReloads, 1)
  })
})
