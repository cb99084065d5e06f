import './nodes.js'
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { bytes, Cluster, connected, until, type Node } from './nodes.js'
import { watchWrites } from './socket-writes.js'

describe('a stream', { timeout: 120_000 }, () => {
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

  it('does not answer every message with word of how much room there is', async () => {
    let heard = 0
    b.onNotice = () => void (heard += 1)
    // the first message of a stream opens it, and is answered
    a.network.notify(b.id, bytes('0'))
    await until('the first is heard', () => heard === 1)
    let writes = 0
    unwatch = watchWrites(() => void (writes += 1))
    for (let n = 1; n <= 100; n++) {
      a.network.notify(b.id, bytes(String(n)))
      await until('the next is heard', () => heard === n + 1)
    }
    assert.ok(writes >= 100 && writes < 120, `${writes} writes for 100 messages`)
  })

  it('carries many times its window, both ways', async () => {
    const large = new Uint8Array(1024 * 1024).fill(7)
    b.onRequest = async () => large
    a.onRequest = async () => large
    for (let n = 0; n < 8; n++) {
      const answers = await Promise.all([
        a.network.request(b.id, 'blob', bytes('x')),
        b.network.request(a.id, 'blob', bytes('x'))
      ])
      for (const answer of answers) assert.equal(answer.length, large.length)
    }
  })
})
