/** The running node: builds the parts, leads events from one to the other, starts and stops them in order. */
import { join } from 'node:path'
import { BlobFetcher, BlobServer } from '../blobs/index.js'
import { bytesPerSecond, type Config } from '../config.js'
import { reasonOf } from '../errors.js'
import { nodeIdOf } from '../identity/index.js'
import { createNetwork, type Network } from '../net/index.js'
import type { ReplicaEvents } from '../replica/index.js'
import { systemClock, systemRandom } from '../runtime-node.js'
import { seldom, type Logger } from '../runtime.js'
import { destroyStore } from '../store/index.js'
import { bytesOf } from '../wire/index.js'
import { AddressFile } from './address-file.js'
import { begin, holdUntilBegun } from './beginning.js'
import { servedFrom } from './contents.js'
import { NodeControl } from './control.js'
import { custodyOf } from './custody.js'
import { Events } from './events.js'
import { handlerOf } from './handler.js'
import { HOME_DIRS, homeLived, readHome, writeSums, type Home } from './home.js'
import { JoinService } from './join-service.js'
import { makeKeepers, type Keepers } from './keepers.js'
import { meanwhile } from './meanwhile.js'
import { listenAgain } from './listen-again.js'
import { contentsFor } from './make-adapter.js'
import { membershipOf } from './membership.js'
import { newLifeOf, type NewLife } from './life.js'
import { switchToNextKey } from './next-key.js'
import { openHome, type Opened } from './open.js'
import { noteParted, readParted } from './parted.js'
import { Recovery } from './recovery.js'
import { standIn } from './stand-in.js'
import { NodeTarget } from './target.js'
import { Views } from './views.js'

const ADDRESS_FILE = 'addresses.json'
/** A node that was removed still hears the record that says so, ms. */
const REMOVAL_GRACE_MS = 1_000

interface Parts extends Keepers {
  readonly home: Home
  readonly opened: Opened
  readonly network: Network
  readonly fetcher: BlobFetcher
  readonly blobServer: BlobServer
  /** Absent on a node that only keeps the catalog. */
  readonly target: NodeTarget | undefined
  readonly recovery: Recovery
  readonly views: Views
  /** Why this home does not simply go on with the life it led. */
  readonly newLife: NewLife | undefined
}

/** Told which entries changed (32 hex ids), in batches, after they are durable and readable here. */
export type EntryListener = (ids: ReadonlySet<string>, local: boolean) => void

export class Daemon {
  readonly #config: Config
  readonly #logger: Logger
  readonly #events = new Events()
  #parts: Parts | undefined
  #addresses: AddressFile | undefined
  #control: NodeControl | undefined
  #state: 'starting' | 'running' | 'stopping' | 'stopped' = 'starting'
  readonly #stopped = Promise.withResolvers<void>()
  readonly #since = new Date().toISOString()
  readonly #listeners = new Set<EntryListener>()
  #listen: readonly string[]
  #noting: Promise<void> = Promise.resolve()

  constructor(config: Config, logger: Logger) {
    this.#config = config
    this.#logger = logger
    this.#listen = config.listen
  }

  get stopped(): Promise<void> {
    return this.#stopped.promise
  }

