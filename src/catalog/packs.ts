/**
 * The small bodies that the entries of a checkpoint name, gathered in contents of their own: nobody vouches for these,
 * because each body is known by its hash.
 */
import * as decoding from 'lib0/decoding'
import * as encoding from 'lib0/encoding'
import { malformed, MAX_INLINE_BODY_BYTES, type BodyRef } from '../wire/index.js'

export class PackWriter {
  readonly #bytesOf: (ref: BodyRef) => Uint8Array | undefined
  readonly #held = new Set<string>()
  #out = encoding.createEncoder()

  constructor(bytesOf: (ref: BodyRef) => Uint8Array | undefined) {
    this.#bytesOf = bytesOf
  }

  get empty(): boolean {
    return this.#held.size === 0
  }

  add(ref: BodyRef): void {
    if (this.#held.has(ref.hash)) return
    const bytes = this.#bytesOf(ref)
    if (bytes === undefined) return
    this.#held.add(ref.hash)
    encoding.writeVarUint8Array(this.#out, bytes)
  }

  take(): Uint8Array {
    const bytes = encoding.toUint8Array(this.#out)
    this.#out = encoding.createEncoder()
    this.#held.clear()
    return bytes
  }
}

/** The bodies of one content; throws `message-malformed`. */
export function* readPack(bytes: Uint8Array): Generator<Uint8Array> {
  const input = decoding.createDecoder(bytes)
  try {
    while (decoding.hasContent(input)) {
      const body = decoding.readVarUint8Array(input)
      if (body.length > MAX_INLINE_BODY_BYTES) throw new Error('holds a body that is not small')
      yield body
    }
  } catch (error) {
    throw malformed('is a pack of small bodies that cannot be read', error)
  }
}
