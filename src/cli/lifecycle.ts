/** What the command line needs of the node itself. `src/node.ts` provides it; `run.ts` alone imports that. */
import type { Config } from '../config.js'
import type { CatalogReader, ControlTarget, Role, StatusView } from '../control/target.js'
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

export interface InviteView {
  token: string
  /** ISO 8601. */
  expires: string
  role: Role
  uses: number
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
  createInviteOffline(options: { home: string; role: Role; expiresMs: number; uses: number }): Promise<InviteView>
}