  /** The same object for the daemon's whole life, though what answers is made anew with the index. */
  readonly control: NodeControl = standIn(() => this.#control!)

  get multiaddrs(): string[] {
    return this.#parts?.network.multiaddrs() ?? []
  }
  get node(): string {
    return this.#parts?.home.node ?? ''
  }

  onEntriesChanged(listener: EntryListener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  async start(): Promise<void> {
    const home = await readHome(this.#config.home)
    if (!(await homeLived(home.path))) await writeSums(home.path)
    const parts = (this.#parts = await this.#build(home))
    try {
      await this.#begin(parts)
    } catch (error) {
      await this.#end(parts)
      throw error
    }
    this.#state = 'running'
    this.#events.emit({ event: 'node-started', node: home.node })
  }

  async #build(home: Home): Promise<Parts> {
    const config = this.#config
    const logger = this.#logger
    // the replica needs the network, the network asks the replica who belongs: the second is looked up when asked
    let opened: Opened | undefined
    this.#addresses = await new AddressFile(join(home.path, ADDRESS_FILE), logger).open()
    const network = createNetwork(
      {
        clock: systemClock,
        random: systemRandom,
        logger,
        membership: membershipOf(home, () => opened),
        addressBook: this.#addresses,
        throttled: this.#events.throttled(logger)
      },
      {
        privateSeed: home.keys.seed,
        clusterId: bytesOf(home.cluster.cluster),
        secrets: () => this.#parts?.secrets.secrets ?? { open: home.secrets, closed: [] },
        listen: this.#listen,
        peers: [...new Set([...config.peers, ...home.cluster.peers])],
        mdns: config.mdns
      }
    )
    const newLife = await newLifeOf(home.path)
    opened = await openHome(home, network, logger, {
      events: this.#replicaEvents(),
      announceIntervalMs: config.announceIntervalMs,
      freshEpoch: newLife !== undefined,
      parted: await readParted(home.path),
      indexDamaged: (reason) => void this.#rebuild(reason)
    })
    return this.#assemble(home, opened, network, newLife ?? opened.newLife)
  }

  async #assemble(home: Home, opened: Opened, network: Network, newLife: NewLife | undefined): Promise<Parts> {
    const { replica, blobs } = opened
    const logger = this.#logger
    const fetcher = new BlobFetcher(
      { transport: network, store: blobs, clock: systemClock, random: systemRandom, logger },
      { bytesPerSecond: bytesPerSecond(this.#config.maxDownload) }
    )
    const views = new Views({ home, replica, blobs, index: opened.index, contents: contentsFor(this.#config) })
    const keepers = makeKeepers(
      {
        home,
        opened,
        network,
        fetcher,
        views,
        logger,
        rebuild: (reason) => void this.#rebuild(reason),
        renewIndex: () => void this.#anew(dropIndex),
        ending: () => this.#state !== 'running',
        switchKey: () => this.#anew(switchToNextKey),
        emit: (fact) => this.#events.emit(fact)
      },
      this.#config
    )
    const target =
      this.#config.adapter === 'none'
        ? undefined
        : await NodeTarget.open({
            config: this.#config,
            logger,
            home,
            opened,
            views,
            fetcher,
            ...keepers,
            emit: (fact) => this.#events.emit(fact),
            ending: () => this.#state === 'stopping' || this.#state === 'stopped'
          })
    const stores = target === undefined ? [opened.index] : [opened.index, target.store]
    const recovery = new Recovery({ clock: systemClock, logger, replica, stores })
    const blobServer = new BlobServer(
      { store: servedFrom(blobs, replica), clock: systemClock },
      { bytesPerSecond: bytesPerSecond(this.#config.maxUpload) }
    )
    return { home, opened, network, fetcher, blobServer, target, recovery, views, ...keepers, newLife }
  }

  async #begin(parts: Parts): Promise<void> {
    const { home, opened, network, fetcher, target, recovery } = parts
    const { replica, blobs } = opened
    for (const damaged of opened.report.damaged)
      this.#logger.error('A part of the log is damaged; what peers hold is fetched from them.', { ...damaged })
    fetcher.on((event) => {
      if (event.type === 'completed') {
        target?.bodyArrived(event.ref.hash)
        this.#events.emit({ event: 'blob-completed', hash: event.ref.hash, size: event.ref.size })
      } else if (event.type === 'progress')
        this.#events.emit({ event: 'blob-progress', hash: event.hash, size: event.size, have: event.have })
      else
        this.#logger.debug('A blob could not be fetched from a peer.', {
          type: event.type,
          hash: event.ref.hash,
          reason: event.reason
        })
    })
    network.handle(handlerOf({ ...parts, replica, emit: (fact) => this.#events.emit(fact) }))
    const joins = new JoinService({ replica, home, logger: seldom(this.#logger, systemClock) })
    network.handleJoin((request, key) => joins.redeem(request, key))
    network.onDuplicateIdentity((node) => this.#duplicated(node))
    this.#control = new NodeControl({
      ...parts,
      replica,
      blobs,
      index: opened.index,
      events: this.#events,
      logger: this.#logger,
      target: target?.sync,
      drift: target?.drift,
      dir: this.#config.dir,
      adapter: this.#config.adapter,
      telling: () => target?.telling(),
      broken: (limit) => target?.broken(limit) ?? { count: 0, references: [] },
      state: () => this.#describeState(),
      since: this.#since,
      custody: custodyOf(home, opened, parts.custodian, async () => {
        network.saveAddresses()
        await this.#addresses?.saved()
      }),
      stop: () => this.stop()
    })
    if (parts.newLife !== undefined) holdUntilBegun(replica, parts.newLife)
    await fetcher.start()
    await parts.custodian.start()
    replica.start()
    await network.start()
    recovery.start()
    for (const part of [parts.clocks, ...parts.changing]) part.start()
    await parts.upkeep.start()
    void this.#beginLife(parts)
  }

  /** The target follows: what it finds in the directory is written only when this node may. */
  async #beginLife(parts: Parts): Promise<void> {
    const { home, opened, newLife } = parts
    const { replica } = opened
    const ending = (): boolean => this.#parts !== parts || this.#state === 'stopping' || this.#state === 'stopped'
    try {
      await begin(
        {
          home: home.path,
          replica,
          clock: systemClock,
          logger: this.#logger,
          others: () => replica.members.list().length - 1,
          ending
        },
        newLife
      )
    } catch (error) {
      this.#logger.error('The home could not take note of this life.', { reason: reasonOf(error) })
    }
    if (!ending()) await parts.target?.start()
  }

  /** The index does not read back: it is made again from the log. */
  async #rebuild(reason: string): Promise<void> {
    if (this.#parts === undefined || this.#state !== 'running') return
    this.#logger.error('The index is damaged and is made again from the log.', { reason })
    await this.#anew(dropIndex)
  }

  /**
   * Everything is stopped and, when `between` is done with the home, started again, in this same process. When that fails
   * the process ends with the error, for whoever keeps it running.
   */
  async #anew(between: (home: string) => Promise<void>): Promise<void> {
    const parts = this.#parts
    if (parts === undefined || this.#state !== 'running') return
    this.#state = 'starting'
    this.#listen = listenAgain(this.#config.listen, this.multiaddrs)
    try {
      this.#control &&= await meanwhile(this.#control)
      await this.#end(parts)
      await between(parts.home.path)
      this.#parts = await this.#build(await readHome(parts.home.path))
      await this.#begin(this.#parts)
      this.#state = 'running'
    } catch (error) {
      this.#state = 'stopped'
      this.#stopped.reject(error)
    }
  }

  /** Two processes with one key would write two histories under one name: this one stops writing. */
  #duplicated(node: string): void {
    this.#logger.error('The key of a node is used by two processes at once.', { node })
    const parts = this.#parts
    if (parts === undefined || node !== parts.home.node) return
    parts.twin.seen()
  }

  #describeState(): 'starting' | 'running' | 'read-only' | 'stopping' | 'stopped' {
    if (this.#state === 'running' && this.#parts?.opened.replica.failure !== undefined) return 'read-only'
    return this.#state
  }

  stop(): Promise<void> {
    if (this.#state === 'stopping' || this.#state === 'stopped') return this.#stopped.promise
    this.#state = 'stopping'
    const parts = this.#parts
    this.#events.emit({ event: 'node-stopping', node: this.node })
    void (parts === undefined ? Promise.resolve() : this.#end(parts)).then(
      () => {
        this.#state = 'stopped'
        this.#stopped.resolve()
      },
      (error: unknown) => this.#stopped.reject(error)
    )
    return this.#stopped.promise
  }

  async #end(parts: Parts): Promise<void> {
    const { recovery, target, fetcher, network, opened, custodian, twin, clocks, upkeep } = parts
    for (const part of [recovery, clocks, twin, upkeep, ...parts.changing]) part.stop()
    await custodian.stop()
    await target?.stop()
    await fetcher.stop()
    await network.stop()
    await this.#addresses?.saved()
    await opened.close()
    await target?.store.close()
  }

  #replicaEvents(): ReplicaEvents {
    return {
      ...this.#events.ofReplica(() => this.#parts?.opened.replica),
      entriesChanged: (ids, local) => this.#entriesChanged(ids, local),
      membersChanged: (keys) => {
        this.#parts?.network.membershipChanged()
        if (this.#parts !== undefined) this.#events.joined(this.#parts.opened.replica.members, keys)
      },
      throttled: this.#events.throttled(this.#logger),
      membersRemoved: (keys) => this.#membersRemoved(keys),
      logParted: (log, parted) => {
        this.#noting = this.#noting
          .then(() => noteParted(this.#config.home, log, parted))
          .catch((error: unknown) =>
            this.#logger.warn('A fork could not be noted in the home.', { log, reason: reasonOf(error) })
          )
      },
      checkpointNeeded: (node) => this.#parts?.adopting.needed(node),
      twinFound: () => this.#parts?.twin.seen(),
      recordDamaged: (id) => this.#parts?.custodian.recordDamaged(id),
      clockHeard: (node, aheadMs) => this.#parts?.clocks.heard(node, aheadMs),
      besideHeard: (node, beside) => this.#parts?.systems.heard(node, beside)
    }
  }

  /** Who was removed is given the time to hear it, then cut off. */
  #membersRemoved(keys: readonly Uint8Array[]): void {
    const parts = this.#parts
    if (parts === undefined) return
    this.#events.removed(parts.opened.replica.members, keys)
    for (const key of keys)
      this.#logger.warn('A node was removed from the cluster.', {
        node: nodeIdOf(key),
        own: nodeIdOf(key) === parts.home.node
      })
    systemClock.timer(REMOVAL_GRACE_MS, () => parts.network.membershipChanged())
  }

  #entriesChanged(ids: ReadonlySet<string>, local: boolean): void {
    const parts = this.#parts
    if (parts === undefined) return
    parts.target?.changed(ids)
    this.#wantBodies(parts, ids)
    for (const listener of this.#listeners) listener(ids, local)
    this.#events.entriesChanged(parts.views, parts.opened.replica.reader, ids, local)
  }

  /** Every value's bytes are fetched, the losing ones of a conflict too: their author may not come back. */
  #wantBodies({ opened, views, fetcher }: Parts, ids: Iterable<string>): void {
    const { replica } = opened
    for (const id of ids) {
      for (const { body, log } of replica.reader.entry(id)?.bodies ?? []) {
        // its author has it for certain
        if (!views.hasBytes(body)) fetcher.want(body, [nodeIdOf(bytesOf(replica.authorOf(log)))])
      }
    }
  }
}

function dropIndex(home: string): Promise<void> {
  return destroyStore(join(home, HOME_DIRS.index))
}
