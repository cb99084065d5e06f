/**
 * Reads everything this replica keeps and says what no longer reads back: each record where its row says it lies, each
 * row of the index by its checksum, small bodies by their hash, entries against the sums their roots are made of.
 */
import { isSoundRow, storedBucketSum, type Catalog } from '../catalog/index.js'
import { GrapevineError } from '../errors.js'
import type { RecordLog } from '../log/index.js'
import type { Store } from '../store/index.js'
import { BUCKETS } from '../wire/index.js'
import type { Turns } from './turns.js'

export interface ScrubDeps {
  readonly log: RecordLog
  readonly catalog: Catalog
  readonly store: Store
  readonly turns: Turns
  /** Has what waits written to the store. */
  flush(): Promise<void>
  /** Waits as long as reading so many bytes may take. */
  pace(bytes: number): Promise<void>
}

/** What was read, or what was found. */
export type Scrubbed =
  | { readonly read: 'record' | 'row'; readonly bytes: number }
  | { readonly damaged: 'record'; readonly log: string; readonly seq: number; readonly id: string }
  | { readonly damaged: 'index'; readonly reason: string }

/** The last key there can be. */
const ALL = { gte: '', lt: '\u{10ffff}' }

export async function* scrub(deps: ScrubDeps): AsyncGenerator<Scrubbed> {
  yield* indexGuard(scrubRecords(deps))
  yield* indexGuard(scrubRows(deps))
  yield* indexGuard(scrubEntries(deps))
}

/** A row that does not read back ends a pass: the index is made again as a whole, so one finding is enough. */
async function* indexGuard(pass: AsyncGenerator<Scrubbed>): AsyncGenerator<Scrubbed> {
  try {
    yield* pass
  } catch (error) {
    if (!(error instanceof GrapevineError) || error.code !== 'store-damaged') throw error
    yield { damaged: 'index', reason: error.message }
  }
}

async function* scrubRecords({ log, pace }: ScrubDeps): AsyncGenerator<Scrubbed> {
  const expected = new Map<string, number>()
  for await (const { log: of, seq, row } of log.records()) {
    // of what a checkpoint took the place of only the newest has to be there; the others are going
    if (seq < (log.get(of)?.floor ?? 0)) continue
    if (seq !== (expected.get(of) ?? Math.max(1, log.get(of)?.floor ?? 0)))
      return yield { damaged: 'index', reason: 'the row of a record is missing' }
    expected.set(of, seq + 1)
    await pace(row.at.length)
    if (readsBack(log, of, seq)) yield { read: 'record', bytes: row.at.length }
    else yield { damaged: 'record', log: of, seq, id: row.id }
  }
  for (const head of log.logs()) {
    const next = expected.get(head.log) ?? Math.max(1, head.floor)
    // what came in during the pass has its row
    if (head.seq >= next && log.row(head.log, next) === undefined)
      return yield { damaged: 'index', reason: 'the row of a record is missing' }
  }
}

/** As the row stands now: the record may have been stored anew since the pass began. */
function readsBack(log: RecordLog, of: string, seq: number): boolean {
  const row = log.row(of, seq)
  if (row !== undefined) return log.isSound(row)
  throw new GrapevineError('store-damaged', 'the row of a record is missing', {
    next: 'the index is made again from the log'
  })
}

/** The store checks the checksum of every row it hands out. */
async function* scrubRows({ store, flush, pace }: ScrubDeps): AsyncGenerator<Scrubbed> {
  await flush()
  for await (const [key, value] of store.iterate(ALL)) {
    const bytes = key.length + value.length
    await pace(bytes)
    if (!isSoundRow(key, value)) {
      yield { damaged: 'index', reason: 'a small body does not match its hash' }
      return
    }
    yield { read: 'row', bytes }
  }
}

/** One bucket a turn: nothing moves while it is added up, and writers wait for one bucket at most. */
async function* scrubEntries({ store, catalog, turns, flush, pace }: ScrubDeps): AsyncGenerator<Scrubbed> {
  for (let bucket = 0; bucket < BUCKETS; bucket++) {
    const { equal, bytes } = await turns.take(async () => {
      await flush()
      const stored = await storedBucketSum(store, bucket)
      return { equal: Buffer.compare(stored.sum, catalog.buckets.sum(bucket)) === 0, bytes: stored.bytes }
    })
    await pace(bytes)
    if (equal) continue
    yield { damaged: 'index', reason: 'entries do not add up to what the root says' }
    return
  }
}
