import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Classifier } from '../../../src/adapters/geoserver/classify.js'
import { Inventory } from '../../../src/adapters/geoserver/inventory.js'
import { readFacts, type FileFacts } from '../../../src/adapters/geoserver/objects.js'

const classifier = new Classifier()
const facts = (path: string, text: string): FileFacts => readFacts(path, classifier.classify(path), Buffer.from(text))
const object = (path: string, text: string) => {
  const found = facts(path, text)
  assert.equal(found.problem, undefined)
  return found.object!
}

const LAYER = 'workspaces/w/s/l/layer.xml'
const layerXml = (id: string, resource: string, styles: string): string =>
  `<layer><name>l</name><id>${id}</id><type>VECTOR</type>${styles}<resource class="featureType"><id>${resource}</id></resource></layer>`

describe('what a file says', () => {
  test('a layer refers to its resource, its default style and its other styles', () => {
    const styles =
      '<defaultStyle><id>S1</id></defaultStyle><styles class="linked-hash-set"><style><id>S2</id></style></styles>'
    const { id, name, references } = object(LAYER, layerXml('L', 'F', styles))
    assert.deepEqual([id, name], ['L', 'l'])
    assert.deepEqual(references.map((reference) => `${reference.role} ${reference.id}`).toSorted(), [
      'default-style S1',
      'resource F',
      'style S2'
    ])
  })

  test('a feature type refers to its namespace and store, a store to its workspace', () => {
    const feature =
      '<featureType><id>F</id><name>l</name><namespace><id>N</id></namespace><store class="dataStore"><id>D</id></store><metadata><entry key="x"><virtualTable><name>t</name></virtualTable></entry></metadata></featureType>'
    assert.deepEqual(object('workspaces/w/s/l/featuretype.xml', feature).references, [
      { role: 'namespace', id: 'N' },
      { role: 'store', id: 'D' }
    ])
    const store = '<dataStore><id>D</id><name>s</name><workspace><id>W</id></workspace></dataStore>'
    assert.deepEqual(object('workspaces/w/s/datastore.xml', store).references, [{ role: 'workspace', id: 'W' }])
  })

  test('a layer group lists layers, groups and styles in order, and an empty style is a hole and no reference', () => {
    const group = `<layerGroup><id>G</id><name>g</name><workspace><id>W</id></workspace>
      <publishables><published type="layer"><id>L1</id></published><published type="layerGroup"><id>G2</id></published></publishables>
      <styles><style/><style><id>S</id></style><style></style></styles></layerGroup>`
    const { references, holes } = object('workspaces/w/layergroups/g.xml', group)
    assert.equal(holes, 2)
    assert.deepEqual(
      references.map((reference) => `${reference.role} ${reference.id}`),
      ['workspace W', 'group-style S', 'published L1', 'published G2']
    )
  })

  test('a style names the file of its body beside it, a namespace its prefix, a tile layer whom it is for', () => {
    const style = '<style><id>S</id><name>n</name><filename>night.css</filename></style>'
    assert.equal(object('workspaces/w/styles/n.xml', style).body, 'workspaces/w/styles/night.css')
    assert.equal(object('styles/n.xml', style).body, 'styles/night.css')
    const namespace = object(
      'workspaces/w/namespace.xml',
      '<namespace><id>N</id><prefix>w</prefix><uri>u</uri></namespace>'
    )
    assert.deepEqual([namespace.prefix, namespace.name], ['w', 'w'])
    const tiles = object('gwc-layers/L_1.xml', '<GeoServerTileLayer><id>L:1</id><name>w:l</name></GeoServerTileLayer>')
    assert.deepEqual(tiles.references, [{ role: 'tile-layer', id: 'L:1' }])
  })

  test('of a password only how it is written is told', () => {
    const store = (password: string): string =>
      `<dataStore><id>D</id><name>s</name><connectionParameters><entry key="user">u</entry><entry key="passwd">${password}</entry></connectionParameters></dataStore>`
    const forms: Array<[string, string | undefined]> = [
      ['plain:hunter2', 'plain'],
      ['hunter2', 'plain'],
      ['crypt1:AbC=', 'encrypted'],
      ['plain:${DB_PASSWORD}', 'parameter'],
      ['${DB_PASSWORD}', 'parameter'],
      ['plain:${A}x', 'plain'],
      ['grapevine-secret:w/s/passwd', 'reference'],
      ['', undefined],
      ['plain:', undefined]
    ]
    for (const [password, form] of forms) {
      const found = facts('workspaces/w/s/datastore.xml', store(password))
      assert.equal(found.object!.password, form, password)
      assert.doesNotMatch(JSON.stringify(found), /hunter2|AbC/)
    }
    const cascaded = '<wmsStore><id>D</id><name>s</name><user>u</user><password>crypt1:x</password></wmsStore>'
    assert.equal(object('workspaces/w/s/wmsstore.xml', cascaded).password, 'encrypted')
  })

  test('what is broken, empty or something else is a problem with a word', () => {
    const word = (path: string, text: string) => facts(path, text).problem?.word
    assert.equal(word(LAYER, ''), 'empty')
    assert.equal(word(LAYER, '<layer><id>'), 'malformed')
    assert.equal(word(LAYER, '<style><id>x</id></style>'), 'wrong-root')
    assert.equal(word(LAYER, '<layer><name>l</name></layer>'), 'no-id')
    assert.equal(word('workspaces/w/settings.xml', '<settings><title>t</title></settings>'), undefined)
    assert.equal(word(LAYER, '<layer><id>l</id></layer>'), 'no-name')
    assert.equal(word('styles/a.sld', '<StyledLayerDescriptor>'), 'malformed')
    assert.equal(word('pivot.xml', ''), 'empty')
    assert.equal(word('workspaces/w/s/l/title.ftl', ''), undefined)
    assert.equal(word('styles/a.css', ''), undefined)
    assert.equal(word('logs/x.xml', ''), undefined)
  })
})

