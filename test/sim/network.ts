/** A network that loses, delays, duplicates, reorders and parts. Deterministic: everything is drawn from the seed. */
import { GrapevineError } from '../../src/errors.js'
import type { NodeId, PeerInfo, Transport, TransportHandler } from '../../src/runtime.js'
import type { SeededRandom } from './random.js'
import type { SimTime } from './time.js'

export interface NetworkFaults {
  /** Probability that a one-way or gossip message is lost. */
  loss: number
  /** Probability that it arrives twice. */
  duplicate: number
  /** Probability that a request or its answer is lost. */
  requestLoss: number
  maxLatencyMs: number
  /** Probability that a peer answers with something else than it holds: one byte of it differs. */
  lies: number
}

export class SimNetwork {
  readonly endpoints = new Map<NodeId, SimTransport>()
  readonly #links = new Set<string>()
  /** Links that take longer, and how many times so. */
  readonly #slow = new Map<string, number>()
  faults: NetworkFaults = { loss: 0, duplicate: 0, requestLoss: 0, maxLatencyMs: 5, lies: 0 }
  messages = 0
  /** A node gave up on a peer; whoever dials makes the link anew. */
  hungUp: (from: NodeId, to: NodeId) => void = () => undefined
  /** Sees what a node publishes itself, before anybody has it. */
  published: (node: NodeId, frame: Uint8Array) => void = () => undefined
  /** Sees what a node answers, before it is altered on the way. */
  answered: (node: NodeId, request: Uint8Array, answer: Uint8Array) => void = () => undefined
  /** Sees every message as it is sent: for the trace. */
  sent: (from: NodeId, to: NodeId, kind: string, frame: Uint8Array) => void = () => undefined

  constructor(
    readonly time: SimTime,
    readonly random: SeededRandom
  ) {}

  join(node: NodeId): SimTransport {
    const transport = new SimTransport(this, node)
    this.endpoints.set(node, transport)
    return transport
  }

  leave(node: NodeId): void {
    for (const other of this.endpoints.keys()) if (other !== node) this.disconnect(node, other)
    this.endpoints.get(node)?.close()
    this.endpoints.delete(node)
  }

  connected(a: NodeId, b: NodeId): boolean {
    return this.#links.has(linkOf(a, b))
  }

  connect(a: NodeId, b: NodeId): void {
    if (this.connected(a, b) || !this.endpoints.has(a) || !this.endpoints.has(b)) return
    this.#links.add(linkOf(a, b))
    this.endpoints.get(a)!.up(b)
    this.endpoints.get(b)!.up(a)
  }

