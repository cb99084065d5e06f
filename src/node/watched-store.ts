/** A store that tells when what it holds does not read back, whoever asked. */
import { GrapevineError } from '../errors.js'
import type { Store } from '../store/index.js'

export class WatchedStore implements Store {
  readonly #store: Store
  readonly #damaged: (reason: string) => void

  constructor(store: Store, damaged: (reason: string) => void) {
    this.#store = store
    this.#damaged = damaged
  }

  get(key: string): Uint8Array | undefined {
    try {
      return this.#store.get(key)
    } catch (error) {
      throw this.#told(error)
    }
  }

  async getMany(keys: readonly string[]): Promise<Array<Uint8Array | undefined>> {
    try {
      return await this.#store.getMany(keys)
    } catch (error) {
      throw this.#told(error)
    }
  }

  write(batch: ReadonlyMap<string, Uint8Array | null>, options?: { durable?: boolean }): Promise<void> {
    return this.#store.write(batch, options)
  }

  iterate(range: Parameters<Store['iterate']>[0]): AsyncIterable<[string, Uint8Array]> {
    const told = (error: unknown): never => {
      throw this.#told(error)
    }
    const rows = this.#iterated(range, told)
    // no generator: each row would go through it
    return {
      [Symbol.asyncIterator]: () => {
        const iterator = rows[Symbol.asyncIterator]()
        return {
          next: () => iterator.next().catch(told),
          return: async () => (await iterator.return?.()) ?? { done: true, value: undefined }
        }
      }
    }
  }

  #iterated(
    range: Parameters<Store['iterate']>[0],
    told: (error: unknown) => never
  ): AsyncIterable<[string, Uint8Array]> {
    try {
      return this.#store.iterate(range)
    } catch (error) {
      return told(error)
    }
  }

  async shrink(): Promise<void> {
    await this.#store.shrink?.()
  }

  close(): Promise<void> {
    return this.#store.close()
  }

  #told(error: unknown): unknown {
    if (error instanceof GrapevineError && error.code === 'store-damaged') this.#damaged(error.message)
    return error
  }
}
