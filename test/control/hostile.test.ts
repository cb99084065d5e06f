import { MAX_APPOINTMENT_LENGTH } from '../../src/wire/appointment.js'
import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { test } from 'node:test'
import { MAX_PATH_BYTES, MAX_PUT_MANY_FILES, MAX_REQUEST_BYTES } from '../../src/control/limits.js'
import * as control from '../../src/control/limits.js'
import * as wire from '../../src/wire/limits.js'
import { raw, startWorld, type World } from './world.js'

async function refused(
  world: World,
  code: string,
  status: number,
  method: string,
  path: string,
  body?: string | Uint8Array
): Promise<string> {
  const answer = await raw(world, method, path, body)
  const { error } = JSON.parse(answer.text) as { error: { code: string; message: string; next: string; facts: object } }
  assert.deepEqual([error.code, answer.status], [code, status], `${method} ${path.slice(0, 80)}`)
  assert.ok(error.message && error.next && error.facts)
  return error.message
}

test('limits that repeat those of the wire are the same', () => {
  assert.equal(control.MAX_PUT_BYTES, wire.MAX_BODY_BYTES)
  assert.equal(control.MAX_PATH_BYTES, wire.MAX_PATH_BYTES)
  assert.equal(control.MAX_INVITE_MS, wire.MAX_INVITE_MS)
  assert.equal(control.MAX_INVITE_USES, wire.MAX_INVITE_USES)
  assert.equal(control.MAX_SCOPES, wire.MAX_SCOPES)
  assert.equal(control.MAX_CERTIFICATE_LENGTH, MAX_APPOINTMENT_LENGTH)
})

test('unknown routes, methods and parameters are usage errors', async (t) => {
  const world = await startWorld(t)
  await refused(world, 'usage', 400, 'GET', '/')
  await refused(world, 'usage', 400, 'GET', '/v2/status')
  await refused(world, 'usage', 400, 'POST', '/v1/status')
  assert.match(await refused(world, 'usage', 400, 'GET', '/v1/entries?pth=a'), /pth/)
  await refused(world, 'usage', 400, 'GET', '/v1/history')
  assert.deepEqual(world.target.calls, [])
})

test('bodies of the wrong type, shape or range never reach the target', async (t) => {
  const world = await startWorld(t)
  const bad: Array<[string, string | Uint8Array]> = [
    ['/v1/moves', ''],
    ['/v1/moves', '{"from":"a"'],
    ['/v1/moves', 'null'],
    ['/v1/moves', '[]'],
    ['/v1/moves', '{"from":"a"}'],
    ['/v1/moves', '{"from":["a"],"to":"b"}'],
    ['/v1/moves', '{"from":"a","to":"b","force":true}'],
    ['/v1/moves', '{"from":"a","to":"\\ud800"}'],
    ['/v1/moves', '{"from":"a","to":"b\\u0000"}'],
    ['/v1/moves', Buffer.from([0x22, 0xff, 0x22])],
    ['/v1/invites', '{"role":"root","expiresMs":1,"uses":1}'],
    ['/v1/invites', '{"role":"author","expiresMs":0,"uses":1}'],
    ['/v1/invites', '{"role":"author","expiresMs":1,"uses":1.5}'],
    ['/v1/invites', `{"role":"author","expiresMs":1,"uses":${control.MAX_INVITE_USES + 1}}`],
    ['/v1/invites', '{"role":"author","expiresMs":1,"uses":1,"scope":[]}'],
    ['/v1/appointments', '{"certificate":""}'],
    ['/v1/appointments', JSON.stringify({ certificate: 'x'.repeat(control.MAX_CERTIFICATE_LENGTH + 1) })],
    [
      '/v1/invites',
      JSON.stringify({ role: 'author', expiresMs: 1, uses: 1, scope: Array(control.MAX_SCOPES + 1).fill('x') })
    ],
    ['/v1/invites', `{"role":"author","expiresMs":${control.MAX_INVITE_MS + 1},"uses":1}`],
    ['/v1/invites', '{"role":"author","expiresMs":"1h","uses":1}'],
    ['/v1/bodies', '{"files":[{"path":"a","body":"***"}]}'],
    ['/v1/bodies', '{"files":{}}']
  ]
  for (const [path, body] of bad) await refused(world, 'usage', 400, 'POST', path, body)
  assert.deepEqual(world.target.calls, [])
})

test('invitations at the limits are passed on', async (t) => {
  const world = await startWorld(t)
  await world.client.invite({ role: 'relay', expiresMs: control.MAX_INVITE_MS, uses: control.MAX_INVITE_USES })
  assert.deepEqual(world.target.calls, [`invite relay ${control.MAX_INVITE_MS} ${control.MAX_INVITE_USES}`])
})

