/** Places in the segments, in the order in which they were written. */
import type { Position } from './frame.js'

export function isBehind(a: Position, b: Position): boolean {
  return a.segment < b.segment || (a.segment === b.segment && a.offset < b.offset)
}

/** The first of two places; the second when there are not two. */
export function earlier(a: Position | undefined, b: Position | undefined): Position | undefined {
  if (a === undefined || b === undefined) return b
  return isBehind(a, b) ? a : b
}
