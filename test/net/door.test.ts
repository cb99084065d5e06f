/** Who may begin a handshake, and how many, from where. */
import './nodes.js'
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { afterEach, beforeEach, describe, it, test } from 'node:test'
import { multiaddr } from '@multiformats/multiaddr'
import { networkOf } from '../../src/net/addresses.js'
import { Door, type Wire } from '../../src/net/door.js'
import {
  CONNECTIONS_BURST,
  FAILED_HANDSHAKES_BURST,
  FAILED_HANDSHAKES_PER_S,
  MAX_ADDRESSES_REMEMBERED,
  MAX_CONNECTIONS_PER_PEER,
  MAX_HANDSHAKE_BYTES,
  MAX_PENDING_HANDSHAKES,
  MAX_PENDING_PER_ADDRESS
} from '../../src/net/limits.js'
import { HandClock } from './hand-clock.js'
import { Cluster, connected, until, type Node } from './nodes.js'
import { RawPeer } from './raw.js'

class FakeWire extends EventTarget implements Wire {
  readonly remoteAddr
  aborted = false
  readonly #ears = new Set<(bytes: Uint8Array) => void>()
  readonly socket = {
    on: (_: 'data', listener: (bytes: Uint8Array) => void) => this.#ears.add(listener),
    off: (_: 'data', listener: (bytes: Uint8Array) => void) => this.#ears.delete(listener)
  }

  constructor(host: string) {
    super()
    this.remoteAddr = multiaddr(`/${host.includes(':') ? 'ip6' : 'ip4'}/${host}/tcp/1`)
  }

  abort(): void {
    this.aborted = true
    this.close()
  }

  close(): void {
    this.dispatchEvent(new Event('close'))
  }

  says(bytes: number): void {
    for (const ear of this.#ears) ear(new Uint8Array(bytes))
  }
}

const come = (door: Door, host: string): FakeWire | undefined => {
  const wire = new FakeWire(host)
  return door.admit(wire) ? wire : undefined
}

describe('the door', () => {
  let clock: HandClock
  let door: Door

  beforeEach(() => {
    clock = new HandClock()
    door = new Door(clock)
  })

  it('holds so many handshakes of one address, and for one more the oldest silent one goes', () => {
    const wires = Array.from({ length: MAX_PENDING_PER_ADDRESS }, () => come(door, '10.0.0.1')!)
    wires[0]!.says(10)
    assert.equal(door.counters.displaced, 0)
    assert.ok(come(door, '10.0.0.1'))
    assert.deepEqual([wires[0]!.aborted, wires[1]!.aborted, wires[2]!.aborted], [false, true, false])
    assert.deepEqual([door.pending, door.counters.displaced], [MAX_PENDING_PER_ADDRESS, 1])
    for (const wire of wires) wire.says(10)
    const last = come(door, '10.0.0.1')!
    last.says(1)
    assert.ok(come(door, '10.0.0.1'))
    assert.ok(wires[0]!.aborted, 'when all have spoken the oldest goes')
  })

  it('holds so many in all, and one more displaces one of the address that has the most', () => {
    const full = MAX_PENDING_HANDSHAKES / MAX_PENDING_PER_ADDRESS
    for (let host = 0; host < full; host++)
      for (let at = 0; at < MAX_PENDING_PER_ADDRESS - (host === 2 ? 0 : 1); at++) come(door, `10.0.1.${host}`)
    const others = Array.from({ length: full - 1 }, () => come(door, '10.0.9.9')!)
    assert.deepEqual([door.pending, door.counters.displaced], [MAX_PENDING_HANDSHAKES, 0])
    assert.ok(come(door, '10.0.8.8'))
    assert.deepEqual([door.pending, door.counters.displaced], [MAX_PENDING_HANDSHAKES, 1])
    assert.ok(others.every(({ aborted }) => !aborted))
  })

  it('lets an address fail so often at once and then so often a second, and others are not concerned', () => {
    for (let at = 0; at < FAILED_HANDSHAKES_BURST; at++) {
      const wire = come(door, '10.0.0.1')
      assert.ok(wire !== undefined, `attempt ${at}`)
      wire.says(10)
      wire.close()
    }
    assert.equal(come(door, '10.0.0.1'), undefined)
    assert.deepEqual([door.counters.refusedAddress, door.counters.failed], [1, FAILED_HANDSHAKES_BURST])
    assert.ok(come(door, '10.0.0.2'))
    clock.spend(1_000)
    for (let at = 0; at < FAILED_HANDSHAKES_PER_S; at++) {
      const wire = come(door, '10.0.0.1')!
      wire.says(10)
      wire.close()
    }
    assert.equal(come(door, '10.0.0.1'), undefined)
  })

  it('counts neither silence nor members as failures, but strangers', () => {
    for (let at = 0; at < 1_000; at++) come(door, '10.0.0.1')!.close()
    for (let at = 0; at < 1_000; at++) {
      const member = come(door, '10.0.0.1')!
      member.says(500)
      door.passed(member, true)
      member.close()
    }
    assert.equal(door.counters.failed, 0)
    for (let at = 0; at < FAILED_HANDSHAKES_BURST; at++) door.passed(come(door, '10.0.0.1')!, false)
    assert.equal(come(door, '10.0.0.1'), undefined)
    assert.equal(door.pending, 0)
  })

  it('ends a handshake that says more than a handshake can have to say', () => {
    const wire = come(door, '10.0.0.1')!
    wire.says(MAX_HANDSHAKE_BYTES)
    assert.ok(!wire.aborted)
    wire.says(1)
    assert.ok(wire.aborted)
    assert.deepEqual([door.counters.oversized, door.counters.failed], [1, 1])
    const member = come(door, '10.0.0.1')!
    door.passed(member, true)
    member.says(MAX_HANDSHAKE_BYTES + 1)
    assert.ok(!member.aborted, 'after it, anything goes')
  })

  it('remembers as many addresses as its limit, those that failed before those that did not', () => {
    const bad = come(door, '10.255.0.1')!
    bad.says(1)
    for (let at = 0; at < FAILED_HANDSHAKES_BURST; at++) door.passed(come(door, '10.255.0.1')!, false)
    bad.close()
    for (let at = 0; at < MAX_ADDRESSES_REMEMBERED + 10; at++)
      come(door, `10.${at >> 16}.${(at >> 8) & 255}.${at & 255}`)!.close()
    assert.equal(come(door, '10.255.0.1'), undefined)
    for (let at = 0; at < MAX_ADDRESSES_REMEMBERED + 10; at++)
      door.passed(come(door, `11.${at >> 16}.${(at >> 8) & 255}.${at & 255}`)!, false)
    assert.ok(come(door, '10.255.0.1'), 'when all have failed the one known longest is forgotten')
  })
})

test('an IPv6 customer is one place however many addresses it has', () => {
  const place = (host: string): string => networkOf(multiaddr(`/ip6/${host}/tcp/1`))
  assert.equal(place('2001:db8:1:2::1'), place('2001:db8:1:2:ffff::9'))
  assert.notEqual(place('2001:db8:1:2::1'), place('2001:db8:1:3::1'))
  assert.equal(place('::1'), '0:0:0:0')
  assert.equal(place('fe80::'), 'fe80:0:0:0')
  assert.equal(networkOf(multiaddr('/ip4/10.1.2.3/tcp/4')), '10.1.2.3')
})

describe('the door of a node', { timeout: 120_000 }, () => {
  let cluster: Cluster
  let a: Node
  const sockets: Socket[] = []
  const raws: RawPeer[] = []

  beforeEach(async () => {
    cluster = new Cluster()
    a = await cluster.started()
  })
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy()
    await Promise.all(raws.splice(0).map(({ host }) => host.libp2p.stop()))
    await cluster.stop()
  })

