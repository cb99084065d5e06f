/**
 * Entries whose place in the target has to be looked at. Where more of them are waiting than one set may have, those that
 * others refer to come first; what a path says about that is asked once, not with each set: of a catalog that has just
 * arrived every entry is waiting.
 */
import type { Adapter } from '../adapters/contract.js'
import type { CatalogReader } from '../catalog/index.js'
import type { Clock } from '../runtime.js'
import type { Base } from './base.js'

export interface QueueDeps {
  readonly reader: Pick<CatalogReader, 'entry' | 'isDirectory' | 'pathOfEntry'>
  readonly base: Pick<Base, 'byId'>
  readonly adapter: Pick<Adapter, 'rankOf'>
  readonly clock: Pick<Clock, 'pause'>
}

/** Directories are made with the first file in them; those that are left hold none. Above all ranks of files. */
const DIRECTORY = 999
/** Removals come after everything else, what others refer to last of all. */
const REMOVED = 2_000
/** Entries that are ranked before others may run: some milliseconds' worth. */
const RANKED_AT_ONCE = 100

export class Queue {
  readonly #deps: QueueDeps
  /** In the order in which they came. */
  readonly #unranked = new Set<string>()
  readonly #ranks = new Map<string, number>()
  readonly #ranked = new Map<number, Set<string>>()

  constructor(deps: QueueDeps) {
    this.#deps = deps
  }

  get size(): number {
    return this.#unranked.size + this.#ranks.size
  }

  /** It changed, so that it may be elsewhere now. */
  add(id: string): void {
    this.#forgetRank(id)
    this.#unranked.add(id)
  }

  addAll(ids: Iterable<string>): void {
    for (const id of ids) this.add(id)
  }

  delete(id: string): void {
    this.#forgetRank(id)
    this.#unranked.delete(id)
  }

  *[Symbol.iterator](): Generator<string> {
    yield* this.#ranks.keys()
    yield* this.#unranked
  }

  /** Takes at most `limit` out, those that others refer to first. */
  async take(limit: number): Promise<string[]> {
    const isRanked = this.#deps.adapter.rankOf !== undefined && this.size > limit
    if (isRanked) await this.#rankAll()
    const ids = isRanked ? this.#first(limit) : firstOf(this, limit)
    for (const id of ids) this.delete(id)
    return ids
  }

  async #rankAll(): Promise<void> {
    let left = RANKED_AT_ONCE
    for (const id of this.#unranked) {
      if (left-- === 0) {
        await this.#deps.clock.pause()
        left = RANKED_AT_ONCE
      }
      // it may have gone meanwhile
      if (this.#unranked.has(id)) this.#rank(id)
    }
  }

  #rank(id: string): void {
    const rank = this.#rankOf(id)
    this.#unranked.delete(id)
    this.#ranks.set(id, rank)
    const same = this.#ranked.get(rank)
    if (same === undefined) this.#ranked.set(rank, new Set([id]))
    else same.add(id)
  }

  /** What is there no more, or never was, refers to nothing. */
  #rankOf(id: string): number {
    const { reader, base, adapter } = this.#deps
    const entry = reader.entry(id)
    const path = entry && reader.pathOfEntry(entry)
    if (path !== undefined) return reader.isDirectory(entry!) ? DIRECTORY : adapter.rankOf!(path)
    const row = base.byId(id)
    return row === undefined ? 0 : REMOVED - adapter.rankOf!(row.path)
  }

  #first(limit: number): string[] {
    const ids: string[] = []
    for (const rank of [...this.#ranked.keys()].toSorted((a, b) => a - b)) {
      ids.push(...firstOf(this.#ranked.get(rank)!, limit - ids.length))
      if (ids.length === limit) break
    }
    return ids
  }

  #forgetRank(id: string): void {
    const rank = this.#ranks.get(id)
    if (rank === undefined) return
    this.#ranks.delete(id)
    const same = this.#ranked.get(rank)!
    same.delete(id)
    if (same.size === 0) this.#ranked.delete(rank)
  }
}

function firstOf(ids: Iterable<string>, limit: number): string[] {
  const first: string[] = []
  for (const id of ids) {
    if (first.length === limit) break
    first.push(id)
  }
  return first
}
