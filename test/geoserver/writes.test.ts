/** How the stand-in writes: what a watcher must survive. The numbers are those of REAL-SYSTEMS.md. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { plain, worldOf } from './world.js'

const FEATURE_TYPE = '/rest/workspaces/coast/datastores/depth/featuretypes/contours'
const GLOBAL = ['write global.xml.UUID.tmp', 'rename global.xml.UUID.tmp to global.xml']

const saved = (path: string): string[] => [`write ${path}.UUID.tmp`, `rename ${path}.UUID.tmp to ${path}`]
const tileSaved = (path: string): string[] => [
  `write ${path}.tmp.UUID.tmp`,
  `rename ${path}.tmp.UUID.tmp to ${path}.tmp`,
  `rename ${path}.tmp to ${path}`
]

describe('files are written', () => {
  test('empty first when they are new, and then replaced', async (t) => {
    const world = await worldOf(t)
    const seen: string[] = []
    world.onStep = ({ what, path }) => {
      if (what === 'create') seen.push(`${path}: ${readFileSync(world.at(path), 'utf8').length} bytes`)
    }
    await world.call('POST', '/rest/styles', '<style><name>dots</name><filename>dots.sld</filename></style>')
    // 2.5: CREATE empty X.xml, then X.xml.<uuid>.tmp created, written, renamed over X.xml
    assert.deepEqual(seen, ['styles/dots.xml: 0 bytes'])
    assert.deepEqual(world.steps.map(plain), ['create styles/dots.xml', ...saved('styles/dots.xml'), ...GLOBAL])
    assert.match(await world.text('styles/dots.xml'), /<name>dots<\/name>/)
  })

  test('by a rename alone when they are there; a tile layer by two renames', async (t) => {
    const world = await worldOf(t)
    await world.call('PUT', '/rest/layers/coast:contours', '<layer><enabled>true</enabled></layer>')
    // 2.5: existing file: only temp + rename; gwc-layers: L.xml.tmp.<uuid>.tmp -> L.xml.tmp -> L.xml
    // 2.2: a no-op PUT of a layer rewrites layer.xml, its gwc-layers file and global.xml
    assert.deepEqual(world.steps.map(plain), [
      ...saved('workspaces/coast/depth/contours/layer.xml'),
      ...GLOBAL,
      ...tileSaved('gwc-layers/La-1.xml')
    ])
  })

  test('three times global.xml for one new feature type, which brings a layer and a tile layer', async (t) => {
    const world = await worldOf(t)
    const body = '<featureType><name>spots</name></featureType>'
    await world.call('POST', '/rest/workspaces/coast/datastores/depth/featuretypes', body)
    // 2.5: one featuretype POST = featuretype.xml, layer.xml, gwc-layers file, 3 x global.xml
    const renamed = world.steps.filter((step) => step.startsWith('rename')).map((step) => plain(step).split(' to ')[1]!)
    assert.deepEqual(
      renamed.map((path) => path.replace(/LayerInfoImpl-[^.]*/, 'ID')),
      [
        'workspaces/coast/depth/spots/featuretype.xml',
        'global.xml',
        'workspaces/coast/depth/spots/layer.xml',
        'global.xml',
        'gwc-layers/ID.xml.tmp',
        'gwc-layers/ID.xml',
        'global.xml'
      ]
    )
  })

  test('with a counter in global.xml that every change moves', async (t) => {
    const world = await worldOf(t)
    await world.call('POST', '/rest/workspaces', '<workspace><name>sea</name></workspace>')
    // 1.2: +1 per add; one workspace create = 2 rewrites
    assert.equal(world.standIn.report().counts.globalWrites, 2)
    assert.match(await world.text('global.xml'), /<updateSequence>9<\/updateSequence>/)
    await world.call('PUT', FEATURE_TYPE, '<featureType><title>Depths</title></featureType>')
    assert.match(await world.text('global.xml'), /<updateSequence>10<\/updateSequence>/)
  })

  test('from memory, so that a change on the disk that nobody told of is lost', async (t) => {
    const world = await worldOf(t)
    const file = 'workspaces/coast/depth/contours/featuretype.xml'
    await world.change(file, '<title>Contours', '<title>Lines')
    await world.call('PUT', FEATURE_TYPE, '<featureType><abstract>How deep</abstract></featureType>')
    // 1.4: GeoServer wrote its memory back, the title was gone
    assert.match(await world.text(file), /<title>Contours<\/title>[^]*<abstract>How deep<\/abstract>/)
  })

  test('byte for byte as they were sent, when the file itself is sent', async (t) => {
    const world = await worldOf(t)
    for (const [path, file] of [
      [FEATURE_TYPE, 'workspaces/coast/depth/contours/featuretype.xml'],
      ['/rest/layers/coast:contours', 'workspaces/coast/depth/contours/layer.xml']
    ] as const) {
      await world.change(file, 'contours</name>', 'contours</name>\n  <advertised>false</advertised>')
      const bytes = await world.text(file)
      // 1.5: write file, then PUT the same bytes: identical, memory updated
      assert.equal((await world.call('PUT', path, bytes)).status, 200)
      assert.equal(await world.text(file), bytes)
      assert.match((await world.call('GET', path)).text, /<advertised>false/)
    }
  })

  test('with the time of the change, when what was sent has none', async (t) => {
    const world = await worldOf(t)
    await world.call('PUT', '/rest/styles/line', '<style><name>line</name></style>')
    // 2.2: dateModified is changed by GeoServer itself
    assert.match(await world.text('styles/line.xml'), /<dateModified>2023-11-14 22:13:20 UTC<\/dateModified>/)
  })

  test('in the default workspace as a full copy', async (t) => {
    const world = await worldOf(t)
    await world.call('PUT', '/rest/workspaces/coast', '<workspace><isolated>true</isolated></workspace>')
    // 2.1: workspaces/default.xml is a full COPY of the default workspace's workspace.xml
    assert.equal(await world.text('workspaces/default.xml'), await world.text('workspaces/coast/workspace.xml'))
    assert.match(await world.text('workspaces/default.xml'), /isolated/)
  })

  test('and lose what this version does not know', async (t) => {
    const cog = '<metadata><map><entry><string>CogSettings.Key</string><CogSettings/></entry></map></metadata>'
    for (const plugins of [[], ['cog']]) {
      const world = await worldOf(t, undefined, { plugins })
      await world.change('global.xml', '<charset>', `${cog}<charset>`)
      await world.change('global.xml', '</settings>', '</settings><jai><recycling>false</recycling></jai>')
      await world.call('POST', '/rest/reload')
      // 2.2: 2.26.2 without the COG plugin dropped the CogSettings entry and added a jaiext block
      const text = await world.text('global.xml')
      assert.deepEqual([text.includes('CogSettings'), text.includes('<jaiext>')], [plugins.length > 0, true])
    }
  })
})

