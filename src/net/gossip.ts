/**
 * Gossip over gossipsub: the only file that imports it. It is not run as a service of libp2p: we tell it which peers
 * there are, namely those whose link is up, so that it never meets a stranger and can be restarted alone. Its own link
 * loss is silent and for good (one oversized frame or a full queue is enough), hence the watchdog.
 */
import { gossipsub, TopicValidatorResult } from '@chainsafe/libp2p-gossipsub'
import type { Connection, PeerId, Stream, StreamHandler, StreamHandlerOptions } from '@libp2p/interface'
import { reasonOf } from '../errors.js'
import type { Clock, GossipVerdict, Logger, NodeId, Random } from '../runtime.js'
import { Allowances, type Share } from '../share.js'
import { MAX_GOSSIP_BYTES } from '../wire/index.js'
import type { Circle } from './circle.js'
import { stopped, tooLarge } from './errors.js'
import { peerIdOf } from './keys.js'
import { degreesFor, gossipOptions, type Degrees } from './gossip-options.js'
import { GOSSIP_BUCKETS, gossipInbox } from './gossip-inbox.js'
import { STAMP_BYTES, Stamp, stampOf } from './gossip-stamp.js'
import {
  CIRCLE_MESSAGE_BYTES,
  GOSSIP_DONT_WANTS,
  GOSSIP_FORWARD,
  GOSSIP_GIVE_UP_AFTER,
  GOSSIP_MAX_BAD_RPCS,
  GOSSIP_NEIGHBOURS,
  GOSSIP_REVIVE_AFTER
} from './limits.js'

type Components = Parameters<ReturnType<typeof gossipsub>>[0]
export type GossipComponents = Components
export type GossipsubOptions = NonNullable<Parameters<typeof gossipsub>[0]>
type Topology = Parameters<Components['registrar']['register']>[1]

/** What we use of gossipsub beyond its public interface. */
interface Internals {
  readonly peers: Map<string, PeerId>
  readonly streamsOutbound: Map<string, { readonly rawStream: Stream }>
  readonly streamsInbound: Map<string, { readonly rawStream: Stream }>
  readonly mesh: Map<string, Set<string>>
  readonly score: { score(peer: string): number }
  readonly opts: Degrees
  pipePeerReadStream(peer: PeerId, source: unknown): Promise<void>
  decodeRpc(bytes: Uint8Array): unknown
  handleReceivedRpc(from: PeerId, rpc: unknown): Promise<void>
  publish(topic: string, data: Uint8Array, options: { floodPublish: boolean }): Promise<{ recipients: PeerId[] }>
  sendIDontWants(id: Uint8Array, topic: string, source: string): void
  start(): Promise<void>
  stop(): Promise<void>
}

const REVOKED_SCORE = -1_000

export interface GossipDeps {
  readonly components: Components
  readonly clock: Clock
  readonly logger: Logger
  readonly random: Random
  /** Resolves when the peer's link is up; rejects when it never will be. */
  admitted(peer: PeerId): Promise<void>
  isMember(peer: PeerId): boolean
  connections(node: NodeId): Connection[]
  heard(from: NodeId, frame: Uint8Array): GossipVerdict
  hangUp(node: NodeId, reason: string): void
  readonly circle: Circle
  /** What a neighbour may make us do. */
  share(node: NodeId): Share
}

export interface GossipCounters {
  published: number
  publishedBytes: number
  received: number
  receivedBytes: number
  accepted: number
  ignored: number
  rejected: number
  /** Messages taken in that need not be passed on: their publisher handed them to all. */
  firsthand: number
  revived: number
  givenUp: number
  /** RPCs that held more than allowed or could not be read. */
  refusedRpcs: number
  /** Messages taken in and not passed on, because too much came from the same neighbour. */
  notForwarded: number
  /** Large messages that others were not asked to keep to themselves, for the same reason. */
  notWarned: number
}

