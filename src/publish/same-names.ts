/**
 * Objects of one name that nodes made apart: one entry of the catalog, but an id from each node. Which id survives follows
 * from the records alone, so that every node says the same, in whatever order it heard of them:
 * 1. What replaced nothing was made without knowing of the rest: a root. When the roots of an entry have several ids, the
 *    one that was made first keeps its id; what a newcomer brought along counts as made last.
 * 2. The other roots' ids stand for what the entry holds now, wherever they are named.
 * 3. An id that an object elsewhere has, too, is nobody's to replace: references to it stay as they are.
 */
import { compareStamps, type AuthorOf, type Version } from '../catalog/index.js'

export class SameNames {
  /** An id that lost -> the entry in which it did, and the id that survived there. */
  readonly #lost = new Map<string, { readonly entry: string; readonly survivor: string }>()
  /** Entry -> ids that lost in it. */
  readonly #ofEntry = new Map<string, readonly string[]>()
  /** An id that lost -> entries whose own object has it. */
  readonly #owners = new Map<string, Set<string>>()

  get none(): boolean {
    return this.#lost.size === 0
  }

  /** Takes note of an entry; returns the ids that are known to have lost only now, or to another than before. */
  note(entry: string, survivor: string | undefined, losers: readonly string[]): string[] {
    for (const id of this.#ofEntry.get(entry) ?? []) this.#lost.delete(id)
    this.#ofEntry.delete(entry)
    if (survivor === undefined || losers.length === 0) return []
    this.#ofEntry.set(entry, losers)
    const fresh = losers.filter((id) => this.#lost.get(id)?.survivor !== survivor)
    for (const id of losers) this.#lost.set(id, { entry, survivor })
    return fresh
  }

  /** An object has this id as its own. */
  owns(entry: string, id: string): void {
    if (!this.#lost.has(id)) return
    const owners = this.#owners.get(id) ?? new Set()
    this.#owners.set(id, owners.add(entry))
  }

  knows(id: string): boolean {
    return this.#lost.has(id)
  }

  /** Rules 2 and 3: what is to stand in `entry` for the ids it names. */
  replacementsIn(entry: string, named: readonly string[]): Map<string, string> {
    const found = new Map<string, string>()
    for (const id of named) {
      const lost = this.#lost.get(id)
      if (lost === undefined) continue
      const elsewhere = [...(this.#owners.get(id) ?? [])].some((owner) => owner !== lost.entry)
      if (lost.entry === entry || !elsewhere) found.set(id, lost.survivor)
    }
    return found
  }
}

/** Rule 1. The ids of roots, the surviving first; each once. */
export function rootIds(
  roots: ReadonlyArray<{ readonly version: Version; readonly id: string }>,
  authorOf: AuthorOf
): string[] {
  const late = ({ version }: { version: Version }): number => Number(version.stamp.time === 0)
  const ordered = roots.toSorted(
    (a, b) => late(a) - late(b) || compareStamps(a.version.stamp, b.version.stamp, authorOf) || (a.id < b.id ? -1 : 1)
  )
  return [...new Set(ordered.map(({ id }) => id))]
}
