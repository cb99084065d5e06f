import assert from 'node:assert/strict'
import { chmod, rm, writeFile } from 'node:fs/promises'
import { createServer, type RequestListener } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { describe, test, type TestContext } from 'node:test'
import { MAX_PASSWORD_FILE_BYTES, readPasswordFile } from '../../../src/adapters/geoserver/password-file.js'
import { pathOf } from '../../../src/adapters/geoserver/rest-address.js'
import { MAX_ANSWER_BYTES } from '../../../src/adapters/geoserver/rest-call.js'
import { GeoServerRest, type GeoServerRestOptions, type RestAddress } from '../../../src/adapters/geoserver/index.js'
import type { ErrorCode } from '../../../src/errors.js'
import { until } from '../../e2e/until.js'
import { worldOf, type World } from '../../geoserver/world.js'

const LAYER: RestAddress = { kind: 'layer', workspace: 'coast', name: 'contours' }
const STORE: RestAddress = { kind: 'store', type: 'datastore', workspace: 'coast', name: 'depth' }
const FEATURE_TYPE: RestAddress = {
  kind: 'resource',
  type: 'datastore',
  workspace: 'coast',
  store: 'depth',
  name: 'contours'
}

async function clientOf(world: World, more: Partial<GeoServerRestOptions> = {}): Promise<GeoServerRest> {
  const passwordFile = world.at('password')
  await writeFile(passwordFile, 'geoserver\n', { mode: 0o600 })
  return new GeoServerRest({ url: world.standIn.url, user: 'admin', passwordFile, ...more })
}

