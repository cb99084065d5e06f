/** The parts that watch over a running node: what is stored, the clocks, and whether another process has its key. */
import type { BlobFetcher } from '../blobs/index.js'
import type { Fact } from '../control/index.js'
import type { GrapevineError } from '../errors.js'
import { nodeIdOf } from '../identity/index.js'
import type { Network } from '../net/index.js'
import { systemClock, systemRandom } from '../runtime-node.js'
import type { Logger, NodeId } from '../runtime.js'
import { Adopting } from './adopting.js'
import { Checkpointing, type CheckpointingOptions } from './checkpointing.js'
import { DriftRules } from '../publish/index.js'
import { Adoption } from './adoption.js'
import { Clocks } from './clocks.js'
import { Collector } from './collector.js'
import { Custodian } from './custodian.js'
import { IdleMemory, processMemory } from './idle-memory.js'
import { writeSecrets, type Home } from './home.js'
import { learns } from './join-pages.js'
import { KeyRotation } from './key-rotation.js'
import { nextKeyIn } from './next-key.js'
import type { Opened } from './open.js'
import { Returning } from './returning.js'
import { HomeSecrets } from './secrets.js'
import { askTheWayBack } from './setup.js'
import { Systems } from './systems.js'
import { TwinWatch } from './twin.js'
import { Upkeep } from './upkeep.js'
import type { Views } from './views.js'
import { processYoungSpace, YoungHeap } from './young-heap.js'

export interface KeepersDeps {
  readonly home: Home
  readonly opened: Opened
  readonly network: Network
  readonly fetcher: BlobFetcher
  readonly views: Views
  readonly logger: Logger
  rebuild(reason: string): void
  /** A checkpoint is to be taken over into an index of its own. */
  renewIndex(): void
  ending(): boolean
  /** See KeyRotation. */
  switchKey(): Promise<void>
  emit(fact: Fact): void
}

export interface Keepers {
  readonly custodian: Custodian
  readonly adoption: Adoption
  readonly clocks: Clocks
  readonly systems: Systems
  readonly twin: TwinWatch
  readonly upkeep: Upkeep
  readonly secrets: HomeSecrets
  readonly keyRotation: KeyRotation
  readonly adopting: Adopting
  /** Those that look at what changes, keys and secrets above all, now and then; begun once the network runs. */
  readonly changing: ReadonlyArray<{ start(): void; stop(): void }>
}

export function makeKeepers(
  deps: KeepersDeps,
  options: { scrubBytesPerSecond: number; certificateLifeMs: number; driftRules: string[] } & CheckpointingOptions
): Keepers {
  const { home, opened, network, fetcher, logger, rebuild, switchKey, emit } = deps
  const { replica, blobs, report, heldBefore } = opened
  const clock = systemClock
  const custodian = new Custodian(
    {
      home: home.path,
      key: home.keys.publicKey,
      replica,
      report,
      heldBefore,
      blobs,
      clock,
      logger,
      peers: () => network.peers().length,
      want: (ref) => fetcher.want(ref),
      rebuild,
      emit
    },
    { bytesPerSecond: options.scrubBytesPerSecond }
  )
  const problemChanged = ({ code, message }: GrapevineError, open: boolean): void =>
    emit({ event: open ? 'problem-opened' : 'problem-closed', code, message })
  const nameOf = (node: NodeId): string | undefined =>
    replica.members.list().find((member) => nodeIdOf(member.key) === node)?.name
  const systems = new Systems({
    clock,
    tell: (beside) => {
      replica.beside = beside
      replica.tell()
    },
    nameOf,
    changed: ({ error }, open) => {
      if (open) logger.warn('GeoServers of the cluster are not alike.', { message: error.message, ...error.facts })
      problemChanged(error, open)
    }
  })
  const clocks = new Clocks({
    clock,
    tell: () => replica.tell(),
    nameOf,
    changed: ({ error }, open) => {
      if (open) logger.warn('A clock is off.', { message: error.message, ...error.facts })
      problemChanged(error, open)
    }
  })
  const upkeep = new Upkeep(
    {
      home: home.path,
      key: home.keys.publicKey,
      replica,
      clock,
      logger,
      connected: () => network.peers().map(({ node }) => node),
      membershipChanged: () => network.membershipChanged(),
      problemChanged
    },
    options
  )
  const secrets = new HomeSecrets({
    home,
    save: (all) => writeSecrets(home.path, all),
    replica,
    clock,
    random: systemRandom,
    logger,
    changed: () => network.secretsChanged()
  })
  const returning = new Returning({
    clock,
    logger,
    ways: () => (replica.members.list().length < 2 ? [] : network.waysBack()),
    ask: ({ node, addresses }, timeoutMs) => {
      const { open, closed } = secrets.secrets
      return askTheWayBack(home, { node, addresses, secrets: [...open, ...closed], timeoutMs, logger })
    },
    take: async (records) => {
      const news = await learns(replica, '', records)
      await secrets.look()
      network.membershipChanged()
      return news
    }
  })
  const keyRotation = new KeyRotation({
    home,
    nextKey: nextKeyIn(home.path),
    replica,
    clock,
    logger,
    connected: () => network.peers().map(({ node }) => node),
    switchKey
  })
  const checkpointing = new Checkpointing({ replica, key: home.keys.publicKey, clock, logger }, options)
  const adopting = new Adopting({
    ...{ home, replica, blobs, fetcher, clock, logger, ending: deps.ending },
    transport: network,
    taken: () => deps.renewIndex()
  })
  const adoption = new Adoption({
    ...{ home, replica, blobs, fetcher, clock, logger, views: deps.views },
    transport: network,
    rules: new DriftRules(options.driftRules)
  })
  const collector = new Collector({ home: home.path, replica, blobs, clock, logger }, options)
  const idleMemory = new IdleMemory({ clock, logger, memory: processMemory() })
  const youngHeap = new YoungHeap(processYoungSpace())
  const changing = [secrets, returning, keyRotation, checkpointing, collector, systems, idleMemory, youngHeap]
  return {
    secrets,
    keyRotation,
    adopting,
    adoption,
    changing,
    upkeep,
    custodian,
    clocks,
    systems,
    twin: new TwinWatch({ clock, logger, replica })
  }
}
