/** Passwords of stores. The numbers are those of REAL-SYSTEMS.md. */
import assert from 'node:assert/strict'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { describe, test } from 'node:test'
import { worldOf } from './world.js'

const STORE = '/rest/workspaces/coast/datastores/depth'
const FILE = 'workspaces/coast/depth/datastore.xml'
const passwordIn = (text: string): string => /<entry key="passwd">([^<]*)</.exec(text)![1]!

describe('the password of a store', () => {
  test('is encrypted anew at each save, also when nothing is different', async (t) => {
    const world = await worldOf(t)
    const seen: string[] = []
    for (let save = 0; save < 3; save++) {
      // 1.8: a no-op PUT of a store, or a PUT of its own file, gives another crypt1: for the same password
      assert.equal((await world.call('PUT', STORE, await world.text(FILE))).status, 200)
      seen.push(passwordIn(await world.text(FILE)))
    }
    assert.equal(new Set(seen).size, 3)
    for (const password of seen) {
      assert.match(password, /^crypt1:/)
      assert.equal(world.standIn.server.keystore.decrypt(password), 'canary')
    }
    assert.match(passwordIn((await world.call('GET', STORE)).text), /^crypt1:/)
    assert.equal(world.standIn.server.journal.log.join('').includes('canary'), false)
  })

  test('of another node makes the store and its layers disappear', async (t) => {
    const [one, two] = [await worldOf(t), await worldOf(t)]
    await one.call('PUT', STORE, '<dataStore><enabled>true</enabled></dataStore>')
    await two.write(FILE, await one.text(FILE))
    // 1.8: "Failed to load data store 'pg'", the store and all its layers gone on node 4
    assert.equal((await two.call('POST', '/rest/reload')).status, 200)
    assert.equal(two.standIn.report().log.includes("WARN Failed to load data store 'depth'"), true)
    assert.equal((await two.call('GET', STORE)).status, 404)
    assert.equal((await two.call('GET', '/rest/layers/coast:contours')).status, 404)
  })

  test('of another node is refused by a PUT', async (t) => {
    const [one, two] = [await worldOf(t), await worldOf(t)]
    await one.call('PUT', STORE, '<dataStore><enabled>true</enabled></dataStore>')
    assert.equal((await two.call('PUT', STORE, await one.text(FILE))).status, 500)
    assert.equal(two.standIn.server.catalog.find('datastore', 'coast', 'depth')?.name, 'depth')
  })

  test('is read again after a restart, by the keystore in the directory', async (t) => {
    const world = await worldOf(t)
    await world.call('PUT', STORE, '<dataStore><enabled>true</enabled></dataStore>')
    await world.standIn.stop()
    await world.start()
    assert.equal((await world.call('GET', STORE)).status, 200)
  })

  test('of the master keeps a server with the keystore of another from starting', async (t) => {
    const [one, two] = [await worldOf(t), await worldOf(t)]
    await two.standIn.stop()
    const keystore = 'security/geoserver.jceks'
    const own = await readFile(two.at(keystore))
    await writeFile(two.at(keystore), await readFile(one.at(keystore)))
    // 2.3: a keystore with another node's passwd stops GeoServer ("Password verification failed")
    await assert.rejects(two.start(), /^Error: Password verification failed$/)
    await writeFile(two.at(keystore), own)
    await two.start()
    await rm(two.at(keystore))
  })
})
