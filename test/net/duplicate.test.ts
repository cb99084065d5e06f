import './nodes.js'
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { bytes, Cluster, connected, until } from './nodes.js'

describe('one key in two processes', { timeout: 30_000 }, () => {
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
})
