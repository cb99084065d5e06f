/** The catalog over REST. The numbers are those of REAL-SYSTEMS.md. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { smallTree, worldOf } from './world.js'

const FEATURE_TYPES = '/rest/workspaces/coast/datastores/depth/featuretypes'
const idIn = (text: string): string => /<id>([^<]*)<\/id>/.exec(text)![1]!

describe('a POST', () => {
  test('keeps the id it is given, except that the partner gets one of its own', async (t) => {
    const world = await worldOf(t)
    // 1.7: POST keeps a given <id>; POST workspace makes a namespace with its own new id, POST namespace a workspace so
    await world.call('POST', '/rest/workspaces', '<workspace><id>Ws-9</id><name>sea</name></workspace>')
    assert.equal(idIn(await world.text('workspaces/sea/workspace.xml')), 'Ws-9')
    assert.match(idIn(await world.text('workspaces/sea/namespace.xml')), /^NamespaceInfoImpl-[0-9a-f]{8}:/)
    const namespace = '<namespace><id>Ns-9</id><prefix>air</prefix><uri>http://air</uri></namespace>'
    await world.call('POST', '/rest/namespaces', namespace)
    assert.equal(idIn(await world.text('workspaces/air/namespace.xml')), 'Ns-9')
    assert.match(idIn(await world.text('workspaces/air/workspace.xml')), /^WorkspaceInfoImpl-[0-9a-f]{8}:/)
    await world.call('POST', FEATURE_TYPES, '<featureType><id>Ft-9</id><name>spots</name></featureType>')
    assert.equal(idIn(await world.text('workspaces/coast/depth/spots/featuretype.xml')), 'Ft-9')
    assert.match(idIn(await world.text('workspaces/coast/depth/spots/layer.xml')), /^LayerInfoImpl-[0-9a-f]{8}:/)
  })

  test('makes ids that no other node makes', async (t) => {
    const [one, two] = [await worldOf(t), await worldOf(t)]
    const ids: string[] = []
    for (const world of [one, two]) {
      await world.call('POST', '/rest/workspaces', '<workspace><name>sea</name></workspace>')
      ids.push(idIn(await world.text('workspaces/sea/workspace.xml')))
    }
    // 1.6: ids are made per node, so two nodes that create the same name get different ids
    assert.notEqual(ids[0], ids[1])
    assert.match(ids[0]!, /^WorkspaceInfoImpl-[0-9a-f]{8}:[0-9a-f]+:-[0-9a-f]{4}$/)
  })

  test('of a layer is not allowed', async (t) => {
    const world = await worldOf(t)
    // 1.7: POST /rest/layers is 405
    assert.equal((await world.call('POST', '/rest/layers', '<layer><name>x</name></layer>')).status, 405)
  })

  test('of a name that is taken, of no name, of no XML and of another kind is refused', async (t) => {
    const world = await worldOf(t)
    const status = async (path: string, body: string): Promise<number> => (await world.call('POST', path, body)).status
    assert.equal(await status('/rest/workspaces', '<workspace><name>coast</name></workspace>'), 409)
    assert.equal(await status('/rest/styles', '<style><name>line</name></style>'), 403)
    assert.equal(await status(FEATURE_TYPES, '<featureType><name>contours</name></featureType>'), 500)
    assert.equal(await status('/rest/workspaces', '<workspace/>'), 400)
    assert.equal(await status('/rest/workspaces', '<workspace>'), 400)
    assert.equal(await status('/rest/workspaces', '<style><name>x</name></style>'), 400)
  })

  test('makes stores and groups of every kind, which a reload finds again', async (t) => {
    const world = await worldOf(t)
    const made: Array<[path: string, root: string]> = [
      ['datastores/a', 'dataStore'],
      ['coveragestores/b', 'coverageStore'],
      ['coveragestores/b/coverages/depths', 'coverage'],
      ['wmsstores/c', 'wmsStore'],
      ['wmsstores/c/wmslayers/rain', 'wmsLayer'],
      ['styles/dots', 'style'],
      ['layergroups/some', 'layerGroup']
    ]
    for (const [path, root] of made) {
      const cut = path.lastIndexOf('/')
      const body = `<${root}><name>${path.slice(cut + 1)}</name></${root}>`
      const answer = await world.call('POST', `/rest/workspaces/coast/${path.slice(0, cut)}`, body)
      assert.deepEqual(answer, { status: 201, text: path.slice(cut + 1) })
    }
    const before = world.standIn.server.catalog.size
    await world.call('POST', '/rest/reload')
    for (const [path] of made) assert.equal((await world.call('GET', `/rest/workspaces/coast/${path}`)).status, 200)
    assert.equal(world.standIn.server.catalog.size, before)
    assert.match(await world.text('workspaces/coast/b/depths/layer.xml'), /RASTER/)
  })
})

describe('a PUT', () => {
  test('never changes an id', async (t) => {
    const world = await worldOf(t)
    // 1.7: PUT never changes an id
    await world.call('PUT', '/rest/styles/line', '<style><id>Style-9</id><name>line</name></style>')
    assert.equal(idIn(await world.text('styles/line.xml')), 'Style-1')
  })

  test('replaces the fields that are sent, whole, and keeps those that are not', async (t) => {
    const tree = smallTree()
    const file = 'workspaces/coast/depth/contours/featuretype.xml'
    tree[file] = tree[file]!.replace('<title>', '<keywords><string>a</string><string>b</string></keywords><title>')
    const world = await worldOf(t, tree)
    const body = '<featureType><keywords><string>c</string></keywords></featureType>'
    await world.call('PUT', `${FEATURE_TYPES}/contours`, body)
    // 2.6: a PUT is a partial update for top-level fields only
    const text = await world.text(file)
    assert.match(text, /<keywords>\s*<string>c<\/string>\s*<\/keywords>\s*<title>Contours<\/title>/)
  })

  test('understands references by name and writes them by id', async (t) => {
    const world = await worldOf(t)
    await world.call(
      'POST',
      '/rest/styles',
      '<style><id>Style-2</id><name>dots</name><filename>d.sld</filename></style>'
    )
    const body = '<layer><defaultStyle><name>dots</name></defaultStyle></layer>'
    await world.call('PUT', '/rest/layers/coast:contours', body)
    assert.match(await world.text('workspaces/coast/depth/contours/layer.xml'), /<id>Style-2<\/id>/)
    const unknown = '<layer><defaultStyle><id>Style-3</id></defaultStyle></layer>'
    assert.equal((await world.call('PUT', '/rest/layers/coast:contours', unknown)).status, 500)
  })

  test('of the default workspace names another one', async (t) => {
    const world = await worldOf(t)
    await world.call('POST', '/rest/workspaces', '<workspace><name>sea</name></workspace>')
    assert.match(await world.text('workspaces/default.xml'), /coast/)
    const put = (name: string): Promise<{ status: number }> =>
      world.call('PUT', '/rest/workspaces/default', `<workspace><name>${name}</name></workspace>`)
    assert.equal((await put('sea')).status, 200)
    assert.match(await world.text('workspaces/default.xml'), /sea/)
    assert.equal(world.standIn.server.catalog.defaultWorkspace, 'sea')
    assert.equal((await put('air')).status, 404)
  })
})

describe('a GET', () => {
  test('answers references by name and no ids', async (t) => {
    const world = await worldOf(t)
    const { text } = await world.call('GET', '/rest/layers/coast:contours.xml')
    assert.match(text, /<defaultStyle>\s*<name>line<\/name>\s*<\/defaultStyle>/)
    assert.match(text, /<name>coast:contours<\/name>/)
    assert.doesNotMatch(text, /<id>/)
  })

  test('answers what can be PUT again, and leads to the same references', async (t) => {
    const world = await worldOf(t)
    for (const [path, file] of [
      ['/rest/layers/coast:contours', 'workspaces/coast/depth/contours/layer.xml'],
      [`${FEATURE_TYPES}/contours`, 'workspaces/coast/depth/contours/featuretype.xml'],
      ['/rest/workspaces/coast/datastores/depth', 'workspaces/coast/depth/datastore.xml'],
      ['/rest/workspaces/coast/layergroups/all', 'workspaces/coast/layergroups/all.xml']
    ] as const) {
      const ids = (text: string): string[] => text.match(/<id>[^<]*<\/id>/g)!
      const before = ids(await world.text(file))
      assert.equal((await world.call('PUT', path, (await world.call('GET', path)).text)).status, 200)
      assert.deepEqual(ids(await world.text(file)), before)
    }
  })

  test('of a collection lists names', async (t) => {
    const world = await worldOf(t)
    assert.match((await world.call('GET', '/rest/layers')).text, /<layers>\s*<layer>\s*<name>coast:contours</)
    assert.match((await world.call('GET', '/rest/workspaces/coast/layers')).text, /<name>contours</)
    assert.match((await world.call('GET', '/rest/workspaces/coast/featuretypes')).text, /<name>contours</)
    assert.equal((await world.call('GET', '/rest/workspaces/sea/layers')).status, 404)
    assert.equal((await world.call('GET', '/rest/workspaces/coast/datastores/x/featuretypes')).status, 404)
  })
})

describe('a DELETE', () => {
  test('of what is not empty needs to be told so', async (t) => {
    const world = await worldOf(t)
    // 2.6: DELETE with ?recurse=true for stores and workspaces
    for (const path of ['/rest/workspaces/coast/datastores/depth', `${FEATURE_TYPES}/contours`]) {
      assert.equal((await world.call('DELETE', path)).status, 403)
      assert.equal(world.has('workspaces/coast/depth/contours/layer.xml'), true)
    }
    assert.equal((await world.call('DELETE', '/rest/layers/coast:contours?recurse=true')).status, 200)
    assert.equal(world.has('workspaces/coast/depth/contours'), false)
    assert.equal(world.has('gwc-layers/La-1.xml'), false)
    assert.equal((await world.call('DELETE', '/rest/workspaces/coast/datastores/depth')).status, 200)
  })

  test('of a layer alone leaves a feature type that the next load ignores', async (t) => {
    const world = await worldOf(t)
    await world.call('DELETE', '/rest/layers/coast:contours')
    assert.equal((await world.call('GET', `${FEATURE_TYPES}/contours`)).status, 200)
    await world.call('POST', '/rest/reload')
    // 2.4: featuretype without layer = ignored
    assert.equal((await world.call('GET', `${FEATURE_TYPES}/contours`)).status, 404)
  })

  test('of the default workspace leaves another one', async (t) => {
    const world = await worldOf(t)
    await world.call('POST', '/rest/workspaces', '<workspace><name>sea</name></workspace>')
    await world.call('DELETE', '/rest/workspaces/coast?recurse=true')
    assert.equal(world.standIn.server.catalog.defaultWorkspace, 'sea')
  })
})
