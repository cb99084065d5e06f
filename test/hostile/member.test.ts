/** Attacks by members: whatever one sends, asks or leaves unread, the others go on as before and it is named. */
import '../../src/polyfill.js'
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import type { Connection, Stream } from '@libp2p/interface'
import { AUTHOR_RECORDS } from '../../src/replica/offers.js'
import { MAX_UNSENT_ANSWER_BYTES, MEMBER_REQUESTS, STREAMS_BURST } from '../../src/net/limits.js'
import { encodeFrame, FrameType } from '../../src/net/frames.js'
import { decodeAnswer, encodeGossip, encodeRequest, MAX_FRAME_BYTES } from '../../src/wire/index.js'
import { until } from '../e2e/until.js'
import { GOSSIP_PROTOCOL } from './attacker.js'
import { BAD_PREFIXES, framed, publishing, subscribing, wanting } from './wire.js'
import { attacks, LONG_MS, sized } from './world.js'

const attack = attacks()

/** Sends until the other side has had enough. */
function pour(stream: Stream, pieces: Iterable<Uint8Array>): void {
  try {
    for (const piece of pieces) stream.send(piece)
  } catch {
    // it was reset: that is what we are here for
  }
}

const ended = (connection: Connection): Promise<unknown> =>
  until('the connection is closed', () => connection.status !== 'open')

attack(
  'subscriptions to thousands of topics are not read, and whoever goes on is hung up on by name',
  async (world) => {
    const attacker = await world.member()
    const { connection } = await attacker.come(await world.address())
    await until('it is up', () => world.connectedTo(attacker))
    const stream = await connection.newStream(GOSSIP_PROTOCOL)
    const before = (await world.inspect()).counters.refusedRpcs
    const topics = (frame: number): string[] => Array.from({ length: 5_000 }, (_, at) => `topic ${frame} ${at}`)
    pour(
      stream,
      Array.from({ length: 100 }, (_, frame) => subscribing(topics(frame)))
    )
    await ended(connection)
    const { counters, topics: known } = await world.inspect()
    assert.ok(counters.refusedRpcs >= before + 8)
    assert.equal(known.length, 1)
    assert.ok(world.said('sends gossip beyond the limits') > 0)
  }
)

attack('a length that cannot be is not waited for, wherever it is sent', async (world) => {
  const [{ client }] = world.honest
  await client.invite({ role: 'author', expiresMs: 3_600_000, uses: 1 })
  for (const [name, prefix] of BAD_PREFIXES) {
    const attacker = await world.member()
    for (const where of ['sync', 'blob', 'gossip'] as const) {
      const { connection, stream } = await attacker.come(await world.address())
      await until('it is up', () => world.connectedTo(attacker))
      const { lanes } = attacker.protocols
      const target =
        where === 'sync' ? stream : await connection.newStream(where === 'blob' ? lanes.blob : GOSSIP_PROTOCOL)
      const alarms = (): number => world.said('Closed a link that does not work') + world.said('Hanging up on a peer')
      const before = alarms()
      pour(target, [prefix, new Uint8Array(64)])
      await ended(connection)
      // the log is another process's, and may be a moment later
      await until(`${name} on ${where} is told`, () => alarms() > before)
      await until('it is down', async () => !(await world.connectedTo(attacker)))
    }
    // before the hello nobody is known well enough to be told of, but the stream ends all the same
    const connection = await attacker.dial(await world.address())
    const hello = await connection.newStream(attacker.protocols.lanes.sync)
    pour(hello, [prefix, new Uint8Array(64)])
    await until(`${name} in place of a hello ends it`, () => hello.status !== 'open')
    await connection.close()
    const stranger = await world.stranger()
    const join = await (await stranger.dial(await world.address())).newStream(stranger.protocols.join)
    pour(join, [prefix, new Uint8Array(64)])
    await until(`${name} in place of a request to join ends it`, () => join.status !== 'open')
  }
})

