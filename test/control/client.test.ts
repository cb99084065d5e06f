import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { test } from 'node:test'
import { GrapevineError } from '../../src/errors.js'
import { INVITE, NODE_B, RECORD } from './fake-target.js'
import { clientOf, collect, recordingLogger, startWorld } from './world.js'

const MIB = 1024 * 1024

async function* pieces(count: number, size: number): AsyncGenerator<Uint8Array> {
  for (let i = 0; i < count; i++) yield Buffer.alloc(size, i)
}

test('every call of the target arrives with its arguments and answers what the target answered', async (t) => {
  const { client, target } = await startWorld(t)
  target.add('b/ü x.xml', 'text')
  const cases: Array<[string, () => Promise<unknown>]> = [
    ['status', () => client.status()],
    ['peers', () => client.peers()],
    ['list b', () => collect(client.list('b'))],
    ['history b/ü x.xml', () => client.history('b/ü x.xml')],
    ['entry b/ü x.xml', () => client.entry('b/ü x.xml')],
    ['doc b/ü x.xml', () => client.doc('b/ü x.xml')],
    ['inspect heads', () => client.inspect('heads')],
    ['inspect vector', () => client.inspect('vector')],
    ['inspectLog 7 ' + 'ef'.repeat(16), () => collect(client.inspectLog({ limit: 7, log: 'ef'.repeat(16) }))],
    [`record ${RECORD}`, () => client.record(RECORD)],
    ['verify 1500', () => client.verify({ waitMs: 1500 })],
    ['put a+b&c=d?#%.txt true', () => client.put('a+b&c=d?#%.txt', pieces(2, 3), { exec: true })],
    [
      'putMany 2',
      () =>
        client.putMany([
          { path: 'm1', body: Buffer.from('1') },
          { path: 'm2', body: new Uint8Array() }
        ])
    ],
    ['move m1 m3 x', () => client.move('m1', 'm3', { before: 'x' })],
    ['remove m3', () => client.remove('m3')],
    ['invite author 60000 2', () => client.invite({ role: 'author', expiresMs: 60_000, uses: 2 })],
    ['invitations', () => client.invitations()],
    [`revokeInvitation ${INVITE}`, () => client.revokeInvitation(INVITE)],
    [`removeMember ${NODE_B} 3`, () => client.removeMember({ node: NODE_B, since: 3 })],
    ['salvage', () => client.salvage()],
    [`salvageBody ${RECORD} ${'cd'.repeat(32)}`, () => client.salvageBody(RECORD, 'cd'.repeat(32))],
    ['quarantine', () => client.quarantine()],
    ['retryQuarantined', () => client.retryQuarantined()],
    ['retryQuarantined a/b', () => client.retryQuarantined('a/b')],
    ['dropQuarantined a/b', () => client.dropQuarantined('a/b')],
    ['drift', () => client.drift()],
    ['restoreDrift', () => client.restoreDrift()],
    ['restoreDrift a/b,c', () => client.restoreDrift(['a/b', 'c'])],
    ['adoptDrift', () => client.adoptDrift()],
    ['adoptDrift a/b', () => client.adoptDrift(['a/b'])],
    ['shutdown', () => client.shutdown()]
  ]
  for (const [call, run] of cases) {
    target.calls.length = 0
    const answer = await run()
    assert.equal(target.calls[0], call)
    if (call !== 'shutdown') assert.ok(answer)
  }
  assert.deepEqual(target.files.get('a+b&c=d?#%.txt'), { bytes: Buffer.from([0, 0, 0, 1, 1, 1]), exec: true })
  assert.deepEqual(target.files.get('m2')!.bytes, Buffer.alloc(0))
})

test('bytes and big integers of the target become hex and text', async (t) => {
  const { client } = await startWorld(t)
  assert.equal(((await client.inspect('store')) as { key: string }).key, '0102')
  assert.equal(((await client.record(RECORD)).body as { prev: string }).prev, '0707')
  assert.equal(((await client.inspect('gossip')) as { counters: { received: string } }).counters.received, '5')
})

test('an error of the target arrives as the same error', async (t) => {
  const { client } = await startWorld(t)
  await assert.rejects(client.history('none'), (error: GrapevineError) => {
    assert.ok(error instanceof GrapevineError)
    assert.deepEqual(
      [error.code, error.message, error.next, error.facts],
      ['not-found', 'there is nothing at none', 'see `grapevine ls`', { path: 'none' }]
    )
    return true
  })
  await assert.rejects(collect(client.list('none')), { code: 'not-found' })
  await assert.rejects(client.open('none'), { code: 'not-found' })
})

