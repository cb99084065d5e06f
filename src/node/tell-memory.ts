/** What GeoServer has not been told yet, in the store beside the base rows. */
import type { TellMemory } from '../adapters/index.js'
import { prefixRange, type Overlay, type Store } from '../store/index.js'

const ROWS = 'w/'

export class StoredTellMemory implements TellMemory {
  readonly #rows: Overlay
  readonly #store: Pick<Store, 'iterate'>

  constructor(rows: Overlay, store: Pick<Store, 'iterate'>) {
    this.#rows = rows
    this.#store = store
  }

  async all(): Promise<Array<readonly [key: string, value: string]>> {
    await this.#rows.flush()
    const all: Array<readonly [string, string]> = []
    for await (const [key, value] of this.#store.iterate(prefixRange(ROWS)))
      all.push([key.slice(ROWS.length), Buffer.from(value).toString()])
    return all
  }

  set(key: string, value: string): void {
    this.#rows.put(ROWS + key, Buffer.from(value))
  }

  delete(key: string): void {
    this.#rows.delete(ROWS + key)
  }
}
