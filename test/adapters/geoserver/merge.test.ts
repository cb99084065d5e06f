/** Merges of two edits by element; the rules of merge.ts are cited by number. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { Classifier } from '../../../src/adapters/geoserver/classify.js'
import { contentsOf } from '../../../src/adapters/geoserver/contents.js'
import { outward } from '../../../src/adapters/geoserver/travel.js'

const contents = contentsOf(new Classifier())
const FEATURE_TYPE = 'workspaces/coast/depth/contours/featuretype.xml'
const GROUP = 'workspaces/coast/layergroups/all.xml'
const STORE = 'workspaces/coast/depth/datastore.xml'
const BOX = '<nativeBoundingBox>\n    <minx>1</minx>\n    <maxx>2</maxx>\n  </nativeBoundingBox>'

/** A feature type with these lines between its name and its box. */
const featureType = (...lines: string[]): string =>
  [
    '<featureType>',
    '  <id>Ft-1</id>',
    '  <name>contours</name>',
    ...lines.map((line) => `  ${line}`),
    `  ${BOX}`,
    '</featureType>\n'
  ].join('\n')

/** Both orders give the same bytes. */
function merged(path: string, base: string, a: string, b: string): string | null {
  const [there, back] = [
    [a, b],
    [b, a]
  ].map(([one, other]) => contents.merge(path, Buffer.from(base), Buffer.from(one!), Buffer.from(other!)))
  assert.equal(
    there === null ? null : Buffer.from(there!).toString(),
    back === null ? null : Buffer.from(back!).toString()
  )
  return there === null ? null : Buffer.from(there!).toString()
}

describe("rule 1: what one side changed is taken, what both changed differently is nobody's to decide", () => {
  const base = featureType('<title>T</title>', '<abstract>A</abstract>')

  test('a title here and an abstract there', () => {
    assert.equal(
      merged(
        FEATURE_TYPE,
        base,
        featureType('<title>new</title>', '<abstract>A</abstract>'),
        featureType('<title>T</title>', '<abstract>new</abstract>')
      ),
      featureType('<title>new</title>', '<abstract>new</abstract>')
    )
  })

  test('an element more here, one less there, and the same change on both sides', () => {
    const a = featureType('<title>same</title>', '<abstract>A</abstract>', '<enabled>true</enabled>')
    assert.equal(
      merged(FEATURE_TYPE, base, a, featureType('<title>same</title>')),
      featureType('<title>same</title>', '<enabled>true</enabled>')
    )
  })

  test('elements that both added stand where each had them', () => {
    const a = featureType('<title>T</title>', '<x>1</x>', '<abstract>A</abstract>')
    const b = featureType('<title>T</title>', '<abstract>A</abstract>', '<y>2</y>')
    assert.equal(
      merged(FEATURE_TYPE, base, a, b),
      featureType('<title>T</title>', '<x>1</x>', '<abstract>A</abstract>', '<y>2</y>')
    )
  })

  test('two titles, or a change of what the other removed, are no merge', () => {
    const [a, b] = ['one', 'other'].map((title) => featureType(`<title>${title}</title>`, '<abstract>A</abstract>'))
    assert.equal(merged(FEATURE_TYPE, base, a!, b!), null)
    assert.equal(
      merged(
        FEATURE_TYPE,
        base,
        featureType('<title>T</title>'),
        featureType('<title>T</title>', '<abstract>B</abstract>')
      ),
      null
    )
  })

  test('white space and the way characters are written are no change', () => {
    const same = base.replace('  <title>T</title>', '\t<title >&#84;</title>')
    const b = featureType('<title>T</title>', '<abstract>new</abstract>')
    const result = merged(FEATURE_TYPE, base, same, b)
    assert.match(result!, /<abstract>new<\/abstract>/)
    assert.match(result!, /<title ?>/)
  })
})

