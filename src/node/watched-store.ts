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

  write(batch: ReadonlyMap<string, Uint8Array | null>, options?: { durable?: boolean }): Promise<void> {
    return this.#store.write(batch, options)
  }

  async *iterate(range: {
    gte: string
    lt: string
    reverse?: boolean
    limit?: number
  }): AsyncIterable<[string, Uint8Array]> {
    try {
      yield* this.#store.iterate(range)
    } catch (error) {
      throw this.#told(error)
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