export class Gossip {
  readonly counters: GossipCounters = {
    published: 0,
    publishedBytes: 0,
    received: 0,
    receivedBytes: 0,
    accepted: 0,
    ignored: 0,
    rejected: 0,
    firsthand: 0,
    revived: 0,
    givenUp: 0,
    refusedRpcs: 0,
    notForwarded: 0,
    notWarned: 0
  }
  readonly topic: string
  readonly #deps: GossipDeps
  readonly #joined = new Map<NodeId, PeerId>()
  /** Looks in a row at which a peer had no outbound stream. */
  readonly #missing = new Map<NodeId, number>()
  /** RPCs of a peer that were refused. */
  readonly #refused = new Map<NodeId, number>()
  /** What was passed on for each neighbour; kept when it leaves. */
  readonly #forwarded: Allowances
  readonly #dontWants: Allowances
  readonly #stamp: Stamp
  #pubsub: (ReturnType<ReturnType<typeof gossipsub>> & Internals) | undefined
  #topology: Topology | undefined

  constructor(deps: GossipDeps, options: { topic: string }) {
    this.#deps = deps
    this.topic = options.topic
    this.#forwarded = new Allowances(deps.clock, GOSSIP_FORWARD, GOSSIP_NEIGHBOURS)
    this.#dontWants = new Allowances(deps.clock, GOSSIP_DONT_WANTS, GOSSIP_NEIGHBOURS)
    this.#stamp = new Stamp(deps.circle.publisher)
  }

