/** What the network part needs from outside, and what it offers. */
import type { Clock, Lane, Logger, NodeId, Random, Startable, Transport, TransportHandler } from '../runtime.js'
import type { Share, Throttled } from '../share.js'
import type { AddressStore } from './book.js'
import type { Secrets } from './encryption.js'
import type { Discovery } from './discovery.js'
import type { DegreeOptions } from './degree.js'
import type { DoorCounters } from './door.js'
import type { GateCounters, Membership } from './gate.js'
import type { GossipCounters } from './gossip.js'
import type { JoinCounters, JoinHandler } from './join-desk.js'
import type { MannersCounters } from './manners.js'
import type { RedialOptions } from './redial.js'
import type { WatchOptions } from './watch.js'

export interface NetworkDeps {
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly membership: Membership
  readonly addressBook: AddressStore
  /** A member began to be slowed, or is slowed no more. */
  throttled?(node: NodeId, state: Throttled | undefined): void
}

export interface NetworkOptions {
  /** 32 bytes, the node's Ed25519 private key. */
  readonly privateSeed: Uint8Array
  /** 16 bytes. */
  readonly clusterId: Uint8Array
  /** What every member knows; part of the handshake. Asked for anew when they have changed. */
  readonly secrets: () => Secrets
  /** Multiaddrs to listen on; none: this node only dials. */
  readonly listen: readonly string[]
  /** Multiaddrs to keep a connection to, with or without `/p2p/`. */
  readonly peers: readonly string[]
  readonly mdns: boolean
  /** Which listening addresses are told to others. Default: those another machine can use, or all if there is none. */
  readonly announce?: (address: string) => boolean
  /** In place of multicast DNS. */
  readonly discovery?: Discovery
  readonly redial?: RedialOptions
  /** How many links there are of many members. */
  readonly degree?: DegreeOptions
  /** A connection on which nothing is read for `doubtMs` is checked by making another, after `silentMs` it is closed. */
  readonly pulse?: { readonly doubtMs?: number; readonly silentMs?: number }
  readonly watch?: WatchOptions
}

export interface Network extends Transport, Startable {
  /** Listening addresses that others can dial, each with `/p2p/`; empty before start. */
  multiaddrs(): string[]
  /** To be called when members came or went. */
  membershipChanged(): void
  /** To be called when the cluster's secrets are others. */
  secretsChanged(): void
  /** Whom a member may ask that is let in nowhere. */
  waysBack(): WayBack[]
  /** Serves the join protocol while `strangersAllowed()`; undefined ends it. */
  handleJoin(handler: JoinHandler | undefined): void
  /** Called when a key (ours or a peer's) runs in two processes. Returns the function that ends it. */
  onDuplicateIdentity(listener: (node: NodeId) => void): () => void
  /** Gives the address book to its store now; otherwise that happens a second after a change. */
  saveAddresses(): void
  /** Members that are slowed because they want more than their share. */
  throttled(): Map<NodeId, Throttled>
  inspect(): NetworkInspection
}

export interface WayBack {
  /** Undefined: whoever answers there, for its key may be another one now. */
  readonly node: NodeId | undefined
  readonly addresses: readonly string[]
  /** Somebody there lets us in nowhere, or nobody at all is connected; otherwise who was there may just be stopped. */
  readonly isUrgent: boolean
}

export interface LaneInspection {
  readonly lane: Lane
  readonly open: boolean
  readonly inFlight: number
  readonly queuedBytes: number
  readonly serving: number
  readonly answersQueuedBytes: number
}

export interface PeerInspection {
  readonly node: NodeId
  readonly connections: readonly {
    direction: string
    address: string
    /** Names the secret it was made with. */
    encryption: string
    streams: number
    rttMs?: number
  }[]
  readonly gossip: { score: number; inMesh: boolean; outbound: boolean; inbound: boolean; queuedBytes: number }
  readonly lanes: readonly LaneInspection[]
  /** Bytes of answers it has not let us send. */
  readonly unsentAnswerBytes: number
  readonly throttled?: Throttled
}

export interface NetworkInspection {
  readonly self: NodeId
  readonly addresses: readonly string[]
  readonly topics: readonly string[]
  readonly mesh: readonly NodeId[]
  readonly subscribers: readonly NodeId[]
  readonly counters: GossipCounters
  readonly gate: GateCounters & { strangers: number }
  /** What was refused or ended at the door, and why: see door.ts, join-desk.ts, manners.ts. */
  readonly door: DoorCounters & { pending: number; crowded: number }
  readonly joins: JoinCounters
  readonly manners: MannersCounters
  readonly peers: readonly PeerInspection[]
  readonly redial: readonly {
    target: string
    addresses: string[]
    attempts: number
    dueInMs: number
    lastError?: string
  }[]
}

/** What one life of the network asks the object that outlives it. */
export interface RunEvents {
  handler(): TransportHandler
  joinHandler(): JoinHandler | undefined
  duplicate(node: NodeId): void
  share(node: NodeId): Share
}
