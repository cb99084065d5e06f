import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { FIELD_RULES, localFields } from '../../../src/adapters/geoserver/field-rules.js'
import type { FileKind } from '../../../src/adapters/geoserver/file-rules.js'
import { MAX_XML_ELEMENTS } from '../../../src/adapters/geoserver/xml.js'
import { inward, outward, type Place } from '../../../src/adapters/geoserver/travel.js'

const GLOBAL: Place = { path: 'global.xml', kind: 'global' }
const LAYER: Place = { path: 'workspaces/w/s/l/layer.xml', kind: 'layer' }
const STORE: Place = { path: 'workspaces/coast/depth/datastore.xml', kind: 'datastore' }
const noSecrets = (): undefined => undefined

function out(place: Place, text: string): string {
  const made = outward(place, Buffer.from(text))
  assert.ok(made.ok, made.ok ? '' : made.problem.reason)
  return made.value.bytes.toString()
}

function into(place: Place, incoming: string, local: string | null, secrets: Record<string, string> = {}): string {
  const made = inward(place, Buffer.from(incoming), local === null ? null : Buffer.from(local), (name) => secrets[name])
  assert.ok(made.ok && !('lacks' in made.value))
  return made.value.bytes.toString()
}

const meaning = (place: Place, text: string): string => {
  const made = outward(place, Buffer.from(text))
  assert.ok(made.ok)
  return made.value.meaning
}

const NODE_A = `<global>
  <settings>
    <charset>UTF-8</charset>
    <proxyBaseUrl>https://a.example.org</proxyBaseUrl>
    <numDecimals>8</numDecimals>
  </settings>
  <jai>
    <recycling>false</recycling>
    <tilePriority>5</tilePriority>
    <tileThreads>7</tileThreads>
  </jai>
  <coverageAccess>
    <maxPoolSize>5</maxPoolSize>
    <corePoolSize>5</corePoolSize>
    <keepAliveTime>30000</keepAliveTime>
    <queueType>UNBOUNDED</queueType>
    <imageIOCacheThreshold>10240</imageIOCacheThreshold>
  </coverageAccess>
  <updateSequence>83</updateSequence>
  <lockProviderName>fileLockProvider</lockProviderName>
  <globalServices>true</globalServices>
</global>
`
const SHARED = `<global>
  <settings>
    <charset>UTF-8</charset>
    <numDecimals>8</numDecimals>
  </settings>
  <jai>
    <recycling>false</recycling>
  </jai>
  <coverageAccess>
    <imageIOCacheThreshold>10240</imageIOCacheThreshold>
  </coverageAccess>
  <globalServices>true</globalServices>
</global>
`

