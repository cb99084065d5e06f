import './nodes.js'
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { nodeIdOf } from '../../src/identity/index.js'
import type { Candidate, Discovery } from '../../src/net/index.js'
import {
  LET_GO_REST_MS,
  LINKS_DIALLED_UP_TO,
  LINKS_KEPT,
  PARALLEL_DIALS,
  REDIAL_FEW_MS,
  REDIAL_MAX_MS,
  REDIAL_MIN_MS,
  REDIAL_SPACING_MS
} from '../../src/net/limits.js'
import { Redial } from '../../src/net/redial.js'
import { silentLogger } from '../../src/runtime.js'
import { clock, Cluster, connected, freeAddress, publicKeyOf, random, until, type Node } from './nodes.js'

describe('finding and finding again', { timeout: 120_000 }, () => {
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

  it('finds those again who only ever dialled it, when it comes back elsewhere', async () => {
    const a = await cluster.started()
    const b = await cluster.started({ peers: [a.address] })
    await connected(a, b)
    await a.network.stop()
    assert.deepEqual(a.book, [{ node: b.id, address: b.listen, lastOk: 0 }], 'b said where it listens')
    // b goes on dialling the old port.
    const again = await cluster.started({ privateSeed: a.seed, book: a.book })
    assert.notEqual(again.listen, a.listen)
    await connected(again, b)
    assert.equal(again.network.peers()[0]?.found, 'book')
    await again.network.stop()
    assert.ok(again.book.length === 1 && again.book[0]!.lastOk > 0, 'now it has worked')
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

  it('has links enough at a number, and then dials only a member that it must meet', async () => {
    const others = await Promise.all(Array.from({ length: LINKS_DIALLED_UP_TO }, () => cluster.started()))
    const address = await freeAddress()
    const admin = cluster.node({ listen: [address] })
    const book = [{ node: admin.id, address, lastOk: 0 }]
    const a = await cluster.started({ peers: others.map(({ address }) => address), book })
    const hasEnough = ({ network }: Node): boolean => network.peers().length >= LINKS_DIALLED_UP_TO
    await until('all have links enough', () => [a, ...others].every(hasEnough))
    await admin.network.start()
    a.network.membershipChanged()
    const isDue = (): boolean => a.network.inspect().redial.find(({ target }) => target === admin.id)!.dueInMs === 0
    let looks = 0
    await until('it has long been its turn', () => isDue() && ++looks > 20)
    assert.equal(a.connectedTo(admin), false)
    cluster.mustMeet.add(Buffer.from(admin.publicKey).toString('hex'))
    a.network.membershipChanged()
    await connected(a, admin)
  })

  it('comes up once when both sides dial at the same moment', async () => {
    let crossed = false
    for (let round = 0; round < 5; round++) {
      const seeds = [randomBytes(32), randomBytes(32)]
      const listen = [await freeAddress(), await freeAddress()]
      // Whoever was given an address dials it, whatever the other does.
      const given = seeds.map((seed, at) => `${listen[at]!}/p2p/${nodeIdOf(publicKeyOf(seed))}`)
      const start = (at: number): Promise<Node> =>
        cluster.started({ privateSeed: seeds[at]!, listen: [listen[at]!], peers: [given[1 - at]!] })
      const [x, y] = await Promise.all([start(0), start(1)])
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

  it('makes one connection when both sides hear of each other at the same moment', async () => {
    const nodes: [Node, Node][] = []
    for (let round = 0; round < 5; round++) {
      const [meet, other] = [new Signal(), new Signal()]
      const redial = { minMs: 2_000, maxMs: 4_000 }
      const [x, y] = await Promise.all([
        cluster.started({ discovery: meet, redial }),
        cluster.started({ discovery: other, redial })
      ])
      meet.tell({ node: y.id, addresses: [y.listen] })
      other.tell({ node: x.id, addresses: [x.listen] })
      nodes.push([x, y])
    }
    for (const [x, y] of nodes) {
      await connected(x, y)
      assert.equal(x.network.inspect().peers.find(({ node }) => node === y.id)?.connections.length, 1)
    }
  })
})

describe('the back-off of many', () => {
  /** Dials that all fail, and a clock that only goes when it is told to. */
  const world = (
    targets: number,
    dialMs = 0
  ): {
    redial: Redial
    run(ms: number): Promise<void>
    dialled: Map<string, number>
    connected: Set<string>
    most(): number
  } => {
    let dials = 0
    let most = 0
    const connected = new Set<string>()
    let now = 0
    let timers: { at: number; fn: () => void }[] = []
    const dialled = new Map<string, number>()
    const redial = new Redial({
      clock: {
        ...clock,
        monotonic: () => now,
        timer: (ms, fn) => {
          const timer = { at: now + ms, fn }
          timers.push(timer)
          return () => void (timers = timers.filter((other) => other !== timer))
        }
      },
      random,
      logger: silentLogger,
      self: 'us',
      dial: ([address]) => {
        dialled.set(address!, (dialled.get(address!) ?? 0) + 1)
        most = Math.max(most, (dials += 1))
        return new Promise((_, reject) => {
          const end = (): void => {
            dials -= 1
            reject(new Error('nobody is there'))
          }
          if (dialMs === 0) end()
          else timers.push({ at: now + dialMs, fn: end })
        })
      },
      connected: (node) => connected.has(node),
      linkCount: () => 0,
      isMember: () => true,
      mustMeet: () => false
    })
    for (let at = 0; at < targets; at++) redial.found(`node${at}`, `/ip4/10.0.0.1/tcp/${at + 1}`, 'book')
    const run = async (ms: number): Promise<void> => {
      const end = now + ms
      for (;;) {
        // dials are promises: their ends come first
        await new Promise((resolve) => setImmediate(resolve))
        const next = timers.toSorted((x, y) => x.at - y.at)[0]
        if (next === undefined || next.at > end) break
        timers = timers.filter((other) => other !== next)
        now = next.at
        next.fn()
      }
      now = end
    }
    return { redial, run, dialled, connected, most: () => most }
  }

  it('does not dial in step with everybody else who lost the same nodes', async () => {
    const { redial, run, dialled, connected } = world(20)
    const nodes = Array.from({ length: 20 }, (_, at) => `node${at}`)
    for (const node of nodes) connected.add(node)
    redial.start()
    await run(3_600_000)
    assert.equal(dialled.size, 0)
    for (const node of nodes) {
      connected.delete(node)
      redial.down(node, true)
    }
    await run(0)
    assert.equal(dialled.size, 0, 'each waits a moment of its own')
    await run(2.5 * REDIAL_MIN_MS)
    assert.equal(dialled.size, 20)
    redial.stop()
  })

  it('lets few be dialled every few seconds, however long they are gone', async () => {
    const { redial, run, dialled } = world(3)
    redial.start()
    await run(3_600_000)
    dialled.clear()
    await run(60_000)
    for (const times of dialled.values())
      assert.ok(times >= 60_000 / REDIAL_FEW_MS && times <= 2 * (60_000 / REDIAL_FEW_MS), `${times} dials a minute`)
    assert.equal(dialled.size, 3)
    redial.stop()
  })

  it('lets few dials be made at once, and nobody wait for ever behind those that take long', async () => {
    const { redial, run, dialled, most } = world(60, 2_500)
    redial.start()
    await run(30_000)
    assert.equal(most(), PARALLEL_DIALS)
    assert.equal(dialled.size, 60)
    redial.stop()
  })

  it('grows with their number, up to its limit, and leaves nobody out', async () => {
    for (const targets of [60, 500]) {
      const { redial, run, dialled } = world(targets)
      redial.start()
      await run(3_600_000)
      dialled.clear()
      await run(600_000)
      assert.equal(dialled.size, targets, 'everyone was dialled')
      const longest = Math.min(REDIAL_MAX_MS, targets * REDIAL_SPACING_MS)
      for (const times of dialled.values())
        assert.ok(
          times >= Math.floor(600_000 / longest) && times <= Math.ceil((2 * 600_000) / longest),
          `${times} dials in ten minutes`
        )
      redial.stop()
    }
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

describe('a member that is left alone', () => {
  it('is not dialled while links are enough, though its address was given, and again when they are few or time is over', async () => {
    let now = 0
    let links = LINKS_KEPT
    const dialled: string[] = []
    const redial = new Redial({
      clock: { ...clock, monotonic: () => now, timer: () => () => undefined },
      random: { ...random, float: () => 0.5 },
      logger: silentLogger,
      self: 'us',
      dial: async ([address]) => {
        dialled.push(address!)
        throw new Error('nobody is there')
      },
      connected: () => false,
      linkCount: () => links,
      isMember: () => true,
      mustMeet: () => false
    })
    const them = nodeIdOf(publicKeyOf(randomBytes(32)))
    redial.give(`/ip4/10.0.0.1/tcp/1/p2p/${them}`)
    redial.rest(them)
    redial.start()
    const looked = async (): Promise<number> => {
      now += REDIAL_MAX_MS
      // first it becomes due, then it is its turn
      redial.wake()
      now += REDIAL_MIN_MS
      redial.wake()
      await new Promise((resolve) => setImmediate(resolve))
      return dialled.length
    }
    assert.equal(await looked(), 0)
    redial.explore()
    assert.equal(dialled.length, 0, 'nor when any other would be')
    links = LINKS_KEPT - 1
    assert.equal(await looked(), 1)
    links = LINKS_KEPT
    redial.rest(them)
    now += LET_GO_REST_MS - 1
    redial.explore()
    assert.equal(dialled.length, 1)
    now += 1
    redial.explore()
    assert.equal(dialled.length, 2)
  })
})