describe('rule 2: parts', () => {
  test('the two ends of a box are one part: they only make sense together', () => {
    const base = featureType()
    assert.equal(merged(FEATURE_TYPE, base, base.replace('>1<', '>0<'), base.replace('>2<', '>3<')), null)
  })

  test('entries of metadata and of connection parameters are parts by their key, keywords by what they say', () => {
    const entries = (...all: Array<[string, string]>): string =>
      `<metadata>\n    ${all.map(([key, value]) => `<entry key="${key}">${value}</entry>`).join('\n    ')}\n  </metadata>`
    const words = (...all: string[]): string =>
      `<keywords>${all.map((word) => `<string>${word}</string>`).join('')}</keywords>`
    assert.equal(
      merged(
        FEATURE_TYPE,
        featureType(entries(['a', '1'], ['b', '1']), words('x', 'y')),
        featureType(entries(['a', '2'], ['b', '1']), words('x', 'y', 'z')),
        featureType(entries(['a', '1'], ['b', '1'], ['c', '1']), words('y'))
      ),
      featureType(entries(['a', '2'], ['b', '1'], ['c', '1']), words('y', 'z'))
    )
    assert.equal(
      merged(
        FEATURE_TYPE,
        featureType(entries(['a', '1'])),
        featureType(entries(['a', '2'])),
        featureType(entries(['a', '3']))
      ),
      null
    )
  })

  test('a password stays a reference, whatever was merged around it', () => {
    const store = (host: string, port: string): string =>
      `<dataStore>\n  <id>Ds-1</id>\n  <name>depth</name>\n  <connectionParameters>\n    <entry key="host">${host}</entry>\n    <entry key="port">${port}</entry>\n    <entry key="passwd">grapevine-secret:passwd</entry>\n  </connectionParameters>\n</dataStore>\n`
    assert.equal(merged(STORE, store('a', '1'), store('b', '1'), store('a', '2')), store('b', '2'))
  })

  test('a list whose parts cannot be told apart counts as a whole', () => {
    const base = featureType('<metadata><entry>1</entry><entry>2</entry></metadata>')
    assert.equal(merged(FEATURE_TYPE, base, base.replace('>1<', '>3<'), base.replace('<entry>2', '<entry>4')), null)
    assert.match(
      merged(FEATURE_TYPE, base, base.replace('<entry>2', '<entry>4'), base.replace('contours', 'lines'))!,
      /lines[^]*<entry>4/
    )
  })
})

describe('rule 3: what a group draws and with which styles is one part', () => {
  const group = (title: string, layers: string[], styles: string[]): string =>
    `<layerGroup>\n  <id>Gr-1</id>\n  <name>all</name>\n  <title>${title}</title>\n  <publishables>${layers.map((id) => `<published type="layer"><id>${id}</id></published>`).join('')}</publishables>\n  <styles>${styles.map((id) => (id === '' ? '<style/>' : `<style><id>${id}</id></style>`)).join('')}</styles>\n</layerGroup>\n`

  test('layers here and styles there are no merge; a title there is one', () => {
    const base = group('T', ['a', 'b'], ['', 's'])
    assert.equal(merged(GROUP, base, group('T', ['b', 'a'], ['', 's']), group('T', ['a', 'b'], ['s', ''])), null)
    assert.equal(
      merged(GROUP, base, group('T', ['b', 'a'], ['s', '']), group('new', ['a', 'b'], ['', 's'])),
      group('new', ['b', 'a'], ['s', ''])
    )
  })
})

describe('rule 4: what comes out is a document of the same kind', () => {
  const good = featureType('<title>T</title>')

  test('what is no such document, or nobody knows, is not merged', () => {
    const edit = good.replace('contours', 'lines')
    for (const bad of [
      '',
      '<featureType>',
      '<coverage><id>Ft-1</id></coverage>',
      `${good}x`,
      good.replace('<id>', '<![CDATA[x]]><id>')
    ])
      assert.equal(merged(FEATURE_TYPE, good, bad, edit), null, bad)
    assert.equal(merged('www/index.html', good, good.replace('>T<', '>U<'), edit), null)
    assert.equal(merged('styles/line.sld', good, good.replace('>T<', '>U<'), edit), null)
    assert.equal(merged(FEATURE_TYPE, good, good.replace('<featureType>', '<featureType class="x">'), edit), null)
  })

  test('two ids are no merge, one that was replaced on one side is taken', () => {
    assert.equal(merged(FEATURE_TYPE, good, good.replace('Ft-1', 'Ft-2'), good.replace('Ft-1', 'Ft-3')), null)
    assert.match(merged(FEATURE_TYPE, good, good.replace('Ft-1', 'Ft-2'), good.replace('>T<', '>U<'))!, /Ft-2[^]*>U</)
  })

  test('of any edits of different parts both are in what comes out, which travels as it is', () => {
    const names = ['title', 'abstract', 'enabled', 'srs', 'maxFeatures']
    const value = fc.constantFrom('', '1', '2', 'ä&amp;')
    const side = fc.record(Object.fromEntries(names.map((name) => [name, value])))
    fc.assert(
      fc.property(side, side, fc.array(fc.boolean(), { minLength: 5, maxLength: 5 }), (was, now, whose) => {
        const text = (which: boolean | null): string =>
          featureType(
            ...names.flatMap((name, at) => {
              const shown = which === null || whose[at] !== which ? was[name] : now[name]
              return shown === '' ? [] : [`<${name}>${shown}</${name}>`]
            })
          )
        const made = merged(FEATURE_TYPE, text(null), text(true), text(false))
        assert.ok(made !== null)
        const all = featureType(
          ...names.flatMap((name) => (now[name] === '' ? [] : [`<${name}>${now[name]}</${name}>`]))
        )
        const parts = (document: string): string[] => document.split('\n').toSorted()
        assert.deepEqual(parts(made), parts(all))
        const sent = outward({ path: FEATURE_TYPE, kind: 'featuretype' }, Buffer.from(made))
        assert.equal(sent.ok && sent.value.bytes.toString(), made)
      }),
      { seed: 6, numRuns: 300 }
    )
  })
})

