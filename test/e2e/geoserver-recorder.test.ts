/** What stands between a node and its GeoServer passes everything on as it is, and writes down what was called. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test, type TestContext } from 'node:test'
import { isChange, isReload, Recorder } from './geoserver-recorder.js'

type Answer = (incoming: IncomingMessage, answer: ServerResponse) => void

async function recorded(t: TestContext, answer: Answer): Promise<{ url: string; recorder: Recorder; server: Server }> {
  const server = createServer(answer).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const recorder = new Recorder(`http://127.0.0.1:${(server.address() as AddressInfo).port}/geoserver`)
  const url = await recorder.start()
  t.after(async () => {
    await recorder.stop()
    server.close()
  })
  return { url, recorder, server }
}

test('a call arrives with its method, query, password and bytes, its answer comes back, and both are written down', async (t) => {
  const heard: unknown[] = []
  const { url, recorder } = await recorded(t, (incoming, answer) => {
    const pieces: Buffer[] = []
    incoming.on('data', (piece: Buffer) => pieces.push(piece))
    incoming.once('end', () => {
      const { method, url: path, headers } = incoming
      heard.push([method, path, headers.authorization, Buffer.concat(pieces).toString('hex')])
      answer.writeHead(201, { 'content-type': 'image/png' }).end(Buffer.from([0, 255, 1]))
    })
  })
  const body = Buffer.from([1, 0, 254])
  const response = await fetch(`${url}/rest/styles?name=a%20b`, {
    method: 'POST',
    headers: { authorization: 'Basic x' },
    body
  })
  assert.equal(response.status, 201)
  assert.equal(response.headers.get('content-type'), 'image/png')
  assert.equal(Buffer.from(await response.arrayBuffer()).toString('hex'), '00ff01')
  assert.deepEqual(heard, [['POST', '/geoserver/rest/styles?name=a%20b', 'Basic x', '0100fe']])
  const [call] = recorder.calls
  assert.deepEqual([call!.method, call!.path, call!.status], ['POST', '/rest/styles', 201])
  assert.ok(call!.to >= call!.from)
})

test('a GeoServer that is down looks as without us: the connection breaks', async (t) => {
  const { url, recorder, server } = await recorded(t, (_, answer) => void answer.end())
  server.close()
  await once(server, 'close')
  await assert.rejects(fetch(`${url}/rest/about/version.xml`), TypeError)
  assert.deepEqual(recorder.calls, [])
})

test('looking and dropping tiles are no changes, and a reload is known as one', () => {
  const call = (method: string, path: string) => ({ method, path, status: 200, from: 0, to: 1 })
  assert.equal(isChange(call('GET', '/rest/layers/a.xml')), false)
  assert.equal(isChange(call('POST', '/gwc/rest/masstruncate')), false)
  assert.equal(isChange(call('PUT', '/rest/layers/a.xml')), true)
  assert.equal(isReload(call('POST', '/rest/reload')), true)
  assert.equal(isReload(call('POST', '/gwc/rest/reload')), false)
})
