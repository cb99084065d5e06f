import { GrapevineError } from '../errors.js'
import type { Store } from './index.js'
import { assertWritableKey, compareKeys } from './keys.js'

/** A store in memory for tests and the simulator: the same order, the same visibility and the same refusals as Level. */
export class MemoryStore implements Store {
  readonly #values = new Map<string, Uint8Array>()
  /** The keys of `#values` in key order. */
  readonly #keys: string[] = []
  #closed = false

  get(key: string): Uint8Array | undefined {
    this.#assertOpen()
    return this.#values.get(key)
  }

  async getMany(keys: readonly string[]): Promise<Array<Uint8Array | undefined>> {
    this.#assertOpen()
    return keys.map((key) => this.#values.get(key))
  }

  async write(batch: ReadonlyMap<string, Uint8Array | null>, _options?: { durable?: boolean }): Promise<void> {
    this.#assertOpen()
    for (const key of batch.keys()) assertWritableKey(key)
    const changes = [...batch].map(([key, value]) => [key, value === null ? null : new Uint8Array(value)] as const)
    // Level shows a batch only once it is written; code that would read it earlier must fail here as well.
    await Promise.resolve()
    for (const [key, value] of changes) {
      if (value === null) this.#delete(key)
      else this.#put(key, value)
    }
  }

  async *iterate(range: {
    gte: string
    lt: string
    reverse?: boolean
    limit?: number
  }): AsyncGenerator<[string, Uint8Array]> {
    this.#assertOpen()
    const keys = this.#keys.slice(this.#lowerBound(range.gte), this.#lowerBound(range.lt))
    if (range.reverse === true) keys.reverse()
    const rows = keys.slice(0, range.limit).map((key): [string, Uint8Array] => [key, this.#values.get(key)!])
    for (const row of rows) yield row
  }

  async close(): Promise<void> {
    this.#closed = true
  }

  #put(key: string, value: Uint8Array): void {
    if (!this.#values.has(key)) this.#keys.splice(this.#lowerBound(key), 0, key)
    this.#values.set(key, value)
  }

  #delete(key: string): void {
    if (this.#values.delete(key)) this.#keys.splice(this.#lowerBound(key), 1)
  }

  /** The first place whose key is not below `key`. */
  #lowerBound(key: string): number {
    let low = 0
    let high = this.#keys.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (compareKeys(this.#keys[middle]!, key) < 0) low = middle + 1
      else high = middle
    }
    return low
  }

  #assertOpen(): void {
    if (this.#closed) throw new GrapevineError('stopped', 'The store is closed', { next: 'start the daemon again' })
  }
}
