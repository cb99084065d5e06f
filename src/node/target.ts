/** What this node shares: the adapter, what it held when it was last looked at, and the sync between it and the catalog. */
import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { RootIdentity, TellingView } from '../adapters/index.js'
import type { BlobFetcher } from '../blobs/index.js'
import type { Config } from '../config.js'
import type { Fact } from '../control/index.js'
import type { Members } from '../identity/index.js'
import { GrapevineError, reasonOf } from '../errors.js'
import {
  Base,
  type Reconciler,
  TargetSync,
  type DriftEnd,
  type DriftItem,
  type Problem,
  type TargetSyncEvents
} from '../publish/index.js'
import { systemClock } from '../runtime-node.js'
import type { Logger } from '../runtime.js'
import { destroyStore, openStore, Overlay, type LevelStore } from '../store/index.js'
import { hexOf } from '../wire/index.js'
import type { Adoption } from './adoption.js'
import { DriftDesk } from './drift-desk.js'
import { HOME_DIRS, type Home } from './home.js'
import { makeAdapter, type TargetAdapter } from './make-adapter.js'
import { makeReconciler } from './make-reconciler.js'
import { mayWrite } from './may-write.js'
import type { Opened } from './open.js'
import { readRoot, writeRoot } from './root-file.js'
import { sharedOptions } from './shared-dir.js'
import type { Systems } from './systems.js'
import type { Broken } from './waiting.js'
import type { Views } from './views.js'

/** How long the first scan of a newcomer waits for the cluster's catalog, ms: importing what it already has is waste. */
const FIRST_SYNC_MS = 60_000
const FIRST_SYNC_POLL_MS = 50

export interface NodeTargetDeps {
  readonly config: Config
  readonly logger: Logger
  readonly home: Home
  readonly opened: Opened
  readonly views: Views
  readonly fetcher: BlobFetcher
  readonly adoption: Adoption
  readonly systems: Systems
  emit(fact: Fact): void
  /** Whether the node is being stopped. */
  ending(): boolean
}

export class NodeTarget {
  readonly sync: TargetSync
  readonly drift: DriftDesk
  readonly #reconciler: Reconciler | undefined
  readonly store: LevelStore
  readonly #adapter: TargetAdapter
  readonly #deps: NodeTargetDeps
  readonly #root: RootIdentity | undefined

  private constructor(
    deps: NodeTargetDeps,
    { adapter, store, rows, root }: Remembered & { adapter: TargetAdapter; rows: Overlay }
  ) {
    const { config, home, logger, opened, views, fetcher, adoption } = deps
    const { replica, blobs } = opened
    const rank = (): number => rankAmong(replica.members, home.keys.publicKey).rank
    this.#deps = deps
    this.#adapter = adapter
    this.#root = root
    this.store = store
    this.sync = new TargetSync(
      {
        adapter,
        reader: replica.reader,
        sink: { change: (change, { bytes, time }) => replica.change(change, bytes, time) },
        base: new Base({ rows, store }),
        clock: systemClock,
        logger,
        bodies: {
          has: (ref) => views.hasBytes(ref),
          want: (ref) => fetcher.want(ref),
          source: (ref) => views.bytes(ref),
          store: (bytes) => blobs.put(bytes)
        },
        mayWrite: (path, kind) => mayWrite(replica.members, home.keys.publicKey, path, kind),
        driftPolicy: (path) => adoption.rules.policyOf(path),
        asideDir: join(home.path, HOME_DIRS.aside)
      },
      {
        rescanIntervalMs: config.rescanIntervalMs,
        adopt: this.#adopt(),
        newcomer: home.cluster.joined,
        ...sharedOptions(config, rank)
      },
      this.#events()
    )
    deps.systems.watch(() => this.telling())
    // what it wrote would reach no directory
    if (!config.sharedDir) this.#reconciler = makeReconciler(adapter, deps, rank)
    this.drift = new DriftDesk({
      sync: this.sync,
      adoption,
      read: (file) => adapter.read(file),
      clock: systemClock,
      logger
    })
  }

  /** Opens what was known of the directory; nothing in it is read or written before `start`. */
  static async open(deps: NodeTargetDeps): Promise<NodeTarget> {
    const { config, home, logger } = deps
    const { store, root } = await remembered(home.path, config.dir, logger)
    const rows = new Overlay({ store })
    // a directory that others have, too, is mounted, not made
    if (!config.sharedDir) await mkdir(config.dir, { recursive: true })
    const members = (): { rank: number; nodes: number } => rankAmong(deps.opened.replica.members, home.keys.publicKey)
    const adapter = makeAdapter({ config, logger, home: home.path, rows, store, members, root })
    return new NodeTarget(deps, { adapter, store, rows, root })
  }

  /** How far the system behind the directory knows what lies in it; undefined: nobody tells it. */
  telling(): TellingView | undefined {
    return this.#adapter.telling?.()
  }

  /** References in the directory that lead nowhere, at most `limit` of them named. */
  broken(limit: number): Broken {
    return this.#adapter.broken?.(limit) ?? { count: 0, references: [] }
  }

