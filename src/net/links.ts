/**
 * All peers: makes a link for each member that connects, serves its lanes, and reports up and down exactly once, also
 * when both sides dialled and two connections exist. One key in two processes is found here.
 */
import type { Connection, PeerId, Stream } from '@libp2p/interface'
import { GrapevineError } from '../errors.js'
import type { Clock, Lane, Logger, NodeId, Random, TransportHandler } from '../runtime.js'
import type { Share } from '../share.js'
import { Circle, decodeCircle } from './circle.js'
import { decodeAddresses, decodeHello, encodeHello, VERSIONS, type Hello, type PeerAddress } from './hello.js'
import { unreachable, whyOf } from './errors.js'
import { FrameType } from './frames.js'
import { Incoming } from './incoming.js'
import { MAX_CONNECTIONS_PER_PEER, PROBE_TIMEOUT_MS, REFUSAL_LINGER_MS } from './limits.js'
import { Link } from './link.js'
import { PeerShare } from './peer-share.js'
import type { Protocols } from './protocols.js'

const LANES: readonly Lane[] = ['sync', 'blob']

export interface LinksDeps {
  readonly clock: Clock
  readonly logger: Logger
  readonly protocols: Protocols
  readonly self: NodeId
  connections(peer: PeerId): Connection[]
  handler(): TransportHandler
  hello(to: NodeId): Hello
  /** Before `peerUp`: who connected, on what connection. */
  up(link: Link, peer: PeerId): void
  /** After `peerDown`; also for a link that never came up. */
  down(node: NodeId, wasUp: boolean): void
  /** A member told us addresses: its own (`listen`) or those of others. */
  learned(from: NodeId, addresses: readonly PeerAddress[]): void
  /** This key runs in another process too: `node` is ours or a peer's. */
  duplicate(node: NodeId): void
  /** A peer has more links than it needs. */
  enough(node: NodeId): void
  /** What a member may make us do. */
  share(node: NodeId): Share
  readonly random: Random
}

interface Entry {
  readonly link: Link
  readonly peer: PeerId
}

export class Links {
  readonly circle: Circle
  readonly #deps: LinksDeps
  readonly #unwelcome = new Set<NodeId>()
  readonly #entries = new Map<NodeId, Entry>()
  readonly #banned = new WeakSet<Connection>()
  #closed = false
  /** Connections closed because their peer had too many. */
  crowded = 0

  constructor(deps: LinksDeps) {
    this.#deps = deps
    this.circle = new Circle({ self: deps.self, links: () => this.allUp(), random: deps.random })
  }

  /** The link to a node, if it is up. */
  up(node: NodeId): Link | undefined {
    const link = this.#entries.get(node)?.link
    return link?.state === 'up' ? link : undefined
  }