/** A client of a server that answers something else than GeoServer does. */
async function clientOfOther(t: TestContext, listener: RequestListener): Promise<GeoServerRest> {
  const world = await worldOf(t)
  const server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.close()
    server.closeAllConnections()
  })
  return clientOf(world, { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/geoserver` })
}

const fails = (code: ErrorCode, message: RegExp): object => ({ name: 'GrapevineError', code, message })

describe('a GeoServer', () => {
  test('says which version it is', async (t) => {
    const client = await clientOf(await worldOf(t))
    assert.equal(await client.version(), '2.26.2')
  })

  test('takes the bytes of a file and gives back what it made of them', async (t) => {
    const world = await worldOf(t)
    const client = await clientOf(world)
    for (const [address, file] of [
      [LAYER, 'workspaces/coast/depth/contours/layer.xml'],
      [FEATURE_TYPE, 'workspaces/coast/depth/contours/featuretype.xml'],
      [STORE, 'workspaces/coast/depth/datastore.xml'],
      [{ kind: 'style', workspace: null, name: 'line' }, 'styles/line.xml'],
      [{ kind: 'layergroup', workspace: 'coast', name: 'all' }, 'workspaces/coast/layergroups/all.xml'],
      [{ kind: 'workspace', name: 'coast' }, 'workspaces/coast/workspace.xml'],
      [{ kind: 'namespace', name: 'coast' }, 'workspaces/coast/namespace.xml'],
      [{ kind: 'service', service: 'wms', workspace: null }, 'wms.xml'],
      [{ kind: 'settings', workspace: null }, 'global.xml']
    ] as const) {
      const text = (await world.text(file)).replace(/\n<\/(\w+)>$/, '\n  <abstract>How deep & wide</abstract>\n</$1>')
      await client.put(address, Buffer.from(text.replace('deep &', 'deep &amp;')))
      assert.match((await client.read(address))!, /How deep &amp; wide/, file)
      assert.match(await world.text(file), /How deep &amp; wide/, file)
    }
    const { puts, reloads } = world.standIn.report().counts
    assert.deepEqual([puts, reloads], [9, 0])
  })

  test('knows nothing of what is not there', async (t) => {
    const client = await clientOf(await worldOf(t))
    assert.equal(await client.read({ ...LAYER, name: 'none' }), null)
    assert.equal(await client.readTileLayer('coast:none'), null)
    const none: RestAddress = { kind: 'style', workspace: null, name: 'none' }
    await assert.rejects(client.put(none, Buffer.from('<style/>')), fails('geoserver-refused', /404: No such style/))
  })

  test('is told to reload, to reset, and about tiles', async (t) => {
    const world = await worldOf(t)
    const client = await clientOf(world)
    await client.reload()
    await client.reset()
    await client.truncate('coast:a<&>')
    const tileLayer = (await client.readTileLayer('coast:contours'))!
    await client.putTileLayer('coast:contours', Buffer.from(tileLayer.replace('>true<', '>false<')))
    await client.reloadTileLayers()
    const { counts, truncated } = world.standIn.report()
    assert.deepEqual([counts.reloads, counts.resets, counts.tileReloads, truncated], [1, 1, 1, ['coast:a<&>']])
    assert.match((await client.readTileLayer('coast:contours'))!, />false</)
  })

  test('that refuses is quoted in a line, without passwords', async (t) => {
    const client = await clientOf(await worldOf(t))
    const refusal = fails('geoserver-refused', /refused with 400: expected <layer>, not <style>$/)
    await assert.rejects(client.put(LAYER, Buffer.from('<style/>')), refusal)
    const other = await clientOfOther(t, (_request, response) => {
      response.writeHead(500).end('cannot use plain:hunter2\nof crypt1:aGVsbG8=')
    })
    const quoted = fails('geoserver-refused', /refused with 500: cannot use plain:\.\.\. of crypt1:\.\.\.$/)
    await assert.rejects(other.reset(), quoted)
  })

  test('that does not know the user, or does not trust it, is told apart', async (t) => {
    const client = await clientOf(await worldOf(t), { user: 'nobody' })
    const unknown = fails('geoserver-unauthorized', /does not know this user/)
    await assert.rejects(client.version(), unknown)
    const empty = await clientOf(await worldOf(t, {}))
    await assert.rejects(empty.version(), fails('geoserver-unauthorized', /forbids it to this user/))
  })

  test('that is down is unreachable, and answers again when it is back', async (t) => {
    const world = await worldOf(t)
    const client = await clientOf(world)
    await world.standIn.stop()
    await assert.rejects(client.version(), fails('geoserver-unreachable', /did not answer: .*ECONNREFUSED/))
    await world.start({ port: Number(new URL(world.standIn.url).port) })
    assert.equal(await client.version(), '2.26.2')
  })

  test('that is busy with a reload is not waited for without end, but its version is known at once', async (t) => {
    const world = await worldOf(t, undefined, { reloadMs: () => 1_000 })
    const client = await clientOf(world, { callTimeoutMs: 50, reloadTimeoutMs: 60_000 })
    const reload = client.reload()
    await until('the reload sleeps', () => world.clock.sleeping.includes(1_000))
    await assert.rejects(client.read(LAYER), fails('geoserver-unreachable', /did not answer within 0.05 seconds/))
    assert.equal(await client.version(), '2.26.2')
    world.clock.advance(1_000)
    await reload
  })

  test('is not waited for when the caller stops', async (t) => {
    const world = await worldOf(t, undefined, { reloadMs: () => 1_000 })
    const client = await clientOf(world)
    const ending = new AbortController()
    const reload = client.reload(ending.signal)
    await until('the reload sleeps', () => world.clock.sleeping.includes(1_000))
    ending.abort(new Error('the node is stopping'))
    await assert.rejects(reload, /^Error: the node is stopping$/)
    world.clock.advance(1_000)
  })
})

describe('what answers but is no GeoServer', () => {
  test('is called so', async (t) => {
    const client = await clientOfOther(t, (_request, response) => response.end('<html/>'))
    await assert.rejects(client.version(), fails('geoserver-refused', /answers, but not as a GeoServer$/))
  })

  test('is not followed to another place, which would see the password', async (t) => {
    const client = await clientOfOther(t, (_request, response) => {
      response.writeHead(302, { location: '/elsewhere' }).end()
    })
    await assert.rejects(client.version(), fails('geoserver-refused', /sends us on to \/elsewhere/))
  })

  test('may answer with so many bytes and none more', async (t) => {
    let bytes = MAX_ANSWER_BYTES
    const client = await clientOfOther(t, (_request, response) => response.end(Buffer.alloc(bytes, 'x')))
    assert.equal((await client.read(LAYER))!.length, MAX_ANSWER_BYTES)
    bytes++
    await assert.rejects(client.read(LAYER), fails('too-large', /answered with more than 16777216 bytes/))
  })

  test('may break off in the middle', async (t) => {
    const client = await clientOfOther(t, (_request, response) => {
      response.writeHead(200, { 'content-length': '10' }).write('x', () => response.destroy())
    })
    await assert.rejects(client.read(LAYER), fails('geoserver-unreachable', /did not answer/))
  })
})

describe('an address', () => {
  test('keeps each name in its place', () => {
    assert.equal(pathOf(FEATURE_TYPE), '/rest/workspaces/coast/datastores/depth/featuretypes/contours.xml')
    const odd: RestAddress = { kind: 'style', workspace: 'städte', name: 'a b?#%.xml' }
    assert.equal(pathOf(odd), '/rest/workspaces/st%C3%A4dte/styles/a%20b%3F%23%25.xml.xml')
    assert.equal(
      pathOf({ kind: 'service', service: 'wfs', workspace: 'coast' }),
      '/rest/services/wfs/workspaces/coast/settings'
    )
    assert.equal(pathOf({ kind: 'settings', workspace: 'coast' }), '/rest/workspaces/coast/settings')
    for (const name of ['', '.', '..', 'a/b', 'a\\b', 'a\0', '\ud800'])
      assert.throws(() => pathOf({ kind: 'workspace', name }), fails('name-not-allowed', /cannot be asked for/))
  })

  test('of a GeoServer is one of the web, without a user in it', async (t) => {
    const world = await worldOf(t)
    for (const url of [
      '',
      'geoserver',
      'ftp://h/geoserver',
      'http://u@h/',
      'http://:p@h/',
      'http://h/?a',
      'http://h/#a'
    ])
      await assert.rejects(clientOf(world, { url }), fails('config-invalid', /the address of GeoServer is not one/))
    const slashes = await clientOf(world, { url: `${world.standIn.url}//` })
    assert.equal(await slashes.version(), '2.26.2')
  })
})

describe('a password file', () => {
  test('is read anew for each call', async (t) => {
    const world = await worldOf(t)
    const client = await clientOf(world)
    await client.reset()
    await world.write('password', 'other')
    await assert.rejects(client.reset(), fails('geoserver-unauthorized', /does not know/))
  })

  test('that is open to others, missing, empty or too large is refused', async (t) => {
    const world = await worldOf(t)
    const file = world.at('password')
    await writeFile(file, 'x'.repeat(MAX_PASSWORD_FILE_BYTES), { mode: 0o600 })
    assert.equal((await readPasswordFile(file)).length, MAX_PASSWORD_FILE_BYTES)
    await writeFile(file, 'x'.repeat(MAX_PASSWORD_FILE_BYTES + 1))
    await assert.rejects(readPasswordFile(file), fails('config-invalid', /is larger than 4096 bytes/))
    await writeFile(file, '\n')
    await assert.rejects(readPasswordFile(file), fails('config-invalid', /is empty/))
    await chmod(file, 0o640)
    await assert.rejects(readPasswordFile(file), fails('home-unsafe', /is open to other users/))
    await rm(file)
    await assert.rejects(readPasswordFile(file), fails('config-invalid', /cannot be read: ENOENT/))
  })
})
