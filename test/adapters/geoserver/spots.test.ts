/** Passwords inside addresses and connection strings of a store: none travels, and each comes back where it stood. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { Classifier } from '../../../src/adapters/geoserver/classify.js'
import { readFacts } from '../../../src/adapters/geoserver/objects.js'
import { MAX_SPOT_TEXT_CHARS, spotsIn, withSpots } from '../../../src/adapters/geoserver/spots.js'
import { inward, outward, type Place } from '../../../src/adapters/geoserver/travel.js'

const STORE: Place = { path: 'workspaces/coast/depth/datastore.xml', kind: 'datastore' }

const values = (text: string): string[] => spotsIn(text).map(({ name, value }) => `${name}=${value}`)
const store = (key: string, text: string): string =>
  `<dataStore>\n  <id>D</id>\n  <name>depth</name>\n  <connectionParameters>\n    <entry key="${key}">${text}</entry>\n  </connectionParameters>\n</dataStore>`

function out(text: string): string {
  const made = outward(STORE, Buffer.from(text))
  assert.ok(made.ok)
  return made.value.bytes.toString()
}

function into(text: string, local: string | null, secrets: Record<string, string> = {}): unknown {
  const made = inward(STORE, Buffer.from(text), local === null ? null : Buffer.from(local), (name) => secrets[name])
  assert.ok(made.ok)
  return 'lacks' in made.value ? made.value : made.value.bytes.toString()
}

describe('where a password stands', () => {
  test('between the colon and the at sign of an address, whatever is in it', () => {
    assert.deepEqual(values('https://u:pw@host/wfs?x=1'), ['user=pw'])
    assert.deepEqual(values('http://:pw@host'), ['user=pw'])
    assert.deepEqual(values('mongodb://u:p%40w:x@h1:27017,h2/db'), ['user=p%40w:x'])
    assert.deepEqual(values('ftp://u:p@ss@host/x'), ['user=p@ss'])
    assert.deepEqual(values('amqp://u:p/w@host'), ['user=p/w'])
    assert.deepEqual(values('http://a:1x@h and http://b:2@h'), ['user=1x', 'user.2=2'])
  })

  test('behind a name of a secret, in addresses and connection strings', () => {
    assert.deepEqual(values('jdbc:postgresql://h:5432/db?user=u&password=pw&ssl=true'), ['password=pw'])
    assert.deepEqual(values('jdbc:sqlserver://h;user=u;Password = pw;trustStorePassword=tp'), [
      'password=pw',
      'truststorepassword=tp'
    ])
    assert.deepEqual(values('host=h password=pw dbname=d'), ['password=pw'])
    assert.deepEqual(values('(user=u)(pwd=pw)'), ['pwd=pw'])
    assert.deepEqual(values('https://h/tiles?api_key=k&access_token=t'), ['api_key=k', 'access_token=t'])
    assert.deepEqual(values('jdbc:oracle:thin:u/pw@//h:1521/s'), ['user=pw'])
  })

  test('nothing else is taken for one', () => {
    for (const text of [
      'http://h:8080/a@b',
      'http://h:8080?mail=a@b',
      'http://h:80',
      'user=u',
      'passwords are kept elsewhere',
      'file:data/x.shp',
      'SELECT a FROM b WHERE c = 1',
      'http://h/x?passwordless=1&author=u'
    ])
      assert.deepEqual(values(text), [], text)
  })

  test('a text of any length costs time in proportion, and a longer one than the limit is no address', () => {
    const long = 'http://u:'.repeat(MAX_SPOT_TEXT_CHARS / 9 + 1).slice(0, MAX_SPOT_TEXT_CHARS - 2)
    const began = performance.now()
    spotsIn(long)
    spotsIn('a= '.repeat(5_000))
    assert.ok(performance.now() - began < 2_000)
    assert.equal(spotsIn(`${long}p@`).length, 1)
    assert.equal(spotsIn(`${long}pp@`).length, 0)
  })

  test('what is put in its place is found again under the same name', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(
          'http://u:PW@h/x?password=PW&y=1',
          'host=h password=PW',
          'jdbc:oracle:thin:u/PW@h',
          'http://a:PW@h http://b:PW@h'
        ),
        fc.stringMatching(/^[a-z0-9:%!$]{1,12}$/),
        (pattern, password) => {
          const text = pattern.replaceAll('PW', `x${password}`)
          const spots = spotsIn(text)
          const away = withSpots(
            text,
            spots.map((spot) => ({ spot, value: `grapevine-secret:url.${spot.name}` }))
          )
          assert.equal(away.includes(`x${password}`), false)
          const again = spotsIn(away)
          assert.deepEqual(
            again.map(({ name, form }) => [name, form]),
            spots.map(({ name }) => [name, 'reference'])
          )
          assert.equal(
            withSpots(
              away,
              again.map((spot, at) => ({ spot, value: spots[at]!.value }))
            ),
            text
          )
        }
      ),
      { seed: 6, numRuns: 500 }
    )
  })
})

describe('a store whose address holds a password', () => {
  const url = (password: string): string =>
    store('url', `jdbc:postgresql://h/db?user=u&amp;password=${password}&amp;ssl=true`)

  test('travels without it, and the same whatever it is', () => {
    assert.equal(out(url('hunter2')), url('grapevine-secret:url.password'))
    assert.equal(out(url('other')), out(url('hunter2')))
    assert.equal(out(out(url('hunter2'))), out(url('hunter2')))
    assert.equal(out(url('${PW}')), url('${PW}'))
  })

  test('gets the one of the local file, else the secret of that name, else is held back', () => {
    const arrived = out(url('theirs')).replace('ssl=true', 'ssl=false')
    assert.equal(into(arrived, url('own')), url('own').replace('ssl=true', 'ssl=false'))
    assert.equal(
      into(arrived, null, { 'coast/depth/url.password': 'a&b' }),
      url('a&amp;b').replace('ssl=true', 'ssl=false')
    )
    assert.deepEqual(into(arrived, null), { lacks: 'coast/depth/url.password' })
    // what somebody sent as it is written does not arrive either
    assert.deepEqual(into(url('sent'), null), { lacks: 'coast/depth/url.password' })
  })

  test('other names of secrets are passwords as a whole', () => {
    for (const [key, mark] of [
      ['WFSDataStoreFactory:PASSWORD', 'plain:'],
      ['ssl_password', 'plain:'],
      ['pwd', 'plain:'],
      ['s3.secretKey', ''],
      ['API_KEY', '']
    ] as const) {
      assert.equal(out(store(key, 'hunter2')), store(key, `grapevine-secret:${key.toLowerCase()}`))
      assert.equal(
        into(out(store(key, 'x')), null, { [`coast/depth/${key.toLowerCase()}`]: 'p' }),
        store(key, `${mark}p`)
      )
    }
    assert.equal(out(store('passwordless', 'x')), store('passwordless', 'x'))
  })

  test('addresses below the root hold passwords, too, and a look at a directory says so', () => {
    const place: Place = { path: 'workspaces/w/far/wmsstore.xml', kind: 'wmsstore' }
    const cascaded =
      '<wmsStore><id>D</id><name>far</name><capabilitiesURL>http://u:hunter2@h/wms?</capabilitiesURL></wmsStore>'
    const made = outward(place, Buffer.from(cascaded))
    assert.ok(made.ok)
    assert.equal(made.value.bytes.toString(), cascaded.replace('hunter2', 'grapevine-secret:capabilitiesurl.user'))
    const facts = readFacts(place.path, new Classifier().classify(place.path), Buffer.from(cascaded))
    assert.equal(facts.object!.password, 'plain')
  })
})
