/**
 * What the local HTTP API needs of a node. `node.ts` satisfies it for a running daemon and `cli/offline.ts` the reading
 * part for a stopped home. Every shape here is JSON: bytes are hex or come as streams, times are ISO 8601 text.
 */
import type { NodeId } from '../runtime.js'
import type { ErrorCode } from '../errors.js'
import type { AdoptionView, DriftView, RestoredView } from './drift-views.js'
import type { QuarantineView } from './quarantine-views.js'
import type { WaitingView } from './waiting-views.js'
import type {
  AppointedView,
  InvitationView,
  InviteRequest,
  InviteView,
  KeyRotationView,
  RemovalView,
  RotationView,
  SalvageLine,
  Role
} from './member-views.js'

export type * from './checkpoint-views.js'
export type * from './drift-views.js'
export type * from './quarantine-views.js'
export type * from './member-views.js'
export type * from './waiting-views.js'

/** Log id (32 hex) -> newest sequence number held. */
export type VectorView = Readonly<Record<string, number>>

export interface SpaceStatus {
  name: string
  entries: number
  conflicts: number
  /** Entries complete in the catalog but not yet in the target, and records waiting for what they build on. */
  waiting: number
  /** 64 hex characters; equal root means equal catalog. */
  root: string
  vector: VectorView
}

export interface ProblemView {
  code: ErrorCode
  path?: string
  message: string
  next: string
  since: string
}

export interface TargetStatus {
  adapter: string
  dir: string
  state: 'scanning' | 'watching' | 'stopped' | 'error'
  /** Paths whose target content differs from the catalog and is not adopted (nodes that may not write). */
  drift: string[]
  lastScan?: { at: string; ms: number; entries: number }
  /** References in the target that lead nowhere, as their author had them; see `GET /v1/waiting`. */
  broken: number
  /** How far the running GeoServer knows what lies in its directory; absent: it is not told. */
  telling?: TellingStatus
}

export interface TellingStatus {
  /** Of the running GeoServer, such as `2.26.2`; absent until it said so. */
  version?: string
  state: 'told' | 'telling' | 'reload-due' | 'unreachable' | 'unauthorized'
  /** Files it was not told of yet. */
  owed: number
  /** Why nothing can be told now. */
  reason?: string
  /** Reloads since this node started, and how long service was disturbed by the last, ms. */
  reloads: number
  lastReload?: { at: string; ms: number }
  /** What GeoServer does not take, with its reason; it is tried again. */
  failed: Array<{ path: string; about: string; reason: string; since: string }>
  /** Plugins that this GeoServer lacks, how many objects need each, and the first five of those in words. */
  lacks: Array<{ plugin: string; objects: number; about: string[] }>
  /** Files of which it keeps in its memory only a part, and elements it left out; they are kept for the others. */
  leftOut: Array<{ path: string; elements: string[] }>
}

export interface PeerStatus {
  node: NodeId
  name?: string
  role: Role | 'unknown'
  /** Paths it may write to, and below; absent: everywhere its role may. */
  scope?: readonly string[]
  /** Its certificate has run out: it needs a new invitation. Absent: it has not. */
  expired?: true
  connected: boolean
  rttMs?: number
  found?: string
  addresses: string[]
  /** null: not connected or not known yet. */
  inSync: boolean | null
  /** Records this peer has and we do not, and the other way round. */
  behind: number
  ahead: number
  /** It wants more than its share of this node and is slowed: for what, and since when. */
  throttled?: { reason: string; since: string }
  /** What runs beside it, as it said itself, and plugins which that lacks. Absent: nothing, not known, or not connected. */
  beside?: { system: string; lacks: readonly string[] }
}

export interface StatusView {
  node: NodeId
  name: string
  cluster: string
  clusterName: string
  /** `none`: it was removed, or has not heard of its admission yet. */
  role: Role | 'none'
  /** As `PeerStatus.scope`. */
  scope?: readonly string[]
  state: 'starting' | 'running' | 'read-only' | 'stopping' | 'stopped'
  version: string
  since: string
  listen: string[]
  peers: PeerStatus[]
  spaces: SpaceStatus[]
  target?: TargetStatus
  blobs: {
    stored: number
    bytes: number
    /** Since the daemon was started: what nothing named any more. */
    letGo: { count: number; bytes: number }
    wanted: number
    fetching: Array<{ hash: string; size: number; have: number }>
  }
  /** Records of this node that no other node is known to hold durably. */
  unreplicated: number
  problems: ProblemView[]
}

export interface EntryLine {
  path: string
  id: string
  kind: 'file' | 'dir'
  size: number
  hash?: string
  exec: boolean
  /** When and by whom its newest value was written. */
  time: string
  author: NodeId
  conflict: boolean
  /** What the adapter knows the file to hold; absent: nothing besides that it is a file. */
  object?: ObjectView
}