describe('an inventory', () => {
  test('counts objects and references, and knows what dangles, file by file', () => {
    const inventory = new Inventory()
    const feature = '<featureType><id>F</id><name>l</name></featureType>'
    inventory.set(facts(LAYER, layerXml('L', 'F', '<defaultStyle><id>S</id></defaultStyle>')))
    const missing = inventory.dangling().map(({ path, reference }) => `${path} ${reference.id}`)
    assert.deepEqual(missing.toSorted(), [`${LAYER} F`, `${LAYER} S`])
    inventory.set(facts('workspaces/w/s/l/featuretype.xml', feature))
    inventory.set(facts('styles/s.xml', '<style><id>S</id><name>s</name></style>'))
    assert.deepEqual([inventory.objects, inventory.references, inventory.dangling()], [3, 2, []])
    assert.equal(inventory.byId('S')!.path, 'styles/s.xml')
    assert.deepEqual(inventory.referrers('S'), [LAYER])
    inventory.set(facts('styles/s.xml', '<style><id>S2</id><name>s</name></style>'))
    assert.deepEqual(
      inventory.dangling().map(({ reference }) => reference.id),
      ['S']
    )
    inventory.delete(LAYER)
    assert.deepEqual([inventory.objects, inventory.references, inventory.dangling()], [2, 0, []])
    inventory.delete('nothing')
    assert.equal(inventory.byId('S'), undefined)
  })

  test('names every object of an id that several claim, and finds the same one whatever came first', () => {
    const style = (path: string): FileFacts => facts(path, '<style><id>S</id><name>s</name></style>')
    const paths = ['styles/s.xml', 'workspaces/w/styles/s.xml', 'styles/a.xml']
    for (const order of [paths, paths.toReversed()]) {
      const inventory = new Inventory()
      for (const path of order) inventory.set(style(path))
      assert.deepEqual(inventory.duplicates(), [{ id: 'S', paths: paths.toSorted() }])
      assert.equal(inventory.byId('S')!.path, 'styles/a.xml')
      inventory.delete('styles/a.xml')
      assert.deepEqual(inventory.duplicates(), [{ id: 'S', paths: ['styles/s.xml', 'workspaces/w/styles/s.xml'] }])
      inventory.delete('styles/s.xml')
      assert.deepEqual(inventory.duplicates(), [])
    }
  })

  test('takes the copy of the default workspace for no second workspace', () => {
    const inventory = new Inventory()
    const workspace = '<workspace><id>W</id><name>w</name></workspace>'
    inventory.set(facts('workspaces/w/workspace.xml', workspace))
    inventory.set(facts('workspaces/default.xml', workspace))
    assert.deepEqual([inventory.objects, inventory.duplicates()], [1, []])
    assert.equal(inventory.files.get('workspaces/default.xml')!.object!.id, 'W')
  })
})