  allUp(): Link[] {
    return [...this.#entries.values()].map(({ link }) => link).filter((link) => link.state === 'up')
  }

  peerOf(node: NodeId): PeerId | undefined {
    return this.#entries.get(node)?.peer
  }

  /** Members that were reached since they were last up, and did not speak with us: they may take us for somebody else. */
  unwelcomeAt(): NodeId[] {
    return [...this.#unwelcome].filter((node) => this.up(node) === undefined)
  }

  /** Any link, greeting or up: no reason to dial. */
  has(node: NodeId): boolean {
    return this.#entries.has(node)
  }

  /** Resolves when the peer is up; rejects when there is no link or it fails. */
  async admitted(node: NodeId): Promise<void> {
    const link = this.#entries.get(node)?.link
    if (link === undefined) throw unreachable(node, 'is not connected')
    await link.admitted()
  }

  /** Bytes queued on all lanes and not yet taken over by the connections. */
  get queuedBytes(): number {
    const queues = [...this.#entries.values()].flatMap(({ link }) =>
      LANES.flatMap((lane) => [link.outgoing(lane), link.incoming.get(lane)])
    )
    return queues.reduce((sum, queue) => sum + (queue?.queuedBytes ?? 0), 0)
  }

  connectionsOf(node: NodeId): Connection[] {
    const peer = this.#entries.get(node)?.peer
    if (peer === undefined) return []
    return this.#deps
      .connections(peer)
      .filter((connection) => connection.status === 'open' && !this.#banned.has(connection))
  }

  /** A member's connection opened (the gate has let it in). */
  opened(connection: Connection): void {
    if (this.#closed) return connection.abort(new Error('the node is stopping'))
    const all = this.#deps.connections(connection.remotePeer).filter(({ status }) => status === 'open')
    if (all.length > MAX_CONNECTIONS_PER_PEER) this.#thin(all)
    if (!this.#entries.has(connection.remotePeer.toString())) this.#create(connection.remotePeer).greet()
  }

  /** A peer needs no more: the oldest goes, because after a sleep it is the newest that lives. */
  #thin(connections: readonly Connection[]): void {
    this.crowded += 1
    const [oldest] = connections.toSorted((a, b) => a.timeline.open - b.timeline.open)
    oldest?.abort(new Error('a peer has too many connections'))
  }

  /** The last connection of a peer is gone. */
  disconnected(peer: PeerId): void {
    const entry = this.#entries.get(peer.toString())
    if (entry !== undefined) this.#drop(entry, 'disconnected')
  }

  /** A peer opened a lane. Resolves when that stream is over; never rejects. */
  async accept(lane: Lane, stream: Stream, connection: Connection): Promise<void> {
    const node = connection.remotePeer.toString()
    const link = this.#entries.get(node)?.link
    if (this.#closed || link === undefined || this.#banned.has(connection)) return stream.abort(new Error('not wanted'))
    const incoming = new Incoming(
      {
        hello: (payload) => this.#greeted(connection, payload, incoming),
        admitted: () => this.admitted(node),
        notified: (payload) => this.#deps.handler().notified(node, payload),
        requested: (payload) => this.#deps.handler().requested(node, lane, payload),
        addresses: (payload) => this.#deps.learned(node, decodeAddresses(payload)),
        duplicate: () => this.#deps.duplicate(this.#deps.self),
        enough: () => this.#deps.enough(node),
        circle: (payload) => void (link.circle = decodeCircle(payload))
      },
      this.#deps.logger,
      link.share,
      { node, lane },
      stream
    )
    if (lane !== 'sync') this.#adopt(link, lane, incoming)
    const broken = await incoming.serve()
    const entry = this.#entries.get(node)
    if (entry?.link.incoming.get(lane) === incoming) entry.link.incoming.delete(lane)
    if (broken !== undefined) this.#broke(entry, connection, broken)
  }

  /** Closes every connection of a peer. */
  hangUp(node: NodeId, reason: string): void {
    const entry = this.#entries.get(node)
    if (entry === undefined) return
    this.#deps.logger.info('Hanging up on a peer', { node, reason })
    this.#end(entry, reason)
  }

  /** Closes what does not answer a probe: after a sleep or a change of network a connection may be dead and open. */
  async probeAll(timeoutMs: number): Promise<void> {
    const entries = [...this.#entries.values()]
    await Promise.all(
      entries.flatMap(({ link }) =>
        this.connectionsOf(link.node).map(async (connection) => {
          if (!(await this.#answers(connection, timeoutMs)))
            connection.abort(new Error('no answer after a sleep or a change of network'))
        })
      )
    )
  }

  /**
   * Resolves when every peer has received what was sent to it, or after the timeout: an answered probe means that all
   * before it on the same connection has arrived. Closing a socket can otherwise discard what the other has not read.
   */
  async settle(timeoutMs: number): Promise<void> {
    const connections = this.allUp().flatMap((link) => this.connectionsOf(link.node))
    await Promise.all(connections.map((connection) => this.#answers(connection, timeoutMs)))
  }

  close(): void {
    this.#closed = true
    for (const entry of this.#entries.values()) this.#drop(entry, 'the node is stopping')
  }

  #create(peer: PeerId): Link {
    const node = peer.toString()
    const link = new Link(
      {
        clock: this.#deps.clock,
        logger: this.#deps.logger,
        protocols: this.#deps.protocols,
        connections: (of) => this.connectionsOf(of),
        hello: (to) => this.#deps.hello(to),
        answered: (_, hello) => this.#learn(link, hello),
        up: () => {
          this.#unwelcome.delete(node)
          this.#deps.up(link, peer)
          this.circle.changed(link)
        },
        failed: (_, error) => this.#failed(link, error)
      },
      node,
      new PeerShare(this.#deps.share(node), this.#deps.clock)
    )
    this.#entries.set(node, { link, peer })
    return link
  }

  #failed(link: Link, error: GrapevineError): void {
    const entry = this.#entries.get(link.node)
    if (entry?.link !== link) return
    if (error.facts.refusal === 'identity-duplicated') this.#deps.duplicate(this.#deps.self)
    // Before a link is up this is everyday: a node that does not know us yet closes right after the handshake.
    const level = link.state === 'up' ? 'warn' : 'info'
    this.#deps.logger[level]('Closed a link that does not work', {
      node: link.node,
      code: error.code,
      reason: error.message
    })
    this.#end(entry, error.message)
  }

  #broke(entry: Entry | undefined, connection: Connection, error: GrapevineError): void {
    if (entry === undefined || !this.connectionsOf(entry.link.node).includes(connection)) return
    this.#failed(entry.link, error)
  }

  /** Drops the link and closes its connections. */
  #end(entry: Entry, reason: string): void {
    const connections = this.#deps.connections(entry.peer)
    this.#drop(entry, reason)
    for (const connection of connections) connection.abort(new Error(reason))
  }

  #drop(entry: Entry, reason: string): void {
    const { link } = entry
    if (this.#entries.get(link.node) !== entry) return
    this.#entries.delete(link.node)
    const wasUp = link.state === 'up'
    if (!wasUp) this.#unwelcome.add(link.node)
    link.close(reason)
    if (wasUp) this.#tell(() => this.#deps.handler().peerDown(link.node))
    this.#deps.down(link.node, wasUp)
    if (wasUp && !this.#closed) this.circle.changed()
  }

  /** A hello came in. Returns ours; throwing refuses it. */
  async #greeted(connection: Connection, payload: Uint8Array, incoming: Incoming): Promise<Uint8Array> {
    const hello = decodeHello(payload)
    if (!hello.versions.some((version) => VERSIONS.includes(version))) {
      throw new GrapevineError('peer-refused', 'the peer speaks no version of the protocol that we know', {
        next: 'bring all nodes to versions that overlap'
      })
    }
    const link = await this.#linkFor(connection, hello.instance)
    link.instance = hello.instance
    link.voices.add(connection)
    this.#adopt(link, 'sync', incoming)
    this.#learn(link, hello)
    const answer = encodeHello(this.#deps.hello(link.node))
    // What we send from here on may overtake this answer on another stream; the peer serves it only after the answer.
    link.heard()
    return answer
  }

  /** The link this hello belongs to: the present one, or a new one when the peer has started anew. */
  async #linkFor(connection: Connection, instance: string): Promise<Link> {
    const peer = connection.remotePeer
    const present = this.#entries.get(peer.toString())
    if (present === undefined) return this.#greetNew(peer)
    if (present.link.instance === undefined || present.link.instance === instance) return present.link
    const others = this.connectionsOf(present.link.node).filter(
      (other) => other !== connection && present.link.voices.has(other)
    )
    const alive = await Promise.all(others.map((other) => this.#answers(other, PROBE_TIMEOUT_MS)))
    if (this.#entries.get(peer.toString()) !== present) return await this.#linkFor(connection, instance)
    if (alive.includes(true)) return this.#refuseDuplicate(present.link, connection)
    this.#drop(present, 'the peer has restarted')
    for (const other of others) other.abort(new Error('the peer has restarted'))
    return this.#greetNew(peer)
  }

  #greetNew(peer: PeerId): Link {
    const link = this.#create(peer)
    link.greet()
    return link
  }

  #refuseDuplicate(link: Link, connection: Connection): never {
    this.#banned.add(connection)
    this.#deps.clock.timer(REFUSAL_LINGER_MS, () =>
      connection.abort(new Error('this key is in use by another process'))
    )
    link.outgoing('sync')?.tell(FrameType.duplicate, new Uint8Array())
    this.#deps.duplicate(link.node)
    throw new GrapevineError('identity-duplicated', 'this key is in use by another process', {
      next: 'stop one of the two and give it a key of its own'
    })
  }

  #adopt(link: Link, lane: Lane, incoming: Incoming): void {
    const before = link.incoming.get(lane)
    link.incoming.set(lane, incoming)
    if (before !== incoming) before?.close('the peer opened this lane again')
  }

  #learn(link: Link, hello: Hello): void {
    link.listen = hello.listen
    this.#deps.learned(link.node, [...hello.listen.map((address) => ({ node: link.node, address })), ...hello.peers])
  }

  async #answers(connection: Connection, timeoutMs: number): Promise<boolean> {
    try {
      const stream = await connection.newStream(this.#deps.protocols.ping, { signal: AbortSignal.timeout(timeoutMs) })
      stream.abort(new Error('the probe was answered'))
      return true
    } catch {
      return false
    }
  }

  #tell(event: () => void): void {
    try {
      event()
    } catch (error) {
      this.#deps.logger.error('A handler of network events failed', { reason: whyOf(error) })
    }
  }
}
