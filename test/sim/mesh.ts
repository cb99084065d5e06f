/**
 * A network of many nodes that counts. In place of libp2p: links that are given, messages that take a few milliseconds, and
 * of gossipsub what its cost depends on: a mesh of some links, on which a message goes at once, and the ids of what was heard
 * lately to some of the other links every second, who ask for what they lack; where all are linked with all, a small message
 * goes to all from its author alone. Not modelled: scores, prunes, IDONTWANT (it
 * begins at 16 KiB), loss, and the time that work takes. Bytes are those of our frames and of gossipsub's own fields, without
 * encryption, multiplexer and TCP.
 */
import { GrapevineError } from '../../src/errors.js'
import { degreesFor, type Degrees } from '../../src/net/gossip-options.js'
import { CIRCLE_MESSAGE_BYTES } from '../../src/net/limits.js'
import { someOf } from '../../src/net/degree.js'
import type { NodeId, PeerInfo, Transport, TransportHandler } from '../../src/runtime.js'
import type { SeededRandom } from './random.js'
import type { SimTime } from './time.js'

/** As gossip-options.ts and gossipsub have them. */
const HEARTBEAT_MS = 1_000
const LAZY = 6
const LAZY_SHARE = 0.25
const HISTORY_GOSSIPED = 3
const HISTORY_KEPT = 6
/** What gossipsub adds to a message (topic, nonce, lengths), and what an id in IHAVE or IWANT takes. */
const MESSAGE_EXTRA_BYTES = 48
const ID_BYTES = 22

export interface Traffic {
  gossip: number
  gossipBytes: number
  /** IHAVE and IWANT. */
  lazy: number
  lazyBytes: number
  notices: number
  noticeBytes: number
  requests: number
  requestBytes: number
}

export class MeshNetwork {
  readonly nodes = new Map<NodeId, MeshTransport>()
  /** Sent by all together since it was last set to nothing. */
  traffic: Traffic = nothing()

  constructor(
    readonly time: SimTime,
    readonly random: SeededRandom,
    /** One way, ms, for the slowest. */
    readonly latencyMs: number,
    readonly degrees: (links: number) => Degrees = degreesFor
  ) {}

  join(node: NodeId): MeshTransport {
    const transport = new MeshTransport(this, node)
    this.nodes.set(node, transport)
    return transport
  }

  /** Everybody dials members at random until it has so many links; the mesh is chosen from them. */
  linkAll(links: number): void {
    const all = [...this.nodes.values()]
    for (const node of all) {
      const others = someOf(all, all.length, this.random)
      while (node.links.size < Math.min(links, all.length - 1)) {
        const other = others.pop()
        if (other === undefined) break
        if (other !== node && !node.links.has(other)) link(node, other)
      }
    }
    for (const node of someOf(all, all.length, this.random)) {
      const { D } = this.degrees(node.links.size)
      for (const other of someOf([...node.links], node.links.size, this.random)) {
        if (node.mesh.size >= D) break
        if (other.mesh.size < this.degrees(other.links.size).Dhi) graft(node, other)
      }
    }
    for (const node of all) this.time.after(this.random.float() * HEARTBEAT_MS, () => node.beat())
  }

  later(run: () => void): void {
    this.time.after(0.2 + this.random.float() * this.latencyMs, run)
  }

  takeTraffic(): Traffic {
    const taken = this.traffic
    this.traffic = nothing()
    return taken
  }
}

function nothing(): Traffic {
  return {
    gossip: 0,
    gossipBytes: 0,
    lazy: 0,
    lazyBytes: 0,
    notices: 0,
    noticeBytes: 0,
    requests: 0,
    requestBytes: 0
  }
}

function link(a: MeshTransport, b: MeshTransport): void {
  a.links.add(b)
  b.links.add(a)
}

function graft(a: MeshTransport, b: MeshTransport): void {
  a.mesh.add(b)
  b.mesh.add(a)
}

export class MeshTransport implements Transport {
  readonly links = new Set<MeshTransport>()
  readonly mesh = new Set<MeshTransport>()
  #handler: TransportHandler | undefined
  /** What was heard in the last heartbeats, the newest first: for those who ask. */
  #history: Uint8Array[][] = [[]]
  readonly #seen = new Set<Uint8Array>()

  constructor(
    readonly network: MeshNetwork,
    readonly self: NodeId
  ) {}

  handle(handler: TransportHandler): void {
    this.#handler = handler
  }

