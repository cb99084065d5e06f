/** What is told when the parts below the network, or those that listen to it, fail. */
import './nodes.js'
import { bytes, Cluster, clock, connected, random, type Node } from './nodes.js'
import assert from 'node:assert/strict'
import crypto from 'node:crypto'
import dgram from 'node:dgram'
import { syncBuiltinESMExports } from 'node:module'
import os from 'node:os'
import { afterEach, beforeEach, describe, test } from 'node:test'
import type { Stream } from '@libp2p/interface'
import { interfacesFingerprint, likelyFirst } from '../../src/net/addresses.js'
import { AddressBook } from '../../src/net/book.js'
import { Gossip } from '../../src/net/gossip.js'
import { WRITE_AHEAD_BYTES } from '../../src/net/limits.js'
import { MdnsDiscovery } from '../../src/net/mdns.js'
import { Watch } from '../../src/net/watch.js'
import type { Logger } from '../../src/runtime.js'
import { FrameWriter } from '../../src/net/writer.js'
import { recordingLogger } from '../control/world.js'
import { until } from '../e2e/until.js'
import { withMethod } from '../faults/methods.js'

const throws = (message: string) => () => () => {
  throw new Error(message)
}

describe('a system that does not tell its network interfaces', () => {
  const mute = (work: () => void): Promise<void> =>
    withMethod(os, 'networkInterfaces', throws('EMFILE'), async () => {
      syncBuiltinESMExports()
      work()
    }).finally(() => syncBuiltinESMExports())

  test('keeps no address from being dialled', () =>
    mute(() => {
      assert.equal(interfacesFingerprint(), undefined)
      const addresses = ['/ip4/192.0.2.1/tcp/1', '/ip4/10.0.0.1/tcp/1']
      assert.deepEqual(likelyFirst(addresses).toSorted(), addresses.toSorted())
    }))

  test('is no change of the network, and what it tells again is compared with what it told before', () => {
    const told: Array<string | undefined> = ['a', undefined, 'a', undefined, 'b']
    let changes = 0
    let look = (): void => undefined
    const watch = new Watch(
      {
        clock: { ...clock, timer: (_ms, fn) => ((look = fn), () => undefined) },
        tick: () => undefined,
        clockJumped: () => undefined,
        networkChanged: () => (changes += 1)
      },
      { fingerprint: () => told.shift() }
    )
    watch.start()
    const seen: number[] = []
    while (told.length > 0) {
      look()
      seen.push(changes)
    }
    watch.stop()
    assert.deepEqual(seen, [0, 0, 0, 1])
  })
})

test('an address book that can be neither read nor saved keeps nobody from working', () => {
  const { logger, lines } = recordingLogger()
  const store = { load: throws('EIO')()!, save: throws('EIO')()! }
  const book = new AddressBook({ clock, logger, store })
  assert.deepEqual(book.load(), [])
  book.worked('n', '/ip4/127.0.0.1/tcp/1')
  book.flush()
  assert.equal(lines.length, 2)
})

/** Discovery on the loopback alone: nothing of it leaves this machine. */
const discoveryWith = (logger: Logger): MdnsDiscovery =>
  new MdnsDiscovery(
    { clock, random, logger, ports: () => [], secrets: () => [], interfaces: () => ['127.0.0.1'] },
    { serviceTag: '_gv-test._udp.local' }
  )

test('a machine without multicast goes on without it', async () => {
  const { logger, lines } = recordingLogger()
  const mdns = discoveryWith(logger)
  await withMethod(dgram, 'createSocket', throws('EMFILE'), () => mdns.start(() => undefined))
  await mdns.stop()
  assert.deepEqual(
    lines.map(({ level, facts }) => [level, facts?.['reason']]),
    [['warn', 'EMFILE']]
  )
})

test('multicast that does not end cleanly is told, and nothing else', async () => {
  const { logger, lines } = recordingLogger()
  const mdns = discoveryWith(logger)
  await mdns.start(() => undefined)
  const sockets: dgram.Socket[] = []
  const stuck = () =>
    function (this: dgram.Socket): never {
      sockets.push(this)
      throw new Error('EBADF')
    }
  await withMethod(dgram.Socket.prototype, 'close', stuck, () => mdns.stop())
  for (const socket of sockets) socket.close()
  const [failure] = lines.filter(({ message }) => message === 'Multicast DNS did not stop cleanly')
  assert.equal(failure?.facts?.['reason'], 'EBADF')
})