describe('what travels of a file by field', () => {
  test('is everything but the fields of one node, byte for byte (1, 2)', () => {
    assert.equal(out(GLOBAL, NODE_A), SHARED)
    assert.equal(out(GLOBAL, SHARED), SHARED)
    const layer = "<layer>\r\n\t<name>l</name>\n  <id>L</id><!-- kept -->\n  <x a='1'/>\n</layer>"
    assert.equal(out(LAYER, layer), layer)
  })

  test('a counter that moved, another address and other threads are no change (1)', () => {
    const changed = NODE_A.replace('83', '99')
      .replace('a.example.org', 'b.example.org')
      .replace('<tileThreads>7', '<tileThreads>2')
    assert.equal(out(GLOBAL, changed), SHARED)
    assert.notEqual(out(GLOBAL, NODE_A.replace('UTF-8', 'UTF-16')), SHARED)
  })

  test('dates alone are no change, in every kind of object (1)', () => {
    const dated =
      '<layer>\n  <name>l</name>\n  <id>L</id>\n  <dateCreated>2020</dateCreated>\n  <dateModified>2024</dateModified>\n</layer>'
    assert.equal(out(LAYER, dated), '<layer>\n  <name>l</name>\n  <id>L</id>\n</layer>')
    const dateInside = '<layer>\n  <metadata>\n    <dateModified>kept</dateModified>\n  </metadata>\n</layer>'
    assert.equal(out(LAYER, dateInside), dateInside)
  })

  test('the style that a tile layer names for its layer is no change: each GeoServer fills it in (1)', () => {
    const tiles = (style: string): string =>
      `<GeoServerTileLayer>\n  <id>L</id>\n  <name>ws:l</name>\n  <parameterFilters>\n    <styleParameterFilter>\n      <key>STYLES</key>\n      <defaultValue></defaultValue>\n${style}    </styleParameterFilter>\n  </parameterFilters>\n  <gutter>0</gutter>\n</GeoServerTileLayer>`
    const filled = (name: string): string =>
      tiles(`      <availableStyles class="sorted-set"/>\n      <defaultStyle>${name}</defaultStyle>\n`)
    const place: Place = { path: 'gwc-layers/L.xml', kind: 'tile-layer' }
    const meaning = (text: string): string => {
      const made = outward(place, Buffer.from(text))
      assert.ok(made.ok)
      return made.value.meaning
    }
    assert.equal(meaning(filled('buoy')), meaning(filled('mast')))
    assert.equal(meaning(filled('buoy')), meaning(tiles('')))
    assert.notEqual(meaning(filled('buoy')), meaning(filled('buoy').replace('<gutter>0', '<gutter>1')))
  })

  test('every field of the table is taken out of its kind of file and stays in all others', () => {
    for (const { kinds, path, reason } of FIELD_RULES) {
      assert.ok(reason.split(' ').length > 3)
      for (const kind of kinds) {
        const roots: Partial<Record<FileKind, string>> = {
          'default-workspace': 'workspace',
          datastore: 'dataStore',
          coveragestore: 'coverageStore',
          wmsstore: 'wmsStore',
          wmtsstore: 'wmtsStore',
          featuretype: 'featureType',
          wmslayer: 'wmsLayer',
          wmtslayer: 'wmtsLayer',
          layergroup: 'layerGroup',
          service: 'wps',
          'tile-layer': 'GeoServerTileLayer'
        }
        const root = roots[kind] ?? kind
        const nested =
          path.map((name) => `<${name}>`).join('') +
          'x' +
          path
            .toReversed()
            .map((name) => `</${name}>`)
            .join('')
        assert.equal(
          out({ path: 'x', kind }, `<${root}>\n  <keep/>\n  ${nested}\n</${root}>`),
          `<${root}>\n  <keep/>\n</${root}>`
        )
      }
    }
    assert.deepEqual(localFields('graphic'), [])
  })

  test('a parent that held nothing but fields of one node goes along, for another node may have none (1)', () => {
    const pools =
      '<global>\n  <coverageAccess>\n    <corePoolSize>5</corePoolSize>\n  </coverageAccess>\n  <x/>\n</global>'
    for (const text of [pools, '<global>\n  <coverageAccess/>\n  <x/>\n</global>', '<global>\n  <x/>\n</global>'])
      assert.equal(out(GLOBAL, text), '<global>\n  <x/>\n</global>')
    assert.equal(out(GLOBAL, '<global><updateSequence>1</updateSequence></global>'), '<global/>')
    const attribute = '<global>\n  <coverageAccess class="x"/>\n</global>'
    assert.equal(out(GLOBAL, attribute), attribute)
  })

  test('what is not its kind of document, not UTF-8 or broken neither leaves nor arrives (5)', () => {
    const bad: Array<[string | Buffer, string]> = [
      ['', 'empty'],
      ['<layer>', 'malformed'],
      ['<!DOCTYPE layer><layer/>', 'doctype'],
      ['<style/>', 'wrong-root'],
      [Buffer.from('<?xml version="1.0" encoding="ISO-8859-1"?><layer/>'), 'encoding']
    ]
    for (const [content, word] of bad) {
      const left = outward(LAYER, Buffer.from(content))
      const arrived = inward(LAYER, Buffer.from(content), Buffer.from('<layer/>'), noSecrets)
      assert.deepEqual([left.ok || left.problem.word, arrived.ok || arrived.problem.word], [word, word])
    }
  })

  test('is found in time that follows its length, whoever made it to be slow', () => {
    const many = MAX_XML_ELEMENTS / 5
    const siblings = '<a/><dateModified/>'.repeat(many)
    const passwords = '<entry key="passwd">plain:x</entry>'.repeat(many)
    const text = `<dataStore>${siblings}<connectionParameters>${passwords}</connectionParameters></dataStore>`
    const began = performance.now()
    const travelled = out(STORE, text)
    assert.ok(travelled.length > many && !travelled.includes('plain:') && !travelled.includes('dateModified'))
    assert.ok(performance.now() - began < 20_000)
  })

  test('may name its class in full, as old versions do', () => {
    const old = (kind: string): string =>
      `<org.geoserver.catalog.impl.${kind}InfoImpl>\n  <id>L</id>\n</org.geoserver.catalog.impl.${kind}InfoImpl>`
    assert.equal(out(LAYER, old('Layer').replace('\n</', '\n  <dateModified>1</dateModified>\n</')), old('Layer'))
    assert.equal(outward(LAYER, Buffer.from(old('Style'))).ok, false)
  })

  test('means the same however it is written, and another thing when a word, an order or an attribute differs', () => {
    const layer = '<layer>\n  <name>l</name>\n  <a x="1" y="2"/>\n</layer>'
    for (const same of [
      "<layer><name>l</name><a y='2' x='1'></a></layer>",
      '<layer><name>&#108;</name><a x="1" y="2"/></layer>',
      layer.replace('</layer>', '<dateModified>1</dateModified></layer>')
    ])
      assert.equal(meaning(LAYER, same), meaning(LAYER, layer), same)
    assert.notEqual(meaning(LAYER, '<layer><a><b/></a></layer>'), meaning(LAYER, '<layer><a/><b/></layer>'))
    for (const other of [
      '<layer><name>l </name><a x="1" y="2"/></layer>',
      '<layer><a x="1" y="2"/><name>l</name></layer>',
      '<layer><name>l</name><a x="1" y="3"/></layer>',
      '<layer><name>l</name></layer>',
      '<layer><name>l</name><a x="1" y="2"/><a/></layer>'
    ])
      assert.notEqual(meaning(LAYER, other), meaning(LAYER, layer), other)
  })
})

