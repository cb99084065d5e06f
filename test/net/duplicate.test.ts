import './nodes.js'
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { bytes, Cluster, connected, until } from './nodes.js'
import { RawPeer } from './raw.js'

describe('one key in two processes', { timeout: 120_000 }, () => {
  let cluster: Cluster

  beforeEach(() => {
    cluster = new Cluster()
  })
  afterEach(() => cluster.stop())

  it('is told to all three, loudly, and the link that was first stays', async () => {
    const c = await cluster.started()
    const first = await cluster.started({ peers: [c.address] })
    await connected(c, first)
    const second = await cluster.started({ privateSeed: first.seed, peers: [c.address] })
    await until('all know', () => [c, first, second].every(({ duplicates }) => duplicates.includes(first.id)))
    assert.ok(
      [c, first, second].every(({ log }) =>
        log.some(({ level, message }) => level === 'error' && message.startsWith('One key'))
      )
    )
    assert.deepEqual([c.ups.length, c.downs.length, second.ups.length], [1, 0, 0])
    first.onRequest = async () => bytes('first')
    assert.equal(Buffer.from(await c.network.request(first.id, 'sync', bytes('who'))).toString(), 'first')
  })

  it('is a restart when the first does not answer any more, though its connection looks alive', async () => {
    const c = await cluster.started()
    const seed = randomBytes(32)
    const member = cluster.node({ privateSeed: seed })
    // Has greeted and answers no proof of life: what a machine without power looks like from afar.
    const dead = await RawPeer.start(cluster, seed)
    try {
      const connection = await dead.dial(c)
      await dead.greet(connection)
      await until('it is up', () => c.ups.length === 1)
      const again = await cluster.started({ privateSeed: seed, peers: [c.address] })
      await connected(c, again)
      assert.deepEqual([c.ups.length, c.downs, c.duplicates, again.duplicates], [2, [member.id], [], []])
      await until('the old connection is closed', () => connection.status !== 'open')
    } finally {
      await dead.host.libp2p.stop()
    }
  })
})
