/**
 * Frames of a lane: `[type u8][id varint][payload]`, each behind a length prefix (varint). Numbers are only ever appended.
 * The opener of a stream sends hello, notify, request and the one-way kinds; the acceptor sends answer and refusal.
 */
import type { Stream } from '@libp2p/interface'
import { Uint8ArrayList } from 'uint8arraylist'
import { release, roomFor } from '../buffers.js'
import { malformed } from '../wire/index.js'
import { tooLarge } from './errors.js'
import { FRAME_HEADER_BYTES, MAX_LANE_FRAME_BYTES } from './limits.js'
import { readable, type Chunk } from './readable.js'

export const FrameType = {
  /** One-way; id 0. */
  notify: 0,
  /** Answered by `answer` or `refusal` with the same id. */
  request: 1,
  answer: 2,
  /** Payload: the error's code, ASCII. */
  refusal: 3,
  /** First frame of the sync lane; answered like a request. */
  hello: 4,
  /** One-way: addresses of other members (see hello.ts). */
  addresses: 5,
  /** One-way: the receiver's key is in use by another process too. */
  duplicate: 6,
  /** One-way: the sender has more links than it needs; the receiver ends this one if it has others. */
  enough: 7,
  /** One-way: with whom the sender is linked (circle.ts). */
  circle: 8
} as const

export interface Frame {
  readonly type: number
  /** 0 for one-way frames, else chosen by the opener. */
  readonly id: number
  readonly payload: Uint8Array
}

export const MAX_FRAME_ID = 0xffff_ffff

/** A payload up to this is copied behind its head, bytes: two pieces would cost more. */
const MAX_COPIED_BYTES = 4 * 1024
/** A length of the longest frame, as a varint. */
const MAX_LENGTH_BYTES = 4

export function encodeFrame(type: number, id: number, payload: Uint8Array): Uint8Array {
  return joined(headOf(type, id), payload)
}

/** The frame as it goes over the stream, its length before it. A large payload is not copied. */
export function framed(type: number, id: number, payload: Uint8Array): Uint8Array | Uint8ArrayList {
  const head = headOf(type, id)
  const start = Uint8Array.from([...varint(head.length + payload.length), ...head])
  return payload.length <= MAX_COPIED_BYTES ? joined(start, payload) : new Uint8ArrayList(start, payload)
}

function headOf(type: number, id: number): number[] {
  return [type, ...varint(id)]
}

function varint(value: number): number[] {
  const bytes: number[] = []
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    bytes.push(rest >= 128 ? (rest % 128) + 128 : rest)
    if (rest < 128) return bytes
  }
}

function joined(head: ArrayLike<number>, payload: Uint8Array): Uint8Array {
  const frame = new Uint8Array(head.length + payload.length)
  frame.set(head)
  frame.set(payload, head.length)
  return frame
}

export function decodeFrame(bytes: Uint8Array): Frame {
  const type = bytes[0]
  if (type === undefined) throw malformed('is an empty frame')
  let id = 0
  let at = 1
  for (let weight = 1; ; weight *= 128) {
    const byte = bytes[at]
    if (byte === undefined || at > 5) throw malformed('is a frame without an id')
    id += (byte % 128) * weight
    at += 1
    if (byte < 128) break
  }
  if (id > MAX_FRAME_ID) throw malformed('is a frame whose id is out of range')
  return { type, id, payload: ownBytes(bytes.subarray(at)) }
}

/** A small payload must not keep the large network buffer alive that it came in. */
function ownBytes(view: Uint8Array): Uint8Array {
  return view.byteLength * 2 + FRAME_HEADER_BYTES < view.buffer.byteLength ? view.slice() : view
}

/** The frames of a stream, pulled: whoever takes them slowly slows the sender down. */
export async function* framesOf(stream: Stream): AsyncGenerator<Frame> {
  const assembly = new FrameAssembly()
  for await (const chunk of readable(stream)) yield* assembly.take(chunk)
  assembly.mustBeAtEnd()
}

/** Puts frames together from what arrives, each in memory of its own: what it came in is given back at once. */
export class FrameAssembly {
  /** Of the frame that is arriving; undefined while its length does. */
  #frame: Uint8Array | undefined
  #filled = 0
  #length = 0
  #lengthBytes = 0

  mustBeAtEnd(): void {
    if (this.#frame !== undefined || this.#lengthBytes > 0) throw malformed('ends in the middle of a frame')
  }

  *take(chunk: Chunk): Generator<Frame> {
    for (const piece of chunk instanceof Uint8Array ? [chunk] : chunk) {
      for (let at = 0; at < piece.length;) {
        if (this.#frame === undefined) this.#takeLength(piece[at++]!)
        else at += this.#fill(this.#frame, piece, at)
        if (this.#frame?.length !== this.#filled) continue
        const frame = this.#frame
        this.#frame = undefined
        yield decodeFrame(frame)
      }
      release(piece)
    }
  }

  /** Checked before anything is allocated for it. */
  #takeLength(byte: number): void {
    this.#length += (byte % 128) * 128 ** this.#lengthBytes
    this.#lengthBytes += 1
    if (this.#length > MAX_LANE_FRAME_BYTES) throw tooLarge('a frame', this.#length, MAX_LANE_FRAME_BYTES)
    if (byte >= 128 && this.#lengthBytes < MAX_LENGTH_BYTES) return
    if (byte >= 128) throw malformed('is a frame whose length is too long')
    this.#frame = roomFor(this.#length)
    this.#filled = 0
    this.#length = 0
    this.#lengthBytes = 0
  }

  #fill(frame: Uint8Array, piece: Uint8Array, at: number): number {
    const taken = Math.min(frame.length - this.#filled, piece.length - at)
    frame.set(piece.subarray(at, at + taken), this.#filled)
    this.#filled += taken
    return taken
  }
}