  /** A newcomer first takes what the cluster has. Never throws: a directory that cannot be used is a problem to be shown. */
  async start(): Promise<void> {
    const { home, config, logger } = this.#deps
    try {
      if (home.cluster.joined && (await this.sync.isFirst())) await this.#firstSync()
      if (this.#deps.ending()) return
      await this.#adapter.start()
      await this.#noteRoot()
      if (this.#deps.ending()) return await this.#adapter.stop()
      await this.sync.start()
      this.drift.start()
      await this.#reconciler?.start()
    } catch (error) {
      await this.#adapter.stop()
      const problem =
        error instanceof GrapevineError
          ? error
          : new GrapevineError('internal', reasonOf(error), { next: 'see the log' })
      logger.error('The shared directory cannot be used.', {
        dir: config.dir,
        code: problem.code,
        reason: problem.message
      })
      this.sync.problems.open('', problem, Date.now())
    }
  }

  /** Entries of the catalog changed. */
  changed(ids: Iterable<string>): void {
    this.sync.changed(ids)
    this.#reconciler?.changed(ids)
  }

  bodyArrived(hash: string): void {
    this.sync.bodyArrived(hash)
    this.#reconciler?.bodyArrived(hash)
  }

  async stop(): Promise<void> {
    await this.#reconciler?.stop()
    await this.drift.stop()
    await this.sync.stop()
  }

  /** Durable before anything is remembered of the directory, so that it is never held against another one. */
  async #noteRoot(): Promise<void> {
    const { home, config } = this.#deps
    const seen = this.#adapter.rootIdentity!
    if (seen.ino !== this.#root?.ino || seen.dev !== this.#root.dev) await writeRoot(home.path, config.dir, seen)
  }

  #adopt(): 'merge' | 'cluster' {
    const { home, config } = this.#deps
    if (!home.cluster.joined || config.sharedDir) return 'merge'
    return config.adopt === 'merge' ? home.cluster.adopt : config.adopt
  }

  async #firstSync(): Promise<void> {
    const { opened, logger, config, ending } = this.#deps
    // to make way for the cluster's content it must be here; a merge may as well begin without it
    const patient = this.#adopt() === 'cluster'
    const deadline = patient ? Number.POSITIVE_INFINITY : systemClock.monotonic() + FIRST_SYNC_MS
    if (patient)
      logger.info('The shared directory is left alone until the catalog of the cluster has arrived.', {
        dir: config.dir
      })
    while (systemClock.monotonic() < deadline && !ending()) {
      if (opened.replica.inSyncWithSomebody()) return
      await new Promise<void>((resolve) => systemClock.timer(FIRST_SYNC_POLL_MS, resolve))
    }
  }

  #drifted(item: DriftItem, end?: DriftEnd): void {
    const { logger, emit } = this.#deps
    const { path, change, policy } = item
    this.drift.changed(item, end)
    if (end === undefined) {
      logger.warn('The target was changed where this node may not write; nothing was sent.', { path, change, policy })
      emit({ event: 'drift-found', path, change, policy })
      return
    }
    logger.info('A change of the target that this node may not make is over.', { path, ...end })
    emit({ event: 'drift-ended', path, change, ...end })
  }

  #events(): TargetSyncEvents {
    const { logger, emit } = this.#deps
    return {
      problem: (problem: Problem, open) => {
        const facts = {
          path: problem.path,
          code: problem.error.code,
          message: problem.error.message,
          next: problem.error.next
        }
        if (open) logger.warn('Something keeps a path from being shared.', facts)
        emit({ event: open ? 'problem-opened' : 'problem-closed', ...facts })
      },
      imported: (path, what) => emit({ event: 'file-imported', path, what }),
      written: (path, what) => emit({ event: 'file-written', path, what }),
      drift: (item, end) => this.#drifted(item, end),
      scanned: (entries, ms) => emit({ event: 'scan-finished', entries, ms })
    }
  }
}

interface Remembered {
  readonly store: LevelStore
  /** The directory that what is in the store is about; undefined when nothing is remembered. */
  readonly root: RootIdentity | undefined
}

/**
 * What was remembered of this directory. Held against another one, everything in the catalog would seem to be deleted:
 * then it is forgotten, and the other directory is met like a first one.
 */
async function remembered(home: string, dir: string, logger: Logger): Promise<Remembered> {
  const path = join(home, HOME_DIRS.target)
  const root = await readRoot(home, dir, logger)
  if (root === undefined && existsSync(path)) {
    logger.warn('Another directory is shared than before; nothing that it lacks is taken for deleted.', { dir })
    await destroyStore(path)
  }
  const { store } = await openStore(path, { everyWriteDurable: true })
  return { store, root }
}

/** Where a member stands among all, in an order that is the same on every node. */
function rankAmong(members: Pick<Members, 'list'>, key: Uint8Array): { rank: number; nodes: number } {
  const keys = members
    .list()
    .map((member) => hexOf(member.key))
    .toSorted()
  return { rank: Math.max(0, keys.indexOf(hexOf(key))), nodes: Math.max(1, keys.length) }
}
