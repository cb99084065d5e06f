import './nodes.js'
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { afterEach, beforeEach, describe, it } from 'node:test'
import type { Stream } from '@libp2p/interface'
import { MAX_GOSSIP_BYTES } from '../../src/wire/limits.js'
import { GOSSIP_DONT_WANTS } from '../../src/net/limits.js'
import { bytes, clock, Cluster, until, type Node } from './nodes.js'
import { RawPeer } from './raw.js'

describe('gossip', { timeout: 120_000 }, () => {
  let cluster: Cluster

  beforeEach(() => {
    cluster = new Cluster()
  })
  afterEach(() => cluster.stop())

  const inMesh = (node: Node, peers: number): boolean => node.network.inspect().mesh.length >= peers

  it('reaches all leaves of a star of 16 nodes behind one address, each message once', async () => {
    const hub = await cluster.started()
    // Leaves that dial nobody but the hub: the redial loop of the others would make a mesh.
    const leaves = await Promise.all(
      Array.from({ length: 15 }, () => cluster.started({ peers: [hub.address], announce: () => false, listen: [] }))
    )
    await until('all leaves are up', () => hub.network.peers().length === 15)
    await until(
      'gossip knows them all',
      () =>
        hub.network.inspect().subscribers.length === 15 &&
        leaves.every((leaf) => leaf.network.inspect().subscribers.length === 1)
    )
    const others = [hub, ...leaves.slice(1)]
    const expected: string[] = []
    // Long enough for scores to be computed and to count: peers behind one address must not be scored down.
    for (const end = performance.now() + 3_000; performance.now() < end;) {
      expected.push(`message ${expected.length}`)
      assert.ok((await leaves[0]!.network.publish(bytes(expected.at(-1)!))) > 0)
      await until('everybody heard it', () => others.every((node) => node.gossiped.includes(expected.at(-1)!)))
    }
    for (const node of others) assert.deepEqual(node.gossiped, expected)
    assert.ok(hub.network.inspect().peers.every(({ gossip }) => gossip.score === 0))
    assert.deepEqual(leaves[0]!.gossiped, [], 'the author does not hear itself')
  })

  it('delivers the same words twice when they are said twice', async () => {
    const a = await cluster.started()
    const b = await cluster.started({ peers: [a.address] })
    await until('they mesh', () => inMesh(a, 1) && inMesh(b, 1))
    await a.network.publish(bytes('same'))
    await a.network.publish(bytes('same'))
    await until('both arrive', () => b.gossiped.length === 2)
  })

  it('takes a message at the limit and refuses one byte more', async () => {
    const a = await cluster.started()
    const b = await cluster.started({ peers: [a.address] })
    await until('they mesh', () => inMesh(a, 1) && inMesh(b, 1))
    assert.equal(await a.network.publish(new Uint8Array(MAX_GOSSIP_BYTES)), 1)
    await until('it arrives', () => b.gossiped.length === 1)
    await assert.rejects(a.network.publish(new Uint8Array(MAX_GOSSIP_BYTES + 1)), { code: 'too-large' })
  })

  it('asks others not to send a large message too, as long as not too many come of one neighbour', async () => {
    const a = await cluster.started()
    const b = await cluster.started({ peers: [a.address] })
    await until('they mesh', () => inMesh(a, 1) && inMesh(b, 1))
    const publish = async (count: number): Promise<void> => {
      const heard = b.gossiped.length + count
      for (let n = 0; n < count; n++) await a.network.publish(Buffer.alloc(20_000, n))
      await until('they are heard', () => b.gossiped.length === heard)
    }
    await publish(GOSSIP_DONT_WANTS.burst)
    assert.equal(b.network.inspect().counters.notWarned, 0)
    await publish(6 * GOSSIP_DONT_WANTS.burst)
    assert.ok(b.network.inspect().counters.notWarned > 0)
  })

  it('does not forward what the handler rejects, counts it, and expels who keeps sending it', async () => {
    const a = await cluster.started()
    const b = await cluster.started({ peers: [a.address] })
    await until('they mesh', () => inMesh(a, 1) && inMesh(b, 1))
    b.verdict = 'reject'
    for (let n = 0; n < 5; n++) await a.network.publish(bytes(`bad ${n}`))
    await until('b has judged them', () => b.network.inspect().counters.rejected === 5)
    await until('a is out of the mesh', () => {
      const peer = b.network.inspect().peers[0]
      return peer !== undefined && peer.gossip.score < 0 && !peer.gossip.inMesh
    })
  })

  it('revives gossip with a peer whose stream died, and hangs up on one that stays mute', async () => {
    const a = await cluster.started({ watch: { intervalMs: 400 } })
    const seed = randomBytes(32)
    cluster.node({ privateSeed: seed })
    const raw = await RawPeer.start(cluster, seed)
    try {
      let opened = 0
      let kept: Stream | undefined
      await raw.host.libp2p.handle('/meshsub/1.2.0', (stream) => {
        opened += 1
        if (opened === 2) kept = stream
        else stream.abort(new Error('overflow'))
      })
      await raw.greet(await raw.dial(a))
      await until('it is revived', () => kept !== undefined && a.network.inspect().peers[0]?.gossip.outbound === true)
      assert.equal(a.network.inspect().counters.revived, 1)
      assert.deepEqual(a.downs, [], 'the connection was kept')
      kept?.abort(new Error('overflow'))
      await until('a hangs up', () => a.downs.length === 1)
      assert.equal(a.network.inspect().counters.givenUp, 1)
    } finally {
      await raw.host.libp2p.stop()
    }
  })

  it('starts anew after a jump of the wall clock, and flows', async () => {
    let offset = 0
    const jumping = { ...clock, now: () => Date.now() + offset }
    const a = await cluster.started({ clock: jumping, watch: { intervalMs: 50 } })
    const b = await cluster.started({ peers: [a.address] })
    await until('they mesh', () => inMesh(a, 1) && inMesh(b, 1))
    offset = 120_000
    await until('a noticed', () => a.log.some(({ message }) => message.startsWith('The clock jumped')))
    await until('gossip flows again', () => {
      void a.network.publish(bytes('hello again'))
      return b.gossiped.length > 0
    })
    assert.deepEqual(a.downs, [])
  })

  it('has sent what was published when stop resolves', async () => {
    const a = await cluster.started()
    const b = await cluster.started({ peers: [a.address] })
    await until('they mesh', () => inMesh(a, 1) && inMesh(b, 1))
    for (let n = 0; n < 50; n++) await a.network.publish(Buffer.alloc(60_000, n + 1))
    await a.network.stop()
    await until('all 50 arrived', () => b.gossiped.length === 50)
  })

  it('stops in time though a peer reads nothing', async () => {
    const a = await cluster.started()
    const seed = randomBytes(32)
    cluster.node({ privateSeed: seed })
    const raw = await RawPeer.start(cluster, seed)
    try {
      await raw.host.libp2p.handle('/meshsub/1.2.0', (stream) => stream.pause())
      const connection = await raw.dial(a)
      await raw.greet(connection)
      const stream = await connection.newStream('/meshsub/1.2.0')
      stream.send(subscription(a.network.inspect().topics[0]!))
      await until('it has subscribed', () => a.network.inspect().subscribers.length === 1)
      await until('its queue is long', () => {
        void a.network.publish(new Uint8Array(MAX_GOSSIP_BYTES))
        return (a.network.inspect().peers[0]?.gossip.queuedBytes ?? 0) > 1_000_000
      })
      const startedAt = performance.now()
      await a.network.stop()
      assert.ok(performance.now() - startedAt < 5_000)
    } finally {
      await raw.host.libp2p.stop()
    }
  })
})

/** A gossipsub message (protobuf) that subscribes to a topic: subscriptions = 1 { subscribe = 1: true, topicid = 2 }. */
function subscription(topic: string): Uint8Array {
  const inner = Buffer.concat([Buffer.from([0x08, 1, 0x12, topic.length]), Buffer.from(topic)])
  const message = Buffer.concat([Buffer.from([0x0a, inner.length]), inner])
  return Buffer.concat([Buffer.from([message.length]), message])
}
