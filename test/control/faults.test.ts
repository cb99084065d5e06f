/** The control socket and its client when what lies below fails. */
import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { mkdir } from 'node:fs/promises'
import type { ServerResponse } from 'node:http'
import { join } from 'node:path'
import { test } from 'node:test'
import { ControlServer } from '../../src/control/index.js'
import { LISTING_CHUNK_BYTES } from '../../src/control/limits.js'
import { sendListing } from '../../src/control/reply.js'
import { silentLogger } from '../../src/runtime.js'
import { withFaults } from '../faults/files.js'
import { FakeTarget } from './fake-target.js'
import { clientOf, tempHome } from './world.js'

test('answers that are none of ours are told apart from a refusal', async (t) => {
  let status = 200
  const client = await clientOf(t, (_incoming, outgoing) => void outgoing.writeHead(status).end('not JSON'))
  for (status of [200, 500]) await assert.rejects(client.status(), { code: 'internal' })
})

test('a socket that cannot be looked at is not served, and can be served later', async (t) => {
  const home = await tempHome(t)
  const server = new ControlServer({ target: new FakeTarget(), logger: silentLogger }, { home, version: '1' })
  await withFaults({ op: 'lstat', path: 'control.sock$' }, () => assert.rejects(server.start()))
  await server.start()
  await server.stop()
})

test('a socket outside a home with a long path leaves its directory when somebody put something there', async (t) => {
  const home = join(await tempHome(t), 'h'.repeat(120))
  await mkdir(home, { mode: 0o700 })
  const server = new ControlServer({ target: new FakeTarget(), logger: silentLogger }, { home, version: '1' })
  await server.start()
  await withFaults({ op: 'rmdir', code: 'ENOTEMPTY' }, () => server.stop())
})

test('a listing whose reader breaks off stops asking for more', async () => {
  let asked = 0
  let ended = false
  async function* endless(): AsyncGenerator<string> {
    try {
      for (;;) {
        asked += 1
        yield 'x'.repeat(LISTING_CHUNK_BYTES)
      }
    } finally {
      ended = true
    }
  }
  const response = Object.assign(new EventEmitter(), {
    destroyed: false,
    closed: false,
    writeHead: () => undefined,
    end: () => undefined,
    write: () => {
      setImmediate(() => {
        response.destroyed = true
        response.emit('error', new Error('write EPIPE'))
      })
      return false
    }
  })
  await sendListing(response as unknown as ServerResponse, endless())
  assert.deepEqual([asked, ended], [1, true])
})
