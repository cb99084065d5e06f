/** What brings together what nodes did apart, over a running node; undefined where the adapter knows nothing of contents. */
import type { Adapter } from '../adapters/index.js'
import type { BlobFetcher } from '../blobs/index.js'
import { Ancestry, MAX_ANCESTRY_RECORDS, versionsIn } from '../catalog/index.js'
import type { Fact } from '../control/index.js'
import { Reconciler } from '../publish/index.js'
import type { Replica } from '../replica/index.js'
import { systemClock } from '../runtime-node.js'
import type { Logger } from '../runtime.js'
import type { Home } from './home.js'
import { mayWrite } from './may-write.js'
import type { Opened } from './open.js'
import type { Views } from './views.js'

export interface MakeReconcilerDeps {
  readonly home: Home
  readonly opened: Opened
  readonly views: Views
  readonly fetcher: BlobFetcher
  readonly logger: Logger
  emit(fact: Fact): void
}

/** What arrives together is looked at together, ms after the first. */
const GATHER_MS = 300
/** One of several nodes is enough: each waits so much longer than the one before it in the order of keys, ms, */
const TURN_MS = 1_000
/** and no node longer than the one at this place. */
const MAX_TURNS = 10

/** `rank`: where this node stands among all. */
export function makeReconciler(
  { contents }: Pick<Adapter, 'contents'>,
  { home, opened, views, fetcher, logger, emit }: MakeReconcilerDeps,
  rank: () => number
): Reconciler | undefined {
  if (contents === undefined) return undefined
  const { replica, blobs } = opened
  const key = home.keys.publicKey
  return new Reconciler({
    reader: replica.reader,
    contents,
    sink: { change: (change, { bytes, time }) => replica.change(change, bytes, time) },
    bodies: {
      has: (ref) => views.hasBytes(ref),
      want: (ref) => fetcher.want(ref),
      source: (ref) => views.bytes(ref),
      store: (bytes) => blobs.put(bytes)
    },
    clock: systemClock,
    logger,
    authorOf: (log) => replica.authorOf(log),
    ancestry: (entry) => ancestryOf(replica, entry),
    mayWrite: (path) => mayWrite(replica.members, key, path, 'file'),
    active: () => ['admin', 'author'].includes(replica.members.get(key)?.role ?? ''),
    patienceMs: () => GATHER_MS + TURN_MS * Math.min(rank(), MAX_TURNS),
    done: (path, how) => {
      logger.info('What nodes did apart was brought together.', { path, how })
      emit({ event: 'entry-reconciled', path, how })
    }
  })
}

/** Undefined when the entry changed more often than is read. */
export async function ancestryOf(
  { reader, log }: Pick<Replica, 'reader' | 'log'>,
  entry: string
): Promise<Ancestry | undefined> {
  const found = reader.entry(entry)
  const rows = await reader.history(entry)
  if (found === undefined || rows.length > MAX_ANCESTRY_RECORDS) return undefined
  // of what a checkpoint took the place of, the doc tells
  const held = rows.filter((row) => !log.isSettled(row.log, row.seq) && log.row(row.log, row.seq)?.state === 'applied')
  return new Ancestry(
    versionsIn(
      held.map((row) => log.read(row.log, row.seq)),
      found
    )
  )
}
