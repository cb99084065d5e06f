/** What the members' fold knows of one admission of a key. */
import type { Role } from '../wire/index.js'
import type { Place } from './revocations.js'

export interface Member {
  readonly key: Uint8Array
  readonly role: Role
  readonly name: string
  /** Paths of the catalog it may write to, and below; absent: everywhere its role may. */
  readonly scope?: readonly string[]
  /** The record that admitted it. */
  readonly log: string
  readonly seq: number
  readonly depth: number
}

/** One admission, as far as removals matter to it. */
export interface Admission extends Member {
  /** Records of removals that the admission knew of, as `log/seq`. */
  readonly knew: readonly string[]
  /** Record, as `log/seq`, of what took its effect: a removal of its author, or another key the author went on as. */
  readonly voidBy?: string
  /** Of an appointment by the root. */
  readonly serial?: number
  /** The key, in hex, it goes on for. */
  readonly heirOf?: string
  /** The admission of that key it rests on; absent in what an older version wrote: the first. */
  readonly rests?: Place
  /** The admission by whose age it counts, when it goes on for another key. */
  readonly senior?: { readonly log: string; readonly depth: number }
}

/** The first of these counts: the root's latest word, then who came first. */
export function byRank(a: Admission, b: Admission): number {
  return (b.serial ?? 0) - (a.serial ?? 0) || a.depth - b.depth || (a.log < b.log ? -1 : 1)
}