describe('what a node makes of a file by field that arrives', () => {
  test('threads that neither it nor the document has are those GeoServer begins with, and travel no more than others (1)', () => {
    for (const local of [null, '<global><updateSequence>1</updateSequence></global>']) {
      const written = into(GLOBAL, SHARED, local)
      for (const [name, text] of [
        ['tilePriority', '5'],
        ['tileThreads', '7'],
        ['maxPoolSize', '5'],
        ['corePoolSize', '5'],
        ['keepAliveTime', '30000'],
        ['queueType', 'UNBOUNDED']
      ])
        assert.ok(written.includes(`<${name}>${text}</${name}>`), name)
      assert.equal(out(GLOBAL, written), SHARED)
    }
    // its own count, and where there is no element around them they are not made up
    assert.match(into(GLOBAL, SHARED, NODE_A.replace('>7<', '>3<')), /<tileThreads>3</)
    const bare = '<global>\n  <globalServices>true</globalServices>\n</global>\n'
    assert.equal(into(GLOBAL, bare, null), bare)
  })

  test('it keeps its own fields where they were, and takes everything else (1)', () => {
    const arrived = SHARED.replace('UTF-8', 'UTF-16').replace('true', 'false')
    assert.equal(into(GLOBAL, arrived, NODE_A), NODE_A.replace('UTF-8', 'UTF-16').replace('true', 'false'))
    assert.equal(out(GLOBAL, into(GLOBAL, arrived, null)), arrived)
  })

  test('fields of the sender that came along all the same are not taken over (1)', () => {
    assert.equal(into(GLOBAL, NODE_A.replace('83', '99'), NODE_A), NODE_A)
    assert.equal(into(GLOBAL, NODE_A, null), into(GLOBAL, SHARED, null))
  })

  test('fields whose parent did not come along bring it with them (1)', () => {
    const merged = into(GLOBAL, '<global>\n  <x/>\n</global>', NODE_A)
    assert.match(merged, /<coverageAccess>\s*<maxPoolSize>5<\/maxPoolSize>\s*<corePoolSize>5<\/corePoolSize>/)
    assert.match(merged, /<updateSequence>83<\/updateSequence>/)
    assert.equal(out(GLOBAL, merged), '<global>\n  <x/>\n</global>')
    const alone = into(GLOBAL, '<global/>', '<global>\n  <updateSequence>83</updateSequence>\n</global>')
    assert.match(alone, /^<global>\s*<updateSequence>83<\/updateSequence>\s*<\/global>$/)
    assert.equal(out(GLOBAL, alone), '<global/>')
  })

  test('a local file that is broken keeps nothing and hinders nothing', () => {
    for (const local of ['', '<global>', '<style/>'])
      assert.equal(into(GLOBAL, SHARED, local), into(GLOBAL, SHARED, null))
  })

  test('whatever a node has, what it wrote travels as it arrived: no echo (2)', () => {
    const names = [
      'settings',
      'jai',
      'coverageAccess',
      'updateSequence',
      'lockProviderName',
      'proxyBaseUrl',
      'tileThreads',
      'corePoolSize',
      'dateModified',
      'x'
    ]
    const space = fc.constantFrom('', '\n', '\n  ', '\r\n\t')
    const element = (depth: number): fc.Arbitrary<string> =>
      fc
        .tuple(
          fc.constantFrom(...names),
          fc.constantFrom('', 'text', ' a="1"'),
          depth === 0 ? fc.constant([]) : fc.array(fc.tuple(space, element(depth - 1)), { maxLength: 4 }),
          space
        )
        .map(([name, own, children, end]) => {
          const attribute = own.startsWith(' ') ? own : ''
          const inner = children.map(([before, child]) => before + child).join('') + (own === 'text' ? own : '') + end
          return inner === '' ? `<${name}${attribute}/>` : `<${name}${attribute}>${inner}</${name}>`
        })
    const document = fc.tuple(fc.array(fc.tuple(space, element(2)), { maxLength: 6 }), space).map(([children, end]) => {
      const inner = children.map(([before, child]) => before + child).join('') + end
      return inner === '' ? '<global/>' : `<global>${inner}</global>`
    })
    fc.assert(
      fc.property(document, document, (incoming, local) => {
        const travelled = out(GLOBAL, incoming)
        assert.equal(out(GLOBAL, travelled), travelled)
        const merged = into(GLOBAL, travelled, local)
        assert.equal(out(GLOBAL, merged), travelled)
        // and nothing of its own is lost: merged once more, there is nothing left to do
        assert.equal(into(GLOBAL, travelled, merged), merged)
        const own = (text: string): number =>
          text.split(/<updateSequence|<lockProviderName|<(?:tileThreads|corePoolSize|proxyBaseUrl)/).length
        assert.ok(own(merged) >= own(local) - own(out(GLOBAL, local)) + own(travelled))
      }),
      { seed: 6, numRuns: 3_000 }
    )
  })
})

