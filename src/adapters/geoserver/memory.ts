/** What the adapter remembers; where it is kept is for the node to say. */

/**
 * Passwords of a store that are `${NAME}`, as they are written, by their key. GeoServer encrypts them too when it saves, and
 * what it encrypted goes on standing for them.
 */
export type Parameters = Readonly<Record<string, string>>

/**
 * What travels of each file by field, remembered so that an unchanged file is not read again, and one that GeoServer wrote
 * anew with the same meaning is no change. Losing it costs reading and, for files written anew, a record.
 */
export interface TravelRow {
  /** Content id of the file as it lies there. */
  readonly raw: string
  /** What stands for it in the catalog: content id and bytes. */
  readonly travel: string
  readonly travelSize: number
  /** Hash of what the travelling document means; empty when that is not known. */
  readonly meaning: string
  /** Its passwords that come from the environment; absent where there are none. */
  readonly parameters?: Parameters
  /** What GeoServer would fill into it (`fill-ins.ts`); absent: nothing. */
  readonly lacks?: string
  /**
   * The travelling documents of what GeoServer was told and of what it then wrote, where it leaves something out or puts
   * something in: an edit of the second is one of the first. Losing it, such an edit drops what GeoServer does not know.
   */
  readonly way?: { readonly told: string; readonly wrote: string }
  /** Where the file lies that was set aside here, while nothing took its place: all else is empty then. */
  readonly aside?: string
}

/** Keys are paths. All calls are synchronous and must be quick. */
export interface TravelMemory {
  get(path: string): TravelRow | undefined
  set(path: string, row: TravelRow): void
  delete(path: string): void
}

export class MemoryTravelMemory implements TravelMemory {
  readonly #rows = new Map<string, TravelRow>()

  get(path: string): TravelRow | undefined {
    return this.#rows.get(path)
  }

  set(path: string, row: TravelRow): void {
    this.#rows.set(path, row)
  }

  delete(path: string): void {
    this.#rows.delete(path)
  }
}

/** Short texts under short keys. `set` and `delete` are synchronous and must be quick. */
export interface TextMemory {
  all(): Promise<Array<readonly [key: string, value: string]>>
  set(key: string, value: string): void
  delete(key: string): void
}

export class MemoryTextMemory implements TextMemory {
  readonly rows = new Map<string, string>()

  all(): Promise<Array<readonly [string, string]>> {
    return Promise.resolve([...this.rows])
  }

  set(key: string, value: string): void {
    this.rows.set(key, value)
  }

  delete(key: string): void {
    this.rows.delete(key)
  }
}
