import './nodes.js'
import assert from 'node:assert/strict'
import { createServer, connect, type Server, type Socket } from 'node:net'
import { once } from 'node:events'
import { afterEach, beforeEach, describe, it } from 'node:test'
import type { MessageStream, StreamMuxer } from '@libp2p/interface'
import { SILENT_LOOKS } from '../../src/net/limits.js'
import { Pulse } from '../../src/net/pulse.js'
import { silentLogger } from '../../src/runtime.js'
import { bytes, clock, Cluster, connected, freeAddress, until } from './nodes.js'

const QUICK = { silentMs: 400, watch: { intervalMs: 50 } }

describe('a connection that is open and dead', { timeout: 30_000 }, () => {
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
    const b = await cluster.started({ ...QUICK, silentMs: 600, peers: [tunnel.address], listen: [] })
    await connected(a, b)
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
    const began = performance.now()
    while (performance.now() - began < 4 * QUICK.silentMs) {
      await a.network.request(b.id, 'sync', bytes('x'))
      await new Promise((resolve) => setTimeout(resolve, QUICK.silentMs / 8))
    }
    assert.deepEqual([a.downs, b.downs], [[], []])
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

/** A way to a port that can be blocked without any end noticing: sockets stay open and nothing comes through. */
class Tunnel {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  #held = false

  static async to(address: string): Promise<Tunnel> {
    const tunnel = new Tunnel(Number(address.split('/').at(-1)))
    tunnel.#server.listen(0, '127.0.0.1')
    await once(tunnel.#server, 'listening')
    return tunnel
  }

  private constructor(port: number) {
    this.#server = createServer((near) => {
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

  open(): void {
    this.#held = false
  }

  close(): void {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
  }

  #join(from: Socket, to: Socket): void {
    this.#sockets.add(from)
    from.on('error', () => undefined)
    from.on('data', (chunk) => this.#held || to.write(chunk))
    // Not even the end of one side reaches the other while the way is blocked.
    from.on('close', () => this.#held || to.destroy())
  }
}
