/** Fields that the operator keeps on each node: out of what travels, and back from the file that lies there. */
import '../../../src/polyfill.js'
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Classifier } from '../../../src/adapters/geoserver/classify.js'
import { contentsOf } from '../../../src/adapters/geoserver/contents.js'
import { inward, outward } from '../../../src/adapters/geoserver/travel.js'
import { MAX_XML_ELEMENTS } from '../../../src/adapters/geoserver/xml.js'
import { Bodies, bytesOf, fileAt, outcomes } from '../../contract/adapter.js'
import { makeWorld } from './world.js'

const STORE = 'workspaces/coast/depth/datastore.xml'
const RULES = [
  `field workspaces/*/*/datastore.xml connectionParameters/entry[host]`,
  `field workspaces/*/*/datastore.xml connectionParameters/entry[passwd]`
]

const store = (host: string, description: string, more = ''): string =>
  `<dataStore>\n  <id>D</id>\n  <name>depth</name>\n  <description>${description}</description>\n  <connectionParameters>\n    <entry key="port">5432</entry>${host}${more}\n  </connectionParameters>\n</dataStore>\n`
const host = (name: string): string => `\n    <entry key="host">${name}</entry>`
const password = (value: string): string => `\n    <entry key="passwd">${value}</entry>`

describe('a field that the operator keeps on each node', () => {
  test('stays out of what travels, with a password in it, and comes from the file that is there', () => {
    const place = new Classifier(RULES).placeOf(STORE)!
    const made = outward(place, Buffer.from(store(host('db-a'), 'one', password('plain:canary'))))
    assert.ok(made.ok)
    assert.equal(made.value.bytes.toString(), store('', 'one'))
    const secretOf = (): undefined => undefined
    const own = store(host('db-b'), 'old', password('crypt1:own'))
    // also where the node it comes from does not keep it
    for (const incoming of [
      made.value.bytes,
      Buffer.from(store(host('db-a'), 'one', password('grapevine-secret:passwd')))
    ]) {
      const arrived = inward(place, incoming, Buffer.from(own), secretOf)
      assert.ok(arrived.ok && 'bytes' in arrived.value)
      assert.equal(arrived.value.bytes.toString(), own.replace('old', 'one'))
    }
    const fresh = inward(place, made.value.bytes, null, secretOf)
    assert.ok(fresh.ok && 'bytes' in fresh.value)
    assert.equal(fresh.value.bytes.toString(), store('', 'one'))
  })

  test('is no part of what a merge makes, where the other node does not keep it', () => {
    const contents = contentsOf(new Classifier(RULES))
    const merged = contents.merge(
      STORE,
      Buffer.from(store('', 'one')),
      Buffer.from(store(host('x'), 'one')),
      Buffer.from(store('', 'two'))
    )
    assert.equal(Buffer.from(merged!).toString(), store('', 'two'))
  })

  test('is no change when it is edited, and its file otherwise is', async (t) => {
    const world = await makeWorld({ rules: RULES })
    t.after(() => world.dispose())
    await world.make(STORE, store(host('db-a'), 'one'))
    await world.adapter.start()
    const before = await fileAt(world.adapter, STORE)
    assert.equal((await bytesOf(world.adapter.read(before))).toString(), store('', 'one'))
    await world.make(STORE, store(host('db-b'), 'one'))
    assert.deepEqual((await fileAt(world.adapter, STORE)).body, before.body)
    const bodies = new Bodies()
    const body = bodies.add(store('', 'two'))
    const expect = await fileAt(world.adapter, STORE)
    const results = await world.adapter.apply([{ do: 'write', path: STORE, body, exec: false, expect }], bodies.source)
    assert.deepEqual(outcomes(results), ['done'])
    assert.equal(await world.text(STORE), store(host('db-b'), 'two'))
    assert.deepEqual((await fileAt(world.adapter, STORE)).body, body)
  })

  test('takes time as the document is long, however many passwords stand in what is taken out', () => {
    const place = new Classifier(['field workspaces/*/*/datastore.xml connectionParameters/entry']).placeOf(STORE)!
    const many = `${password('plain:x').repeat(MAX_XML_ELEMENTS - 20)}<stays/>`
    const made = outward(place, Buffer.from(store('', 'one', many)))
    assert.ok(made.ok)
    assert.doesNotMatch(made.value.bytes.toString(), /entry|plain/)
    assert.match(made.value.bytes.toString(), /<stays\/>/)
  })
})
