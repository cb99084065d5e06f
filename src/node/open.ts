/** Opens what a home holds: log, index, blobs and the replica over them. Used by the daemon, by `init`, and offline. */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { BlobStore } from '../blobs/index.js'
import { GrapevineError } from '../errors.js'
import type { Members } from '../identity/index.js'
import { Replica, type OpenReport, type ReplicaEvents } from '../replica/index.js'
import { NodeDisk, systemClock, systemRandom } from '../runtime-node.js'
import type { Logger, Transport } from '../runtime.js'
import type { LevelStore } from '../store/index.js'
import { destroyStore, openStore } from '../store/index.js'
import { contentsIn } from './contents.js'
import { HOME_DIRS, type Home } from './home.js'
import { markNewLife, type NewLife } from './life.js'
import { heldBeforeOf, keepHeldBefore, readLastWords, type HeldBefore } from './last-words.js'
import { finishLogCopy } from './log-copy.js'
import { holdNewcomer } from './newcomer.js'
import { WatchedStore } from './watched-store.js'

export interface Opened {
  readonly replica: Replica
  readonly report: OpenReport
  readonly index: LevelStore
  readonly blobs: BlobStore
  /** How far each log was held by an index that had to be dropped because the log holds less. */
  readonly heldBefore: readonly HeldBefore[]
  /** Whom that index knew as members: without them a node that lost all records could ask nobody for them. */
  readonly membersBefore?: Members
  /** Opening found that the home does not go on with the life it led. */
  readonly newLife?: NewLife
  close(): Promise<void>
}

/** For when nobody is talked to: at `init`, and reading a stopped node's home. */
export function noTransport(node: string): Transport {
  const nobody = (): never => {
    throw new GrapevineError('peer-unreachable', 'this node is not running', { next: 'run "grapevine start"' })
  }
  return {
    self: node,
    handle: () => undefined,
    peers: () => [],
    notify: () => false,
    request: async () => nobody(),
    publish: async () => 0,
    hangUp: () => undefined
  }
}

export async function openHome(
  home: Home,
  transport: Transport,
  logger: Logger,
  options: OpenOptions = {}
): Promise<Opened> {
  const path = (name: keyof typeof HOME_DIRS): string => join(home.path, HOME_DIRS[name])
  await finishLogCopy(home.path)
  await mkdir(path('log'), { recursive: true, mode: 0o700 })
  try {
    return await openOver(home, transport, logger, options)
  } catch (error) {
    // an index that contradicts the log is worth nothing; the log is the truth
    if (!(error instanceof GrapevineError) || error.code !== 'store-damaged' || error.facts.file !== undefined)
      throw error
    logger.warn('The index cannot be used and is rebuilt from the log.', { reason: error.message })
    const last = error.facts.index === true ? await readLastWords(path('index'), home.cluster.cluster) : undefined
    // what the index says of that is gone with it, and must not be forgotten before the node has begun another epoch
    const newLife = last === undefined ? undefined : 'log-shortened'
    if (newLife !== undefined) await markNewLife(home.path, newLife)
    if (last !== undefined) await keepHeldBefore(home.path, last.heldBefore)
    await destroyStore(path('index'))
    // an index that knows more than the log says that the log has lost its end: perhaps of our own records
    const freshEpoch = options.freshEpoch === true || newLife !== undefined
    const opened = await openOver(home, transport, logger, { ...options, freshEpoch })
    const membersBefore = last === undefined ? {} : { membersBefore: last.membersBefore }
    return { ...opened, ...membersBefore, ...(newLife === undefined ? {} : { newLife }) }
  }
}

interface OpenOptions {
  readonly events?: ReplicaEvents
  readonly announceIntervalMs?: number
  readonly readOnly?: boolean
  /** See ReplicaOptions. */
  readonly freshEpoch?: boolean
  readonly parted?: Iterable<string>
  readonly onProgress?: (records: number) => void
  /** A row of the index did not read back. */
  readonly indexDamaged?: (reason: string) => void
}

async function openOver(home: Home, transport: Transport, logger: Logger, options: OpenOptions): Promise<Opened> {
  const path = (name: keyof typeof HOME_DIRS): string => join(home.path, HOME_DIRS[name])
  const { store: index, found, reason } = await openStore(path('index'))
  if (found === 'dropped') logger.warn('The index was not trustworthy and is rebuilt from the log.', { reason })
  try {
    const blobs = new BlobStore({ logger }, { directory: path('blobs'), readOnly: options.readOnly ?? false })
    await blobs.open()
    const { replica, report } = await Replica.open(
      {
        clock: systemClock,
        random: systemRandom,
        logger,
        disk: new NodeDisk(path('log')),
        store: options.indexDamaged === undefined ? index : new WatchedStore(index, options.indexDamaged),
        transport,
        keys: home.keys,
        contents: contentsIn(blobs)
      },
      {
        cluster: home.cluster.cluster,
        freshEpoch: options.freshEpoch ?? false,
        parted: options.parted ?? [],
        ...(options.onProgress === undefined ? {} : { onProgress: options.onProgress }),
        ...(options.announceIntervalMs === undefined
          ? {}
          : { sync: { announceIntervalMs: options.announceIntervalMs } })
      },
      options.events
    )
    await holdNewcomer(home.path, replica, logger)
    return {
      replica,
      report,
      index,
      blobs,
      heldBefore: await heldBeforeOf(home.path),
      close: async () => {
        await replica.stop()
        await index.close()
      }
    }
  } catch (error) {
    await index.close().catch(() => undefined)
    throw error
  }
}