  const port = (): number => Number(a.listen.split('/').at(-1))
  const silent = async (from: string): Promise<void> => {
    const socket = connect({ port: port(), host: '127.0.0.1', localAddress: from })
    socket.on('error', () => undefined)
    sockets.push(socket)
    await Promise.race([once(socket, 'connect'), once(socket, 'close')])
  }
  const member = async (): Promise<RawPeer> => {
    const seed = randomBytes(32)
    cluster.node({ privateSeed: seed })
    const peer = await RawPeer.start(cluster, seed)
    raws.push(peer)
    return peer
  }

  it('is open to members though one address fills it with silence, and the address itself is not locked out', async () => {
    for (const from of ['127.0.0.2', '127.0.0.1'])
      for (let at = 0; at < MAX_PENDING_PER_ADDRESS + 40; at++) await silent(from)
    const { door } = a.network.inspect()
    assert.ok(door.displaced >= 80, `${door.displaced} gave way`)
    assert.ok(door.pending <= 2 * MAX_PENDING_PER_ADDRESS)
    const nodes = await Promise.all([1, 2, 3].map(() => cluster.started({ peers: [a.address] })))
    await connected(a, ...nodes)
    assert.equal(a.network.inspect().door.refusedAddress, 0)
  })

  it('keeps so many connections of one peer, and for one more the oldest goes', async () => {
    const peer = await member()
    const first = await peer.dial(a)
    await peer.greet(first)
    await until('it is up', () => a.network.peers().length === 1)
    const more = []
    for (let at = 1; at < MAX_CONNECTIONS_PER_PEER; at++) more.push(await peer.dial(a, { force: true }))
    await until('all are there', () => a.network.inspect().peers[0]?.connections.length === MAX_CONNECTIONS_PER_PEER)
    assert.deepEqual([a.network.inspect().door.crowded, first.status], [0, 'open'])
    await peer.dial(a, { force: true })
    await until('the oldest is gone', () => first.status !== 'open')
    assert.equal(a.network.inspect().door.crowded, 1)
    assert.ok(more.every(({ status }) => status === 'open'))
    assert.deepEqual(a.downs, [])
  })

  it('lets one key connect so often at once, and the next only after a pause', async () => {
    const peer = await member()
    for (let at = 0; at < CONNECTIONS_BURST; at++) {
      const connection = await peer.dial(a, { force: true })
      await connection.close()
    }
    assert.equal(a.network.inspect().gate.refusedKey, 0)
    await until('it is refused', async () => {
      await peer.dial(a, { force: true }).then(
        (connection) => connection.close(),
        () => undefined
      )
      return a.network.inspect().gate.refusedKey > 0
    })
    await connected(a, await cluster.started({ peers: [a.address] }))
  })
})
