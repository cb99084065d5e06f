import './nodes.js'
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import type { Candidate, Discovery } from '../../src/net/index.js'
import { clock, Cluster, connected, until, type Node } from './nodes.js'

describe('finding and finding again', { timeout: 60_000 }, () => {
  let cluster: Cluster

  beforeEach(() => {
    cluster = new Cluster()
  })
  afterEach(() => cluster.stop())

  const attempts = (node: Node): number =>
    Math.max(0, ...node.network.inspect().redial.map((target) => target.attempts))

  it('comes back when the other side restarts at once', async () => {
    const a = await cluster.started()
    const b = await cluster.started({ peers: [a.address] })
    await connected(a, b)
    const { listen } = a
    await a.network.stop()
    await until('b lost it', () => b.downs.length === 1)
    const again = await cluster.started({ privateSeed: a.seed, listen: [listen] })
    await connected(again, b)
    assert.equal(b.ups.length, 2)
    assert.deepEqual(b.duplicates, [], 'a restart is no duplicate')
  })

  it('never gives up, with pauses that grow to a limit', async () => {
    const a = await cluster.started()
    const { listen } = a
    const b = await cluster.started({ peers: [a.listen], redial: { minMs: 10, maxMs: 80 } })
    await connected(a, b)
    await a.network.stop()
    // LIBP2P gives up after 5 tries; 20 is well beyond.
    await until('b tried often', () => attempts(b) >= 20)
    assert.ok(b.network.inspect().redial.every(({ dueInMs }) => dueInMs <= 80))
    const again = await cluster.started({ privateSeed: a.seed, listen: [listen] })
    await connected(again, b)
  })

  it('dials from its address book after a restart with no address given', async () => {
    const a = await cluster.started()
    const b = await cluster.started({ peers: [a.address] })
    await connected(a, b)
    await b.network.stop()
    assert.deepEqual(
      b.book.map(({ node, address }) => ({ node, address })),
      [{ node: a.id, address: a.listen }]
    )
    const again = await cluster.started({ privateSeed: b.seed, book: b.book })
    await connected(a, again)
    assert.equal(again.network.peers()[0]?.found, 'book')
  })

  it('learns at the first meeting where the other members are', async () => {
    const a = await cluster.started()
    const b = await cluster.started({ peers: [a.address] })
    await connected(a, b)
    // Nobody can dial c, so it must be c that dials b.
    const c = await cluster.started({ peers: [a.address], listen: [] })
    await connected(a, b, c)
    assert.equal(c.network.peers().find(({ node }) => node === b.id)?.found, 'peer')
  })

  it('is told where a newcomer is that cannot reach it', async () => {
    const a = await cluster.started()
    // Nobody can dial b, so it must be b that dials c.
    const b = await cluster.started({ peers: [a.address], listen: [] })
    await connected(a, b)
    const c = await cluster.started({ peers: [a.address] })
    await connected(a, b, c)
    assert.equal(b.network.peers().find(({ node }) => node === c.id)?.found, 'peer')
  })

  it('dials an address that discovery found, once its node is a member', async () => {
    const a = await cluster.started({ member: false })
    const found = new Signal()
    const b = await cluster.started({ discovery: found })
    found.tell({ node: a.id, addresses: [a.listen] })
    assert.equal(attempts(b), 0, 'a hint about a stranger is not dialled')
    cluster.members.add(Buffer.from(a.publicKey).toString('hex'))
    b.network.membershipChanged()
    await connected(a, b)
    assert.equal(b.network.peers()[0]?.found, 'mdns')
  })

  it('forgets its back-off when the clock jumps or the network changes', async () => {
    let offset = 0
    let network = 'wifi'
    const b = await cluster.started({
      peers: ['/ip4/127.0.0.1/tcp/1'],
      clock: { ...clock, now: () => Date.now() + offset },
      redial: { minMs: 20, maxMs: 60_000 },
      watch: { intervalMs: 20, fingerprint: () => network }
    })
    const backedOff = (): boolean => attempts(b) >= 7
    await until('b has backed off', backedOff)
    offset = 6_000
    await until('the back-off is gone', () => attempts(b) < 4)
    await until('b has backed off again', backedOff)
    network = 'cable'
    await until('the back-off is gone', () => attempts(b) < 4)
  })

  it('comes up once when both sides dial at the same moment', async () => {
    let crossed = false
    for (let round = 0; round < 5; round++) {
      const meet = new Signal()
      const x = await cluster.started({ discovery: meet })
      const other = new Signal()
      const y = await cluster.started({ discovery: other })
      meet.tell({ node: y.id, addresses: [y.listen] })
      other.tell({ node: x.id, addresses: [x.listen] })
      await connected(x, y)
      const twice = (): boolean => x.network.inspect().peers[0]?.connections.length === 2
      crossed ||= await until('there are two connections', twice, 500).then(
        () => true,
        () => false
      )
      const echo = await Promise.all([
        x.network.request(y.id, 'sync', new Uint8Array(3)),
        y.network.request(x.id, 'blob', new Uint8Array(3))
      ])
      assert.deepEqual(
        echo.map(({ length }) => length),
        [3, 3]
      )
      assert.deepEqual([x.ups.length, y.ups.length, x.downs.length, y.downs.length], [1, 1, 0, 0])
    }
    assert.ok(crossed, 'two connections were made at least once')
  })
})

/** Discovery by hand. */
class Signal implements Discovery {
  #found: ((candidate: Candidate) => void) | undefined

  start(found: (candidate: Candidate) => void): Promise<void> {
    this.#found = found
    return Promise.resolve()
  }

  stop(): Promise<void> {
    return Promise.resolve()
  }

  tell(candidate: Candidate): void {
    this.#found?.(candidate)
  }
}
