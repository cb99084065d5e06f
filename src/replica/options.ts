/** What a replica is given, what it may be told, and what it tells. */
import type { ConflictChange } from '../catalog/index.js'
import type { KeyPair } from '../identity/index.js'
import type { DamagedRange } from '../log/index.js'
import type { Clock, Disk, Logger, NodeId, PeerInfo, Random, Transport } from '../runtime.js'
import type { Throttled } from '../share.js'
import type { Store } from '../store/index.js'
import type { SyncOptions } from '../sync/index.js'
import type { Beside, SignedRecord } from '../wire/index.js'
import type { Contents } from './checkpoint/contents.js'
import type { HeldRecord } from './quarantine.js'

export interface ReplicaDeps {
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly disk: Disk
  readonly store: Store
  readonly transport: Transport
  readonly keys: KeyPair
  /** Where the pieces of checkpoints are kept; absent: none are made, and none is taken over. */
  readonly contents?: Contents
  /** See Intake. */
  readonly verify?: (publicKey: Uint8Array, bytes: Uint8Array, signature: Uint8Array) => Promise<boolean>
  /** See Intake. */
  readonly verifyNow?: (publicKey: Uint8Array, bytes: Uint8Array, signature: Uint8Array) => boolean
}

export interface ReplicaOptions {
  /** 32 hex. */
  readonly cluster: string
  readonly sync?: Partial<SyncOptions>
  readonly maxSegmentBytes?: number
  /** The home was restored, copied or given another key: nothing is ever written to the logs it holds. */
  readonly freshEpoch?: boolean
  /** Logs of its own of which this node held another branch than its peers when it last heard of them. */
  readonly parted?: Iterable<string>
  /** Records indexed again so far, while the index is made from the log. */
  readonly onProgress?: (records: number) => void
}

/** Facts for those who follow what happens here. */
export interface ReplicaEvents {
  /** Entries changed; `local` when by this node's own writing. */
  entriesChanged?(ids: ReadonlySet<string>, local: boolean): void
  conflictChanged?(change: ConflictChange): void
  /** A peer was found to hold the same records and the same catalog, after it had not. */
  inSync?(node: NodeId): void
  membersChanged?(keys: readonly Uint8Array[]): void
  /** These keys were members and are no more. */
  membersRemoved?(keys: readonly Uint8Array[]): void
  recordRejected?(record: SignedRecord, reason: string): void
  /** A record could not be folded here and is held, or is held no more. */
  recordHeld?(record: HeldRecord, open: boolean): void
  forkFound?(log: string, author: NodeId): void
  /** What a peer's clock says, and how far that is ahead of ours, ms. */
  clockHeard?(node: NodeId, aheadMs: number): void
  /** What a peer says of the system it runs beside. */
  besideHeard?(node: NodeId, beside: Beside | undefined): void
  /** This node holds another branch of this log than its peers, or does so no longer. */
  logParted?(log: string, parted: boolean): void
  /** A peer has a checkpoint in place of records that this node lacks. */
  checkpointNeeded?(from: NodeId): void
  /** A record we hold did not read back. */
  recordDamaged?(id: string): void
  /** Another process writes under this node's key. */
  twinFound?(): void
  /** A member's records come faster than its share, or do so no more. */
  throttled?(node: NodeId, state: Throttled | undefined): void
  peerUp?(peer: PeerInfo): void
  peerDown?(node: NodeId): void
}

export interface OpenReport {
  readonly indexed: number
  readonly damaged: readonly DamagedRange[]
  readonly cutBytes: number
}
