/** Short texts that an adapter keeps under keys of its own, in the store beside the base rows. */
import type { TextMemory } from '../adapters/index.js'
import { prefixRange, type Overlay, type Store } from '../store/index.js'

/** What is kept, and the letter its keys begin with: `owed` is what GeoServer was not told yet, `facts` what files say. */
const ROWS = { owed: 'w/', facts: 'o/' } as const

export class StoredTextMemory implements TextMemory {
  readonly #prefix: string
  readonly #rows: Overlay
  readonly #store: Pick<Store, 'iterate'>

  constructor(what: keyof typeof ROWS, rows: Overlay, store: Pick<Store, 'iterate'>) {
    this.#prefix = ROWS[what]
    this.#rows = rows
    this.#store = store
  }

  async all(): Promise<Array<readonly [key: string, value: string]>> {
    await this.#rows.flush()
    const all: Array<readonly [string, string]> = []
    for await (const [key, value] of this.#store.iterate(prefixRange(this.#prefix)))
      all.push([key.slice(this.#prefix.length), Buffer.from(value).toString()])
    return all
  }

  set(key: string, value: string): void {
    this.#rows.put(this.#prefix + key, Buffer.from(value))
  }

  delete(key: string): void {
    this.#rows.delete(this.#prefix + key)
  }
}
