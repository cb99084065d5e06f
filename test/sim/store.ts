/**
 * The index of a simulated node as Level keeps it: batches apply whole and in order, and a power cut takes the newest of
 * those that nobody asked to be durable.
 */
import { MemoryStore, type Store } from '../../src/store/index.js'
import type { SeededRandom } from './random.js'

type Batch = ReadonlyMap<string, Uint8Array | null>

export class SimStore implements Store {
  #shown = new MemoryStore()
  /** What is on the platter for sure, and the batches that may not be. */
  #durable = new MemoryStore()
  #unsynced: Batch[] = []
  /** Grows with every crash; who opened the store before is dead. */
  #life = 0

  /** The store as one process has it: dead after the next crash. */
  mount(): Store {
    const life = this.#life
    const alive = (): void => {
      if (life !== this.#life) throw new Error('the process that opened this store is dead')
    }
    return {
      get: (key) => (alive(), this.get(key)),
      write: async (batch, options) => {
        alive()
        await this.write(batch, options)
        alive()
      },
      iterate: (range) => (alive(), this.iterate(range)),
      close: () => Promise.resolve()
    }
  }

  get(key: string): Uint8Array | undefined {
    return this.#shown.get(key)
  }

  async write(batch: Batch, options?: { durable?: boolean }): Promise<void> {
    const copy = new Map(batch)
    await this.#shown.write(copy)
    this.#unsynced.push(copy)
    if (options?.durable === true || this.#unsynced.length > 50) await this.#sync(this.#unsynced.length)
  }

  async #sync(count: number): Promise<void> {
    for (const batch of this.#unsynced.splice(0, count)) await this.#durable.write(batch)
  }

  iterate(range: { gte: string; lt: string; reverse?: boolean; limit?: number }): AsyncIterable<[string, Uint8Array]> {
    return this.#shown.iterate(range)
  }

  close(): Promise<void> {
    return Promise.resolve()
  }

  /** The process dies: the system keeps every batch it was given. */
  kill(): void {
    this.#life += 1
  }

  /** Power is cut: some of the newest batches are gone, whole ones and none from the middle. */
  async powerCut(random: SeededRandom): Promise<void> {
    this.#life += 1
    await this.#sync(random.below(this.#unsynced.length + 1))
    this.#unsynced = []
    this.#shown = new MemoryStore()
    const rows = new Map<string, Uint8Array>()
    for await (const [key, value] of this.#durable.iterate({ gte: '', lt: '\u{10ffff}' })) rows.set(key, value)
    await this.#shown.write(rows)
  }

  /** The index is deleted. */
  drop(): void {
    this.#life += 1
    this.#shown = new MemoryStore()
    this.#durable = new MemoryStore()
    this.#unsynced = []
  }
}
