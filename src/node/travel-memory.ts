/** The GeoServer adapter's memory of what travels, in the store beside the base rows. Losing it costs reading. */
import type { TravelMemory, TravelRow } from '../adapters/index.js'
import type { Overlay } from '../store/index.js'
import { decodeCborRaw, encodeCbor } from '../wire/index.js'

const ROWS = 'g/'

export class StoredTravelMemory implements TravelMemory {
  readonly #rows: Overlay

  constructor(rows: Overlay) {
    this.#rows = rows
  }

  get(path: string): TravelRow | undefined {
    const bytes = this.#rows.get(ROWS + path)
    return bytes === undefined ? undefined : (decodeCborRaw(bytes) as TravelRow)
  }

  set(path: string, row: TravelRow): void {
    this.#rows.put(ROWS + path, encodeCbor({ ...row }))
  }

  delete(path: string): void {
    this.#rows.delete(ROWS + path)
  }
}