/** What a reading of many entries gives. */
export interface EntryWithBody {
  entry: EntryLine
  /** The bytes of a file of at most 16 KiB; larger ones, and those whose bytes have not arrived, are asked for by themselves. */
  body?: Uint8Array
}

/** An object of the system behind the target, such as a layer. */
export interface ObjectView {
  kind: string
  /** With its workspace before it, as in `coast:contours`. */
  name: string
}

export interface TupleView {
  field: string
  value: unknown
  time: string
  author: NodeId
  /** The record that wrote it. */
  dot: { log: string; epoch: string; seq: number }
  wins: boolean
}

export interface ConflictView {
  kind: 'field' | 'edit-delete' | 'name' | 'cycle'
  field?: string
  note: string
}

export interface EntryView extends EntryLine {
  parent: string
  order: string | null
  deleted: boolean
  tuples: TupleView[]
  conflicts: ConflictView[]
  canonicalHash: string
}

export interface DocView {
  path: string
  id: string
  /** Yjs client id -> clock. */
  stateVector: Record<string, number>
  clients: Array<{ client: string; author: NodeId; epoch: string; clock: number }>
  tuples: TupleView[]
  tombstones: Array<{ client: string; clock: number; length: number }>
  structs: number
  bytes: number
}

export interface RecordLine {
  id: string
  space: string
  author: NodeId
  log: string
  epoch: string
  seq: number
  depth: number
  time: string
  deps: Array<{ log: string; seq: number }>
  ops: string[]
  size: number
  /** `forked`: it contradicts the record that is held at its place, and is kept as proof. */
  state: 'applied' | 'waiting' | 'rejected' | 'void' | 'forked'
  reason?: string
}

export interface HistoryLine {
  time: string
  author: NodeId
  record: string
  seq: number
  change: string
  size?: number
  hash?: string
}

export interface VerifyView {
  equal: boolean
  root: string
  nodes: Array<{ node: NodeId; name?: string; reachable: boolean; root?: string; equal: boolean }>
  differences: Array<{ path: string; id: string; nodes: NodeId[] }>
}

export interface WriteReceipt {
  path: string
  id: string
  record: string | null
  seq: number | null
  /** False when the content was already the same and no record was needed. */
  changed: boolean
  /** Other nodes that hold it durably; only when they were waited for. */
  replicas?: number
}

/** What a scrub has read so far. */
export interface ScrubCounts {
  records: number
  /** Rows of the index, small bodies among them. */
  rows: number
  blobs: number
  bytes: number
}

/** Something acknowledged that is damaged here and was on no node that answers. */
export type LossView =
  | { kind: 'record'; log: string; author: NodeId; seq: number; paths: string[] }
  | { kind: 'blob'; hash: string; size: number; paths: string[] }
  /** Bytes of the log of which nobody can tell what they held. */
  | { kind: 'range'; segment: number; offset: number; length: number }

export interface ScrubReport {
  checked: ScrubCounts
  /** Things found damaged, whatever became of them. */
  damaged: number
  healed: number
  lost: LossView[]
  /** Why the index will be made again from the log, if it will. */
  rebuild?: string
}

export type ScrubLine = { progress: ScrubCounts } | { report: ScrubReport }

/** A fact in the past tense. */
export interface EventView {
  seq: number
  time: string
  event:
    | 'entry-changed'
    | 'entry-removed'
    | 'conflict-opened'
    | 'conflict-closed'
    | 'peer-joined'
    | 'peer-removed'
    | 'peer-connected'
    | 'peer-disconnected'
    | 'peer-throttled'
    | 'peer-unthrottled'
    | 'in-sync'
    | 'record-rejected'
    | 'fork-found'
    | 'file-written'
    | 'file-imported'
    | 'entry-reconciled'
    | 'drift-found'
    | 'drift-ended'
    | 'problem-opened'
    | 'problem-closed'
    | 'blob-progress'
    | 'blob-completed'
    | 'damage-found'
    | 'scrub-finished'
    | 'scan-finished'
    | 'node-started'
    | 'node-stopping'
  [fact: string]: unknown
}

export type InspectTopic = 'heads' | 'vector' | 'log' | 'gossip' | 'store' | 'checkpoint'