  /** Tells who is linked. */
  begin(): void {
    for (const peer of this.peers()) this.#handler?.peerUp(peer)
  }

  peers(): PeerInfo[] {
    return [...this.links].map(({ self }) => ({ node: self, addresses: [], found: 'peer' as const, connectedAt: 0 }))
  }

  notify(to: NodeId, frame: Uint8Array): boolean {
    const target = this.network.nodes.get(to)
    if (target === undefined || !this.links.has(target)) return false
    this.network.traffic.notices += 1
    this.network.traffic.noticeBytes += frame.length
    this.network.later(() => void target.#handler?.notified(this.self, frame))
    return true
  }

  request(to: NodeId, lane: 'sync' | 'blob', frame: Uint8Array): Promise<Uint8Array> {
    const target = this.network.nodes.get(to)
    const { traffic } = this.network
    traffic.requests += 1
    traffic.requestBytes += frame.length
    return new Promise((resolve, reject) => {
      if (target === undefined) return reject(unreachable())
      this.network.later(() => {
        target.#handler!.requested(this.self, lane, frame).then(
          (answer) => {
            this.network.traffic.requestBytes += answer.length
            this.network.later(() => resolve(answer))
          },
          (error: unknown) => this.network.later(() => reject(error as Error))
        )
      })
    })
  }

  async publish(frame: Uint8Array): Promise<number> {
    this.#remember(frame)
    if (frame.length > CIRCLE_MESSAGE_BYTES || !this.#isCircle()) return this.#spread(frame, undefined)
    for (const other of this.links) this.#send(other, frame, true)
    return this.links.size
  }

  hangUp(): void {
    throw new Error('nobody is hung up on where nothing goes wrong')
  }

  /** Once a second: the ids of what was heard lately go to some who are not in the mesh. */
  beat(): void {
    const ids = this.#history.slice(0, HISTORY_GOSSIPED).flat()
    const others = [...this.links].filter((other) => !this.mesh.has(other))
    if (ids.length > 0)
      for (const other of someOf(others, Math.max(LAZY, LAZY_SHARE * others.length), this.network.random))
        this.#tellIds(other, ids)
    this.#history.unshift([])
    for (const old of this.#history.splice(HISTORY_KEPT).flat()) this.#seen.delete(old)
    this.network.time.after(HEARTBEAT_MS, () => this.beat())
  }

  #tellIds(other: MeshTransport, ids: readonly Uint8Array[]): void {
    this.#lazily(ids.length)
    this.network.later(() => {
      const lacking = ids.filter((frame) => !other.#known(frame))
      if (lacking.length === 0) return
      other.#lazily(lacking.length)
      this.network.later(() => {
        for (const frame of lacking) this.#send(other, frame)
      })
    })
  }

  #known(frame: Uint8Array): boolean {
    return this.#seen.has(frame)
  }

  #lazily(ids: number): void {
    this.network.traffic.lazy += 1
    this.network.traffic.lazyBytes += ids * ID_BYTES + MESSAGE_EXTRA_BYTES
  }

  #spread(frame: Uint8Array, from: MeshTransport | undefined): number {
    for (const other of this.mesh) if (other !== from) this.#send(other, frame)
    return this.mesh.size
  }

  /** All we are linked with are linked with the same (src/net/circle.ts). */
  #isCircle(): boolean {
    const circle = new Set<MeshTransport>([this, ...this.links])
    return [...this.links].every(
      (other) => other.links.size === this.links.size && [...other.links].every((at) => circle.has(at))
    )
  }

  #send(to: MeshTransport, frame: Uint8Array, toAll = false): void {
    this.network.traffic.gossip += 1
    this.network.traffic.gossipBytes += frame.length + MESSAGE_EXTRA_BYTES
    this.network.later(() => to.#hear(this, frame, toAll))
  }

  #hear(from: MeshTransport, frame: Uint8Array, toAll: boolean): void {
    // a frame travels as the one array it is, so that it need not be hashed to be known again
    if (this.#seen.has(frame)) return
    this.#remember(frame)
    if (this.#handler?.gossip(from.self, frame) === 'accept' && !toAll) this.#spread(frame, from)
  }

  #remember(frame: Uint8Array): void {
    this.#seen.add(frame)
    this.#history[0]!.push(frame)
  }
}

function unreachable(): GrapevineError {
  return new GrapevineError('peer-unreachable', 'not linked', { next: 'another peer is asked' })
}
