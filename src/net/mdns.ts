/**
 * Discovery by multicast DNS, made for many nodes on one network and for packets that anybody can send:
 * 1. Each node says now and then where it is, on every IPv4 interface; that is a packet to all, whatever their number, and
 *    the pause between two grows with how many are heard. Questions are asked only at a start and on a new interface, and
 *    of many nodes some answer.
 * 2. What is said carries a proof that the cluster's secret is known, over node and ports; everything else is dropped before
 *    anything is remembered or dialled. The host is where the packet came from.
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import type { RemoteInfo } from 'node:dgram'
import makeMdns from 'multicast-dns'
import { reasonOf } from '../errors.js'
import type { Clock, Logger, NodeId, Random } from '../runtime.js'
import { Bucket } from '../share.js'
import { ipv4Interfaces } from './addresses.js'
import type { Candidate, Discovery } from './discovery.js'
import { publicKeyOf } from './keys.js'
import {
  MDNS_ANSWER_WITHIN_MS,
  MDNS_ANSWERS,
  MDNS_FORGOTTEN_MS,
  MDNS_HEARD,
  MDNS_LOOK_MS,
  MDNS_MAX_HEARD,
  MDNS_MIN_PAUSE_MS,
  MDNS_PACKETS_PER_S,
  MDNS_PORTS,
  MDNS_PROOFS
} from './limits.js'

export interface MdnsDeps {
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  /** Nothing is said of a node without: it only listens. */
  readonly self?: NodeId
  /** Where we listen: the TCP ports on an IPv4 address of this machine. */
  ports(address: string): readonly number[]
  /** Any of them proves what others say: who was away knows an old one. */
  secrets(): readonly Uint8Array[]
  /** IPv4 addresses of this machine that others may be behind; undefined: the system does not tell. */
  interfaces?(): readonly string[] | undefined
}

type Socket = ReturnType<typeof makeMdns>

interface Packet {
  readonly answers?: ReadonlyArray<{ readonly type: string; readonly name: string; readonly data?: unknown }>
  readonly questions?: ReadonlyArray<{ readonly name: string }>
}

const PROOF_DOMAIN = 'grapevine/mdns/1'
const PROOF_BYTES = 16

export class MdnsDiscovery implements Discovery {
  readonly #deps: MdnsDeps
  readonly #serviceTag: string
  /** By the address of the interface. */
  readonly #sockets = new Map<string, Socket>()
  /** Nodes heard lately, and when, monotonic ms. */
  readonly #heard = new Map<NodeId, number>()
  readonly #accepted: Bucket
  #found: ((candidate: Candidate) => void) | undefined
  #answering: (() => void) | undefined
  #cancelLook: (() => void) | undefined
  #cancelSay: (() => void) | undefined
  #warned = false

  constructor(deps: MdnsDeps, options: { serviceTag: string }) {
    this.#deps = deps
    this.#serviceTag = options.serviceTag
    this.#accepted = new Bucket(deps.clock, MDNS_HEARD)
  }