test('a fault inside the target is an internal error and is logged with its stack', async (t) => {
  const { logger, lines } = recordingLogger()
  const { client, target } = await startWorld(t, { logger })
  target.fails = new TypeError('x is not a function')
  await assert.rejects(client.status(), { code: 'internal', message: /x is not a function/ })
  const line = lines.find(({ level }) => level === 'error')
  assert.equal(line?.message, 'control request failed')
  assert.match(String(line?.facts?.['stack']), /TypeError/)
})

test('a listing that fails half-way throws its error after what came before', async (t) => {
  const { client, target } = await startWorld(t)
  target.add('a', '1')
  target.add('b', '2')
  target.failsLater = new GrapevineError('store-damaged', 'a row is damaged', { next: 'delete the index' })
  const seen: string[] = []
  await assert.rejects(
    async () => {
      for await (const line of client.list('')) seen.push(line.path)
    },
    { code: 'store-damaged', next: 'delete the index' }
  )
  assert.deepEqual(seen, ['a'])
})

test('a body that fails half-way is broken off, never taken for whole', async (t) => {
  const { client, target } = await startWorld(t)
  target.add('a', 'x'.repeat(1000))
  target.failsLater = new Error('disk gone')
  const { body } = await client.open('a')
  await assert.rejects(collect(body), { code: 'daemon-unreachable', message: /broke off/ })
})

test('50,000 entries are made only as fast as they are read', async (t) => {
  const { client, target } = await startWorld(t)
  target.madeUp = 50_000
  let count = 0
  let last = ''
  for await (const line of client.list('')) {
    if (count === 0) {
      // nobody reads while we wait here: the listing must come to rest long before its end
      let before = -1
      while (target.listed !== before) {
        before = target.listed
        await new Promise((done) => setTimeout(done, 50))
      }
      assert.ok(target.listed < 20_000, `the server ran ahead to ${target.listed}`)
    }
    count++
    last = line.path
  }
  assert.equal(count, 50_000)
  assert.equal(last, 'workspaces/imos/049999/featuretype.xml')
})

test('a reader that leaves a listing early ends it at the target', async (t) => {
  const { client, target } = await startWorld(t)
  target.madeUp = Infinity
  for await (const line of client.list('')) if (line.size > 10) break
  const after = async (): Promise<number> => {
    const { listed } = target
    await client.status()
    return target.listed - listed
  }
  while ((await after()) > 0);
})

test('a put is streamed: the target has the first bytes before the source makes the last', async (t) => {
  const { client, target } = await startWorld(t)
  async function* slow(): AsyncGenerator<Uint8Array> {
    yield Buffer.alloc(MIB)
    while (target.received < MIB) await new Promise((done) => setImmediate(done))
    yield Buffer.from('end')
  }
  const receipt = await client.put('big', slow())
  assert.equal(receipt.changed, true)
  assert.equal(target.files.get('big')!.bytes.length, MIB + 3)
})

test('a put whose source fails reports that error and stores nothing', async (t) => {
  const { client, target } = await startWorld(t)
  async function* failing(): AsyncGenerator<Uint8Array> {
    yield Buffer.alloc(10)
    throw new GrapevineError('file-changed', 'it changed', { next: 'again' })
  }
  await assert.rejects(client.put('x', failing()), { code: 'file-changed' })
  await client.status()
  assert.equal(target.files.has('x'), false)
})

test('a put whose sender dies half-way stores nothing', async (t) => {
  const { server, client, target } = await startWorld(t)
  for (const head of ['transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n', 'content-length: 10\r\n\r\nhello']) {
    target.received = 0
    const socket = connect(server.socketPath!)
    socket.write(`PUT /v1/body?path=half HTTP/1.1\r\nhost: grapevine\r\n${head}`)
    while (target.received < 5) await new Promise((done) => setImmediate(done))
    socket.destroy()
    await once(socket, 'close')
    await client.status()
    assert.equal(target.files.has('half'), false)
  }
})

