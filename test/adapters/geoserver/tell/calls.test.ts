/** The rules of tell/calls.ts, cited by number: what is called for which change, and for what a reload alone is left. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Classifier } from '../../../../src/adapters/geoserver/classify.js'
import { Inventory } from '../../../../src/adapters/geoserver/inventory.js'
import { readFacts, type FileFacts } from '../../../../src/adapters/geoserver/objects.js'
import { planOf, type FileChange, type Plan } from '../../../../src/adapters/geoserver/tell/calls.js'

const classifier = new Classifier()
const facts = (path: string, text: string): FileFacts => readFacts(path, classifier.classify(path), Buffer.from(text))
const ref = (name: string, id: string): string => `<${name}><id>${id}</id></${name}>`
const layer = (name: string, id: string, style = 'S1'): string =>
  `<layer><name>${name}</name><id>${id}</id>${ref('defaultStyle', style)}${ref('resource', `F-${name}`)}</layer>`
const store = '<dataStore><id>D</id><name>st</name><workspace><id>W</id></workspace></dataStore>'
const feature = `<featureType><id>F-l</id><name>l</name>${ref('namespace', 'N')}${ref('store', 'D')}</featureType>`
const style = (name: string, id: string): string =>
  `<style><id>${id}</id><name>${name}</name><filename>${name}.sld</filename></style>`
const workspace = '<workspace><id>W</id><name>ws</name></workspace>'
const namespace = '<namespace><id>N</id><prefix>ws</prefix><uri>http://ws</uri></namespace>'
const group = (name: string, id: string, shown: string): string =>
  `<layerGroup><id>${id}</id><name>${name}</name><publishables>${shown}</publishables></layerGroup>`

const FILES: Readonly<Record<string, string>> = {
  'global.xml': '<global/>',
  'styles/s1.xml': style('s1', 'S1'),
  'styles/s1.sld': '<StyledLayerDescriptor/>',
  'workspaces/ws/workspace.xml': workspace,
  'workspaces/ws/namespace.xml': namespace,
  'workspaces/ws/wms.xml': '<wms/>',
  'workspaces/ws/st/datastore.xml': store,
  'workspaces/ws/st/l/featuretype.xml': feature,
  'workspaces/ws/st/l/layer.xml': layer('l', 'L'),
  'layergroups/g.xml': group('g', 'G', ref('published', 'L')),
  'layergroups/outer.xml': group('outer', 'O', ref('published', 'G'))
}

/** A directory as it is, and a change of it: null removes, a text writes. */
function planned(changes: Readonly<Record<string, string | null>>): Plan {
  const inventory = new Inventory()
  const told: FileChange[] = []
  for (const [path, text] of Object.entries(FILES)) inventory.set(facts(path, text))
  for (const [path, text] of Object.entries(changes)) {
    const before = FILES[path] === undefined ? undefined : facts(path, FILES[path])
    const after = text === null ? undefined : facts(path, text)
    if (after === undefined) inventory.delete(path)
    else inventory.set(after)
    told.push({ path, before, after })
  }
  return planOf(told, inventory)
}

const lines = (plan: Plan): string[] => plan.calls.map(({ method, at, file }) => `${method} ${at} ${file ?? ''}`.trim())
const NOTHING: Plan = { reload: [], calls: [], tiles: [], objects: [], reloadTiles: false, reset: false, truncate: [] }

describe('rule 1: what GeoServer notices is not told', () => {
  for (const path of [
    'workspaces/ws/st/l/title.ftl',
    'styles/icon.png',
    'styles/new.sld',
    'data/roads.shp',
    'www/x.html'
  ])
    test(path, () => assert.deepEqual(planned({ [path]: 'text' }), NOTHING))
})