attack('a frame of the multiplexer that announces 4 GiB is not gathered', async (world) => {
  const attacker = await world.member()
  const { connection } = await attacker.come(await world.address())
  await until('it is up', () => world.connectedTo(attacker))
  const before = await world.inspect()
  const { muxer } = connection as unknown as { muxer: { send(bytes: Uint8Array): void } }
  muxer.send(Uint8Array.from([0, 0, 0, 0, 0, 0, 0, 1, 255, 255, 255, 255]))
  const chunk = new Uint8Array(60_000)
  await until('it is cut off', () => {
    if (connection.status === 'open') muxer.send(chunk)
    return connection.status !== 'open'
  })
  await until('it is counted', async () => (await world.inspect()).manners.frames > before.manners.frames)
  assert.ok(world.said('a frame is longer than any stream may send') > 0)
})

attack('one that opens streams without end is cut off by name', async (world) => {
  const attacker = await world.member()
  const { connection } = await attacker.come(await world.address())
  await until('it is up', () => world.connectedTo(attacker))
  let opened = 0
  await until('it is cut off', async () => {
    const stream = await connection.newStream(attacker.protocols.ping).catch(() => undefined)
    if (stream !== undefined) opened += 1
    stream?.abort(new Error('enough'))
    return connection.status !== 'open'
  })
  assert.ok(opened <= STREAMS_BURST + 100, `${opened} were opened`)
  assert.ok((await world.inspect()).manners.streams > 0)
  assert.ok(world.said('opens streams without end') > 0)
})

attack('one that never reads what it asked for is answered a little, and named', async (world) => {
  const attacker = await world.member()
  const lane = await attacker.come(await world.address(), { deaf: true })
  await until('it is up', () => world.connectedTo(attacker))
  for (let at = 0; at < 2_000; at++) void lane.ask(encodeRequest({ t: 'buckets' }))
  await until('it is named', async () => (await world.throttled(attacker)) === 'answers')
  const peer = (await world.inspect()).peers.find(({ node }) => node === attacker.node)
  assert.ok(peer!.unsentAnswerBytes <= MAX_UNSENT_ANSWER_BYTES + MAX_FRAME_BYTES)
  assert.equal(world.said('wants more than its share'), 1, 'it is told once')
  assert.match(await world.honest[0].cli('peers').then(({ stdout }) => stdout), /slowed: answers/)
})

attack('one that asks and tells without end is slowed, and nobody else', async (world) => {
  const attacker = await world.member()
  const lane = await attacker.come(await world.address())
  await until('it is up', () => world.connectedTo(attacker))
  const root = framed(encodeFrame(FrameType.request, 9, encodeRequest({ t: 'root' })))
  const burst = Buffer.concat(Array.from({ length: 1_000 }, () => root))
  let on = true
  const flood = (async () => {
    for (let sent = 0; on && sent < 20 * MEMBER_REQUESTS.burst; sent += 1_000) {
      if (lane.stream.status !== 'open') return
      lane.stream.send(burst)
      while (on && lane.stream.writeBufferLength > 1_000_000) await new Promise((resolve) => setImmediate(resolve))
      await new Promise((resolve) => setImmediate(resolve))
    }
  })()
  await until('it is slowed', async () => (await world.throttled(attacker)) !== undefined)
  await world.unharmed()
  on = false
  await flood
  const honest = new Set(world.honest.map(({ id }) => id))
  const { peers } = await world.honest[0].status()
  assert.ok(peers.every(({ throttled, node }) => throttled === undefined || !honest.has(node)))
})

attack('a flood of gossip is read no faster than its share, and honest gossip is not behind it', async (world) => {
  const attacker = await world.member()
  const { connection } = await attacker.come(await world.address())
  await until('it is up', () => world.connectedTo(attacker))
  const stream = await connection.newStream(GOSSIP_PROTOCOL)
  const rss = world.honest[0].memory().now
  let on = true
  const chain = attacker.chain(await world.past(), () => [])
  const gossip = encodeGossip({ records: chain.upTo(200).map(({ bytes }) => bytes), heads: [] })
  const flood = (async () => {
    while (on && stream.status === 'open') {
      const messages = Array.from({ length: 8 }, () => Buffer.concat([randomBytes(8), gossip]))
      pour(stream, [publishing(attacker.protocols.topic, messages), wanting(4_000)])
      while (on && stream.writeBufferLength > 4_000_000) await new Promise((resolve) => setImmediate(resolve))
      await new Promise((resolve) => setImmediate(resolve))
    }
  })()
  await until('it is slowed', async () => (await world.throttled(attacker)) !== undefined)
  await world.unharmed()
  on = false
  await flood
  const grown = world.honest[0].memory().now - rss
  assert.ok(grown < 200 * 2 ** 20, `memory grew by ${Math.round(grown / 2 ** 20)} MiB`)
})

