import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { findingsOf } from '../../../src/adapters/geoserver/findings.js'
import { inventoryOf, smallTree, type Tree } from './tree.js'

const FT = 'workspaces/coast/depth/contours/featuretype.xml'
const LAYER = 'workspaces/coast/depth/contours/layer.xml'
const STORE = 'workspaces/coast/depth/datastore.xml'

/** `word path` of what is found after a change of the small directory. */
function found(change: (tree: Tree) => void): string[] {
  const tree = smallTree()
  change(tree)
  return findingsOf(inventoryOf(tree)).map(({ word, path }) => `${word} ${path}`)
}

describe('what is wrong with a data directory', () => {
  test('is nothing when everything is there', () => {
    assert.deepEqual(
      found(() => {}),
      []
    )
  })

  test('a reference to what is not there dangles, and the file that holds it is named', () => {
    assert.deepEqual(
      found((tree) => (tree['styles/line.xml'] = tree['styles/line.xml']!.replace('Style-1', 'Style-2'))),
      [`dangling-reference ${LAYER}`]
    )
    const [finding] = findingsOf(
      inventoryOf({
        [LAYER]: '<layer><name>l\u001b[31m</name><id>L</id><resource><id>F\u0007</id></resource></layer>'.replaceAll(
          /[\u0007\u001b]/g,
          ''
        )
      })
    )
    assert.match(finding!.message, /the layer l.* refers to the resource F, which is not there/)
  })

  test('a tile layer without its layer is an orphan and no fault', () => {
    const tree = smallTree()
    tree['gwc-layers/La-9.xml'] = '<GeoServerTileLayer><id>La-9</id><name>coast:gone</name></GeoServerTileLayer>'
    const findings = findingsOf(inventoryOf(tree))
    assert.deepEqual(
      findings.map(({ word, severity, path }) => [word, severity, path]),
      [['orphan', 'note', 'gwc-layers/La-9.xml']]
    )
  })

  test('two objects of one id are named, and the copy of the default workspace is not one of them', () => {
    assert.deepEqual(
      found((tree) => {
        tree['workspaces/coast/styles/line.xml'] = tree['styles/line.xml']!
        tree['workspaces/coast/styles/line.sld'] = '<a/>'
      }),
      ['duplicate-id workspaces/coast/styles/line.xml']
    )
  })

  test('halves of pairs that GeoServer ignores are named', () => {
    const without = (path: string): string[] =>
      found((tree) => delete tree[path]).filter((line) => line.startsWith('half'))
    assert.deepEqual(without(FT), [`half-pair ${LAYER}`])
    assert.deepEqual(without(LAYER), [`half-pair ${FT}`])
    assert.deepEqual(without('workspaces/coast/namespace.xml'), ['half-pair workspaces/coast/workspace.xml'])
    assert.deepEqual(without('workspaces/coast/workspace.xml'), ['half-pair workspaces/coast/namespace.xml'])
  })

  test('what lies in no workspace or in no store is named, for GeoServer never looks there', () => {
    const without = (path: string): string[] =>
      found((tree) => delete tree[path]).filter((line) => line.startsWith('misplaced'))
    assert.deepEqual(without(STORE), [`misplaced ${FT}`, `misplaced ${LAYER}`])
    assert.deepEqual(without('workspaces/coast/workspace.xml'), [
      `misplaced ${FT}`,
      `misplaced ${LAYER}`,
      `misplaced ${STORE}`,
      'misplaced workspaces/coast/layergroups/all.xml'
    ])
  })

  test('an empty, broken or wrong file is named, and a template may be empty', () => {
    assert.deepEqual(
      found((tree) => {
        tree['workspaces/coast/header.ftl'] = ''
        tree['global.xml'] = ''
        tree['styles/line.sld'] = '<StyledLayerDescriptor>'
      }),
      ['broken-file global.xml', 'broken-file styles/line.sld']
    )
    assert.ok(found((tree) => (tree[STORE] = '<featureType/>')).includes(`broken-file ${STORE}`))
  })

  test('a style without its body is a fault, a body without its style a note', () => {
    assert.deepEqual(
      found((tree) => {
        tree['styles/old.sld'] = tree['styles/line.sld']!
        delete tree['styles/line.sld']
      }),
      ['missing-style-body styles/line.xml', 'orphan styles/old.sld']
    )
  })

  test('the SLD that GeoServer makes of a CSS style beside it is no orphan', () => {
    assert.deepEqual(
      found((tree) => {
        tree['styles/line.xml'] = tree['styles/line.xml']!.replace('line.sld', 'line.css')
        tree['styles/line.css'] = '* { stroke: red }'
      }),
      []
    )
  })

  test('a default workspace that is none of those there is a fault', () => {
    assert.deepEqual(
      found((tree) => (tree['workspaces/default.xml'] = '<workspace><id>Ws-9</id><name>coast</name></workspace>')),
      ['default-workspace workspaces/default.xml']
    )
  })

  test('passwords are told of by how they are written, and never shown', () => {
    const withPassword = (password: string): string[] =>
      found(
        (tree) =>
          (tree[STORE] = tree[STORE]!.replace(
            '</dataStore>',
            `<connectionParameters><entry key="passwd">${password}</entry></connectionParameters></dataStore>`
          ))
      )
    assert.deepEqual(withPassword('plain:hunter2'), [`plain-password ${STORE}`])
    assert.deepEqual(withPassword('crypt1:abc'), [`encrypted-password ${STORE}`])
    assert.deepEqual(withPassword('${DB_PASSWORD}'), [])
  })

  test('what does not travel is a note with its reason', () => {
    const tree = smallTree()
    tree['security/geoserver.jceks'] = 'x'
    tree['security/layers.properties'] = 'x'
    tree['styles/line.sld.bak'] = 'x'
    const findings = findingsOf(inventoryOf(tree))
    assert.deepEqual(
      findings.map(({ word, severity, path }) => `${severity} ${word} ${path}`),
      [
        'note secret security/geoserver.jceks',
        'note opt-in security/layers.properties',
        'note node-local styles/line.sld.bak'
      ]
    )
    for (const { message } of findings) assert.ok(message.length > 10)
  })
})
