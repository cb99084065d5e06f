import './nodes.js'
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { encode } from 'it-length-prefixed'
import { encodeFrame, FrameType } from '../../src/net/frames.js'
import { MAX_LANE_FRAME_BYTES, MEMBER_GOSSIP, MEMBER_REQUESTS, REQUESTS_IN_FLIGHT } from '../../src/net/limits.js'
import { publishing } from '../hostile/wire.js'
import { bytes, Cluster, connected, until, type Node } from './nodes.js'
import { RawPeer } from './raw.js'

const CHUNK = 256 * 1024
const MIB = 1024 * 1024

describe('slow and hostile peers', { timeout: 120_000 }, () => {
  let cluster: Cluster
  let a: Node
  let b: Node
  let raw: RawPeer | undefined

  beforeEach(async () => {
    cluster = new Cluster()
    a = await cluster.started()
    b = await cluster.started({ peers: [a.address] })
    await connected(a, b)
  })
  afterEach(async () => {
    await cluster.stop()
    await raw?.host.libp2p.stop()
    raw = undefined
  })

  /** A member with bad manners, connected to a. */
  const hostile = async (): Promise<RawPeer> => {
    const seed = randomBytes(32)
    cluster.node({ privateSeed: seed })
    raw = await RawPeer.start(cluster, seed)
    return raw
  }
  const hostileIsUp = (): boolean => a.network.peers().length === 2

  it('hold back 64 MiB of requests from a slow server instead of buffering them, and all are answered', async () => {
    let release!: () => void
    const released = new Promise<void>((resolve) => (release = resolve))
    let handed = 0
    b.onRequest = async (frame, lane) => {
      if (lane === 'sync') return frame
      handed += 1
      await released
      return frame.subarray(0, 4)
    }
    const chunk = new Uint8Array(CHUNK)
    const before = process.memoryUsage().arrayBuffers
    const answers = Array.from({ length: 256 }, () => a.network.request(b.id, 'blob', chunk, { timeoutMs: 30_000 }))
    await until('the server is full', () => handed === 8)
    // Round trips on the other lane: time enough for what is not held back to arrive.
    for (let n = 0; n < 50; n++) await a.network.request(b.id, 'sync', bytes('x'))
    const grown = process.memoryUsage().arrayBuffers - before
    assert.equal(handed, 8)
    assert.ok(grown < 24 * MIB, `${Math.round(grown / MIB)} MiB were buffered`)
    // From here on the server is slower than the connection, so that reading is paused and resumed many times.
    b.onRequest = async (frame) => {
      await new Promise((resolve) => setTimeout(resolve, 40))
      return frame.subarray(0, 4)
    }
    release()
    assert.equal((await Promise.all(answers)).length, 256)
    assert.deepEqual([a.downs, b.downs], [[], []])
  })

  it('count questions and parts of files apart, and slow down who asks too much', async () => {
    const ask = async (lane: 'sync' | 'blob', times: number): Promise<void> => {
      for (let left = times; left > 0; left -= REQUESTS_IN_FLIGHT) {
        const some = Array.from({ length: Math.min(left, REQUESTS_IN_FLIGHT) }, () => bytes('x'))
        await Promise.all(some.map((frame) => a.network.request(b.id, lane, frame, { timeoutMs: 30_000 })))
      }
    }
    await ask('blob', 3 * MEMBER_REQUESTS.burst)
    assert.equal(b.network.throttled().size, 0)
    await ask('sync', MEMBER_REQUESTS.burst)
    assert.equal(b.network.throttled().size, 0)
    await ask('sync', MEMBER_REQUESTS.perSecond)
    assert.equal(b.network.throttled().get(a.id)?.reason, 'requests')
  })

  it('have their gossip judged in its own time, and their questions answered meanwhile', async () => {
    b.busyMs = 20 * MEMBER_GOSSIP.burst
    await until('they mesh', () => a.network.inspect().mesh.length === 1)
    for (let n = 0; n < 3; n++) await a.network.publish(bytes(`long ${n}`))
    await until('it is slowed', () => b.network.throttled().get(a.id)?.reason === 'gossip')
    const judged = b.gossiped.length
    await a.network.request(b.id, 'sync', bytes('x'))
    assert.equal(b.gossiped.length, judged)
    await until('all are judged', () => b.gossiped.length === 3)
  })

  it('have the messages of one RPC judged no faster than those of several', async () => {
    a.busyMs = 20 * MEMBER_GOSSIP.burst
    const peer = await hostile()
    const connection = await peer.dial(a)
    await peer.greet(connection)
    const stream = await connection.newStream('/meshsub/1.2.0')
    const messages = Array.from({ length: 3 }, (_, n) => Buffer.alloc(20, n))
    stream.send(publishing(a.network.inspect().topics[0]!, messages))
    await until('it is slowed', () => [...a.network.throttled().values()].some(({ reason }) => reason === 'gossip'))
    assert.ok(a.gossiped.length < 3)
    await until('all are judged', () => a.gossiped.length === 3)
  })

  it('refuses notifications when the reader does not keep up, and delivers those it took', async () => {
    let release!: () => void
    const released = new Promise<void>((resolve) => (release = resolve))
    b.onNotice = () => released
    const chunk = new Uint8Array(64 * 1024).fill(97)
    let taken = 0
    let refusedInARow = 0
    await until('the queue is full for good', () => {
      if (a.network.notify(b.id, chunk)) {
        taken += 1
        refusedInARow = 0
      } else refusedInARow += 1
      return refusedInARow > 50
    })
    assert.ok(taken * chunk.length < 8 * MIB, `${taken} notifications were queued`)
    release()
    await until('all that were taken arrive', () => b.notices.length === taken)
    assert.equal(a.network.notify(b.id, chunk), true)
  })

  it('computes few answers for a peer that does not read them, and serves the others meanwhile', async () => {
    const peer = await hostile()
    const stream = await peer.greet(await peer.dial(a))
    await until('it is up', hostileIsUp)
    let computed = 0
    a.onRequest = async () => {
      computed += 1
      return new Uint8Array(CHUNK)
    }
    stream.pause()
    for (let id = 2; id < 200; id++) stream.send(encode.single(encodeFrame(FrameType.request, id, new Uint8Array(1))))
    await until('a is busy with it', () => computed >= 8)
    for (let n = 0; n < 20; n++) assert.equal((await b.network.request(a.id, 'blob', bytes('x'))).length, CHUNK)
    assert.ok(computed - 20 < 30, `${computed - 20} answers were computed`)
  })

  it('closes the link of a peer that announces a frame beyond the limit, before it comes, and no other link', async () => {
    const peer = await hostile()
    const stream = await peer.greet(await peer.dial(a))
    await until('it is up', hostileIsUp)
    const length = MAX_LANE_FRAME_BYTES + 1
    stream.send(
      Uint8Array.from([
        (length % 128) + 128,
        (Math.floor(length / 128) % 128) + 128,
        (Math.floor(length / 16384) % 128) + 128,
        Math.floor(length / 2097152)
      ])
    )
    await until('it is down', () => a.downs.length === 1)
    const line = a.log.find(({ message }) => message === 'Closed a link that does not work')
    assert.deepEqual([line?.level, line?.facts.code], ['warn', 'too-large'])
    assert.ok(b.connectedTo(a))
    assert.equal((await b.network.request(a.id, 'sync', bytes('x'))).length, 1)
  })

  it('closes the link of a peer that sends what is no frame', async () => {
    const peer = await hostile()
    const stream = await peer.greet(await peer.dial(a))
    await until('it is up', hostileIsUp)
    stream.send(encode.single(Uint8Array.from([FrameType.request, 255, 255, 255, 255, 255, 255])))
    await until('it is down', () => a.downs.length === 1)
    assert.ok(a.log.some(({ facts }) => facts.code === 'message-malformed'))
  })

  it('answers a frame of a later version with a refusal and goes on', async () => {
    const peer = await hostile()
    const stream = await peer.greet(await peer.dial(a))
    await until('it is up', hostileIsUp)
    const seen: string[] = []
    stream.addEventListener('message', (event) => void seen.push(Buffer.from(event.data.subarray()).toString('latin1')))
    stream.send(encode.single(encodeFrame(99, 7, bytes('future'))))
    stream.send(encode.single(encodeFrame(98, 0, bytes('future'))))
    stream.send(encode.single(encodeFrame(FrameType.request, 8, bytes('still here'))))
    await until('both are answered', () => /unknown-frame[^]*still here/.test(seen.join('')))
    assert.deepEqual(a.downs, [])
  })

  it('serves nothing before the hello, and closes who does not greet in time', async () => {
    const peer = await hostile()
    // It takes our hello and is silent.
    await peer.host.libp2p.handle(peer.protocols.lanes.sync, (taken) => void peer.accepted.push(taken))
    const connection = await peer.dial(a)
    const stream = await connection.newStream(peer.protocols.lanes.sync)
    stream.send(encode.single(encodeFrame(FrameType.notify, 0, bytes('too early'))))
    await until('it is closed', () => connection.status !== 'open')
    assert.deepEqual(a.notices, [])
    assert.equal(a.ups.length, 1, 'it never was up')
  })

  it('keep their link when one of two connections goes, and lose it once with the last', async () => {
    const peer = await hostile()
    const first = await peer.dial(a)
    await peer.greet(first)
    await until('it is up', hostileIsUp)
    const second = await peer.dial(a, { force: true })
    await until('both are there', () => a.network.inspect().peers.some(({ connections }) => connections.length === 2))
    first.abort(new Error('cut'))
    await until('the lane was opened on the second', () => peer.accepted.length === 2)
    const id = peer.host.libp2p.peerId.toString()
    await until('it works', () => a.network.notify(id, bytes('x')))
    assert.deepEqual([a.ups.length, a.downs.length], [2, 0])
    second.abort(new Error('cut'))
    await until('it is down', () => a.downs.length === 1)
    assert.equal(a.ups.length, 2)
  })

  it('opens the sync lane again when its stream breaks, and hangs up when it keeps breaking', async () => {
    const peer = await hostile()
    await peer.greet(await peer.dial(a))
    await until('it is up', hostileIsUp)
    peer.accepted[0]?.abort(new Error('broken'))
    await until('it is opened again', () => peer.accepted.length === 2)
    const id = peer.host.libp2p.peerId.toString()
    await until('it works again', () => a.network.notify(id, bytes('x')))
    assert.deepEqual(a.downs, [])
    for (let n = 1; a.downs.length === 0; n++) {
      await until('it is opened again or given up', () => peer.accepted.length > n || a.downs.length > 0)
      peer.accepted[n]?.abort(new Error('broken'))
    }
    assert.deepEqual(a.downs, [id])
    assert.ok(a.log.some(({ facts }) => String(facts.reason).includes('keeps closing the sync lane')))
  })

  it('opens the blob lane again for the next request', async () => {
    const peer = await hostile()
    let opened = 0
    await peer.host.libp2p.handle(peer.protocols.lanes.blob, (stream) => {
      opened += 1
      stream.addEventListener('message', (event) => {
        const frame = event.data.subarray()
        if (opened === 1) stream.abort(new Error('broken'))
        else stream.send(encode.single(encodeFrame(FrameType.answer, frame[2] ?? 0, bytes('ok'))))
      })
    })
    await peer.greet(await peer.dial(a))
    await until('it is up', hostileIsUp)
    const id = peer.host.libp2p.peerId.toString()
    await assert.rejects(a.network.request(id, 'blob', bytes('x')), { code: 'peer-unreachable' })
    assert.equal(Buffer.from(await a.network.request(id, 'blob', bytes('x'))).toString(), 'ok')
    assert.deepEqual(a.downs, [])
  })
})
