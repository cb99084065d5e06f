/**
 * The index of a simulated node as Level keeps it: batches apply whole and in order, and a power cut takes the newest of
 * those that nobody asked to be durable.
 */
import { GrapevineError } from '../../src/errors.js'
import { MemoryStore, type Store } from '../../src/store/index.js'
import type { SeededRandom } from './random.js'

type Batch = ReadonlyMap<string, Uint8Array | null>

const ALL = { gte: '', lt: '\u{10ffff}' }
/** Batches after which the system has written the older ones by itself. */
const MAX_UNSYNCED = 50

export class SimStore implements Store {
  #shown = new MemoryStore()
  /** What the newest batches replaced, oldest first: those a power cut may take. */
  #undo: Batch[] = []
  /** Grows with every crash; who opened the store before is dead. */
  #life = 0
  /** There is no room: every write is refused. */
  full = false

  /** The store as one process has it: dead after the next crash. */
  mount(): Store {
    const life = this.#life
    const alive = (): void => {
      if (life !== this.#life) throw new Error('the process that opened this store is dead')
    }
    return {
      get: (key) => (alive(), this.get(key)),
      getMany: async (keys) => {
        alive()
        const rows = await this.getMany(keys)
        alive()
        return rows
      },
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

  getMany(keys: readonly string[]): Promise<Array<Uint8Array | undefined>> {
    return this.#shown.getMany(keys)
  }

  async write(batch: Batch, options?: { durable?: boolean }): Promise<void> {
    if (this.full)
      throw new GrapevineError('disk-full', 'there is no room for the index', {
        next: 'make room; it goes on by itself'
      })
    this.#undo.push(new Map([...batch.keys()].map((key) => [key, this.#shown.get(key) ?? null])))
    await this.#shown.write(batch)
    if (options?.durable === true) this.#undo = []
    else if (this.#undo.length > MAX_UNSYNCED) this.#undo = this.#undo.slice(-MAX_UNSYNCED)
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
    for (let gone = random.below(this.#undo.length + 1); gone > 0; gone--) await this.#shown.write(this.#undo.pop()!)
    this.#undo = []
  }

  /** The index is deleted. */
  drop(): void {
    this.#life += 1
    this.#shown = new MemoryStore()
    this.#undo = []
  }

  /** Every row, to be put into another home with `place`. */
  async backup(): Promise<Batch> {
    const rows = new Map<string, Uint8Array>()
    for await (const [key, value] of this.iterate(ALL)) rows.set(key, value)
    return rows
  }

  /** The process is gone, and in the place of its index is that of a backup. */
  async place(rows: Batch): Promise<void> {
    this.drop()
    await this.#shown.write(rows)
  }
}