  disconnect(a: NodeId, b: NodeId): void {
    if (!this.#links.delete(linkOf(a, b))) return
    this.endpoints.get(a)?.down(b)
    this.endpoints.get(b)?.down(a)
  }

  /** Makes a link slower by this factor; 1 makes it like the others. */
  slow(a: NodeId, b: NodeId, factor: number): void {
    if (factor === 1) this.#slow.delete(linkOf(a, b))
    else this.#slow.set(linkOf(a, b), factor)
  }

  latency(from: NodeId, to: NodeId): number {
    return 0.2 + this.random.float() * this.faults.maxLatencyMs * (this.#slow.get(linkOf(from, to)) ?? 1)
  }

  /** Delivers later, if the link is then still there. */
  send(
    { from, to, kind, frame }: { from: NodeId; to: NodeId; kind: string; frame: Uint8Array },
    deliver: (target: SimTransport) => void,
    loss = this.faults.loss
  ): void {
    this.messages += 1
    this.sent(from, to, kind, frame)
    const copies = this.random.chance(loss) ? 0 : this.random.chance(this.faults.duplicate) ? 2 : 1
    for (let copy = 0; copy < copies; copy++) {
      this.time.after(this.latency(from, to), () => {
        const target = this.endpoints.get(to)
        if (target !== undefined && this.connected(from, to)) deliver(target)
      })
    }
  }
}

function linkOf(a: NodeId, b: NodeId): string {
  return a < b ? `${a} ${b}` : `${b} ${a}`
}

export class SimTransport implements Transport {
  #handler: TransportHandler | undefined
  readonly #peers = new Map<NodeId, PeerInfo>()
  readonly #seen = new Set<Uint8Array>()
  #closed = false

  constructor(
    readonly network: SimNetwork,
    readonly self: NodeId
  ) {}

  handle(handler: TransportHandler): void {
    this.#handler = handler
  }

  peers(): PeerInfo[] {
    return [...this.#peers.values()]
  }

  up(node: NodeId): void {
    const info: PeerInfo = { node, addresses: [], found: 'given', connectedAt: this.network.time.now }
    this.#peers.set(node, info)
    this.#handler?.peerUp(info)
  }

  down(node: NodeId): void {
    if (this.#peers.delete(node)) this.#handler?.peerDown(node)
  }

  close(): void {
    this.#closed = true
  }

  notify(to: NodeId, frame: Uint8Array): boolean {
    if (!this.#peers.has(to)) return false
    this.network.send({ from: this.self, to, kind: 'notice', frame }, (target) => target.arrive(this.self, frame))
    return true
  }

  arrive(from: NodeId, frame: Uint8Array): void {
    if (!this.#closed) void this.#handler?.notified(from, frame)
  }

  request(
    to: NodeId,
    _lane: 'sync' | 'blob',
    frame: Uint8Array,
    options: { timeoutMs?: number } = {}
  ): Promise<Uint8Array> {
    const { time, faults } = this.network
    return new Promise((resolve, reject) => {
      const cancel = time.after(options.timeoutMs ?? 10_000, () => reject(unreachable()))
      if (!this.#peers.has(to)) {
        cancel()
        reject(unreachable())
        return
      }
      const back = (kind: string, bytes: Uint8Array, end: () => void): void =>
        this.network.send({ from: to, to: this.self, kind, frame: bytes }, () => (cancel(), end()), faults.requestLoss)
      this.network.send(
        { from: this.self, to, kind: 'request', frame },
        (target) => {
          void target.answer(this.self, frame).then(
            (answer) => back('answer', answer, () => resolve(answer)),
            (error: unknown) => back('refusal', new Uint8Array(), () => reject(error as Error))
          )
        },
        faults.requestLoss
      )
    })
  }

  async answer(from: NodeId, frame: Uint8Array): Promise<Uint8Array> {
    const answer = await this.#handler!.requested(from, 'sync', frame)
    this.network.answered(this.self, frame, answer)
    return this.network.random.chance(this.network.faults.lies) ? altered(answer, this.network.random) : answer
  }

  async publish(frame: Uint8Array): Promise<number> {
    this.network.published(this.self, frame)
    this.#seen.add(frame)
    return this.#spread(frame)
  }

  #spread(frame: Uint8Array): number {
    for (const to of this.#peers.keys())
      this.network.send({ from: this.self, to, kind: 'gossip', frame }, (target) => target.gossip(this.self, frame))
    return this.#peers.size
  }

  gossip(from: NodeId, frame: Uint8Array): void {
    // a frame travels as the one array it is, so that it need not be hashed to be known again
    if (this.#closed || this.#seen.has(frame)) return
    this.#seen.add(frame)
    if (this.#handler?.gossip(from, frame) === 'accept') this.#spread(frame)
  }

  hangUp(node: NodeId): void {
    this.network.disconnect(this.self, node)
    this.network.hungUp(this.self, node)
  }
}

function altered(frame: Uint8Array, random: SeededRandom): Uint8Array {
  const lie = new Uint8Array(frame)
  const at = random.below(lie.length)
  lie[at] = lie[at]! ^ (1 << random.below(8))
  return lie
}

function unreachable(): GrapevineError {
  return new GrapevineError('peer-unreachable', 'no answer in time', { next: 'another peer is asked' })
}
