/** What the command line needs of the node itself. `src/node.ts` provides it; `run.ts` alone imports that. */
import type { Config } from '../config.js'
import type {
  CatalogReader,
  ControlTarget,
  InvitationView,
  InviteRequest,
  InviteView,
  Role,
  StatusView
} from '../control/target.js'
import type { Logger } from '../runtime.js'

export interface RunningNode {
  readonly control: ControlTarget
  /** Orderly stop; may be called twice. */
  stop(): Promise<void>
  /** Resolves when the node has stopped, whoever asked for it; rejects when it failed. */
  readonly stopped: Promise<void>
  readonly multiaddrs: string[]
  readonly node: string
}

export interface OfflineHome {
  readonly reader: CatalogReader & { status?(): Promise<StatusView> }
  close(): Promise<void>
}

export interface BackupView {
  node: string
  name: string
  clusterName: string
  /** ISO 8601. */
  created: string
  records: number
  blobs: number
  bytes: number
  /** Damaged places of the log, and blobs that could not be read: they are not in the backup. */
  damaged: readonly object[]
  missingBlobs: readonly object[]
}

export interface RebuildView {
  records: number
  entries: number
  waiting: number
  damaged: number
  root: string
}

export interface ReidentifyView {
  node: string
  was?: string
  recordsSetAside: number
  entriesReissued: number
}

/** What a look through a GeoServer data directory found. */
export interface DirectoryView {
  files: number
  objects: number
  references: number
  dangling: number
  duplicateIds: number
  faults: number
  kinds: Readonly<Record<string, number>>
  sharing: Readonly<Record<string, number>>
  findings: ReadonlyArray<{ word: string; severity: 'fault' | 'note'; path: string; message: string }>
}

export interface Lifecycle {
  /** Makes node key and one-node cluster; throws `home-exists`. */
  initHome(options: {
    home: string
    clusterName?: string
    nodeName?: string
  }): Promise<{ node: string; cluster: string; clusterName: string }>
  joinCluster(options: {
    home: string
    token: string
    adopt: 'merge' | 'cluster'
    mdns: boolean
    peers: string[]
    nodeName?: string
    timeoutMs: number
  }): Promise<{ node: string; cluster: string; clusterName: string; role: Role }>
  startNode(config: Config, hooks: { logger: Logger }): Promise<RunningNode>
  /** Reads a home no daemon runs on; throws `home-missing`, `home-locked`. */
  openOffline(home: string): Promise<OfflineHome>
  /** Reads all of a backup; throws `not-found`, `backup-damaged`, `store-newer`. */
  checkBackup(file: string): Promise<BackupView>
  /** Throws what `checkBackup` throws, and `not-empty`. */
  restoreHome(options: { file: string; home: string }): Promise<BackupView>
  /** Throws `home-missing`, `home-locked`. */
  rebuildIndex(options: { home: string; onProgress?: (records: number) => void }): Promise<RebuildView>
  /** Throws `home-missing`, `home-locked`, `role-forbids`, and what `joinCluster` throws. */
  reidentify(options: {
    home: string
    token?: string
    newKey?: boolean
    name?: string
    mdns: boolean
    peers: string[]
    timeoutMs: number
  }): Promise<ReidentifyView>
  /** Needs no home. Throws `not-found`, `not-a-directory`, `file-unreadable`, `config-invalid`. */
  checkDataDirectory(
    dir: string,
    options: { rules: readonly string[]; progress?: (files: number) => void }
  ): Promise<DirectoryView>
  createInviteOffline(options: InviteRequest & { home: string }): Promise<InviteView>
  /** Signs with a root key; needs no home. Throws `token-malformed`, `token-foreign`, `not-found`, `home-unsafe`. */
  signRequest(options: { file: string; request: string }): Promise<{ certificate: string; node: string; name: string }>
  /** Throws `home-missing`, `not-found`, `not-empty`. */
  moveRoot(options: { home: string; file: string }): Promise<{ file: string; cluster: string }>
  /** Throws `not-found`, `role-forbids`, `home-locked`. */
  revokeInviteOffline(options: { home: string; invite: string }): Promise<InvitationView>
}
