import type { BodyRef } from '../wire/body.js'
import type { NodeCache } from './node-cache.js'
import type { NodeAddress, Span, TreeShape } from './tree.js'
import { HASH_BYTES, isNodeFor, isTopOf } from './tree.js'

/**
 * Hands out tree nodes that are proven to belong to the content id: each is checked against its parent, up to the id
 * itself, before anything in it is believed. Where the bytes come from is given as `stored`.
 */
export class TreeReader {
  readonly #ref: BodyRef
  readonly #shape: TreeShape
  readonly #stored: (span: Span) => Promise<Uint8Array>
  readonly #cache: NodeCache

  constructor(ref: BodyRef, shape: TreeShape, stored: (span: Span) => Promise<Uint8Array>, cache: NodeCache) {
    this.#ref = ref
    this.#shape = shape
    this.#stored = stored
    this.#cache = cache
  }

  /** The verified hashes of a node; undefined when what is stored is not what the id names. */
  async node(address: NodeAddress): Promise<Uint8Array | undefined> {
    const cached = this.#cache.get(this.#ref, address)
    if (cached !== undefined) return cached
    const bytes = await this.#stored(this.#shape.nodeSpan(address))
    return (await this.accepts(address, bytes)) ? bytes : undefined
  }

  /** Whether these bytes are that node; true only when its parents are here to prove it. */
  async accepts(address: NodeAddress, bytes: Uint8Array): Promise<boolean> {
    if (!(await this.#proves(address, bytes))) return false
    this.#cache.put(this.#ref, address, bytes)
    return true
  }

  /** The hash a chunk must have; undefined when the node that holds it is not here or damaged. */
  async chunkHash(index: number): Promise<Uint8Array | undefined> {
    if (this.#shape.height === 0) return Buffer.from(this.#ref.hash, 'hex')
    const { node, at } = this.#shape.leafOf(index)
    return (await this.node(node))?.subarray(at, at + HASH_BYTES)
  }

  async #proves(address: NodeAddress, bytes: Uint8Array): Promise<boolean> {
    const up = this.#shape.parentOf(address)
    if (up === undefined) return isTopOf(this.#ref, bytes)
    const parent = await this.node(up.node)
    return parent !== undefined && isNodeFor(parent.subarray(up.at, up.at + HASH_BYTES), bytes)
  }
}
