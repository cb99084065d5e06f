/** Streams that end, and networks that do not stop, at the wrong moment. */
import './nodes.js'
import { bytes, Cluster, clock, connected } from './nodes.js'
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import type { Connection, Stream } from '@libp2p/interface'
import { JoinDesk } from '../../src/net/join-desk.js'
import { keyFromSeed } from '../../src/net/keys.js'
import { readable } from '../../src/net/readable.js'
import { Run } from '../../src/net/run.js'
import { recordingLogger } from '../control/world.js'
import { until } from '../e2e/until.js'
import { withMethod } from '../faults/methods.js'
import { encode } from 'it-length-prefixed'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'

const throws = () => () => {
  throw new Error('closing')
}

function fake(more: object): Stream & EventTarget {
  const stream = {
    status: 'open',
    send: () => true,
    close: () => Promise.resolve(),
    pause: throws(),
    resume: throws()
  }
  return Object.assign(new EventTarget(), stream, more) as unknown as Stream & EventTarget
}

const message = (data: Uint8Array): Event => Object.assign(new Event('message'), { data })

test('a stream that is closing and refuses to pause is read to its end', async () => {
  const stream = fake({})
  const read: number[] = []
  const reading = (async () => {
    for await (const chunk of readable(stream, 1)) read.push(chunk.byteLength)
  })()
  for (let at = 0; at < 3; at++) stream.dispatchEvent(message(bytes('xx')))
  stream.dispatchEvent(new Event('end'))
  await reading
  assert.deepEqual(read, [2, 2, 2])
})

test('a request to join that no invitation waits for is refused, and one that is answered need not be heard out', async () => {
  const { logger, lines } = recordingLogger()
  let allowed = false
  const handler = () => Promise.resolve(bytes('welcome'))
  const desk = new JoinDesk({
    clock,
    logger,
    handler: () => handler,
    strangersAllowed: () => allowed,
    mayReturn: () => false
  })
  const remotePeer = peerIdFromPrivateKey(keyFromSeed(randomBytes(32)))
  const connection = { remotePeer } as unknown as Connection
  let aborted = false
  await desk.serve(fake({ abort: () => (aborted = true) }), connection)
  assert.ok(aborted)
  allowed = true
  const stream = fake({ abort: () => undefined })
  const served = desk.serve(stream, { remotePeer } as unknown as Connection)
  stream.dispatchEvent(message(encode.single(bytes('let me in')).subarray()))
  // the timeouts that end it keep no process alive
  const alive = setInterval(() => undefined, 1_000)
  await served.finally(() => clearInterval(alive))
  assert.deepEqual(
    lines.map(({ message: said }) => said),
    ['A request to join failed', 'Answered a request to join']
  )
})

test('why a network does not start is told even when what was begun does not stop', async () => {
  const cluster = new Cluster()
  const a = await cluster.started()
  const b = cluster.node({ listen: [a.listen] })
  const begun: Run[] = []
  const refuses = () =>
    function (this: Run) {
      begun.push(this)
      return Promise.reject(new Error('another'))
    }
  await withMethod(Run.prototype, 'stop', refuses, () => assert.rejects(b.network.start(), { code: 'listen-failed' }))
  for (const run of begun) await run.stop()
  await cluster.stop()
})

test('a listener that throws when a peer is gone is told, and the peer can come back', async () => {
  const cluster = new Cluster()
  const a = await cluster.started()
  const b = await cluster.started({ peers: [a.address] })
  await connected(a, b)
  a.peerDown = throws()
  await b.network.stop()
  await until('it is told', () => a.log.some(({ message: said }) => /events failed/.test(said)))
  await b.network.start()
  await connected(a, b)
  await cluster.stop()
})
