/** Real networks on 127.0.0.1 for the tests of this folder. */
import '../../src/polyfill.js'
import { createPrivateKey, createPublicKey, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { createNetwork, type AddressRow, type Network, type NetworkOptions } from '../../src/net/index.js'
import type {
  Clock,
  Facts,
  GossipVerdict,
  Lane,
  Logger,
  NodeId,
  PeerInfo,
  TransportHandler
} from '../../src/runtime.js'

export const clock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  timer(ms, fn) {
    const timer = setTimeout(fn, ms)
    timer.unref()
    return () => clearTimeout(timer)
  },
  pause: () => new Promise((resolve) => setImmediate(resolve))
}

export const random = { bytes: (length: number): Uint8Array => randomBytes(length), float: (): number => Math.random() }

export function publicKeyOf(seed: Uint8Array): Uint8Array {
  const prefix = Buffer.from('302e020100300506032b657004220420', 'hex')
  const key = createPrivateKey({ key: Buffer.concat([prefix, seed]), format: 'der', type: 'pkcs8' })
  return Buffer.from(createPublicKey(key).export({ format: 'jwk' }).x ?? '', 'base64url')
}

/** What several nodes share: who is a member, and the secrets of the cluster. */
export class Cluster {
  readonly id: Uint8Array = randomBytes(16)
  readonly secret: Uint8Array = randomBytes(32)
  readonly members = new Set<string>()
  strangersAllowed = false
  readonly mayReturn = new Set<string>()
  readonly mustMeet = new Set<string>()
  readonly #networks: Network[] = []

  /** A node that is a member unless told otherwise; not started. */
  node(options: Partial<NetworkOptions> & { member?: boolean; clock?: Clock; book?: AddressRow[] } = {}): Node {
    const node = new Node(this, options)
    this.#networks.push(node.network)
    return node
  }

  async started(options: Parameters<Cluster['node']>[0] = {}): Promise<Node> {
    const node = this.node(options)
    await node.network.start()
    return node
  }

  async stop(): Promise<void> {
    await Promise.all(this.#networks.map((network) => network.stop()))
  }
}

export interface LogLine {
  readonly level: string
  readonly message: string
  readonly facts: Facts
}

export class Node implements TransportHandler {
  readonly seed: Uint8Array
  readonly publicKey: Uint8Array
  readonly network: Network
  readonly log: LogLine[] = []
  readonly ups: PeerInfo[] = []
  readonly downs: NodeId[] = []
  readonly notices: { from: NodeId; text: string }[] = []
  readonly gossiped: string[] = []
  readonly duplicates: NodeId[] = []
  book: AddressRow[]
  verdict: GossipVerdict = 'accept'
  /** How long it takes over each message of gossip, ms. */
  busyMs = 0
  onRequest: (frame: Uint8Array, lane: Lane, from: NodeId) => Promise<Uint8Array> = (frame) => Promise.resolve(frame)
  onNotice: (text: string) => void | Promise<void> = () => undefined

  constructor(cluster: Cluster, options: Parameters<Cluster['node']>[0] = {}) {
    const { member = true, clock: ownClock, book, ...rest } = options
    this.seed = rest.privateSeed ?? randomBytes(32)
    this.publicKey = publicKeyOf(this.seed)
    this.book = book ?? []
    if (member) cluster.members.add(Buffer.from(this.publicKey).toString('hex'))
    this.network = createNetwork(
      {
        clock: ownClock ?? clock,
        random,
        logger: this.#logger(),
        membership: {
          isMember: (key) => cluster.members.has(Buffer.from(key).toString('hex')),
          strangersAllowed: () => cluster.strangersAllowed,
          heirOf: (key) => key,
          mustMeet: (key) => cluster.mustMeet.has(Buffer.from(key).toString('hex')),
          mayReturn: (key) => cluster.mayReturn.has(Buffer.from(key).toString('hex'))
        },
        addressBook: { load: () => this.book, save: (rows) => (this.book = rows) }
      },
      {
        clusterId: cluster.id,
        secrets: () => ({ open: [cluster.secret], closed: [] }),
        listen: ['/ip4/127.0.0.1/tcp/0'],
        peers: [],
        mdns: false,
        redial: { minMs: 50, maxMs: 300 },
        ...rest,
        privateSeed: this.seed
      }
    )
    this.network.handle(this)
    this.network.onDuplicateIdentity((node) => this.duplicates.push(node))
  }

  get id(): NodeId {
    return this.network.self
  }

  get address(): string {
    return this.network.multiaddrs()[0] ?? ''
  }

  /** The port it listens on, to start a successor at the same address. */
  get listen(): string {
    return this.address.replace(/\/p2p\/.*$/, '')
  }

  connectedTo(other: Node): boolean {
    return this.network.peers().some(({ node }) => node === other.id)
  }

  peerUp(peer: PeerInfo): void {
    this.ups.push(peer)
  }

  peerDown(node: NodeId): void {
    this.downs.push(node)
  }

  notified(from: NodeId, frame: Uint8Array): void | Promise<void> {
    const text = Buffer.from(frame).toString()
    this.notices.push({ from, text })
    return this.onNotice(text)
  }

  requested(from: NodeId, lane: Lane, frame: Uint8Array): Promise<Uint8Array> {
    return this.onRequest(frame, lane, from)
  }

  gossip(_: NodeId, frame: Uint8Array): GossipVerdict {
    this.gossiped.push(Buffer.from(frame).toString())
    for (const end = performance.now() + this.busyMs; performance.now() < end;);
    return this.verdict
  }

  #logger(): Logger {
    const at =
      (level: string) =>
      (message: string, facts: Facts = {}) =>
        void this.log.push({ level, message, facts })
    return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
  }
}

/** An address nobody listens on, for a node whose address must be known before it is started. */
export async function freeAddress(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return `/ip4/127.0.0.1/tcp/${port}`
}

/** How long anything may take on a machine that does much else, ms. */
const PATIENCE_MS = 30_000

/** Resolves when the condition holds; rejects with `what` when it does not in time. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  timeoutMs = PATIENCE_MS
): Promise<void> {
  const deadline = performance.now() + timeoutMs
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`it never happened that ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

export async function connected(...nodes: Node[]): Promise<void> {
  await until('all are connected', () => nodes.every((a) => nodes.every((b) => a === b || a.connectedTo(b))))
}

export const bytes = (text: string): Uint8Array => Buffer.from(text)
