/**
 * What GeoServer writes in the wake of being told: with a layer or a group it saves the tile layer anew, and puts the name of
 * another default style into it. That is no edit of this node's, for its author's GeoServer did the same, and that is on its
 * way. So a hint at such a file is held back for a while; what differs from the catalog then still is an edit.
 */
import { posix } from 'node:path'
import type { Clock } from '../../runtime.js'
import type { WatchHint } from '../contract.js'
import type { Inventory } from './inventory.js'
import { RESOURCE_KINDS, tileLayerPath } from './objects.js'

/** GeoServer saves the tile layer within a second of its layer, and the author's takes as long to get here, ms. */
export const WAKE_MS = 10_000

export class Wake {
  readonly #clock: Clock
  readonly #inventory: Inventory
  /** Path of a tile layer -> until when hints at it are held back, ms that never go back. */
  readonly #until = new Map<string, number>()
  readonly #timers = new Set<() => void>()

  constructor(clock: Clock, inventory: Inventory) {
    this.#clock = clock
    this.#inventory = inventory
  }

  /** GeoServer is about to be told of the object at this path. */
  telling(path: string): void {
    const facts = this.#inventory.files.get(path)
    if (facts === undefined) return
    // a resource is told by itself, and its layer lies beside it
    const isResource = RESOURCE_KINDS.has(facts.class.kind)
    const layer = isResource ? this.#inventory.files.get(posix.join(posix.dirname(path), 'layer.xml')) : facts
    const { object } = layer ?? facts
    if (object === undefined || (object.kind !== 'layer' && object.kind !== 'layergroup')) return
    this.#until.set(tileLayerPath(object.id), this.#clock.monotonic() + WAKE_MS)
  }

  /** Hands on now what is no wake, and the rest when it is over. */
  pass(hint: WatchHint, listener: (hint: WatchHint) => void): void {
    if ('all' in hint) return listener(hint)
    const now = this.#clock.monotonic()
    for (const [path, until] of this.#until) if (until <= now) this.#until.delete(path)
    const held = hint.paths.filter((path) => this.#until.has(path))
    const rest = hint.paths.filter((path) => !this.#until.has(path))
    if (rest.length > 0) listener({ paths: rest })
    if (held.length === 0) return
    const cancel = this.#clock.timer(WAKE_MS, () => {
      this.#timers.delete(cancel)
      listener({ paths: held })
    })
    this.#timers.add(cancel)
  }

  stop(): void {
    for (const cancel of this.#timers) cancel()
    this.#timers.clear()
  }
}
