/**
 * What goes over an encrypted connection, with less: the library copies each frame that arrives in two pieces to have room
 * for its plain text, which its cipher then does not use; it throws an error at the end of each read; and what was read, or
 * written, is left to the collector.
 */
import type { MessageStream } from '@libp2p/interface'
import { Uint8ArrayList } from 'uint8arraylist'
import { release, wasRead } from '../buffers.js'

const LENGTH_BYTES = 2

/** What the encrypted stream is in truth. */
interface Insides {
  decoder?: { decode(piece: Uint8Array | Uint8ArrayList): Iterable<Uint8ArrayList> }
  encrypt?: (plain: Uint8ArrayList) => Uint8ArrayList
  decrypt?: (frame: Uint8ArrayList) => Uint8Array | Uint8ArrayList
  readonly handshake?: { decrypt(frame: Uint8ArrayList): Uint8Array | Uint8ArrayList }
}

/** The same stream, which spends less. */
export function thrifty(stream: MessageStream): void {
  const insides = stream as unknown as Insides
  const { decoder, encrypt, decrypt, handshake } = insides
  if (decoder === undefined || encrypt === undefined || decrypt === undefined || handshake === undefined) return
  insides.decoder = new FrameReader()
  insides.decrypt = (frame) => handshake.decrypt(frame)
  insides.encrypt = (plain) => {
    const sealed = encrypt.call(stream, plain)
    for (const piece of plain) wasRead(piece)
    return sealed
  }
}

/** Cuts what arrives into frames, each behind its length. A frame is read by the time the next one is asked for. */
export class FrameReader {
  readonly #buffer = new Uint8ArrayList()
  /** What arrived and is not read to its end, the oldest first. */
  readonly #pieces: Uint8Array[] = []
  /** Of the frame that is arriving; undefined before its length is here. */
  #length: number | undefined;

  *decode(arrived: Uint8Array | Uint8ArrayList): Generator<Uint8ArrayList> {
    this.#buffer.append(arrived)
    this.#pieces.push(...(arrived instanceof Uint8Array ? [arrived] : arrived))
    for (let length = this.#nextLength(); length !== undefined; length = this.#nextLength()) {
      if (this.#buffer.byteLength < length) break
      const frame = this.#buffer.sublist(0, length)
      this.#buffer.consume(length)
      this.#length = undefined
      if (length > 0) yield frame
    }
    this.#releaseRead()
  }

  #nextLength(): number | undefined {
    if (this.#length === undefined && this.#buffer.byteLength >= LENGTH_BYTES) {
      this.#length = this.#buffer.get(0) * 256 + this.#buffer.get(1)
      this.#buffer.consume(LENGTH_BYTES)
    }
    return this.#length
  }

  #releaseRead(): void {
    let unread = this.#buffer.byteLength
    let first = this.#pieces.length
    while (unread > 0) {
      first -= 1
      unread -= this.#pieces[first]!.byteLength
    }
    for (const read of this.#pieces.splice(0, first)) release(read)
  }
}
