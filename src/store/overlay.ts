import type { Store } from './index.js'
import { RowCache } from './row-cache.js'

export interface OverlayDeps {
  readonly store: Store
}

/**
 * A row kept as what it means and made into bytes when it is written: what changes many times before that is encoded
 * once, and what is read many times is decoded once. Whoever puts one does not change it afterwards, unless whatever goes
 * with the change is put without a pause: everything that is pending is written at once.
 */
export interface HeldRow {
  bytes(): Uint8Array
  /** What it takes in memory, roughly, bytes. */
  readonly weight: number
}

type Change = Uint8Array | HeldRow | null

/**
 * A write-behind view over a store: reads see what was put but is not written yet. Many folds touch the same rows, so
 * collecting them here turns thousands of small writes into one batch. Values are held by reference: whoever puts one
 * does not change it afterwards.
 *
 * Rules: 1. a read sees the newest put, then the batch in flight, then the store; 2. one batch is in flight at a time;
 * 3. a batch that fails becomes pending again, below what was put meanwhile, so nothing is lost and the order of
 * writes to one key holds.
 */
export class Overlay {
  readonly #store: Store
  #pending = new Map<string, Change>()
  #flight: Map<string, Change> | undefined
  #flushes: Promise<void> = Promise.resolve()
  #committed = 0
  readonly #cache = new RowCache()

  constructor(deps: OverlayDeps) {
    this.#store = deps.store
  }

  /** Changes that no batch carries yet. */
  get size(): number {
    return this.#pending.size
  }

  get(key: string): Uint8Array | undefined {
    const found = this.#lookUp(key)
    return found && asBytes(found)
  }

  /** Whether there is such a row. Of what was written last it is known without reading it. */
  has(key: string): boolean {
    const change = this.#unwritten(key)
    return change === undefined ? (this.#cache.has(key) ?? this.get(key) !== undefined) : change !== null
  }

  /** The row as `read` makes it of its bytes, once for as long as it is at hand. A key is always read the same way. */
  row<T extends HeldRow>(key: string, read: (bytes: Uint8Array) => T): T | undefined {
    const found = this.#lookUp(key)
    if (!(found instanceof Uint8Array)) return found as T | undefined
    const row = read(found)
    this.#cache.set(key, row)
    return row
  }

  /** What `get` gives for each key, read in one go off the main thread as far as it is not at hand. */
  async getMany(keys: readonly string[]): Promise<Array<Uint8Array | undefined>> {
    const found = keys.map((key) => this.#atHand(key))
    const missing = keys.filter((_, at) => found[at] === undefined)
    const read = missing.length === 0 ? [] : await this.#store.getMany(missing)
    let next = 0
    return found.map((change) => {
      if (change === undefined) return read[next++]
      return change === null ? undefined : asBytes(change)
    })
  }

  /** Brings rows to hand that `row` would read one by one. What is written meanwhile is left to it. */
  async prefetch(keys: readonly string[], read: (key: string, bytes: Uint8Array) => HeldRow): Promise<void> {
    const missing = keys.filter((key) => this.#atHand(key) === undefined)
    if (missing.length === 0) return
    const asOf = this.#committed
    const rows = await this.#store.getMany(missing)
    missing.forEach((key, at) => {
      const bytes = rows[at]
      if (bytes !== undefined) this.keep(key, read(key, bytes), asOf)
    })
  }

  /** How many batches are written: a row read from the store by range is what it says until this is another number. */
  get committed(): number {
    return this.#committed
  }

  /** Keeps a row that was read by range, begun when so many batches were `committed`, unless it may be out of date. */
  keep(key: string, row: HeldRow, committed: number): void {
    if (committed === this.#committed && this.#cache.get(key) === undefined) this.#cache.add(key, row)
  }

  /** What needs no reading; null: known to be absent. */
  #atHand(key: string): Change | undefined {
    const change = this.#unwritten(key)
    return change === undefined ? this.#cache.get(key) : change
  }

  #unwritten(key: string): Change | undefined {
    const change = this.#pending.get(key)
    return change === undefined && this.#flight !== undefined ? this.#flight.get(key) : change
  }

  #lookUp(key: string): Uint8Array | HeldRow | undefined {
    const change = this.#atHand(key)
    if (change !== undefined) return change ?? undefined
    const value = this.#store.get(key)
    this.#cache.add(key, value ?? null)
    return value
  }

  put(key: string, value: Uint8Array | HeldRow): void {
    this.#pending.set(key, value)
  }

  delete(key: string): void {
    this.#pending.set(key, null)
  }

  /**
   * Hands over the pending changes for `Store.write`. They stay visible to reads until `commit()` says that they are
   * written or `restore()` that they are not; one of the two must follow before the next `take()`.
   */
  take(): Map<string, Uint8Array | null> {
    if (this.#flight !== undefined) throw new TypeError('the batch taken before is neither committed nor restored')
    const batch = new Map<string, Uint8Array | null>()
    for (const [key, change] of this.#pending) batch.set(key, change && asBytes(change))
    this.#flight = this.#pending
    this.#pending = new Map()
    return batch
  }

  /** The batch in flight is in the store. */
  commit(): void {
    for (const [key, change] of this.#flight ?? []) this.#cache.set(key, change)
    this.#flight = undefined
    this.#committed++
  }

  /** The batch in flight was not written: its changes are pending again, except those overtaken by newer ones. */
  restore(): void {
    const flight = this.#flight
    if (flight === undefined) return
    this.#flight = undefined
    for (const [key, change] of this.#pending) flight.set(key, change)
    this.#pending = flight
  }

  /**
   * Writes what is pending now. Calls queue behind each other. Rejects with the store's error, and then every change
   * is pending again.
   */
  flush(options?: { durable?: boolean }): Promise<void> {
    const flushed = this.#flushes.then(() => this.#flushNow(options))
    this.#flushes = flushed.catch(() => {})
    return flushed
  }

  async #flushNow(options: { durable?: boolean } | undefined): Promise<void> {
    // An empty durable batch still goes down: it makes what was written before durable.
    if (this.#pending.size === 0 && options?.durable !== true) return
    const batch = this.take()
    try {
      await this.#store.write(batch, options)
    } catch (error) {
      this.restore()
      throw error
    }
    this.commit()
  }
}

const asBytes = (row: Uint8Array | HeldRow): Uint8Array => (row instanceof Uint8Array ? row : row.bytes())
