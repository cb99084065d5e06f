/** One life of the network, from start to stop: builds the pieces and leads events from one to the other. */
import type { Connection, PeerId } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { GrapevineError } from '../errors.js'
import { seldom, type NodeId } from '../runtime.js'
import { whyOf } from './errors.js'
import { announced, portsAt, withoutNode } from './addresses.js'
import { AddressBook } from './book.js'
import { Degree } from './degree.js'
import type { Discovery } from './discovery.js'
import { Door } from './door.js'
import { Doubt } from './doubt.js'
import { Exchange } from './exchange.js'
import { Gate } from './gate.js'
import { Gossip } from './gossip.js'
import { VERSIONS, type Hello, type PeerAddress } from './hello.js'
import { createHost, useSecrets, type Host } from './host.js'
import { peerInfo } from './inspect.js'
import { JoinDesk } from './join-desk.js'
import { seekHeirs } from './heirs.js'
import { keyFromSeed, publicKeyOf } from './keys.js'
import { DIAL_TIMEOUT_MS, DOUBT_MS, GOSSIP_RESTART_JUMP_MS, SILENT_MS, STOP_FLUSH_MS, WAKE_PROBE_MS } from './limits.js'
import type { Link } from './link.js'
import { Links } from './links.js'
import { Manners } from './manners.js'
import { MdnsDiscovery } from './mdns.js'
import type { NetworkDeps, NetworkOptions, RunEvents, WayBack } from './options.js'
import { protocolsOf, type Protocols } from './protocols.js'
import { Pulse } from './pulse.js'
import { Redial } from './redial.js'
import { register } from './register.js'
import { Watch } from './watch.js'
import { waysBack } from './ways-back.js'

/** How often the queues are looked at while they empty before a stop. */
const FLUSH_LOOK_MS = 20

export class Run {
  readonly links: Links
  readonly redial: Redial
  readonly gate: Gate
  readonly door: Door
  readonly desk: JoinDesk
  readonly manners: Manners
  readonly protocols: Protocols
  readonly #deps: NetworkDeps
  readonly #options: NetworkOptions
  readonly #events: RunEvents
  readonly #instance: string
  readonly #self: NodeId
  readonly #book: AddressBook
  readonly #exchange: Exchange
  readonly #degree: Degree
  readonly #watch: Watch
  readonly #pulse: Pulse
  readonly #doubt: Doubt
  #host: Host | undefined
  #gossip: Gossip | undefined
  #discovery: Discovery | undefined

