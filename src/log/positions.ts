/** Places in the segments, in the order in which they were written, and how much is written at once. */
import type { SignedRecord } from '../wire/index.js'
import type { Position } from './frame.js'

export function isBehind(a: Position, b: Position): boolean {
  return a.segment < b.segment || (a.segment === b.segment && a.offset < b.offset)
}

/** The first of two places; the second when there are not two. */
export function earlier(a: Position | undefined, b: Position | undefined): Position | undefined {
  if (a === undefined || b === undefined) return b
  return isBehind(a, b) ? a : b
}

/** As many records from `from` on as fit into `bytes`, at least one. */
export function takeBytes(records: readonly SignedRecord[], from: number, bytes: number): SignedRecord[] {
  let end = from
  for (let sum = 0; end < records.length && (end === from || sum + records[end]!.bytes.length <= bytes); end++)
    sum += records[end]!.bytes.length
  return records.slice(from, end)
}