describe('rule 2: a changed object is told by a PUT of its own file', () => {
  const cases: ReadonlyArray<[path: string, text: string, call: string]> = [
    [
      'workspaces/ws/workspace.xml',
      workspace.replace('</w', '<isolated>true</isolated></w'),
      '/rest/workspaces/ws.xml'
    ],
    ['workspaces/ws/namespace.xml', namespace.replace('http:', 'https:'), '/rest/namespaces/ws.xml'],
    [
      'workspaces/ws/st/datastore.xml',
      store.replace('<id>D', '<enabled>false</enabled><id>D'),
      '/rest/workspaces/ws/datastores/st.xml'
    ],
    [
      'workspaces/ws/st/l/featuretype.xml',
      feature.replace('</featureType>', '<title>x</title></featureType>'),
      '/rest/workspaces/ws/datastores/st/featuretypes/l.xml'
    ],
    [
      'workspaces/ws/st/l/layer.xml',
      layer('l', 'L').replace('<name>', '<path>/</path><name>'),
      '/rest/layers/ws%3Al.xml'
    ],
    ['styles/s1.xml', style('s1', 'S1').replace('<name>', '<format>sld</format><name>'), '/rest/styles/s1.xml'],
    [
      'layergroups/g.xml',
      group('g', 'G', ref('published', 'L')).replace('<name>', '<title>t</title><name>'),
      '/rest/layergroups/g.xml'
    ]
  ]
  for (const [path, text, at] of cases)
    test(path, () => {
      const plan = planned({ [path]: text })
      assert.deepEqual(lines(plan), [`PUT ${at} ${path}`])
      assert.deepEqual(plan.reload, [])
    })

  test('settings and services have one place each', () => {
    const plan = planned({
      'global.xml': '<global><contact/></global>',
      'logging.xml': '<logging/>',
      'wms.xml': '<wms/>',
      'workspaces/ws/settings.xml': '<settings><id>X</id></settings>',
      'workspaces/ws/wfs.xml': '<wfs/>'
    })
    assert.deepEqual(lines(plan), [
      'PUT /rest/settings global.xml',
      'PUT /rest/services/wms/settings wms.xml',
      'PUT /rest/workspaces/ws/settings workspaces/ws/settings.xml',
      'PUT /rest/services/wfs/workspaces/ws/settings workspaces/ws/wfs.xml',
      'PUT /rest/logging logging.xml'
    ])
  })

  test('a service without an address of its own needs a reload', () => {
    assert.deepEqual(planned({ 'wps.xml': '<wps/>' }).reload, ['wps.xml'])
  })

  test('names are written as addresses', () => {
    const path = 'workspaces/ws/styles/a b.xml'
    const plan = planned({ [path]: style('a b.ü?', 'S2') })
    assert.deepEqual(lines(plan), [`POST /rest/workspaces/ws/styles ${path}`])
    assert.deepEqual(planned({ [path]: null }), NOTHING, 'it was never there')
  })
})

describe('rule 3: a new style or store is told by a POST', () => {
  test('into the list it belongs to', () => {
    const plan = planned({
      'styles/s2.xml': style('s2', 'S2'),
      'workspaces/ws/st2/coveragestore.xml': '<coverageStore><id>C</id><name>st2</name></coverageStore>'
    })
    assert.deepEqual(lines(plan), [
      'POST /rest/styles styles/s2.xml',
      'POST /rest/workspaces/ws/coveragestores workspaces/ws/st2/coveragestore.xml'
    ])
  })
})

describe('rule 4: what is gone is told by a DELETE', () => {
  test('in the reverse order of writing', () => {
    const plan = planned({
      'workspaces/ws/st/l/featuretype.xml': null,
      'workspaces/ws/st/l/layer.xml': null,
      'layergroups/g.xml': null,
      'styles/s1.xml': null
    })
    assert.deepEqual(lines(plan), [
      'DELETE /rest/layergroups/g.xml',
      'DELETE /rest/layers/ws%3Al.xml',
      'DELETE /rest/workspaces/ws/datastores/st/featuretypes/l.xml',
      'DELETE /rest/styles/s1.xml'
    ])
  })

  test('of the outermost object that went', () => {
    const all = Object.fromEntries(
      Object.keys(FILES)
        .filter((path) => path.startsWith('workspaces/'))
        .map((path) => [path, null])
    )
    assert.deepEqual(lines(planned(all)), ['DELETE /rest/workspaces/ws.xml?recurse=true'])
    const { 'workspaces/ws/workspace.xml': _w, 'workspaces/ws/namespace.xml': _n, ...rest } = all
    assert.deepEqual(lines(planned(rest)), [
      'DELETE /rest/services/wms/workspaces/ws/settings',
      'DELETE /rest/workspaces/ws/datastores/st.xml?recurse=true'
    ])
  })
})

