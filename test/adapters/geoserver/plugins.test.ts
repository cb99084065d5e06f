/** What in a directory needs a plugin, by the words GeoServer writes for it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Classifier } from '../../../src/adapters/geoserver/classify.js'
import { Inventory } from '../../../src/adapters/geoserver/inventory.js'
import { readFacts } from '../../../src/adapters/geoserver/objects.js'
import { lacksOf, MAX_NAMED, PLUGIN_RULES } from '../../../src/adapters/geoserver/plugins.js'

const classifier = new Classifier()

function inventoryOf(files: Readonly<Record<string, string>>): Inventory {
  const inventory = new Inventory()
  for (const [path, text] of Object.entries(files))
    inventory.set(readFacts(path, classifier.classify(path), Buffer.from(text)))
  return inventory
}

const style = (name: string, rest: string): string => `<style><id>${name}</id><name>${name}</name>${rest}</style>`
const store = (type: string): string => `<dataStore><id>d</id><name>m</name>${type}</dataStore>`
const CORE = ['gs-main', 'gt-main']

test('a style or store that needs a plugin which is not there is named, with how many there are', () => {
  const inventory = inventoryOf({
    'styles/b.xml': style('b', '<format>css</format><filename>b.css</filename>'),
    'workspaces/w/styles/a.xml': style('a', '<filename>a.css</filename>'),
    'styles/c.xml': style('c', '<format>sld</format><filename>c.sld</filename>'),
    'styles/d.xml': style('d', ''),
    'workspaces/w/m/datastore.xml': store('<type>MongoDB</type>'),
    'workspaces/w/p/datastore.xml': store('<type>PostGIS</type>'),
    'workspaces/w/q/datastore.xml': store('')
  })
  assert.deepEqual(lacksOf(inventory, new Set(CORE)), [
    { plugin: 'css', objects: 2, about: ['style b (css)', 'style w:a (css)'] },
    { plugin: 'mongodb', objects: 1, about: ['store w:m (MongoDB)'] }
  ])
  assert.deepEqual(
    lacksOf(inventory, new Set([...CORE, 'gs-css'])).map(({ plugin }) => plugin),
    ['mongodb']
  )
})

test('the first five are named and all are counted', () => {
  for (const [count, named] of [
    [MAX_NAMED, MAX_NAMED],
    [MAX_NAMED + 1, MAX_NAMED]
  ] as const) {
    const files = Array.from({ length: count }, (_, index) => [
      `styles/${index}.xml`,
      style(`${index}`, '<format>css</format>')
    ])
    const [lack] = lacksOf(inventoryOf(Object.fromEntries(files) as Record<string, string>), new Set(CORE))
    assert.equal(lack!.objects, count)
    assert.equal(lack!.about.length, named)
  }
})

test('the first named are the first in order, whatever the order and format they came in', () => {
  const names = ['g', 'c', 'f', 'a', 'e', 'b', 'd', 'h']
  const files = names.map((name, index) => [
    `styles/${name}.xml`,
    style(name, `<format>${index % 2 === 0 ? 'yaml' : 'ysld'}</format>`)
  ])
  const [lack] = lacksOf(inventoryOf(Object.fromEntries(files) as Record<string, string>), new Set(CORE))
  assert.equal(lack!.objects, names.length)
  assert.deepEqual(
    lack!.about.map((about) => about.split(' ')[1]),
    ['a', 'b', 'c', 'd', 'e']
  )
})

test('what was written over or is gone needs its plugin no longer', () => {
  const path = 'styles/a.xml'
  const inventory = inventoryOf({ [path]: style('a', '<format>css</format>') })
  const lacking = (): string[] => lacksOf(inventory, new Set(CORE)).map(({ plugin }) => plugin)
  const write = (rest: string): void =>
    inventory.set(readFacts(path, classifier.classify(path), Buffer.from(style('a', rest))))
  assert.deepEqual(lacking(), ['css'])
  write('<format>ysld</format>')
  assert.deepEqual(lacking(), ['ysld'])
  write('<format>sld</format>')
  assert.deepEqual(lacking(), [])
  write('<format>css</format>')
  inventory.delete(path)
  assert.deepEqual(lacking(), [])
})

test('every row of the table names a plugin, a library of GeoServer or GeoTools, and no type of every GeoServer', () => {
  const ofAll = [
    'PostGIS',
    'PostGIS (JNDI)',
    'Shapefile',
    'Properties',
    'GeoPackage',
    'GeoTIFF',
    'ImageMosaic',
    'sld',
    'WMS'
  ]
  for (const { format, module, plugin } of PLUGIN_RULES) {
    assert.match(module, /^g[st]-[a-z0-9-]+$/)
    assert.match(plugin, /^[a-z0-9-]+$/)
    assert.ok(!ofAll.some((each) => format.test(each)), String(format))
  }
})
