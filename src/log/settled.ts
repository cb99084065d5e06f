/** What is still kept of records that a checkpoint took the place of, and of segments that hold little else. */
import { prefixRange, type Store } from '../store/index.js'
import type { RecordLog } from './record-log.js'
import { decodeRecordRow, idKey, knowledgeKey, NOWHERE, recordKey, RECORD_ROWS, seqOfKey } from './rows.js'
import type { SegmentLog } from './segments.js'

/** Keys of rows of this log that nobody needs any more: those of the newest settled record are kept. */
export async function* settledKeys(store: Store, log: RecordLog, of: string): AsyncGenerator<string> {
  const floor = log.get(of)?.floor ?? 0
  for await (const [key, bytes] of store.iterate({ gte: recordKey(of, 0), lt: recordKey(of, floor) })) {
    yield key
    yield idKey(decodeRecordRow(bytes).id)
  }
  const known = log.row(of, floor)?.knowledge ?? 0
  for await (const [key] of store.iterate({ gte: knowledgeKey(of, 0), lt: knowledgeKey(of, floor) }))
    if (seqOfKey(key) !== known) yield key
}

/** Segments go when no more than this share of their bytes has to be kept, which is then written again. */
const MAX_KEPT_SHARE = 0.5
/** Bytes written again in one turn: writers wait no longer than that takes. */
const MOVED_BYTES = 1024 * 1024

export interface CompactionDeps {
  readonly log: RecordLog
  readonly segments: SegmentLog
  readonly store: Store
  /** One thing at a time: see Turns. */
  take<T>(work: () => Promise<T>): Promise<T>
  /** Brings the index to disk. */
  flush(): Promise<void>
}

/**
 * Drops the oldest segments of which little has to be kept, once that stands at the end as well. Returns how many. What is
 * still to be kept of them and does not read back leaves them where they are. A crash in between leaves records twice.
 */
export async function dropSettled({ log, segments, store, take, flush }: CompactionDeps): Promise<number> {
  // what lies behind a hole is found by its place
  if (log.holes().length > 0) return 0
  // what is written from here on lies behind all that may be dropped, whether or not the rows below name it
  const sizes = await take(async () => {
    await segments.roll()
    return segments.sizes().slice(0, -1)
  })
  await flush()
  const kept = new Map<number, { bytes: number; places: Array<{ log: string; seq: number; bytes: number }> }>()
  for await (const [key, bytes] of store.iterate(prefixRange(RECORD_ROWS))) {
    const { at } = decodeRecordRow(bytes)
    if (at.segment === NOWHERE.segment) continue
    const here = kept.get(at.segment) ?? { bytes: 0, places: [] }
    here.bytes += at.length
    here.places.push({ log: key.slice(RECORD_ROWS.length, -13), seq: seqOfKey(key), bytes: at.length })
    kept.set(at.segment, here)
  }
  const last = lastToDrop(sizes.map(({ number, bytes }) => ({ number, bytes, kept: kept.get(number)?.bytes ?? 0 })))
  if (last === undefined) return 0
  const places = sizes.flatMap(({ number }) => (number <= last ? (kept.get(number)?.places ?? []) : []))
  for (let from = 0; from < places.length;) {
    let to = from
    for (let bytes = 0; to < places.length && bytes < MOVED_BYTES; to++) bytes += places[to]!.bytes
    const some = places.slice(from, to)
    if (!(await take(() => log.move(some, last)))) return 0
    from = to
  }
  await take(async () => {
    await log.keepTwins()
    await flush()
    await segments.drop(last)
  })
  return sizes.filter(({ number }) => number <= last).length
}

/** The last of the longest run of oldest segments of which little is kept. */
function lastToDrop(
  segments: ReadonlyArray<{ readonly number: number; readonly bytes: number; readonly kept: number }>
): number | undefined {
  let bytes = 0
  let kept = 0
  let last: number | undefined
  for (const segment of segments) {
    bytes += segment.bytes
    kept += segment.kept
    if (kept <= bytes * MAX_KEPT_SHARE) last = segment.number
  }
  return last
}
