/** Where the target holds what, while the moves a scan found are being imported and the base does not say so yet. */
import type { Base } from './base.js'
import type { Diff } from './diff.js'

export class Whereabouts {
  readonly #base: Base
  /** New path of what moved -> entry, and back. */
  readonly #arrived: ReadonlyMap<string, string>
  readonly #paths: ReadonlyMap<string, string>
  readonly #gone: ReadonlySet<string>

  constructor(base: Base, { moved, gone }: Pick<Diff, 'moved' | 'gone'>) {
    this.#base = base
    this.#arrived = new Map(moved.map(({ base: row, now }) => [now.path, row.id]))
    this.#paths = new Map(moved.map(({ base: row, now }) => [row.id, now.path]))
    this.#gone = new Set(gone.map((row) => row.id))
  }

  /** The entry the target holds at this path now. */
  entryAt(path: string): string | undefined {
    const arrived = this.#arrived.get(path)
    if (arrived !== undefined) return arrived
    const row = this.#base.byPath(path)
    return row === undefined || this.#gone.has(row.id) || this.#paths.has(row.id) ? undefined : row.id
  }

  /** The path at which the target holds this entry now. */
  pathOf(id: string): string | undefined {
    if (this.#gone.has(id)) return undefined
    return this.#paths.get(id) ?? this.#base.byId(id)?.path
  }
}
