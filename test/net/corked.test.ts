import './nodes.js'
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import type { ConnectionEncrypter, MessageStream } from '@libp2p/interface'
import { Uint8ArrayList } from 'uint8arraylist'
import { LARGE_BYTES, roomFor } from '../../src/buffers.js'
import { corked } from '../../src/net/corked.js'
import { bytes, Cluster, connected, type Node } from './nodes.js'
import { watchWrites } from './socket-writes.js'

describe('messages on a connection', { timeout: 120_000 }, () => {
  let cluster: Cluster
  let a: Node
  let b: Node
  let unwatch = (): void => undefined

  beforeEach(async () => {
    cluster = new Cluster()
    a = await cluster.started()
    b = await cluster.started({ peers: [a.address] })
    await connected(a, b)
  })
  afterEach(async () => {
    unwatch()
    await cluster.stop()
  })

  it('are written at once, not their length first', async () => {
    const written: number[] = []
    unwatch = watchWrites((bytes) => void written.push(bytes))
    for (let n = 0; n < 20; n++) await a.network.request(b.id, 'sync', bytes('x'))
    assert.ok(written.length >= 40, `${written.length} writes were seen`)
    assert.deepEqual(
      written.filter((length) => length <= 2),
      []
    )
  })
})

describe('a corked encryption', () => {
  const wrapped = async (wire: object): Promise<void> => {
    const secure = async (): Promise<object> => ({ connection: {} })
    const encrypter = { protocol: '/test', secureInbound: secure, secureOutbound: secure }
    const make = corked(() => encrypter as unknown as ConnectionEncrypter)
    await make({}).secureInbound(wire as MessageStream)
  }

  /** A socket that takes `room` pieces before it says that it is full, and tells later that they are written. */
  function socketOf(room: number, fails?: Error) {
    const calls: Array<string | number> = []
    const written: Array<(error?: Error) => void> = []
    const socket = {
      cork: () => void calls.push('cork'),
      uncork: () => void calls.push('uncork'),
      write: (piece: Uint8Array, done?: (error?: Error) => void) => {
        if (fails !== undefined) throw fails
        if (done !== undefined) written.push(done)
        return calls.push(piece.length) <= room + 1
      }
    }
    const wire = { socket, sendData: (data: Uint8ArrayList): unknown => data }
    return { calls, written, wire }
  }

  it('lets the socket go again when writing fails', async () => {
    const { calls, wire } = socketOf(9, new Error('gone'))
    await wrapped(wire)
    assert.throws(() => wire.sendData(new Uint8ArrayList(new Uint8Array(1))), /gone/)
    assert.deepEqual(calls, ['cork', 'uncork'])
  })

  it('hands everything to the socket at once, also what is beyond its queue, and says so then', async () => {
    const { calls, wire } = socketOf(2)
    await wrapped(wire)
    const pieces = [1, 2, 3].map((length) => new Uint8Array(length))
    assert.deepEqual(wire.sendData(new Uint8ArrayList(pieces[0]!)), { sentBytes: 1, canSendMore: true })
    assert.deepEqual(wire.sendData(new Uint8ArrayList(...pieces)), { sentBytes: 6, canSendMore: false })
    assert.deepEqual(calls, ['cork', 1, 'uncork', 'cork', 1, 2, 3, 'uncork'])
  })

  it('frees what is written, when it is written and not when that failed', async () => {
    const { written, wire } = socketOf(9)
    await wrapped(wire)
    const [good, bad, part] = [roomFor(LARGE_BYTES), roomFor(LARGE_BYTES), roomFor(2 * LARGE_BYTES)]
    wire.sendData(new Uint8ArrayList(good, bad, part.subarray(LARGE_BYTES)))
    assert.deepEqual([good.length, bad.length, part.length], [LARGE_BYTES, LARGE_BYTES, 2 * LARGE_BYTES])
    written[0]!()
    written[1]!(new Error('gone'))
    written[2]!()
    assert.deepEqual([good.length, bad.length, part.length], [0, LARGE_BYTES, 2 * LARGE_BYTES])
  })

  it('leaves streams alone that are no socket', async () => {
    const sendData = (): void => undefined
    const wire = { sendData }
    await wrapped(wire)
    assert.equal(wire.sendData, sendData)
  })
})
