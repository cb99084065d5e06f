/** What loads and what does not. The numbers are those of REAL-SYSTEMS.md. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { smallTree, worldOf } from './world.js'

const LAYER = '/rest/layers/coast:contours'
const STORE = '/rest/workspaces/coast/datastores/depth'

describe('a directory is loaded', () => {
  test('with everything that fits, and says nothing', async (t) => {
    const world = await worldOf(t)
    // 2.4: styles; workspace and namespace, store, resource and layer; groups
    assert.equal(world.standIn.server.catalog.size, 7)
    assert.deepEqual(world.standIn.report().log, ['INFO started with 7 objects'])
  })

  test('without a workspace of which one of the two files is missing', async (t) => {
    const { 'workspaces/coast/namespace.xml': _, ...tree } = smallTree()
    const world = await worldOf(t, tree)
    // 2.1: both or the workspace is ignored (SEVERE)
    assert.equal((await world.call('GET', '/rest/workspaces/coast')).status, 404)
    assert.match(world.standIn.report().log[0]!, /^SEVERE Ignoring workspace directory workspaces\/coast/)
  })

  test('without a feature type that has no layer, and without a layer that has no feature type', async (t) => {
    for (const missing of ['layer', 'featuretype']) {
      const tree = smallTree()
      delete tree[`workspaces/coast/depth/contours/${missing}.xml`]
      const world = await worldOf(t, tree)
      // 2.4: ignored, WARN "Ignoring feature type directory"
      assert.equal((await world.call('GET', LAYER)).status, 404)
      assert.equal((await world.call('GET', STORE)).status, 200)
      assert.match(world.standIn.report().log[0]!, /^WARN Ignoring feature type directory/)
    }
  })

  test('without the one object whose file is truncated', async (t) => {
    const tree = smallTree()
    const file = 'workspaces/coast/depth/contours/featuretype.xml'
    tree[file] = tree[file]!.slice(0, 80)
    const world = await worldOf(t, tree)
    // 2.4: "Failed to load resource", others unaffected
    assert.equal((await world.call('GET', LAYER)).status, 404)
    assert.equal((await world.call('GET', STORE)).status, 200)
    assert.match(world.standIn.report().log[0]!, /^WARN Failed to load resource/)
  })

  test('without the stores and layers of a workspace whose id was replaced', async (t) => {
    const world = await worldOf(t)
    // 1.6: all stores of that workspace fail to load and its layers are gone; reload still answers 200
    await world.change('workspaces/coast/workspace.xml', 'Ws-1', 'Ws-2')
    assert.equal((await world.call('POST', '/rest/reload')).status, 200)
    assert.equal((await world.call('GET', '/rest/workspaces/coast')).status, 200)
    assert.equal((await world.call('GET', STORE)).status, 404)
    assert.equal((await world.call('GET', LAYER)).status, 404)
    assert.equal(world.standIn.report().log.at(-2), "WARN Failed to load data store 'depth'")
  })

  test('without the layers of a namespace whose id was replaced', async (t) => {
    const world = await worldOf(t)
    // 1.6: in namespace.xml: all its layers
    await world.change('workspaces/coast/namespace.xml', 'Ns-1', 'Ns-2')
    assert.equal((await world.call('POST', '/rest/reload')).status, 200)
    assert.equal((await world.call('GET', STORE)).status, 200)
    assert.equal((await world.call('GET', LAYER)).status, 404)
  })

  test('with a layer whose style has another id, which then answers 500 and is not drawn', async (t) => {
    const world = await worldOf(t)
    // 1.6 and 2.4: 500 "Unable to marshal reference with no id or name" until repaired
    await world.change('styles/line.xml', 'Style-1', 'Style-2')
    await world.call('POST', '/rest/reload')
    const answer = await world.call('GET', LAYER)
    assert.deepEqual(answer, { status: 500, text: 'Unable to marshal reference with no id or name' })
    assert.match((await world.map('coast:contours')).text, /StyleNotDefined/)
    assert.match(world.standIn.report().log.at(-1)!, /^WARN layer contours refers to something that is not there/)
    await world.change('styles/line.xml', 'Style-2', 'Style-1')
    await world.call('POST', '/rest/reload')
    assert.equal((await world.call('GET', LAYER)).status, 200)
  })

  test('with both of two objects that have one id', async (t) => {
    const tree = smallTree()
    tree['workspaces/coast/styles/line.xml'] = tree['styles/line.xml']!
    const world = await worldOf(t, tree)
    // 2.2: 8 duplicate ids (a style both global and in a workspace)
    assert.equal((await world.call('GET', '/rest/styles/line')).status, 200)
    assert.equal((await world.call('GET', '/rest/workspaces/coast/styles/line')).status, 200)
  })

  test('with the layers of two workspaces that have one name', async (t) => {
    const tree = smallTree()
    for (const [path, text] of Object.entries(smallTree()))
      if (path.startsWith('workspaces/coast/'))
        tree[path.replace('coast', 'sea')] = text.replaceAll('coast', 'sea').replaceAll(/(\w+)-1</g, '$1-2<')
    tree['workspaces/sea/depth/contours/layer.xml'] = tree['workspaces/sea/depth/contours/layer.xml']!.replace(
      'Style-2',
      'Style-1'
    )
    const world = await worldOf(t, tree)
    assert.equal((await world.drawn('coast:contours'))[0]!.layer, 'coast:contours')
    assert.equal((await world.drawn('sea:contours'))[0]!.layer, 'sea:contours')
  })

  test('with a style of a workspace that comes later', async (t) => {
    const tree = smallTree()
    delete tree['styles/line.xml']
    tree['workspaces/sea/workspace.xml'] = '<workspace><id>Ws-2</id><name>sea</name></workspace>'
    tree['workspaces/sea/namespace.xml'] = '<namespace><id>Ns-2</id><prefix>sea</prefix></namespace>'
    tree['workspaces/sea/styles/line.xml'] = smallTree()['styles/line.xml']!
    tree['workspaces/sea/styles/line.sld'] = '<StyledLayerDescriptor/>'
    const world = await worldOf(t, tree)
    // 2.2: aodn has 0 dangling references, three of which point at a later workspace
    assert.deepEqual(world.standIn.report().log, ['INFO started with 9 objects'])
    assert.equal((await world.drawn('coast:contours'))[0]!.style, 'sea:line')
  })

  test('and an empty one boots, but lets nobody use REST', async (t) => {
    const world = await worldOf(t, {})
    // 1.1: an EMPTY data directory boots, but without an admin role: REST answers 403
    assert.equal((await world.call('GET', '/rest/workspaces')).status, 403)
    await world.write('security/role/default/roles.xml', '<role id="ADMIN"/>', 4_000_000_000)
    await world.standIn.server.notice()
    // 1.10: users.xml/roles.xml (checkInterval 10,000 ms)
    assert.equal((await world.call('GET', '/rest/workspaces')).status, 200)
  })

  test('and global.xml that is broken is replaced by what GeoServer begins with', async (t) => {
    const world = await worldOf(t, { ...smallTree(), 'global.xml': '<global><settings>' })
    assert.match(world.standIn.report().log[0]!, /^SEVERE Failed to load global.xml/)
    assert.equal(world.standIn.server.global.charset, 'UTF-8')
  })
})
