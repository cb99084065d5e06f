import './nodes.js'
import assert from 'node:assert/strict'
import { createServer, connect, type Server, type Socket } from 'node:net'
import { once } from 'node:events'
import { afterEach, beforeEach, describe, it } from 'node:test'
import type { Connection, MessageStream, StreamMuxer } from '@libp2p/interface'
import { SILENT_LOOKS } from '../../src/net/limits.js'
import { Doubt } from '../../src/net/doubt.js'
import { Pulse } from '../../src/net/pulse.js'
import { silentLogger } from '../../src/runtime.js'
import { bytes, clock, Cluster, connected, freeAddress, until, type Node } from './nodes.js'

const SILENT_MS = 400
const NEVER_MS = 600_000
const watch = { intervalMs: 50 }
const QUICK = { pulse: { silentMs: SILENT_MS, doubtMs: NEVER_MS }, watch }

describe('a connection that is open and dead', { timeout: 120_000 }, () => {
  let cluster: Cluster
  let tunnel: Tunnel | undefined

  beforeEach(() => {
    cluster = new Cluster()
  })
  afterEach(async () => {
    await cluster.stop()
    tunnel?.close()
    tunnel = undefined
  })

  it('is closed at both ends when nothing comes through any more, and made anew when something does', async () => {
    const listen = await freeAddress()
    // b learns no way but the tunnel
    const a = await cluster.started({ ...QUICK, listen: [listen], announce: () => false })
    tunnel = await Tunnel.to(listen)
    const b = await cluster.started({
      ...QUICK,
      pulse: { silentMs: 600, doubtMs: NEVER_MS },
      peers: [tunnel.address],
      listen: []
    })
    await connected(a, b)
    await gossiping(a, b)
    tunnel.hold()
    await until('both have dropped it', () => a.downs.length === 1 && b.downs.length === 1)
    tunnel.open()
    await connected(a, b)
  })

  it('is told from a busy one: bytes that flow are a sign of life', async () => {
    const listen = await freeAddress()
    // b learns no way but the tunnel
    const a = await cluster.started({ ...QUICK, listen: [listen], announce: () => false })
    tunnel = await Tunnel.to(listen)
    const b = await cluster.started({ ...QUICK, peers: [tunnel.address], listen: [] })
    await connected(a, b)
    await gossiping(a, b)
    const began = performance.now()
    while (performance.now() - began < 4 * SILENT_MS) {
      await a.network.request(b.id, 'sync', bytes('x'))
      await new Promise((resolve) => setTimeout(resolve, SILENT_MS / 8))
    }
    assert.deepEqual([a.downs, b.downs], [[], []])
  })
})

describe('a connection that is dead while another can be made', { timeout: 120_000 }, () => {
  let cluster: Cluster
  let tunnel: Tunnel
  let a: Node
  let b: Node

  beforeEach(async () => {
    cluster = new Cluster()
    const listen = await freeAddress()
    const pulse = { silentMs: NEVER_MS, doubtMs: 1_500 }
    a = await cluster.started({ pulse, watch, listen: [listen], announce: () => false })
    tunnel = await Tunnel.to(listen)
    b = await cluster.started({ pulse, watch, peers: [tunnel.address], listen: [] })
    await connected(a, b)
    await gossiping(a, b)
  })
  afterEach(async () => {
    await cluster.stop()
    tunnel.close()
  })

  it('is replaced, and both sides know that something may have been lost', async () => {
    await a.network.request(b.id, 'sync', bytes('x'))
    tunnel.hold()
    await until('b has tried a new one', () => tunnel.accepted > 1)
    assert.deepEqual([a.downs, b.downs], [[], []], 'nothing else works either')
    tunnel.open('new')
    // with nothing to say they fall silent again, and do this again
    await until('both begin anew', () => a.ups.length > 1 && b.ups.length > 1)
    assert.deepEqual([a.downs[0], b.downs[0]], [b.id, a.id])
    const reason = 'a new connection can be made where the old one is silent'
    assert.ok(b.log.some(({ facts }) => facts.reason === reason))
  })
})

