/** Calls to the stand-in for GeoServer, and to servers that answer as they like. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { chmod, rm, writeFile } from 'node:fs/promises'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, test, type TestContext } from 'node:test'
import { Caller, MAX_ANSWER_BYTES, type CallerOptions } from '../../../../src/adapters/geoserver/tell/caller.js'
import { MAX_PASSWORD_FILE_BYTES, readPasswordFile } from '../../../../src/adapters/geoserver/tell/password-file.js'
import type { ErrorCode } from '../../../../src/errors.js'
import { until } from '../../../e2e/until.js'
import { worldOf, type World } from '../../../geoserver/world.js'

const LAYER = { method: 'GET', path: '/rest/layers/coast%3Acontours.xml' } as const
const RELOAD = { method: 'POST', path: '/rest/reload', timeoutMs: 60_000 } as const
const VERSION = { method: 'GET', path: '/rest/about/version.xml' } as const

async function callerOf(world: World, more: Partial<CallerOptions> = {}): Promise<Caller> {
  const passwordFile = world.at('password')
  await writeFile(passwordFile, 'geoserver\n', { mode: 0o600 })
  return new Caller({ url: world.standIn.url, user: 'admin', passwordFile, ...more })
}

/** A caller of a server that answers something else than GeoServer does. */
async function callerOfOther(t: TestContext, listener: RequestListener): Promise<Caller> {
  const world = await worldOf(t)
  const server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.close()
    server.closeAllConnections()
  })
  return callerOf(world, { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/geoserver` })
}

const fails = (code: ErrorCode, message: RegExp): object => ({ name: 'GrapevineError', code, message })

describe('a GeoServer', () => {
  test('is called below its address, as the user, with the media type of what is sent', async (t) => {
    const seen: unknown[] = []
    const caller = await callerOfOther(t, (request, response) => {
      const parts: Buffer[] = []
      request.on('data', (part: Buffer) => parts.push(part))
      request.on('end', () => {
        const { method, url, headers } = request
        seen.push([method, url, headers['content-type'], headers.authorization, Buffer.concat(parts).toString()])
        response.end('done')
      })
    })
    const call = {
      method: 'PUT',
      path: '/rest/styles/a%20b.xml',
      body: Buffer.from('<style/>'),
      type: 'application/xml'
    } as const
    assert.equal(await caller.text(call), 'done')
    const basic = `Basic ${Buffer.from('admin:geoserver').toString('base64')}`
    assert.deepEqual(seen, [['PUT', '/geoserver/rest/styles/a%20b.xml', 'application/xml', basic, '<style/>']])
  })

  test('that refuses is quoted in a line, with its status and without passwords', async (t) => {
    const caller = await callerOf(await worldOf(t))
    const none = { ...LAYER, path: '/rest/layers/coast%3Anone.xml' }
    await assert.rejects(caller.text(none), (error: Error & { code: string; facts: { status: number } }) => {
      assert.deepEqual([error.code, error.facts.status], ['geoserver-refused', 404])
      return true
    })
    const other = await callerOfOther(t, (_request, response) => {
      response.writeHead(500).end('cannot use plain:hunter2\nof crypt1:aGVsbG8=')
    })
    const quoted = fails('geoserver-refused', /refused with 500: cannot use plain:\.\.\. of crypt1:\.\.\.$/)
    await assert.rejects(other.text(LAYER), quoted)
  })

  test('that does not know the user, or does not trust it, is told apart', async (t) => {
    const caller = await callerOf(await worldOf(t), { user: 'nobody' })
    await assert.rejects(caller.text(VERSION), fails('geoserver-unauthorized', /does not know this user/))
    const empty = await callerOf(await worldOf(t, {}))
    await assert.rejects(empty.text(VERSION), fails('geoserver-unauthorized', /forbids it to this user/))
  })

  test('that is down is unreachable, and answers again when it is back', async (t) => {
    const world = await worldOf(t)
    const caller = await callerOf(world)
    await world.standIn.stop()
    await assert.rejects(caller.text(VERSION), fails('geoserver-unreachable', /did not answer: .*ECONNREFUSED/))
    await world.start({ port: Number(new URL(world.standIn.url).port) })
    assert.match(await caller.text(VERSION), /2\.26\.2/)
  })

  test('that is busy with a reload is not waited for without end, nor when the caller stops', async (t) => {
    const world = await worldOf(t, undefined, { reloadMs: () => 1_000 })
    const caller = await callerOf(world)
    const ending = new AbortController()
    const reload = caller.text(RELOAD, ending.signal)
    await until('the reload sleeps', () => world.clock.sleeping.includes(1_000))
    const late = fails('geoserver-unreachable', /did not answer within 0.05 seconds/)
    await assert.rejects(caller.text({ ...LAYER, timeoutMs: 50 }), late)
    ending.abort(new Error('the node is stopping'))
    await assert.rejects(reload, /^Error: the node is stopping$/)
    world.clock.advance(1_000)
  })
})

describe('what answers but is no GeoServer', () => {
  test('is not followed to another place, which would see the password', async (t) => {
    const caller = await callerOfOther(t, (_request, response) => {
      response.writeHead(302, { location: '/elsewhere' }).end()
    })
    await assert.rejects(caller.text(VERSION), fails('geoserver-refused', /sends us on to \/elsewhere/))
  })

  test('may answer with so many bytes and none more', async (t) => {
    let bytes = MAX_ANSWER_BYTES
    const caller = await callerOfOther(t, (_request, response) => response.end(Buffer.alloc(bytes, 'x')))
    assert.equal((await caller.text(LAYER)).length, MAX_ANSWER_BYTES)
    bytes++
    await assert.rejects(caller.text(LAYER), fails('too-large', /answered with more than 16777216 bytes/))
  })

  test('may break off in the middle', async (t) => {
    const caller = await callerOfOther(t, (_request, response) => {
      response.writeHead(200, { 'content-length': '10' }).write('x', () => response.destroy())
    })
    await assert.rejects(caller.text(LAYER), fails('geoserver-unreachable', /did not answer/))
  })
})

test('the address of a GeoServer is one of the web, without a user in it', async (t) => {
  const world = await worldOf(t)
  for (const url of ['', 'geoserver', 'ftp://h/geoserver', 'http://u@h/', 'http://:p@h/', 'http://h/?a', 'http://h/#a'])
    await assert.rejects(callerOf(world, { url }), fails('config-invalid', /the address of GeoServer is not one/))
  const slashes = await callerOf(world, { url: `${world.standIn.url}//` })
  assert.match(await slashes.text(VERSION), /2\.26\.2/)
})

describe('a password file', () => {
  test('is read anew for each call', async (t) => {
    const world = await worldOf(t)
    const caller = await callerOf(world)
    await caller.text(VERSION)
    await world.write('password', 'other')
    await assert.rejects(caller.text(VERSION), fails('geoserver-unauthorized', /does not know/))
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