/** The reading half: also answered for a stopped node's home. */
export interface CatalogReader {
  /** All entries below `path` ('' is the root), parents before children, siblings in order. */
  list(path: string): AsyncIterable<EntryLine>
  /** The bytes of a file; `path` may be `id:<32 hex>`; `hash` asks for one value of a conflict. Throws not-found, not-a-file, blob-missing. */
  open(path: string, options?: { hash?: string }): Promise<{ entry: EntryLine; body: AsyncIterable<Uint8Array> }>
  history(path: string): Promise<HistoryLine[]>
  inspect(topic: InspectTopic): Promise<unknown>
  inspectLog(options: { limit: number; log?: string }): AsyncIterable<RecordLine>
  record(id: string): Promise<RecordLine & { body: unknown }>
  entry(path: string): Promise<EntryView>
  doc(path: string): Promise<DocView>
  /** All that were ever issued, the one that ends last first. */
  invitations(): Promise<InvitationView[]>
  /** What the holder of the root key signs to make this node an admin. */
  appointmentRequest(): Promise<{ request: string }>
  /** What removed members wrote that counts nowhere, oldest first. */
  salvage(): Promise<SalvageLine[]>
  /** A content among it. Throws not-found, blob-missing. */
  salvageBody(record: string, hash: string): Promise<AsyncIterable<Uint8Array>>
  /** What could not be applied here. A stopped node knows of records only. */
  quarantine(): Promise<QuarantineView>
  /** Everything that makes this node, as one consistent stream of bytes; see `grapevine backup`. */
  backup(): AsyncIterable<Uint8Array>
  /** Reads everything that is stored and heals what it can; progress now and then, the report last. */
  scrub(options: { signal?: AbortSignal }): AsyncIterable<ScrubLine>
  /** Takes note of what is lost: writing goes on without it. Answers what was lost. */
  acknowledgeLosses(): Promise<LossView[]>
  /** For a stopped node: only itself. */
  verify(options: { waitMs: number; signal?: AbortSignal }): Promise<VerifyView>
}

export interface PutOptions {
  exec?: boolean
  /** Wait until so many other nodes hold the change durably. */
  replicated?: number
  /** How long to wait for them, ms; then `not-replicated`. */
  timeoutMs?: number
}

export interface ControlTarget extends CatalogReader {
  status(): Promise<StatusView>
  peers(): Promise<PeerStatus[]>
  put(path: string, body: AsyncIterable<Uint8Array>, options?: PutOptions): Promise<WriteReceipt>
  /** Proposes a checkpoint now; `awaited`: names of those who are to vouch for it. Throws role-forbids. */
  compact(): Promise<{ proposal: string; awaited: string[] }>
  /** Many small files in one call: packed into as few records as the caps allow. */
  putMany(files: Array<{ path: string; body: Uint8Array }>): Promise<WriteReceipt[]>
  remove(path: string): Promise<WriteReceipt>
  move(from: string, to: string, options?: { before?: string }): Promise<WriteReceipt>
  /** Throws role-forbids, usage. */
  invite(options: InviteRequest): Promise<InviteView>
  /** Takes an invitation back. Throws not-found, role-forbids. */
  revokeInvitation(invite: string): Promise<InvitationView>
  /** Secrets that were published, the newest first. */
  secrets(): Promise<RotationView[]>
  /** This node goes on under another key as soon as its peers know it. Throws role-forbids. */
  rotateKey(): Promise<KeyRotationView>
  /** Publishes another secret. Throws role-forbids. */
  rotateSecret(): Promise<RotationView[]>
  /** Drops all but the newest secret, whoever does not hold that yet. Throws role-forbids, not-found. */
  dropSecrets(): Promise<RotationView[]>
  /** Makes an appointment by the root known. Throws token-malformed, token-foreign, role-forbids. */
  appoint(certificate: string): Promise<AppointedView>
  /** Removes a member. Throws not-found, role-forbids, usage. */
  removeMember(options: { node: NodeId; since?: number }): Promise<RemovalView>
  /** What is in the catalog and not in the target yet, and what is broken in the target. */
  waiting(): Promise<WaitingView>
  /** Tries what could not be applied again: all of it, or one record (its id, or 8 hex of it) or path. Throws not-found. */
  retryQuarantined(what?: string): Promise<QuarantineView>
  /** Leaves the entry at a path as the target has it until it changes. Throws not-found, and drop-refused for a record. */
  dropQuarantined(what: string): Promise<QuarantineView>
  /** Changes of the target that this node may not make in the catalog, by path. */
  drift(): Promise<DriftView[]>
  /** Those at and below the paths make way, all without any. Throws not-found. */
  restoreDrift(paths?: readonly string[]): Promise<RestoredView[]>
  /** Those are proposed to nodes that may write there. Throws not-found. */
  adoptDrift(paths?: readonly string[]): Promise<AdoptionView[]>
  /** Events from now on until the signal aborts. */
  events(signal: AbortSignal): AsyncIterable<EventView>
  /** Starts an orderly stop; resolves before the process ends. */
  shutdown(): Promise<void>
}
