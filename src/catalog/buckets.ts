/**
 * Equal root, equal catalog: 4,096 buckets by the first three hex digits of an entry's id, each the sum of its entries'
 * canonical hashes, and a root over all sums. A sum changes by one subtraction and one addition an edit, whatever the
 * size of the catalog; adding is safe against chosen hashes only because members alone can write entries.
 */
import { prefixRange, type HeldRow, type Overlay, type Store } from '../store/index.js'
import { BUCKETS, sha256 } from '../wire/index.js'

const ROWS = 'H/'
/** Words of 32 bits in a sum. */
export const WORDS = 8
/** Buckets in one row of the index: a batch touches few rows, however many entries it holds. */
const BUCKETS_PER_ROW = 64
/** Entries that wait to be hashed: all of them at once must not take long, a few milliseconds. */
export const MAX_OPEN = 256
const ROW_BYTES = BUCKETS_PER_ROW * WORDS * 4

export function bucketOf(id: string): number {
  return Number.parseInt(id.slice(0, 3), 16)
}

/** Adds a 256-bit number, little endian, to the sum at `index`, or subtracts it, modulo 2^256. */
export function addHash(sums: Uint32Array, index: number, hash: Uint8Array, subtract: boolean): void {
  const base = index * WORDS
  let carry = subtract ? 1 : 0
  for (let word = 0; word < WORDS; word++) {
    const at = word * 4
    const value = (hash[at]! | (hash[at + 1]! << 8) | (hash[at + 2]! << 16) | (hash[at + 3]! << 24)) >>> 0
    const sum = sums[base + word]! + (subtract ? ~value >>> 0 : value) + carry
    sums[base + word] = sum
    carry = sum > 0xffffffff ? 1 : 0
  }
}

/** Some of the sums, as they are when they are written: they change with every record, and together with its entries. */
class SumsRow implements HeldRow {
  readonly key: string
  readonly weight = 0
  readonly #read: () => Uint8Array

  constructor(row: number, read: () => Uint8Array) {
    this.key = ROWS + row.toString(16).padStart(2, '0')
    this.#read = read
  }

  bytes(): Uint8Array {
    return this.#read()
  }
}

/** Something that has a canonical hash, which may be worked out only when it is asked for; undefined: it counts for nothing. */
export interface Counted {
  readonly hash: Uint8Array | undefined
}

/** An entry as the sums have it, and as they should. */
interface Change {
  readonly before: Counted | undefined
  readonly after: Counted | undefined
}

export class Buckets {
  readonly #sums = new Uint32Array(BUCKETS * WORDS)
  readonly #rows = Array.from(
    { length: BUCKETS / BUCKETS_PER_ROW },
    (_, row) => new SumsRow(row, () => this.#rowBytes(row))
  )
  readonly #dirty = new Set<number>()
  /** What is not in the sums yet: an entry that is written many times before anybody looks is hashed once. */
  readonly #open = new Map<string, Change>()
  #root: string | undefined

  async load(store: Store): Promise<void> {
    for await (const [key, bytes] of store.iterate(prefixRange(ROWS))) {
      const row = Number.parseInt(key.slice(ROWS.length), 16)
      new Uint8Array(this.#sums.buffer).set(bytes.subarray(0, ROW_BYTES), row * ROW_BYTES)
    }
  }

  /** Replaces an entry's part of its bucket; undefined: it was, or is, not there. */
  replace(id: string, before: Counted | undefined, after: Counted | undefined): void {
    const open = this.#open.get(id)
    this.#open.set(id, { before: open === undefined ? before : open.before, after })
    this.#dirty.add(Math.floor(bucketOf(id) / BUCKETS_PER_ROW))
    this.#root = undefined
    if (this.#open.size >= MAX_OPEN) this.#settle()
  }

  #settle(): void {
    for (const [id, { before, after }] of this.#open) {
      const bucket = bucketOf(id)
      if (before?.hash !== undefined) addHash(this.#sums, bucket, before.hash, true)
      if (after?.hash !== undefined) addHash(this.#sums, bucket, after.hash, false)
    }
    this.#open.clear()
  }

  #rowBytes(row: number): Uint8Array {
    this.#settle()
    return new Uint8Array(this.#sums.buffer.slice(row * ROW_BYTES, (row + 1) * ROW_BYTES))
  }

  /** Puts the changed sums into the batch. */
  save(rows: Overlay): void {
    for (const at of this.#dirty) {
      const row = this.#rows[at]!
      rows.put(row.key, row)
    }
    this.#dirty.clear()
  }

  sums(): Uint8Array {
    this.#settle()
    return new Uint8Array(this.#sums.buffer.slice(0))
  }

  /** The sum of one bucket, 32 bytes. */
  sum(bucket: number): Uint8Array {
    this.#settle()
    return new Uint8Array(this.#sums.buffer.slice(bucket * 32, bucket * 32 + 32))
  }

  /** 64 hex. */
  root(): string {
    this.#root ??= sha256(this.sums()).toString('hex')
    return this.#root
  }
}
