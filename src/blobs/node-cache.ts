import type { BodyRef } from '../wire/body.js'
import type { NodeAddress } from './tree.js'

/** Verified tree nodes kept in memory, bytes: eight whole nodes, so that 16 GiB can be read without a second look. */
export const MAX_CACHED_NODE_BYTES = 2 * 1024 * 1024

/** The most recently used verified tree nodes. What is in here was checked, and content ids never change meaning. */
export class NodeCache {
  readonly #maxBytes: number
  readonly #nodes = new Map<string, Uint8Array>()
  #bytes = 0

  constructor(maxBytes = MAX_CACHED_NODE_BYTES) {
    this.#maxBytes = maxBytes
  }

  get(ref: BodyRef, node: NodeAddress): Uint8Array | undefined {
    const key = keyOf(ref, node)
    const bytes = this.#nodes.get(key)
    if (bytes === undefined) return undefined
    this.#nodes.delete(key)
    this.#nodes.set(key, bytes)
    return bytes
  }

  put(ref: BodyRef, node: NodeAddress, bytes: Uint8Array): void {
    const key = keyOf(ref, node)
    if (bytes.length > this.#maxBytes || this.#nodes.has(key)) return
    this.#nodes.set(key, bytes)
    this.#bytes += bytes.length
    for (const [oldest, old] of this.#nodes) {
      if (this.#bytes <= this.#maxBytes) break
      this.#nodes.delete(oldest)
      this.#bytes -= old.length
    }
  }

  get bytes(): number {
    return this.#bytes
  }
}

/** The size belongs to the key: a reference that lies about its size has another tree. */
function keyOf(ref: BodyRef, node: NodeAddress): string {
  return `${ref.hash}/${ref.size}/${node.level}/${node.index}`
}
