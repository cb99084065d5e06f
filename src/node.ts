/** The composition root: what the command line and programs start. The parts meet in node/. */
import type { Config } from './config.js'
import type { Logger } from './runtime.js'
import type { ControlTarget, EntryWithBody } from './control/target.js'
import { Daemon, type EntryListener } from './node/daemon.js'

export { checkDataDirectory } from './adapters/index.js'
export { createInviteOffline, revokeInviteOffline } from './node/invitations.js'
export { initHome, joinCluster } from './node/setup.js'
export { openOffline } from './node/offline.js'
export { checkBackup, restoreHome } from './node/restore.js'
export { rebuildIndex } from './node/rebuild.js'
export { reidentify } from './node/reidentify.js'
export { moveRoot, signRequest } from './node/root.js'

export interface RunningNode {
  readonly control: ControlTarget
  /** Orderly stop; may be called twice. */
  stop(): Promise<void>
  /** Resolves when the node has stopped, whoever asked for it; rejects when it failed. */
  readonly stopped: Promise<void>
  readonly multiaddrs: string[]
  /** Its id, which another key changes. */
  readonly node: string
  /**
   * All entries with the bytes of small files, or of these ids those that are listed, in this order: what `control.list` and
   * `control.open` give, for many in a fraction of the time. What changes meanwhile is read as it is then.
   */
  read(ids?: Iterable<string>): AsyncIterable<EntryWithBody>
  /** Tells which entries changed, after they are durable and readable; returns the function that ends it. */
  onEntriesChanged(listener: EntryListener): () => void
}

/** Starts the node of `config.home`. Throws `home-missing`, `home-locked`, `listen-failed`, `store-failed`. */
export async function startNode(config: Config, hooks: { logger: Logger }): Promise<RunningNode> {
  const daemon = new Daemon(config, hooks.logger)
  await daemon.start()
  return {
    control: daemon.control,
    stop: () => daemon.stop(),
    stopped: daemon.stopped,
    // both change with its key
    get multiaddrs() {
      return daemon.multiaddrs
    },
    get node() {
      return daemon.node
    },
    read: (ids) => daemon.control.read(ids),
    onEntriesChanged: (listener) => daemon.onEntriesChanged(listener)
  }
}