  async start(found: (candidate: Candidate) => void): Promise<void> {
    if (this.#found !== undefined) return
    this.#found = found
    this.#look()
    this.#sayLater()
  }

  async stop(): Promise<void> {
    this.#found = undefined
    for (const cancel of [this.#cancelLook, this.#cancelSay, this.#answering]) cancel?.()
    this.#answering = undefined
    await Promise.all([...this.#sockets.keys()].map((address) => this.#close(address)))
  }

  /** Opens and closes sockets as interfaces come and go; undefined tells nothing and changes nothing. */
  #look(): void {
    const present = (this.#deps.interfaces ?? ipv4Interfaces)()
    for (const address of present === undefined ? [] : this.#sockets.keys())
      if (!present!.includes(address)) void this.#close(address)
    for (const address of present ?? []) if (!this.#sockets.has(address)) this.#open(address)
    this.#cancelLook = this.#deps.clock.timer(MDNS_LOOK_MS, () => this.#look())
  }

  #open(address: string): void {
    let socket: Socket
    try {
      socket = makeMdns({ interface: address, bind: '0.0.0.0' })
    } catch (error) {
      return this.#failed(error)
    }
    this.#sockets.set(address, socket)
    socket.on('error', (error: Error) => {
      this.#failed(error)
      void this.#close(address)
    })
    socket.on('warning', (error: Error) => this.#deps.logger.debug('Multicast DNS', { reason: reasonOf(error) }))
    socket.on('response', (packet: unknown, from: RemoteInfo) => this.#heardFrom(packet as Packet, from))
    socket.on('query', (packet: unknown) => this.#asked(packet as Packet))
    socket.once('ready', () => {
      if (this.#sockets.get(address) !== socket) return
      socket.query([{ name: this.#serviceTag, type: 'TXT' }])
      this.#sayOn(address, socket)
    })
  }

  /** Once: nothing of it is new the next time. */
  #failed(error: unknown): void {
    if (this.#warned) return
    this.#warned = true
    this.#deps.logger.warn('Multicast DNS does not work here; peers must be given by address', {
      reason: reasonOf(error)
    })
  }

  async #close(address: string): Promise<void> {
    const socket = this.#sockets.get(address)
    this.#sockets.delete(address)
    if (socket === undefined) return
    try {
      await new Promise<void>((resolve) => socket.destroy(() => resolve()))
    } catch (error) {
      this.#deps.logger.debug('Multicast DNS did not stop cleanly', { reason: reasonOf(error) })
    }
  }

  #sayLater(): void {
    const pauseMs = Math.max(MDNS_MIN_PAUSE_MS, (this.#known() / MDNS_PACKETS_PER_S) * 1_000)
    this.#cancelSay = this.#deps.clock.timer(pauseMs * (0.5 + this.#deps.random.float()), () => {
      this.#say()
      this.#sayLater()
    })
  }

  #say(): void {
    for (const [address, socket] of this.#sockets) this.#sayOn(address, socket)
  }

  #sayOn(address: string, socket: Socket): void {
    const { self } = this.#deps
    const ports = this.#deps.ports(address).slice(0, MDNS_PORTS)
    if (self === undefined || ports.length === 0) return
    const data = [self, ports.join(','), ...this.#proofsOf(self, ports)]
    socket.respond({ answers: [{ name: this.#serviceTag, type: 'TXT', ttl: 120, data }] })
  }

  /** Of many nodes some answer, and nobody more than one question at a time. */
  #asked({ questions }: Packet): void {
    if (this.#answering !== undefined || questions?.some(({ name }) => name === this.#serviceTag) !== true) return
    const share = MDNS_ANSWERS / Math.max(1, this.#known())
    const answers = this.#deps.random.float() < share
    this.#answering = this.#deps.clock.timer(this.#deps.random.float() * MDNS_ANSWER_WITHIN_MS, () => {
      this.#answering = undefined
      if (answers) this.#say()
    })
  }

  #heardFrom({ answers }: Packet, from: RemoteInfo): void {
    const answer = answers?.find(({ name, type }) => type === 'TXT' && name === this.#serviceTag)
    const candidate = answer === undefined ? undefined : this.#proven(answer.data, from.address)
    if (candidate === undefined || this.#accepted.debtMs() > 0) return
    this.#accepted.take(1)
    if (this.#heard.size >= MDNS_MAX_HEARD) this.#heard.delete(this.#heard.keys().next().value!)
    this.#heard.delete(candidate.node)
    this.#heard.set(candidate.node, this.#deps.clock.monotonic())
    this.#found?.(candidate)
  }

  /** Where a node is, when who says so knows the secret; undefined for everything else. */
  #proven(data: unknown, host: string): Candidate | undefined {
    if (!Array.isArray(data) || data.length > 2 + MDNS_PROOFS) return undefined
    const [node = '', list = '', ...told] = data.map(String)
    if (node === this.#deps.self || !/^\d{1,5}(,\d{1,5}){0,7}$/.test(list)) return undefined
    const ports = list.split(',').map(Number)
    const isProven = this.#proofsOf(node, ports).some((proof) => told.some((one) => isSame(proof, one)))
    if (!isProven || publicKeyOf(node) === undefined) return undefined
    return { node, addresses: ports.map((port) => `/ip4/${host}/tcp/${port}`) }
  }

  #proofsOf(node: NodeId, ports: readonly number[]): string[] {
    const secrets = this.#deps.secrets().slice(0, MDNS_PROOFS)
    return secrets.map((secret) => proofOf(secret, node, ports))
  }

  /** Nodes heard of lately; the others are forgotten. */
  #known(): number {
    const since = this.#deps.clock.monotonic() - MDNS_FORGOTTEN_MS
    for (const [node, at] of this.#heard) {
      if (at >= since) break
      this.#heard.delete(node)
    }
    return this.#heard.size
  }
}

function isSame(proof: string, told: string): boolean {
  return proof.length === told.length && timingSafeEqual(Buffer.from(proof), Buffer.from(told))
}

/** Hex. */
function proofOf(secret: Uint8Array, node: NodeId, ports: readonly number[]): string {
  const key = createHmac('sha256', secret).update(PROOF_DOMAIN).digest()
  return createHmac('sha256', key)
    .update(`${node} ${ports.join(',')}`)
    .digest('hex')
    .slice(0, PROOF_BYTES * 2)
}