test('gossip that cannot be made anew after a sleep is told', { timeout: 120_000 }, async () => {
  const cluster = new Cluster()
  let jumped = 0
  const a = await cluster.started({ clock: { ...clock, now: () => Date.now() + jumped } })
  await withMethod(
    Gossip.prototype,
    'restart',
    () => () => Promise.reject(new Error('not now')),
    async () => {
      jumped = 3_600_000
      await until('it is told', () => a.log.some(({ message }) => /Gossip could not be restarted/.test(message)))
    }
  )
  await cluster.stop()
})

describe('a stream', () => {
  const stream = (more: object): Stream & EventTarget =>
    Object.assign(new EventTarget(), { status: 'open', writeBufferLength: 0, ...more }) as unknown as Stream &
      EventTarget

  test('that refuses a frame has not taken it', () => {
    assert.equal(new FrameWriter(stream({ send: throws('closing')() })).offer(bytes('x')), false)
  })

  test('that closes while it is full fails what waits', async () => {
    const full = stream({ writeBufferLength: WRITE_AHEAD_BYTES + 1 })
    const waiting = assert.rejects(
      new FrameWriter(full).write(() => bytes('x')),
      /closed while it was full/
    )
    await new Promise((done) => setImmediate(done))
    full.dispatchEvent(new Event('close'))
    await waiting
  })
})

const inspected = (node: Node): { ignored: number } => node.network.inspect().counters

describe('a listener that throws', { timeout: 120_000 }, () => {
  let cluster: Cluster
  let a: Node
  let b: Node

  beforeEach(async () => {
    cluster = new Cluster()
    a = await cluster.started()
    b = cluster.node({ peers: [a.address] })
  })
  afterEach(() => cluster.stop())

  test('is told, and messages go on', async () => {
    const up = (): void => {
      throw new Error('up')
    }
    await withMethod(
      a,
      'peerUp',
      () => up,
      async () => {
        await b.network.start()
        await connected(a, b)
        await until('it is told', () => a.log.some(({ message }) => /handler of network events failed/.test(message)))
      }
    )
    a.onNotice = throws('notice')()
    b.network.notify(a.id, bytes('x'))
    await until('the notice is told', () => a.log.some(({ message }) => /notification could not/.test(message)))
    await withMethod(a, 'gossip', throws('gossip'), () =>
      until('the gossip is told', async () => {
        await b.network.publish(bytes('y'))
        return a.log.some(({ message }) => /gossip message could not be judged/.test(message))
      })
    )
    // a message that could not be judged is counted, and goes no further
    assert.ok(inspected(a).ignored > 0)
    assert.equal(Buffer.from(await b.network.request(a.id, 'sync', bytes('z'))).toString(), 'z')
    await withMethod(a, 'peerDown', throws('down'), async () => {
      await b.network.stop()
      const told = (): boolean =>
        a.log.some(({ message, facts }) => /network events failed/.test(message) && facts?.['reason'] === 'down')
      await until('the end is told', told)
    })
  })

  test('for a key that is used twice leaves the others told', async () => {
    await b.network.start()
    await connected(a, b)
    a.network.onDuplicateIdentity(throws('listener')())
    const told: string[] = []
    a.network.onDuplicateIdentity((node) => told.push(node))
    const twin = await cluster.started({ privateSeed: b.seed, peers: [a.address] })
    await until('it is told', () => told.length > 0 && a.log.some(({ message }) => /events failed/.test(message)))
    await twin.network.stop()
  })
})

test('gossip that cannot be made into a message is told, and reaches nobody', async (t) => {
  const cluster = new Cluster()
  t.after(() => cluster.stop())
  const a = await cluster.started()
  await withMethod(crypto, 'createHash', throws('no memory'), async () => {
    syncBuiltinESMExports()
    assert.equal(await a.network.publish(bytes('x')), 0)
  }).finally(() => syncBuiltinESMExports())
  assert.ok(
    a.log.some(({ level, message }) => level === 'warn' && /gossip message could not be published/.test(message))
  )
})
