/**
 * Frames of a lane: `[type u8][id varint][payload]`, each behind a length prefix (varint). Numbers are only ever appended.
 * The opener of a stream sends hello, notify, request and the one-way kinds; the acceptor sends answer and refusal.
 */
import { decode } from 'it-length-prefixed'
import { pipe } from 'it-pipe'
import type { Stream } from '@libp2p/interface'
import { malformed } from '../wire/index.js'
import { MAX_LANE_FRAME_BYTES } from './limits.js'
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
  enough: 7
} as const

export interface Frame {
  readonly type: number
  /** 0 for one-way frames, else chosen by the opener. */
  readonly id: number
  readonly payload: Uint8Array
}

export const MAX_FRAME_ID = 0xffff_ffff

export function encodeFrame(type: number, id: number, payload: Uint8Array): Uint8Array {
  const head = [type]
  for (let rest = id; ; rest = Math.floor(rest / 128)) {
    head.push(rest >= 128 ? (rest % 128) + 128 : rest)
    if (rest < 128) break
  }
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
  return view.byteLength * 2 < view.buffer.byteLength ? view.slice() : view
}

async function* parse(source: AsyncIterable<Exclude<Chunk, Uint8Array>>): AsyncGenerator<Frame> {
  for await (const bytes of source) yield decodeFrame(bytes.subarray())
}

/** The frames of a stream, pulled: whoever takes them slowly slows the sender down. */
export function framesOf(stream: Stream): AsyncIterable<Frame> {
  return pipe(readable(stream), (source) => decode(source, { maxDataLength: MAX_LANE_FRAME_BYTES }), parse)
}
