/**
 * What GeoServer writes in the wake of being told: with a layer or a group it saves the tile layer anew. That is no edit of this
 * node's, for its author's GeoServer did the same, and that is on its way. So for a while such a file shows itself as it was,
 * whoever looks at it; what differs from the catalog then still is an edit.
 */
import type { Clock } from '../../runtime.js'
import type { Inventory } from './inventory.js'
import { tileLayerOf } from './written-along.js'

/** GeoServer saves the tile layer within a second of its layer, and the author's takes as long to get here, ms. */
export const WAKE_MS = 10_000

export interface WakeDeps {
  readonly clock: Clock
  readonly inventory: Inventory
  /** The wake of this path is over, and there is something to be looked at. */
  readonly over: (path: string) => void
}

export class Wake {
  readonly #deps: WakeDeps
  /** Path of a tile layer -> until when it is as it was, ms that never go back. */
  readonly #until = new Map<string, number>()
  readonly #timers = new Map<string, () => void>()

  constructor(deps: WakeDeps) {
    this.#deps = deps
  }

  /** GeoServer is about to be told of the object at this path. */
  telling(path: string): void {
    const { clock, inventory } = this.#deps
    const tiles = tileLayerOf(path, inventory)
    if (tiles === undefined) return
    const now = clock.monotonic()
    for (const [each, until] of this.#until) if (until <= now) this.#until.delete(each)
    this.#until.set(tiles, now + WAKE_MS)
  }

  /** Whether what lies at this path may be GeoServer's, because it was told. */
  holds(path: string): boolean {
    return (this.#until.get(path) ?? -Infinity) > this.#deps.clock.monotonic()
  }

  /** What lies there is looked at when its wake is over. */
  later(path: string): void {
    if (this.#timers.has(path)) return
    const { clock, over } = this.#deps
    const wait = Math.max(1, (this.#until.get(path) ?? 0) - clock.monotonic())
    const cancel = clock.timer(wait, () => {
      this.#timers.delete(path)
      over(path)
    })
    this.#timers.set(path, cancel)
  }

  stop(): void {
    for (const cancel of this.#timers.values()) cancel()
    this.#timers.clear()
  }
}