describe('ids', () => {
  const layer =
    '<layer>\n  <name>contours</name>\n  <id>La-1</id>\n  <defaultStyle><id> St-1 </id></defaultStyle>\n  <resource><id>Ft-1</id></resource>\n  <x>La-1</x>\n</layer>\n'
  const LAYER = 'workspaces/coast/depth/contours/layer.xml'

  test('an object has its own id and names others; files of which nothing is known have none', () => {
    assert.deepEqual(contents.identity(LAYER, Buffer.from(layer)), { own: 'La-1', named: ['La-1', 'St-1', 'Ft-1'] })
    const copy = '<workspace><id>Ws-1</id><name>coast</name></workspace>'
    assert.deepEqual(contents.identity('workspaces/default.xml', Buffer.from(copy)), { own: null, named: ['Ws-1'] })
    assert.equal(contents.identity('styles/line.sld', Buffer.from(layer)), null)
    assert.equal(contents.identity(LAYER, Buffer.from('<layer>')), null)
    assert.deepEqual([contents.knows(LAYER), contents.knows('styles/line.sld')], [true, false])
  })

  test('other ids stand where ids stand and nowhere else; a tile layer moves to the name of its layer', () => {
    const ids = new Map([
      ['La-1', 'La:<2'],
      ['St-1', 'St-2']
    ])
    const made = contents.withIds(LAYER, Buffer.from(layer), ids)!
    assert.equal(made.path, LAYER)
    assert.equal(
      Buffer.from(made.bytes).toString(),
      layer.replace('<id>La-1', '<id>La:&lt;2').replace(' St-1 ', 'St-2')
    )
    const tiles = contents.withIds(
      'gwc-layers/La-1.xml',
      Buffer.from('<GeoServerTileLayer><id>La-1</id></GeoServerTileLayer>'),
      new Map([['La-1', 'La:2']])
    )!
    assert.equal(tiles.path, 'gwc-layers/La_2.xml')
    const same = contents.withIds(LAYER, Buffer.from(layer), new Map([['x', 'y']]))!
    assert.equal(Buffer.from(same.bytes).toString(), layer)
    assert.equal(contents.withIds(LAYER, Buffer.from('<layer>'), ids), null)
    assert.equal(contents.withIds('styles/line.sld', Buffer.from(layer), ids), null)
  })
})

describe('objects', () => {
  const at = (path: string, text?: string): string => {
    const object = contents.objectAt(path, () => (text === undefined ? undefined : Buffer.from(text)))
    return object === null ? '' : `${object.kind} ${object.name}`
  }

  test('are called as people call them, with the workspace they are in', () => {
    const named: ReadonlyArray<readonly [path: string, object: string]> = [
      ['workspaces/coast/workspace.xml', 'workspace coast'],
      ['workspaces/coast/namespace.xml', 'namespace coast'],
      ['workspaces/coast/depth/datastore.xml', 'datastore coast:depth'],
      ['workspaces/coast/depth/contours/featuretype.xml', 'featuretype coast:contours'],
      ['workspaces/coast/depth/contours/layer.xml', 'layer coast:contours'],
      ['styles/line.xml', 'style line'],
      ['workspaces/coast/styles/line.xml', 'style coast:line'],
      ['layergroups/all.xml', 'layergroup all'],
      ['workspaces/default.xml', ''],
      ['styles/line.sld', ''],
      ['www/index.html', ''],
      ['global.xml', '']
    ]
    for (const [path, object] of named) assert.equal(at(path), object, path)
    const tiles = '<GeoServerTileLayer><id>La-1</id><name>coast:contours</name></GeoServerTileLayer>'
    assert.equal(at('gwc-layers/La-1.xml', tiles), 'tile-layer coast:contours')
    assert.equal(at('gwc-layers/La-1.xml'), 'tile-layer La-1')
    assert.equal(at('gwc-layers/La-1.xml', '<x'), 'tile-layer La-1')
  })
})