describe('a doubt', () => {
  const old = { status: 'open' } as Connection
  const setUp = (silence: number[], dial: () => Promise<Connection>) => {
    const hungUp: string[] = []
    let dials = 0
    const doubt = new Doubt(
      {
        peers: () => ['peer'],
        connections: () => [old],
        silentFor: () => (silence.length > 1 ? silence.shift()! : silence[0]!),
        addresses: () => ['/ip4/10.0.0.1/tcp/1'],
        dial: () => ((dials += 1), dial()),
        hangUp: (node) => void hungUp.push(node)
      },
      { doubtMs: 13_000 }
    )
    return { doubt, hungUp, dials: () => dials }
  }
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

  it('begins with the silence that is too long, not before', async () => {
    const early = setUp([12_999], () => Promise.reject(new Error('nobody')))
    early.doubt.look()
    const due = setUp([13_000], () => Promise.reject(new Error('nobody')))
    due.doubt.look()
    await turn()
    due.doubt.look()
    await turn()
    assert.deepEqual([early.dials(), due.dials(), due.hungUp], [0, 2, []])
  })

  it('asks once at a time', async () => {
    const { doubt, dials } = setUp([13_000], () => new Promise(() => undefined))
    for (let look = 0; look < 5; look++) doubt.look()
    await turn()
    assert.equal(dials(), 1)
  })

  it('is over, and the new connection closed, when the old one spoke meanwhile', async () => {
    let closed = 0
    const fresh = { close: () => Promise.resolve((closed += 1)) } as unknown as Connection
    const { doubt, hungUp } = setUp([13_000, 5], () => Promise.resolve(fresh))
    doubt.look()
    await turn()
    assert.deepEqual([closed, hungUp], [1, []])
  })
})

describe('a pulse', () => {
  let now = 0
  let wire: EventTarget & { aborted: number; abort(): void }
  let pulse: Pulse

  beforeEach(() => {
    now = 0
    wire = Object.assign(new EventTarget(), { aborted: 0, abort: () => void (wire.aborted += 1) })
    pulse = new Pulse({ clock: { ...clock, monotonic: () => now }, logger: silentLogger }, { silentMs: 30_000 })
    const factory = pulse.listening(() => ({ protocol: '/test', createStreamMuxer: () => ({}) as StreamMuxer }))({})
    factory.createStreamMuxer(wire as unknown as MessageStream)
  })

  const lookAt = (time: number): void => {
    now = time
    pulse.look()
  }

  it('stops after the silence it is allowed, and not before', () => {
    for (let time = 2_000; time < 30_000; time += 2_000) lookAt(time)
    lookAt(29_999)
    assert.equal(wire.aborted, 0)
    lookAt(30_000)
    assert.equal(wire.aborted, 1)
    lookAt(60_000)
    assert.equal(wire.aborted, 1, 'once is enough')
  })

  it('goes on with everything that is read', () => {
    for (let time = 1_000; time < 200_000; time += 1_000) {
      if (time % 29_000 === 0) wire.dispatchEvent(new Event('message'))
      lookAt(time)
    }
    assert.equal(wire.aborted, 0)
  })

  it('does not take a stall of its own process for silence', () => {
    lookAt(2_000)
    wire.dispatchEvent(new Event('message'))
    lookAt(4_000)
    // The process stands still; what came meanwhile is read after the timers that are due.
    for (let look = 1; look < SILENT_LOOKS; look++) lookAt(100_000 + look)
    assert.equal(wire.aborted, 0)
    wire.dispatchEvent(new Event('message'))
    lookAt(102_000)
    assert.equal(wire.aborted, 0)
  })

  it('forgets a connection that was closed', () => {
    wire.dispatchEvent(new Event('close'))
    for (let time = 2_000; time < 90_000; time += 2_000) lookAt(time)
    assert.equal(wire.aborted, 0)
  })
})

/** Gossip has its own watchdog, which would hang up first on a peer it never came up with. */
async function gossiping(...nodes: Node[]): Promise<void> {
  await until('gossip is up', () =>
    nodes.every(({ network }) => network.inspect().peers.every(({ gossip }) => gossip.outbound && gossip.inbound))
  )
}

/** A way to a port that can be blocked without any end noticing: sockets stay open and nothing comes through. */
class Tunnel {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #blocked = new Set<Socket>()
  #held = false
  accepted = 0

  static async to(address: string): Promise<Tunnel> {
    const tunnel = new Tunnel(Number(address.split('/').at(-1)))
    tunnel.#server.listen(0, '127.0.0.1')
    await once(tunnel.#server, 'listening')
    return tunnel
  }

  private constructor(port: number) {
    this.#server = createServer((near) => {
      this.accepted += 1
      const far = connect(port, '127.0.0.1')
      this.#join(near, far)
      this.#join(far, near)
    })
  }

  get address(): string {
    return `/ip4/127.0.0.1/tcp/${(this.#server.address() as { port: number }).port}`
  }

  hold(): void {
    this.#held = true
  }

  /** For all, or for those alone that come from now on. */
  open(whom: 'all' | 'new' = 'all'): void {
    if (whom === 'new') for (const socket of this.#sockets) this.#blocked.add(socket)
    this.#held = false
  }

  close(): void {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
  }

  #join(from: Socket, to: Socket): void {
    this.#sockets.add(from)
    from.on('error', () => undefined)
    const passes = (): boolean => !this.#held && !this.#blocked.has(from)
    from.on('data', (chunk) => passes() && to.write(chunk))
    // Not even the end of one side reaches the other while the way is blocked; once it is open, that does.
    from.on('close', () => !this.#held && to.destroy())
  }
}
