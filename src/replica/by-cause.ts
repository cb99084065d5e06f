/** The order in which records are folded anew. */
import type { SignedRecord } from '../wire/index.js'

/** Whatever a record knows comes before it: it has less depth. */
export function byCause(a: SignedRecord, b: SignedRecord): number {
  return a.body.depth - b.body.depth || (a.log < b.log ? -1 : a.log > b.log ? 1 : 0) || a.body.seq - b.body.seq
}