describe('the password of a store', () => {
  const store = (password: string, more = ''): string =>
    `<dataStore>\n  <id>D</id>\n  <name>depth</name>${more}\n  <connectionParameters>\n    <entry key="user">u</entry>\n    <entry key="passwd">${password}</entry>\n  </connectionParameters>\n</dataStore>`

  test('stays home, and the same whatever it is and however it is written (3)', () => {
    const travelled = out(STORE, store('plain:hunter2'))
    assert.equal(travelled, store('grapevine-secret:passwd'))
    for (const written of ['crypt1:AbC=', 'crypt1:xYz=', 'hunter3', '<![CDATA[plain:a&b]]>'])
      assert.equal(out(STORE, store(written)), travelled)
    assert.equal(out(STORE, travelled), travelled)
  })

  test('that the environment fills travels as it is', () => {
    for (const written of ['${DB_PASSWORD}', 'plain:${DB_PASSWORD}', '', 'plain:'])
      assert.equal(out(STORE, store(written)), store(written))
    assert.equal(into(STORE, store('${DB_PASSWORD}'), store('crypt1:own')), store('${DB_PASSWORD}'))
  })

  describe('that the environment fills and GeoServer encrypted (5)', () => {
    const known = { passwd: 'plain:${DB}' }
    const made = (written: string): string => {
      const result = outward(STORE, Buffer.from(store(written)), known)
      assert.ok(result.ok)
      return result.value.bytes.toString()
    }
    const arrived = (incoming: string, local: string): string => {
      const more = '\n  <enabled>false</enabled>'
      const texts = [store(incoming, more), store(local)].map((text) => Buffer.from(text)) as [Buffer, Buffer]
      const result = inward(STORE, ...texts, noSecrets, known)
      assert.ok(result.ok && !('lacks' in result.value))
      assert.deepEqual(result.value.parameters, incoming.includes('$') ? { passwd: incoming } : {})
      return result.value.bytes.toString().replace(more, '')
    }

    test('goes on standing for it, and what is written in plain text does not', () => {
      assert.equal(made('crypt1:x'), store('plain:${DB}'))
      assert.equal(made('plain:${OTHER}'), store('plain:${OTHER}'))
      assert.equal(made('plain:hunter2'), store('grapevine-secret:passwd'))
    })

    test('stays when another change arrives, and makes way for another parameter', () => {
      assert.equal(arrived('plain:${DB}', 'crypt1:x'), store('crypt1:x'))
      assert.equal(arrived('plain:${OTHER}', 'crypt1:x'), store('plain:${OTHER}'))
      assert.equal(arrived('plain:${DB}', 'plain:${DB}'), store('plain:${DB}'))
      assert.equal(arrived('grapevine-secret:passwd', 'crypt1:x'), store('crypt1:x'))
    })
  })

  test('of the local file stays in it when something else of the store changes (3)', () => {
    const arrived = store('grapevine-secret:passwd', '\n  <enabled>false</enabled>')
    assert.equal(
      into(STORE, arrived, store('crypt1:own&amp;')),
      store('crypt1:own&amp;', '\n  <enabled>false</enabled>')
    )
    assert.equal(
      into(STORE, arrived, store('crypt1:own'), { 'coast/depth/passwd': 'other' }),
      store('crypt1:own', '\n  <enabled>false</enabled>')
    )
  })

  test('of a store that is new here comes from the secrets of this node (3)', () => {
    const arrived = store('grapevine-secret:passwd')
    const secrets = (password: string) => ({ 'coast/depth/passwd': password })
    assert.equal(into(STORE, arrived, null, secrets('a<b&c')), store('plain:a&lt;b&amp;c'))
    assert.equal(into(STORE, arrived, null, secrets('crypt1:x')), store('crypt1:x'))
    assert.equal(into(STORE, arrived, store('${DB}'), secrets('x')), store('plain:x'))
  })

  test('that this node lacks holds the store back, by name (3)', () => {
    const made = inward(STORE, Buffer.from(store('grapevine-secret:passwd')), null, noSecrets)
    assert.deepEqual(made, { ok: true, value: { lacks: 'coast/depth/passwd' } })
  })

  test('of another store is not to be had by naming it (4)', () => {
    const asked: string[] = []
    inward(STORE, Buffer.from(store('grapevine-secret:coast/other/passwd')), null, (name) => void asked.push(name))
    assert.deepEqual(asked, ['coast/depth/passwd'])
  })

  test('that somebody sent as it is written does not arrive', () => {
    const made = inward(STORE, Buffer.from(store('plain:theirs')), null, noSecrets)
    assert.deepEqual(made, { ok: true, value: { lacks: 'coast/depth/passwd' } })
  })

  test('of a cascaded server is one, too', () => {
    const place: Place = { path: 'workspaces/w/far/wmsstore.xml', kind: 'wmsstore' }
    const cascaded = (password: string): string =>
      `<wmsStore><id>D</id><user>u</user><password>${password}</password></wmsStore>`
    assert.equal(out(place, cascaded('crypt1:x')), cascaded('grapevine-secret:password'))
    assert.equal(
      into(place, cascaded('grapevine-secret:password'), null, { 'w/far/password': 'p' }),
      cascaded('plain:p')
    )
  })
})
