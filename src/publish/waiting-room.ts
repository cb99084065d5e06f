/**
 * What the catalog holds and the target does not yet, and what each waits for.
 *
 * 1. An entry whose bytes are not here waits for them.
 * 2. What the adapter lets wait is tried again when anything else has changed, and when its time is over.
 * 3. However often it is tried, it has waited since it came.
 */
import type { Waits } from '../adapters/contract.js'
import type { BodyRef } from '../wire/index.js'

export interface WaitingEntry {
  readonly id: string
  readonly path: string
  /** content: its bytes are not here. Else as the adapter says. */
  readonly state: 'content' | Waits['state']
  readonly for: readonly string[]
  /** Wall clock, ms. */
  readonly since: number
  /** When it is passed on whatever is missing, wall clock, ms; absent: when what it waits for has come. */
  readonly until?: number
}

interface Held extends WaitingEntry {
  readonly body?: BodyRef
}

export class WaitingRoom {
  readonly #now: () => number
  readonly #all = new Map<string, Held>()
  /** Of those that are being tried again: since when. */
  readonly #tried = new Map<string, number>()

  constructor(now: () => number) {
    this.#now = now
  }

  get size(): number {
    return this.#all.size
  }

  /** Whether anything waits for more than its bytes. */
  get holds(): boolean {
    return [...this.#all.values()].some(({ state }) => state !== 'content')
  }

  /** Oldest first. */
  list(): WaitingEntry[] {
    return [...this.#all.values()]
      .map(({ body: _body, ...entry }) => entry)
      .toSorted((a, b) => a.since - b.since || (a.path < b.path ? -1 : 1))
  }

  ids(): string[] {
    return [...this.#all.keys()]
  }

  /** Rule 1. */
  forBody(id: string, path: string, body: BodyRef): void {
    this.#add({ id, path, state: 'content', for: [`its content, ${body.size} bytes`], body }, undefined)
  }

  /** Always true: nothing of it is to be tried again by itself. */
  hold(id: string, path: string, { for: words, state, againMs }: Waits): true {
    this.#add({ id, path, state, for: words }, againMs)
    return true
  }

  #add(entry: Omit<Held, 'since' | 'until'>, againMs: number | undefined): void {
    const now = this.#now()
    const since = this.#all.get(entry.id)?.since ?? this.#tried.get(entry.id) ?? now
    this.#all.set(entry.id, { ...entry, since, ...(againMs !== undefined && { until: now + againMs }) })
  }

  /** Those that wait for this content, which is here now. */
  arrived(hash: string): string[] {
    return this.ids().filter((id) => this.#all.get(id)!.body?.hash === hash)
  }

  /** Rule 2: those that something else may have set free. */
  heldIds(): string[] {
    return [...this.#all.values()].flatMap(({ id, state }) => (state === 'content' ? [] : [id]))
  }

  /** These are tried now; what has to wait again is put back. */
  taken(ids: Iterable<string>): void {
    this.#tried.clear()
    for (const id of ids) {
      const held = this.#all.get(id)
      if (held === undefined) continue
      this.#tried.set(id, held.since)
      this.#all.delete(id)
    }
  }

  /** These wait for nothing more. */
  over(id: string): void {
    this.#all.delete(id)
  }

  /** How long until the first is passed on whatever is missing, ms; undefined: none is. */
  nextMs(): number | undefined {
    const times = [...this.#all.values()].flatMap(({ until }) => until ?? [])
    return times.length === 0 ? undefined : Math.max(1, Math.min(...times) - this.#now())
  }
}