test('a put that the target refuses before reading is answered though the source never ends', async (t) => {
  const { client, target } = await startWorld(t)
  target.fails = new GrapevineError('role-forbids', 'public nodes do not write', { next: 'write on an author node' })
  async function* endless(): AsyncGenerator<Uint8Array> {
    for (;;) yield Buffer.alloc(MIB)
  }
  await assert.rejects(client.put('x', endless()), { code: 'role-forbids' })
  target.fails = new GrapevineError('role-forbids', 'public nodes do not write', { next: 'write on an author node' })
  const silent: AsyncIterable<Uint8Array> = {
    [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => undefined) })
  }
  await assert.rejects(client.put('x', silent), { code: 'role-forbids' })
})

test('who is refused half-way and reads the answer only when all is sent still learns why', async (t) => {
  const { target, server } = await startWorld(t)
  target.fails = new GrapevineError('role-forbids', 'public nodes do not write', { next: 'write on an author node' })
  const socket = connect(server.socketPath!)
  await once(socket, 'connect')
  socket.pause()
  const send = (text: string | Buffer): Promise<void> =>
    new Promise((done, fail) => socket.write(text, (error) => (error ? fail(error) : done())))
  await send('PUT /v1/body?path=x HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n')
  for (let chunk = 0; chunk < 64; chunk++)
    await send(Buffer.concat([Buffer.from('10000\r\n'), Buffer.alloc(65_536), Buffer.from('\r\n')]))
  await send('0\r\n\r\n')
  let answer = ''
  for await (const part of socket) answer += String(part)
  assert.match(answer, /^HTTP\/1\.1 403 [^]*role-forbids/)
})

test('a body of exactly the cap is taken, one byte more is refused, declared or not', async (t) => {
  const { client, target } = await startWorld(t, { maxBodyBytes: MIB })
  await client.put('at', pieces(4, MIB / 4))
  assert.equal(target.files.get('at')!.bytes.length, MIB)
  async function* over(): AsyncGenerator<Uint8Array> {
    yield* pieces(4, MIB / 4)
    yield Buffer.alloc(1)
  }
  await assert.rejects(client.put('over', over()), { code: 'too-large' })
  assert.equal(target.files.has('over'), false)
})

test('a sender that would never end is told that it sends too much', async (t) => {
  const { client, target } = await startWorld(t, { maxBodyBytes: MIB })
  await assert.rejects(client.put('endless', pieces(Infinity, MIB / 4)), { code: 'too-large' })
  assert.equal(target.files.size, 0)
})

test('events flow from the moment of subscribing until the signal aborts', async (t) => {
  const { client, target } = await startWorld(t)
  const stop = new AbortController()
  const seen: string[] = []
  const done = (async () => {
    for await (const event of client.events(stop.signal)) {
      seen.push(event.event)
      if (seen.length === 2) stop.abort()
    }
  })()
  await target.subscribed(true)
  await client.put('a', pieces(1, 1))
  target.emit('peer-joined', { node: 'n', role: 'author' })
  await done
  assert.deepEqual(seen, ['entry-changed', 'peer-joined'])
  await target.subscribed(false)
})

test('a client outlives its daemon: unreachable while it is gone, fine when it is back', async (t) => {
  const { server, client } = await startWorld(t)
  await client.status()
  await server.stop()
  await assert.rejects(client.status(), { code: 'daemon-unreachable', next: /grapevine start/ })
  await server.start()
  assert.equal((await client.status()).state, 'running')
})

test('an aborted verify is given up and ends at the target', async (t) => {
  const { client, target } = await startWorld(t)
  const stop = new AbortController()
  const over = new Promise<void>((done) => {
    target.verify = ({ signal }: { waitMs: number; signal?: AbortSignal }) => {
      signal?.addEventListener('abort', () => done())
      stop.abort()
      return new Promise(() => undefined)
    }
  })
  await assert.rejects(client.verify({ waitMs: 60_000, signal: stop.signal }), { code: 'stopped' })
  await over
})

test('a body that can be sent only once never goes over a kept connection, which the daemon may be closing', async (t) => {
  const used = new WeakSet<Socket>()
  const client = await clientOf(t, (incoming, outgoing) => {
    // as a daemon whose patience with an idle connection ends in this moment
    if (used.has(incoming.socket)) return void incoming.socket.destroy()
    used.add(incoming.socket)
    incoming.resume().once('end', () => outgoing.end('{}'))
  })
  await client.status()
  await client.put('a', pieces(1, 10))
  await client.put('b', pieces(1, 10))
})
