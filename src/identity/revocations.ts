/** Removals of keys: which count, and what of a removed key's records still does. */
import { hexOf, type RevokeOp, type SignedRecord } from '../wire/index.js'

/** One key removed by one record of the members space. */
export interface Revocation {
  readonly key: Uint8Array
  /** The record that says so. */
  readonly log: string
  readonly seq: number
  readonly depth: number
  /** Log -> newest seq that still counts; of logs that are not named nothing does. */
  readonly cuts: ReadonlyMap<string, number>
  /** Whether it removes what the key went on as, too: unless that itself says so. */
  readonly whole?: boolean
}

/** A record, by where it stands. */
export interface Place {
  readonly log: string
  readonly seq: number
}

export function placeKey({ log, seq }: Place): string {
  return `${log}/${seq}`
}

export function revocationOf(record: SignedRecord, op: RevokeOp, whole: boolean): Revocation {
  const { log, body } = record
  return {
    key: op.key,
    log,
    seq: body.seq,
    depth: body.depth,
    cuts: new Map(op.cuts.map((cut) => [cut.log, cut.seq])),
    whole
  }
}

export function isBeyond(revocation: Revocation, at: Place): boolean {
  return at.seq > (revocation.cuts.get(at.log) ?? 0)
}

/** All that were accepted, by the key they remove. */
export class Revocations {
  readonly #byKey = new Map<string, Revocation[]>()
  #size = 0

  get size(): number {
    return this.#size
  }

  add(revocation: Revocation): void {
    const name = hexOf(revocation.key)
    this.#byKey.set(name, [...(this.#byKey.get(name) ?? []), revocation])
    this.#size += 1
  }

  of(key: Uint8Array): readonly Revocation[] {
    return this.ofName(hexOf(key))
  }

  /** By the key in hex. */
  ofName(name: string): readonly Revocation[] {
    return this.#byKey.get(name) ?? []
  }

  *[Symbol.iterator](): IterableIterator<Revocation> {
    for (const all of this.#byKey.values()) yield* all
  }
}

/** As stored in the index. */
export interface RevocationRow {
  readonly key: Uint8Array
  readonly log: string
  readonly seq: number
  readonly depth: number
  readonly cuts: ReadonlyArray<readonly [log: string, seq: number]>
  readonly whole?: boolean
}

export const rowOf = (revocation: Revocation): RevocationRow => ({ ...revocation, cuts: [...revocation.cuts] })
export const revocationOfRow = (row: RevocationRow): Revocation => ({ ...row, cuts: new Map(row.cuts) })