describe('folders', () => {
  test('of a workspace are removed in the order that was seen, with six rewrites of global.xml', async (t) => {
    const world = await worldOf(t)
    await world.call('DELETE', '/rest/workspaces/coast/layergroups/all')
    world.steps.length = 0
    assert.equal((await world.call('DELETE', '/rest/workspaces/coast')).status, 403)
    assert.equal((await world.call('DELETE', '/rest/workspaces/coast?recurse=true')).status, 200)
    // 2.5: layer.xml, ftl, featuretype.xml, folder, gwc-layer, datastore, workspace.xml, namespace.xml, folder
    const layer = 'workspaces/coast/depth/contours'
    const removed = world.steps.filter((step) => step.startsWith('remove')).map((step) => step.slice('remove '.length))
    assert.deepEqual(removed, [
      `${layer}/layer.xml`,
      `${layer}/content.ftl`,
      `${layer}/featuretype.xml`,
      layer,
      'gwc-layers/La-1.xml',
      'workspaces/coast/depth/datastore.xml',
      'workspaces/coast/depth',
      'workspaces/coast/workspace.xml',
      'workspaces/coast/namespace.xml',
      'workspaces/coast'
    ])
    assert.equal(world.steps.filter((step) => step.endsWith('to global.xml')).length, 6)
  })

  test('of a workspace are renamed in one step, with no event for the files in it', async (t) => {
    const world = await worldOf(t)
    await world.call('PUT', '/rest/workspaces/coast', '<workspace><name>shore</name></workspace>')
    // 2.1: one directory rename, then namespace.xml, workspace.xml, gwc-layers
    const kinds = world.steps.map(plain).filter((step) => step.startsWith('rename') && !step.includes('global.xml'))
    assert.deepEqual(kinds.slice(0, 3), [
      'rename workspaces/coast to workspaces/shore',
      'rename workspaces/shore/namespace.xml.UUID.tmp to workspaces/shore/namespace.xml',
      'rename workspaces/shore/workspace.xml.UUID.tmp to workspaces/shore/workspace.xml'
    ])
    assert.equal(kinds.includes('rename gwc-layers/La-1.xml.tmp to gwc-layers/La-1.xml'), true)
    assert.match(await world.text('gwc-layers/La-1.xml'), /shore:contours/)
    assert.equal((await world.drawn('shore:contours'))[0]!.layer, 'shore:contours')
    assert.equal((await world.call('GET', '/rest/layers/coast:contours')).status, 404)
    assert.match(await world.text('workspaces/default.xml'), /shore/)
  })

  test('of a store and of a feature type have the new name of what they hold', async (t) => {
    const world = await worldOf(t)
    await world.call('PUT', '/rest/workspaces/coast/datastores/depth', '<dataStore><name>deep</name></dataStore>')
    const path = '/rest/workspaces/coast/datastores/deep/featuretypes/contours'
    await world.call('PUT', path, '<featureType><name>lines</name></featureType>')
    // 2.1: folder name = object name
    assert.match(await world.text('workspaces/coast/deep/lines/layer.xml'), /<name>lines<\/name>/)
    assert.match(await world.text('gwc-layers/La-1.xml'), /coast:lines/)
    assert.equal(world.has('workspaces/coast/depth'), false)
    await world.call('POST', '/rest/reload')
    assert.equal((await world.drawn('coast:lines'))[0]!.layer, 'coast:lines')
  })

  test('of styles keep the body that a purge should have removed', async (t) => {
    const world = await worldOf(t)
    await world.call('DELETE', '/rest/styles/line?purge=true')
    // 2.3: the SLD renamed to .sld.bak
    assert.deepEqual(
      ['styles/line.xml', 'styles/line.sld', 'styles/line.sld.bak'].map((path) => world.has(path)),
      [false, false, true]
    )
    await world.call('POST', '/rest/styles', '<style><name>dots</name><filename>dots.sld</filename></style>')
    await world.call('DELETE', '/rest/styles/dots?purge=true')
    assert.equal(world.standIn.report().log.at(-1), 'WARN there is no styles/dots.sld to purge')
  })
})
