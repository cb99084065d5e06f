/**
 * What stands before each gossip message: 4 bytes of its publisher, and a number whose highest bit says that it was handed to
 * all (circle.ts). It makes the message unlike any other, so that saying the same twice is heard twice.
 */
import { PUBLISHER_BYTES } from './circle.js'

export const STAMP_BYTES = PUBLISHER_BYTES + 4

const TO_ALL = 0x8000_0000

export class Stamp {
  readonly #publisher: Uint8Array
  #count = 0

  constructor(publisher: Uint8Array) {
    this.#publisher = publisher
  }

  put(frame: Uint8Array, toAll: boolean): Uint8Array {
    this.#count = (this.#count + 1) % TO_ALL
    const message = Buffer.alloc(STAMP_BYTES + frame.length)
    message.set(this.#publisher)
    message.writeUInt32BE(this.#count + (toAll ? TO_ALL : 0), PUBLISHER_BYTES)
    message.set(frame, STAMP_BYTES)
    return message
  }
}

/** Who published a message, hex, and whether it was handed to all by them. At least `STAMP_BYTES` are there. */
export function stampOf(message: Uint8Array): { publisher: string; toAll: boolean } {
  const bytes = Buffer.from(message.buffer, message.byteOffset, STAMP_BYTES)
  return { publisher: bytes.toString('hex', 0, PUBLISHER_BYTES), toAll: bytes.readUInt32BE(PUBLISHER_BYTES) >= TO_ALL }
}
