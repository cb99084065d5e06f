/** Whether a field stands at GeoServer's own default or is absent means the same; any other value is somebody's. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { DEFAULTS, fieldsAtDefault } from '../../../src/adapters/geoserver/defaults.js'
import { OBJECT_ROOTS, readFacts } from '../../../src/adapters/geoserver/objects.js'
import { outward, type Place } from '../../../src/adapters/geoserver/travel.js'
import { readXml, type XmlElement } from '../../../src/adapters/geoserver/xml.js'

const meaning = (kind: Place['kind'], text: string): string => {
  const made = outward({ path: 'x', kind }, Buffer.from(text))
  assert.ok(made.ok, made.ok ? '' : made.problem.reason)
  return made.value.meaning
}

const rootOf = (text: string): XmlElement => {
  const read = readXml(Buffer.from(text))
  assert.ok(read.ok)
  return read.value.root
}

const nested = (path: readonly string[], text: string): string =>
  path.reduceRight((inner, name) => `<${name}>${inner}</${name}>`, text)

describe('a field at its default', () => {
  test('means what its absence means, and with any other value something else, in every line of the table', () => {
    for (const { kind, root = OBJECT_ROOTS[kind] ?? kind, path, text } of DEFAULTS) {
      const with_ = (value: string): string => `<${root}><name>n</name>${nested(path, value)}</${root}>`
      const bare = meaning(kind, `<${root}><name>n</name></${root}>`)
      assert.equal(meaning(kind, with_(text)), bare, path.join('/'))
      assert.notEqual(meaning(kind, with_(`${text}0`)), bare, path.join('/'))
      assert.notEqual(meaning(kind, with_(`<x>${text}</x>`)), bare, path.join('/'))
      const [first] = path
      assert.deepEqual(fieldsAtDefault(kind, rootOf(with_(text))), [first])
      assert.deepEqual(fieldsAtDefault(kind, rootOf(with_(`${text}0`))), [])
    }
  })

  test('is one in its own kind of document alone, and under its own parent', () => {
    const text = '<remoteStyleTimeout>30000</remoteStyleTimeout>'
    assert.notEqual(meaning('service', `<wfs>${text}</wfs>`), meaning('service', '<wfs/>'))
    assert.equal(meaning('service', `<wms>${text}</wms>`), meaning('service', '<wms/>'))
    assert.notEqual(meaning('service', `<wms><x>${text}</x></wms>`), meaning('service', '<wms><x/></wms>'))
    assert.notEqual(meaning('layer', '<layer><format>sld</format></layer>'), meaning('layer', '<layer/>'))
    const settings = (inner: string): string => `<global><settings>${inner}</settings></global>`
    const shown = '<showCreatedTimeColumnsInAdminList>false</showCreatedTimeColumnsInAdminList>'
    assert.equal(meaning('global', settings(`<verbose>true</verbose>${shown}`)), meaning('global', settings('<verbose>true</verbose>'))) // prettier-ignore
    assert.notEqual(meaning('global', `<global>${shown}</global>`), meaning('global', '<global/>'))
  })

  test('is said of an object, so that nobody misses it in a document without it', () => {
    const fields = (text: string): unknown => {
      const { object } = readFacts('styles/a.xml', { kind: 'style', sharing: 'by-field', reason: '', workspace: null }, Buffer.from(text)) // prettier-ignore
      return object!.atDefault
    }
    assert.deepEqual(fields('<style><id>S</id><name>a</name><format>sld</format></style>'), ['format'])
    assert.equal(fields('<style><id>S</id><name>a</name><format>css</format></style>'), undefined)
  })
})

test('in which order the entries of a map stand means nothing, and in a list it does', () => {
  const store = (...keys: string[]): string =>
    `<dataStore><connectionParameters>${keys.map((key) => `<entry key="${key}">${key}</entry>`).join('')}</connectionParameters></dataStore>`
  assert.equal(meaning('datastore', store('host', 'port')), meaning('datastore', store('port', 'host')))
  assert.notEqual(meaning('datastore', store('host', 'port')), meaning('datastore', store('host')))
  assert.notEqual(meaning('datastore', store('a', 'b', 'a')), meaning('datastore', store('a', 'a', 'b')))
  const list = (...names: string[]): string =>
    `<featureType>${names.map((name) => `<entry>${name}</entry>`).join('')}</featureType>`
  assert.notEqual(meaning('featuretype', list('a', 'b')), meaning('featuretype', list('b', 'a')))
})