test('query values of the wrong type or range are refused', async (t) => {
  const world = await startWorld(t)
  const paths = [
    '/v1/verify?waitMs=-1',
    '/v1/verify?waitMs=1e3',
    `/v1/verify?waitMs=${control.MAX_VERIFY_WAIT_MS + 1}`,
    '/v1/inspect/log?limit=x',
    '/v1/inspect/log?log=ZZ',
    '/v1/inspect/record/abc',
    '/v1/body?path=a&hash=12'
  ]
  for (const path of paths) await refused(world, 'usage', 400, 'GET', path)
  await refused(world, 'usage', 400, 'PUT', '/v1/body?path=a&exec=yes')
  await refused(world, 'usage', 400, 'PUT', '/v1/body?path=a%00b')
})

test('a request body at its cap is read, one byte more is refused', async (t) => {
  const world = await startWorld(t)
  world.target.add('a', '')
  const body = (size: number): string => JSON.stringify({ from: 'a', to: 'b' }).padEnd(size)
  assert.equal((await raw(world, 'POST', '/v1/moves', body(MAX_REQUEST_BYTES))).status, 200)
  await refused(world, 'too-large', 413, 'POST', '/v1/moves', body(MAX_REQUEST_BYTES + 1))
})

test('a path at its cap is passed on, one byte more is refused', async (t) => {
  const world = await startWorld(t)
  const path = (bytes: number): string =>
    `/v1/history?path=${encodeURIComponent('ü'.repeat(bytes >> 1) + 'x'.repeat(bytes & 1))}`
  await refused(world, 'not-found', 404, 'GET', path(MAX_PATH_BYTES))
  await refused(world, 'usage', 400, 'GET', path(MAX_PATH_BYTES + 1))
})

test('as many files as the cap are taken in one call, one more is refused', async (t) => {
  const world = await startWorld(t)
  const body = (count: number): string =>
    JSON.stringify({ files: Array.from({ length: count }, (_, i) => ({ path: `f${i}`, body: '' })) })
  assert.equal((await raw(world, 'POST', '/v1/bodies', body(MAX_PUT_MANY_FILES))).status, 200)
  assert.equal(world.target.files.size, MAX_PUT_MANY_FILES)
  await refused(world, 'usage', 400, 'POST', '/v1/bodies', body(MAX_PUT_MANY_FILES + 1))
})

test('a declared length beyond the cap is refused before a byte of it is sent', async (t) => {
  const { server, target, client } = await startWorld(t)
  const answer = await new Promise<string>((done, fail) => {
    const socket = connect(server.socketPath!, () =>
      socket.write('PUT /v1/body?path=a HTTP/1.1\r\nhost: g\r\ncontent-length: 9000000000000\r\n\r\n')
    )
    let text = ''
    socket.on('data', (chunk) => (text += chunk.toString()))
    socket.on('error', fail)
    socket.on('close', () => done(text))
  })
  assert.match(answer, /^HTTP\/1\.1 413 [^]*"too-large"/)
  assert.equal(target.files.size, 0)
  assert.equal((await client.status()).state, 'running')
})

test('garbage, absurd headers and URLs that are none leave the server running', async (t) => {
  const { server, client } = await startWorld(t)
  const lines = [
    '\0\0\0\r\n\r\n',
    'GET http://[ HTTP/1.1\r\nhost: x\r\n\r\n',
    'GET /v1/status HTTP/1.1\r\nhost: a b\r\n\r\n',
    `GET /v1/status HTTP/1.1\r\nx: ${'y'.repeat(60_000)}\r\n\r\n`,
    'POST /v1/moves HTTP/1.1\r\nhost: g\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n'
  ]
  for (const line of lines) {
    const answer = await new Promise<string>((done) => {
      const socket = connect(server.socketPath!, () => socket.end(line))
      let text = ''
      socket.on('data', (chunk) => (text += chunk.toString()))
      socket.on('error', () => undefined)
      socket.on('close', () => done(text))
    })
    assert.match(answer, /^HTTP\/1\.1 4\d\d /)
  }
  assert.equal((await client.status()).state, 'running')
})

test('a body of which nobody says how long it is replaces nothing', async (t) => {
  const world = await startWorld(t)
  world.target.add('a.sld', 'text')
  const answer = await new Promise<string>((resolve) => {
    const socket = connect(world.server.socketPath!)
    socket.once('data', (data) => resolve(data.toString()))
    // a header that was harmed on the way
    socket.write('PUT /v1/body?path=a.sld HTTP/1.1\r\nHost: x\r\nContent-Lenoth: 6\r\nConnection: close\r\n\r\n')
  })
  assert.match(answer, /^HTTP\/1\.1 400 /)
  assert.equal(world.target.files.get('a.sld')!.bytes.toString(), 'text')
  const empty = await raw(world, 'PUT', '/v1/body?path=a.sld', undefined, { 'content-length': '0' })
  assert.equal(empty.status, 200)
  assert.equal(world.target.files.get('a.sld')!.bytes.length, 0)
})
