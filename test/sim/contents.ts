import { GrapevineError } from '../../src/errors.js'
import { bodyRefOf, type BodyRef } from '../../src/wire/index.js'

/** Contents in memory, as the blob store keeps them on disk. */
export class MemoryContents {
  readonly #bodies = new Map<string, Uint8Array>()

  async put(bytes: Uint8Array): Promise<BodyRef> {
    const ref = bodyRefOf(bytes)
    this.#bodies.set(ref.hash, bytes)
    return ref
  }

  async get(ref: BodyRef): Promise<Uint8Array> {
    const bytes = this.#bodies.get(ref.hash)
    if (bytes === undefined) throw new GrapevineError('blob-missing', 'it is not here', { next: 'nothing' })
    return bytes
  }

  get bytes(): number {
    return [...this.#bodies.values()].reduce((sum, { length }) => sum + length, 0)
  }

  get hashes(): string[] {
    return [...this.#bodies.keys()]
  }

  get count(): number {
    return this.#bodies.size
  }
}
