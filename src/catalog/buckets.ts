/**
 * Equal root, equal catalog: 4,096 buckets by the first three hex digits of an entry's id, each the sum of its entries'
 * canonical hashes, and a root over all sums. A sum changes by one subtraction and one addition an edit, whatever the
 * size of the catalog; adding is safe against chosen hashes only because members alone can write entries.
 */
import { prefixRange, type Overlay, type Store } from '../store/index.js'
import { BUCKETS, sha256 } from '../wire/index.js'

const ROWS = 'H/'
const WORDS = 8
/** Buckets in one row of the index: a batch touches few rows, however many entries it holds. */
const BUCKETS_PER_ROW = 64
const ROW_BYTES = BUCKETS_PER_ROW * WORDS * 4

export function bucketOf(id: string): number {
  return Number.parseInt(id.slice(0, 3), 16)
}

export class Buckets {
  readonly #sums = new Uint32Array(BUCKETS * WORDS)
  readonly #dirty = new Set<number>()
  #root: string | undefined

  async load(store: Store): Promise<void> {
    for await (const [key, bytes] of store.iterate(prefixRange(ROWS))) {
      const row = Number.parseInt(key.slice(ROWS.length), 16)
      new Uint8Array(this.#sums.buffer).set(bytes.subarray(0, ROW_BYTES), row * ROW_BYTES)
    }
  }

  /** Replaces an entry's part of its bucket; undefined: it was, or is, not there. */
  replace(id: string, before: Uint8Array | undefined, after: Uint8Array | undefined): void {
    const bucket = bucketOf(id)
    if (before !== undefined) this.#add(bucket, before, true)
    if (after !== undefined) this.#add(bucket, after, false)
    this.#dirty.add(Math.floor(bucket / BUCKETS_PER_ROW))
    this.#root = undefined
  }

  /** Adds or subtracts a 256-bit number, little endian, modulo 2^256. */
  #add(bucket: number, hash: Uint8Array, subtract: boolean): void {
    const base = bucket * WORDS
    let carry = subtract ? 1 : 0
    for (let word = 0; word < WORDS; word++) {
      const at = word * 4
      const value = (hash[at]! | (hash[at + 1]! << 8) | (hash[at + 2]! << 16) | (hash[at + 3]! << 24)) >>> 0
      const sum = this.#sums[base + word]! + (subtract ? ~value >>> 0 : value) + carry
      this.#sums[base + word] = sum
      carry = sum > 0xffffffff ? 1 : 0
    }
  }

  /** Puts the changed sums into the batch. */
  save(rows: Overlay): void {
    for (const row of this.#dirty)
      rows.put(
        ROWS + row.toString(16).padStart(2, '0'),
        new Uint8Array(this.#sums.buffer, row * ROW_BYTES, ROW_BYTES).slice()
      )
    this.#dirty.clear()
  }

  sums(): Uint8Array {
    return new Uint8Array(this.#sums.buffer.slice(0))
  }

  /** 64 hex. */
  root(): string {
    this.#root ??= sha256(this.sums()).toString('hex')
    return this.#root
  }
}