describe('rule 5: only a reload takes over', () => {
  const cases: ReadonlyArray<[what: string, path: string, text: string | null]> = [
    ['a new workspace', 'workspaces/new/workspace.xml', workspace.replace('ws', 'new')],
    ['a new feature type', 'workspaces/ws/st/m/featuretype.xml', feature.replaceAll('-l', '-m')],
    ['a new layer', 'workspaces/ws/st/m/layer.xml', layer('m', 'M')],
    ['a new layer group', 'layergroups/new.xml', group('new', 'G9', '')],
    ['an id that was replaced in place', 'workspaces/ws/st/l/layer.xml', layer('l', 'L9')],
    ['a field that was taken out', 'styles/s1.xml', style('s1', 'S1').replace(/<filename>.*<\/filename>/, '')],
    ['a name that no address can hold', 'styles/odd.xml', style('..', 'S3')],
    ['another name at the same place', 'styles/s1.xml', style('other', 'S1')],
    ['a namespace alone that is gone', 'workspaces/ws/namespace.xml', null],
    ['global settings that are gone', 'global.xml', null]
  ]
  for (const [what, path, text] of cases)
    test(what, () => {
      const plan = planned({ [path]: text })
      assert.deepEqual(plan.reload, [path])
      assert.deepEqual(plan.calls, [])
    })

  test('what it takes over is read back, each object at its address', () => {
    const plan = planned({
      'workspaces/ws/st/m/layer.xml': layer('m', 'M'),
      'styles/s1.xml': null,
      'styles/x.png': 'x'
    })
    assert.deepEqual(
      plan.objects.map(({ method, at, about }) => `${method} ${at} ${about}`),
      ['GET /rest/layers/ws%3Am.xml layer ws:m']
    )
  })

  test('a file that holds no object is neither told nor a reason for one', () => {
    assert.deepEqual(planned({ 'workspaces/ws/st2/datastore.xml': '' }), NOTHING)
  })
})

describe('rule 6: tiles follow what is drawn', () => {
  test('the body of a style, its file, and its removal concern whatever shows it, however deep', () => {
    const all = ['g', 'outer', 'ws:l']
    assert.deepEqual(planned({ 'styles/s1.sld': '<StyledLayerDescriptor version="1"/>' }).truncate, all)
    assert.deepEqual(
      planned({ 'styles/s1.xml': style('s1', 'S1').replace('<name>', '<format>x</format><name>') }).truncate,
      all
    )
    assert.deepEqual(planned({ 'styles/other.sld': 'x' }).truncate, [])
  })

  test('a layer that got another style, and no layer whose title changed', () => {
    const other = { 'workspaces/ws/st/l/layer.xml': layer('l', 'L', 'S2') }
    assert.deepEqual(planned(other).truncate, ['ws:l'])
    assert.deepEqual(
      planned({ 'workspaces/ws/st/l/layer.xml': layer('l', 'L').replace('<name>', '<path>/</path><name>') }).truncate,
      []
    )
  })

  test('one that is known goes before its layer, one that is new, renamed or gone after it (7)', () => {
    const path = 'gwc-layers/L.xml'
    const tile = (name: string, gutter: number): string =>
      `<GeoServerTileLayer><id>L</id><name>${name}</name><gutter>${gutter}</gutter></GeoServerTileLayer>`
    const told = (before: string | null, after: string | null): string[] => {
      const of = (text: string | null): FileFacts | undefined => (text === null ? undefined : facts(path, text))
      const at = 'workspaces/ws/st/l/layer.xml'
      const edited: FileChange = {
        path: at,
        before: facts(at, layer('l', 'L')),
        after: facts(at, layer('l', 'L', 'S2'))
      }
      const { calls, tiles } = planOf([edited, { path, before: of(before), after: of(after) }], new Inventory())
      return [...calls, ...tiles].map((call) => `${call.method} ${call.at}`)
    }
    const [tiles, edited] = ['/gwc/rest/layers/ws%3Al.xml', 'PUT /rest/layers/ws%3Al.xml']
    assert.deepEqual(told(tile('ws:l', 0), tile('ws:l', 1)), [`PUT ${tiles}`, edited])
    assert.deepEqual(told(null, tile('ws:l', 1)), [edited, `PUT ${tiles}`])
    assert.deepEqual(told(tile('ws:old', 1), tile('ws:l', 1)), [edited, `PUT ${tiles}`])
    assert.deepEqual(told(tile('ws:l', 1), null), [edited, `DELETE ${tiles}`])
  })

  test('a tile layer is told to the tile cache, the settings of all by reading them again, coordinate systems by a reset', () => {
    const tile = '<GeoServerTileLayer><id>LayerInfoImpl-1</id><name>ws:l</name></GeoServerTileLayer>'
    const plan = planned({
      'gwc-layers/LayerInfoImpl-1.xml': tile,
      'gwc-gs.xml': '<GeoServerGWCConfig/>',
      'user_projections/epsg.properties': '1=x'
    })
    assert.deepEqual(
      plan.tiles.map(({ method, at, file }) => [method, at, file]),
      [['PUT', '/gwc/rest/layers/ws%3Al.xml', 'gwc-layers/LayerInfoImpl-1.xml']]
    )
    assert.deepEqual(plan.calls, [])
    assert.ok(plan.reloadTiles && plan.reset)
  })
})