  constructor(deps: NetworkDeps, options: NetworkOptions, events: RunEvents, self: NodeId) {
    const { clock, logger, random } = deps
    this.#deps = deps
    this.#options = options
    this.#events = events
    this.#self = self
    this.#instance = Buffer.from(random.bytes(16)).toString('hex')
    this.protocols = protocolsOf(options.clusterId)
    this.desk = new JoinDesk({
      clock,
      logger,
      handler: () => events.joinHandler(),
      strangersAllowed: () => deps.membership.strangersAllowed(),
      mayReturn: (key) => deps.membership.mayReturn(key)
    })
    this.door = new Door(clock)
    this.gate = new Gate({
      clock,
      membership: deps.membership,
      door: this.door,
      roomForStranger: () => this.desk.room()
    })
    this.manners = new Manners({ clock, logger: seldom(logger, clock) })
    this.#book = new AddressBook({ clock, logger, store: deps.addressBook })
    this.links = new Links({
      clock,
      logger,
      self,
      protocols: this.protocols,
      connections: (peer) => this.#connections(peer),
      handler: () => events.handler(),
      hello: (to) => this.#hello(to),
      up: (link, peer) => this.#up(link, peer),
      down: (node, wasUp) => this.#down(node, wasUp),
      learned: (from, rows) => this.#learned(from, rows),
      duplicate: (node) => events.duplicate(node),
      enough: (node) => this.#degree.asked(node),
      share: (node) => events.share(node),
      random
    })
    this.#exchange = new Exchange({
      links: this.links,
      book: this.#book,
      random,
      isMember: (node) => this.#isMember(node)
    })
    this.#degree = new Degree(
      {
        clock,
        random,
        links: () => this.links.allUp(),
        mustMeet: (node) => this.#mustMeet(node),
        letGo: (node) => this.#letGo(node),
        explore: () => this.redial.explore()
      },
      options.degree
    )
    this.redial = new Redial(
      {
        clock,
        random,
        logger,
        self,
        dial: (addresses) => this.#dial(addresses),
        connected: (node) => this.links.has(node),
        linkCount: () => this.links.allUp().length,
        isMember: (node) => this.#isMember(node),
        mustMeet: (node) => this.#mustMeet(node) && !this.links.allUp().some((link) => this.#mustMeet(link.node))
      },
      { ...options.redial, ...options.degree }
    )
    const muxed = this.manners.boundFrames.bind(this.manners)
    this.#pulse = new Pulse({ clock, logger, muxed }, { silentMs: options.pulse?.silentMs ?? SILENT_MS })
    this.#doubt = new Doubt(
      {
        peers: () => this.links.allUp().map(({ node }) => node),
        connections: (node) => this.links.connectionsOf(node),
        silentFor: (connection) => this.#pulse.silentFor(connection),
        addresses: (node) => this.redial.addressesOf(node),
        dial: (addresses) => this.#connect(addresses, { force: true }),
        hangUp: (node, reason) => this.links.hangUp(node, reason)
      },
      { doubtMs: options.pulse?.doubtMs ?? DOUBT_MS }
    )
    this.#watch = new Watch(
      {
        clock,
        tick: () => this.#tick(),
        clockJumped: (ms) => this.#clockJumped(ms),
        networkChanged: () => this.#woken('The network of this machine changed', {})
      },
      options.watch
    )
  }

  get gossip(): Gossip | undefined {
    return this.#gossip
  }

  async start(): Promise<void> {
    const host = await createHost({
      privateKey: keyFromSeed(this.#options.privateSeed),
      secrets: this.#options.secrets(),
      listen: this.#options.listen,
      gater: this.gate.gater,
      pulse: this.#pulse,
      announce: (addresses) => announced(addresses, this.#options.announce)
    })
    this.#host = host
    this.#gossip = this.#createGossip(host)
    await register(host, {
      protocols: this.protocols,
      links: this.links,
      gate: this.gate,
      desk: this.desk,
      manners: this.manners,
      secrets: this.#options.secrets
    })
    try {
      await host.libp2p.start()
    } catch (error) {
      throw new GrapevineError(
        'listen-failed',
        `cannot listen on ${this.#options.listen.join(', ')}: ${whyOf(error)}`,
        {
          next: 'choose another address or port with --listen, or stop the process that uses it',
          cause: error
        }
      )
    }
    await this.#gossip.start()
    for (const { node, address } of this.#book.load()) this.redial.found(node, address, 'book')
    for (const address of this.#options.peers) this.redial.give(address)
    this.#seekHeirs()
    this.redial.start()
    this.#watch.start()
    await this.#discover(host)
  }

  async stop(): Promise<void> {
    this.#watch.stop()
    this.redial.stop()
    await this.#discovery?.stop()
    await this.#flush()
    await this.#gossip?.stop()
    this.links.close()
    await this.#host?.libp2p.stop()
    this.#book.flush()
  }

  saveAddresses(): void {
    this.#book.flush()
  }

  /** Listening addresses, each with `/p2p/`. */
  multiaddrs(): string[] {
    return this.#host?.libp2p.getMultiaddrs().map(String) ?? []
  }

  /** Who belongs may have changed: newcomers are dialled at once, those who were removed are cut off. */
  membershipChanged(): void {
    for (const connection of this.#host?.libp2p.getConnections() ?? []) {
      if (this.gate.isMember(connection.remotePeer) || this.desk.holds(connection)) continue
      this.links.hangUp(connection.remotePeer.toString(), 'no longer a member')
      connection.abort(new Error('no longer a member'))
    }
    this.#seekHeirs()
    this.redial.wake()
  }

  #seekHeirs(): void {
    const { peers } = this.#options
    seekHeirs({ book: this.#book, redial: this.redial, membership: this.#deps.membership, peers })
  }

  /** For connections that are made from now on: those that last were let in, and their keys owe the secret nothing. */
  secretsChanged(): void {
    if (this.#host === undefined) return
    useSecrets(this.#host, this.#options.secrets())
    this.redial.wake()
  }

  waysBack(): WayBack[] {
    const addressesOf = (node: NodeId): readonly string[] => this.redial.addressesOf(node)
    const isMember = (node: NodeId): boolean => this.#isMember(node)
    return waysBack({ links: this.links, book: this.#book, peers: this.#options.peers, isMember, addressesOf })
  }

  #createGossip(host: Host): Gossip {
    return new Gossip(
      {
        components: host.components,
        clock: this.#deps.clock,
        logger: this.#deps.logger,
        random: this.#deps.random,
        admitted: (peer) => this.links.admitted(peer.toString()),
        isMember: (peer) => this.gate.isMember(peer),
        connections: (node) => this.links.connectionsOf(node),
        heard: (from, frame) => this.#events.handler().gossip(from, frame),
        hangUp: (node, reason) => this.links.hangUp(node, reason),
        circle: this.links.circle,
        share: (node) => this.#events.share(node)
      },
      { topic: this.protocols.topic }
    )
  }

  async #discover(host: Host): Promise<void> {
    const mdns = (): Discovery =>
      new MdnsDiscovery(
        {
          clock: this.#deps.clock,
          random: this.#deps.random,
          logger: this.#deps.logger,
          self: this.#self,
          ports: (address) => portsAt(address, host.libp2p.getMultiaddrs()),
          secrets: () => [...this.#options.secrets().open, ...this.#options.secrets().closed]
        },
        { serviceTag: this.protocols.serviceTag }
      )
    this.#discovery = this.#options.discovery ?? (this.#options.mdns ? mdns() : undefined)
    await this.#discovery?.start(({ node, addresses }) => {
      for (const address of addresses) this.redial.found(node, address, 'mdns')
    })
  }

  #connections(peer: PeerId): Connection[] {
    return (this.#host?.libp2p.getConnections(peer) ?? []).filter((connection) => !this.desk.holds(connection))
  }

  async #dial(addresses: readonly string[]): Promise<{ node: NodeId; address: string }> {
    const { remotePeer, remoteAddr } = await this.#connect(addresses)
    return { node: remotePeer.toString(), address: remoteAddr.toString() }
  }

  /** @param options.force makes another connection though there is one. */
  async #connect(addresses: readonly string[], options: { force?: boolean } = {}): Promise<Connection> {
    if (this.#host === undefined) throw new Error('not started')
    const connection = await this.#host.libp2p.dial(
      addresses.map((address) => multiaddr(address)),
      { ...options, signal: AbortSignal.timeout(DIAL_TIMEOUT_MS) }
    )
    if (connection.direction === 'outbound')
      this.#book.worked(connection.remotePeer.toString(), connection.remoteAddr.toString())
    return connection
  }

  #isMember(node: NodeId): boolean {
    const key = publicKeyOf(node)
    return key !== undefined && this.#deps.membership.isMember(key)
  }

  #mustMeet(node: NodeId): boolean {
    const key = publicKeyOf(node)
    return key !== undefined && this.#deps.membership.mustMeet(key)
  }

  #hello(to: NodeId): Hello {
    return {
      versions: VERSIONS,
      instance: this.#instance,
      listen: this.multiaddrs().map(withoutNode),
      peers: this.#exchange.rowsFor(to)
    }
  }

  #learned(from: NodeId, rows: readonly PeerAddress[]): void {
    this.#book.claimed(
      from,
      rows.filter(({ node }) => node === from).map(({ address }) => address)
    )
    for (const { node, address } of rows) this.redial.found(node, address, 'peer')
  }

  #up(link: Link, peer: PeerId): void {
    const info = peerInfo(this, link)
    this.#deps.logger.info('Connected to a peer', { node: link.node, found: info.found, addresses: info.addresses })
    this.#gossip?.join(peer)
    this.#tell(() => this.#events.handler().peerUp(info))
    this.#exchange.introduce(link)
    this.redial.up()
  }

  #down(node: NodeId, wasUp: boolean): void {
    if (wasUp) {
      this.#deps.logger.info('Lost a peer', { node })
      this.#gossip?.leave(node)
    }
    this.redial.down(node, wasUp)
  }

  #tick(): void {
    this.#pulse.look()
    this.#doubt.look()
    this.#gossip?.watch()
    this.#degree.look()
    for (const { node } of this.links.allUp()) {
      const peer = this.links.peerOf(node)
      if (peer !== undefined && !this.gate.isMember(peer)) this.links.hangUp(node, 'no longer a member')
    }
  }

  /** First the rest, then the end: whoever is down would be dialled at once. */
  #letGo(node: NodeId): void {
    this.redial.rest(node)
    this.links.hangUp(node, 'it has links enough, and so have we')
  }

  #clockJumped(ms: number): void {
    this.#woken('The clock jumped; this machine slept or its clock was set', { ms: Math.round(ms) })
    if (Math.abs(ms) < GOSSIP_RESTART_JUMP_MS) return
    this.#gossip
      ?.restart()
      .catch((error: unknown) => this.#deps.logger.error('Gossip could not be restarted', { reason: whyOf(error) }))
  }

  #woken(message: string, facts: Record<string, unknown>): void {
    this.#deps.logger.info(message, facts)
    this.redial.wake()
    void this.links.probeAll(WAKE_PROBE_MS)
  }

  /** `stop()` of libp2p does not flush: what is queued must leave before. */
  async #flush(): Promise<void> {
    const deadline = this.#deps.clock.monotonic() + STOP_FLUSH_MS
    const queued = (): number => (this.#gossip?.queuedBytes ?? 0) + this.links.queuedBytes
    while (queued() > 0 && this.#deps.clock.monotonic() < deadline) {
      await new Promise<void>((resolve) => setTimeout(resolve, FLUSH_LOOK_MS))
    }
    await this.links.settle(Math.max(1, Math.ceil(deadline - this.#deps.clock.monotonic())))
  }

  #tell(event: () => void): void {
    try {
      event()
    } catch (error) {
      this.#deps.logger.error('A handler of network events failed', { reason: whyOf(error) })
    }
  }
}