attack(
  'a flood of tiny records is stored at the pace of its author, and an honest change is not behind it',
  async (world) => {
    const count = sized(4_000, 1_000_000)
    const attacker = await world.member()
    const chain = attacker.chain(await world.past(), (at) => [{ k: 'body', bytes: Uint8Array.of(at & 255) }])
    chain.upTo(count)
    attacker.answer = (request) => chain.pulled(request, count)
    const lanes = await Promise.all(
      world.honest.map(async (node) => attacker.greet(await attacker.dial(await world.address(node))))
    )
    await until('it is up', () => world.connectedTo(attacker))
    const began = performance.now()
    for (const lane of lanes) lane.tell(chain.claim(count))
    const held = async (): Promise<number> => (await world.honest[0].space()).vector[chain.log] ?? 0
    await until('the flood is on', async () => (await held()) > 0)
    await world.unharmed()
    await until('it is all here', async () => (await held()) === count, LONG_MS)
    const seconds = (performance.now() - began) / 1_000
    assert.ok(count <= AUTHOR_RECORDS.burst + AUTHOR_RECORDS.perSecond * seconds, `it took ${seconds} s`)
  }
)

attack('what waits for something that never comes keeps nobody from anything', async (world) => {
  const attacker = await world.member()
  const { deps, depth } = await world.past()
  const nowhere = { log: randomBytes(16).toString('hex'), seq: 7, id: randomBytes(32).toString('hex') }
  const chain = attacker.chain({ deps: [...deps, nowhere], depth }, () => [])
  attacker.answer = (request) => chain.pulled(request, 100)
  const lane = await attacker.come(await world.address())
  await until('it is up', () => world.connectedTo(attacker))
  chain.upTo(100)
  lane.tell(chain.claim(100))
  await until('it waits', async () => (await world.honest[0].space()).waiting === 100)
  await world.unharmed()
})

attack('a member that passes on altered, reordered or withheld records of others is passed over', async (world) => {
  const [a, b] = world.honest
  const attacker = await world.member('relay')
  const logs = (await b.client.inspect('vector')) as Array<{ log: string; author: string; space: string }>
  const { log } = logs.find(({ author, space }) => author === a.id && space === 'catalog')!
  const ways: Array<(records: readonly Uint8Array[]) => readonly Uint8Array[]> = [
    (records) => records.map(flipped),
    (records) => records.toReversed(),
    () => []
  ]
  for (const way of ways) {
    const lane = await attacker.come(await world.address(a))
    await until('it is up', () => world.connectedTo(attacker, a))
    // what is true it learns by asking, like anybody
    const truth = decodeAnswer(
      await lane.ask(encodeRequest({ t: 'pull', log, from: 1, count: 100 })),
      'records'
    ).records
    let asked = 0
    attacker.answer = (request) => {
      if (request.t !== 'pull' || request.log !== log) return undefined
      asked += 1
      return { t: 'records', records: way(truth), head: 1_000_000 }
    }
    const other = await attacker.come(await world.address(b))
    await until('it is up there too', () => world.connectedTo(attacker, b))
    const held = (await b.space()).vector[log]!
    other.tell({ t: 'vector', full: false, vector: [{ log, seq: held + 50, head: '0'.repeat(16) }] })
    await until('it was asked', () => asked > 0)
    await world.unharmed()
    assert.ok((await b.space()).vector[log]! > held, 'what is true came from its author')
    await lane.connection.close()
    await other.connection.close()
    await until('it is down', async () => !(await world.connectedTo(attacker, b)))
  }
})

const flipped = (bytes: Uint8Array): Uint8Array => {
  const copy = Uint8Array.from(bytes)
  copy[5]! ^= 1
  return copy
}