  async start(): Promise<void> {
    const components = { ...pick(this.#deps.components), registrar: this.#registrar() }
    const pubsub = gossipsub(gossipOptions(this.topic, this.#joined.size, (node) => this.#appScore(node)))(
      components
    ) as ReturnType<ReturnType<typeof gossipsub>> & Internals
    pubsub.topicValidators.set(this.topic, async (from, message) => {
      await this.#deps.share(from.toString()).turn(GOSSIP_BUCKETS)
      return this.#validate(from, message.data)
    })
    this.#boundRpcs(pubsub)
    this.#boundDontWants(pubsub)
    await pubsub.start()
    pubsub.subscribe(this.topic)
    this.#pubsub = pubsub
    for (const [node, peer] of this.#joined) this.#connect(node, peer)
  }

  async stop(): Promise<void> {
    const pubsub = this.#pubsub
    this.#pubsub = undefined
    // Closing waits without end for what is still queued to a peer that does not read.
    for (const { rawStream } of pubsub?.streamsOutbound.values() ?? []) {
      if (rawStream.writeBufferLength > 0) rawStream.abort(new Error('gossip stops'))
    }
    await pubsub?.stop()
  }

  /** Its caches and back-offs live by the wall clock: after a jump only a new life helps. */
  async restart(): Promise<void> {
    const streams = [
      ...(this.#pubsub?.streamsInbound.values() ?? []),
      ...(this.#pubsub?.streamsOutbound.values() ?? [])
    ]
    await this.stop()
    // Half closed they would seem alive to the others; reset, their watchdogs open new ones.
    for (const { rawStream } of streams) rawStream.abort(new Error('gossip starts anew'))
    await this.start()
  }

  /** A link came up. */
  join(peer: PeerId): void {
    this.#joined.set(peer.toString(), peer)
    this.#connect(peer.toString(), peer)
    this.#adaptDegrees()
  }

  /** A link went down. */
  leave(node: NodeId): void {
    const peer = this.#joined.get(node)
    if (peer === undefined) return
    this.#joined.delete(node)
    this.#missing.delete(node)
    this.#refused.delete(node)
    void this.#topology?.onDisconnect?.(peer)
    this.#adaptDegrees()
  }

  /** Resolves with the number of neighbours the message was queued for. */
  async publish(frame: Uint8Array): Promise<number> {
    if (frame.length > MAX_GOSSIP_BYTES) throw tooLarge('a gossip message', frame.length, MAX_GOSSIP_BYTES)
    if (this.#pubsub === undefined) throw stopped()
    const floodPublish = this.#reachesAll(frame.length)
    const message = this.#stamp.put(frame, floodPublish)
    this.counters.published += 1
    this.counters.publishedBytes += frame.length
    try {
      return (await this.#pubsub.publish(this.topic, message, { floodPublish })).recipients.length
    } catch (error) {
      this.#deps.logger.warn('A gossip message could not be published', { reason: reasonOf(error) })
      return 0
    }
  }

  #reachesAll(bytes: number): boolean {
    if (bytes > CIRCLE_MESSAGE_BYTES || !this.#deps.circle.isWhole()) return false
    return this.#pubsub?.getSubscribers(this.topic).length === this.#joined.size
  }

  /** Bytes queued to all peers and not yet taken over by their connections. */
  get queuedBytes(): number {
    return [...(this.#pubsub?.streamsOutbound.values() ?? [])].reduce(
      (sum, { rawStream }) => sum + rawStream.writeBufferLength,
      0
    )
  }

  /** Revives peers that are connected and mute, and gives up on those that stay so. */
  watch(): void {
    const pubsub = this.#pubsub
    if (pubsub === undefined) return
    for (const [node, peer] of this.#joined) {
      if (pubsub.peers.has(node) && pubsub.streamsOutbound.get(node)?.rawStream.status === 'open') {
        this.#missing.delete(node)
        continue
      }
      const misses = (this.#missing.get(node) ?? 0) + 1
      this.#missing.set(node, misses)
      if (misses >= GOSSIP_GIVE_UP_AFTER) this.#giveUp(node)
      else if (misses === GOSSIP_REVIVE_AFTER) this.#revive(node, peer)
    }
  }

  inspect(): { topics: string[]; mesh: string[]; subscribers: string[]; counters: GossipCounters } {
    return {
      topics: this.#pubsub?.getTopics() ?? [],
      mesh: [...(this.#pubsub?.mesh.get(this.topic) ?? [])],
      subscribers: (this.#pubsub?.getSubscribers(this.topic) ?? []).map(String),
      counters: { ...this.counters }
    }
  }

  inspectPeer(node: NodeId): {
    score: number
    inMesh: boolean
    outbound: boolean
    inbound: boolean
    queuedBytes: number
  } {
    const pubsub = this.#pubsub
    const outbound = pubsub?.streamsOutbound.get(node)
    return {
      score: pubsub?.score.score(node) ?? 0,
      inMesh: pubsub?.mesh.get(this.topic)?.has(node) === true,
      outbound: outbound?.rawStream.status === 'open',
      inbound: pubsub?.streamsInbound.has(node) === true,
      queuedBytes: outbound?.rawStream.writeBufferLength ?? 0
    }
  }

  #validate(from: PeerId, data: Uint8Array): TopicValidatorResult {
    this.counters.received += 1
    this.counters.receivedBytes += data.length
    const verdict = this.#judge(from, data)
    const { publisher, toAll } = verdict === 'accept' ? stampOf(data) : { publisher: '', toAll: false }
    if (toAll && this.#deps.circle.hasReachedAll(from.toString(), publisher)) {
      this.counters.firsthand += 1
      return TopicValidatorResult.Ignore
    }
    if (verdict === 'accept' && this.#mayForward(from.toString(), data.length)) {
      this.counters.accepted += 1
      return TopicValidatorResult.Accept
    }
    if (verdict !== 'reject') {
      this.counters.ignored += 1
      return TopicValidatorResult.Ignore
    }
    this.counters.rejected += 1
    return TopicValidatorResult.Reject
  }

  /** Taken in here it is; but we do not flood the others for one that floods us. */
  #mayForward(node: NodeId, bytes: number): boolean {
    const may = this.#forwarded.may(node, bytes)
    if (!may) this.counters.notForwarded += 1
    return may
  }

  #judge(from: PeerId, data: Uint8Array): GossipVerdict {
    if (data.length < STAMP_BYTES || data.length > STAMP_BYTES + MAX_GOSSIP_BYTES) return 'reject'
    if (!this.#deps.isMember(from)) return 'ignore'
    try {
      // A copy: the message is a view of a larger network buffer that would otherwise stay in memory with it.
      return this.#deps
        .share(from.toString())
        .working('gossip', () => this.#deps.heard(from.toString(), data.slice(STAMP_BYTES)))
    } catch (error) {
      this.#deps.logger.error('A gossip message could not be judged', {
        node: from.toString(),
        reason: reasonOf(error)
      })
      return 'ignore'
    }
  }

  /** Gossipsub passes over what it cannot decode; who sends more of it than a mistake would is not listened to. */
  #boundRpcs(pubsub: Internals): void {
    const { pipePeerReadStream } = pubsub
    pubsub.pipePeerReadStream = (peer, source) => {
      const node = peer.toString()
      const reader = Object.create(pubsub, {
        decodeRpc: { value: (bytes: Uint8Array) => this.#decoded(node, () => pubsub.decodeRpc(bytes)) },
        handleReceivedRpc: { value: (from: PeerId, rpc: unknown) => pubsub.handleReceivedRpc(from, rpc) }
      }) as Internals
      return pipePeerReadStream.call(reader, peer, source)
    }
  }

  /** Gossipsub asks all others not to send a large message too, before it is judged: a flood of them would be one of ours. */
  #boundDontWants(pubsub: Internals): void {
    const { sendIDontWants } = pubsub
    pubsub.sendIDontWants = (id, topic, source) => {
      if (this.#dontWants.may(source, 1)) sendIDontWants.call(pubsub, id, topic, source)
      else this.counters.notWarned += 1
    }
  }

  #decoded(node: NodeId, decode: () => unknown): unknown {
    try {
      return decode()
    } catch (error) {
      this.counters.refusedRpcs += 1
      const refused = (this.#refused.get(node) ?? 0) + 1
      this.#refused.set(node, refused)
      if (refused === GOSSIP_MAX_BAD_RPCS) this.#deps.hangUp(node, `sends gossip beyond the limits: ${reasonOf(error)}`)
      throw error
    }
  }

  #connect(node: NodeId, peer: PeerId): void {
    const connection = this.#deps.connections(node)[0]
    if (connection !== undefined) void this.#topology?.onConnect?.(peer, connection)
  }

  #revive(node: NodeId, peer: PeerId): void {
    this.counters.revived += 1
    this.#deps.logger.info('Reviving gossip with a peer that is connected and mute', { node })
    // A stream that was reset while it was opened stays in the table, dead, and would keep a new one from being made.
    this.#pubsub?.streamsOutbound.delete(node)
    this.#connect(node, peer)
  }

  #giveUp(node: NodeId): void {
    this.counters.givenUp += 1
    this.#missing.delete(node)
    this.#deps.hangUp(node, 'gossip stays mute')
  }

  #adaptDegrees(): void {
    if (this.#pubsub !== undefined) Object.assign(this.#pubsub.opts, degreesFor(this.#joined.size))
  }

  /** The registrar gossipsub sees: its streams are served for peers that are up only, and we tell it who connects. */
  #registrar(): Components['registrar'] {
    const real = this.#deps.components.registrar
    const seen = {
      handle: (protocol: string, handler: StreamHandler, options?: StreamHandlerOptions) =>
        real.handle(protocol, (stream, connection) => this.#serve(handler, stream, connection), {
          ...options,
          force: true
        }),
      unhandle: (protocol: string) => real.unhandle(protocol),
      register: (_: string, topology: Topology) => {
        this.#topology = topology
        return Promise.resolve('links')
      },
      unregister: () => undefined
    }
    return seen as unknown as Components['registrar']
  }

  async #serve(handler: StreamHandler, stream: Stream, connection: Connection): Promise<void> {
    try {
      if (!this.#deps.isMember(connection.remotePeer)) throw new Error('not a member')
      await this.#deps.admitted(connection.remotePeer)
      const node = connection.remotePeer.toString()
      const inbox = gossipInbox(stream, {
        share: this.#deps.share(node),
        broken: (error) => this.#deps.hangUp(node, error.message)
      })
      await handler(inbox, connection)
    } catch (error) {
      stream.abort(error instanceof Error ? error : new Error(reasonOf(error)))
    }
  }

  /** Not by whose link is up: what a peer sent before it left is still to be heard. */
  #appScore(node: string): number {
    return this.#deps.isMember(this.#joined.get(node) ?? peerIdOf(node)) ? 0 : REVOKED_SCORE
  }
}

/** The components object of libp2p is a proxy that cannot be spread. */
function pick({ privateKey, peerId, peerStore, registrar, connectionManager, logger }: Components): Components {
  return { privateKey, peerId, peerStore, registrar, connectionManager, logger }
}
