/** Which peers held the same as this node when it last heard of them: told when one comes to, not each time again. */
import type { NodeId } from '../runtime.js'

export class Agreement {
  readonly #with = new Set<NodeId>()
  readonly #reached: (node: NodeId) => void

  constructor(reached: (node: NodeId) => void) {
    this.#reached = reached
  }

  heard(node: NodeId, same: boolean): void {
    if (same === this.#with.has(node)) return
    if (!same) return this.gone(node)
    this.#with.add(node)
    this.#reached(node)
  }

  gone(node: NodeId): void {
    this.#with.delete(node)
  }
}
