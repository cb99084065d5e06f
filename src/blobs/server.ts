import { roomFor } from '../buffers.js'
import { GrapevineError } from '../errors.js'
import type { Clock, NodeId } from '../runtime.js'
import type { BodyRef } from '../wire/body.js'
import {
  type BlobRequest,
  decodeBlobRequest,
  encodeBlobAnswer,
  headOfBytes,
  MIN_LONG_LENGTH
} from '../wire/blob-messages.js'
import { blobMissing } from './errors.js'
import { Slots } from './lock.js'
import { RateLimit } from './rate.js'
import { type Answer, Served } from './served.js'
import type { NodeAddress, TreeLayout } from './tree.js'

/** Parts read at once for all peers together: 8 MiB of memory. */
export const MAX_CONCURRENT_READS = 8
/** Requests of one peer that may be waiting or read; ours keep 5 in flight. */
export const MAX_WAITING_PER_PEER = 32
/** A part that the limit holds back longer is refused, ms: who asks waits three times as long, and may ask another. */
export const MAX_HELD_BACK_MS = 10_000

export interface BlobServerDeps {
  readonly store: {
    sizeOf(hash: string): number | undefined
    /** Fills `into`, which has the length of whole chunks. */
    chunks(ref: BodyRef, from: number, into: Uint8Array): Promise<void>
    treeNode(ref: BodyRef, address: NodeAddress): Promise<Uint8Array>
    readonly layout: Pick<TreeLayout, 'chunkBytes'>
  }
  readonly clock: Pick<Clock, 'monotonic' | 'timer'>
}

export interface BlobServerOptions {
  readonly maxConcurrentReads?: number
  readonly maxWaitingPerPeer?: number
  /** Sent each second, to all peers together; 0, the default: no limit. */
  readonly bytesPerSecond?: number
}

/** Answers the requests of the blob lane from the store. What is not here or turns out damaged is "absent". */
export class BlobServer {
  readonly #store: BlobServerDeps['store']
  readonly #clock: BlobServerDeps['clock']
  readonly #limit: RateLimit
  readonly #slots: Slots
  readonly #served: Served
  readonly #maxWaitingPerPeer: number
  readonly #waiting = new Map<NodeId, number>()

  constructor(deps: BlobServerDeps, options: BlobServerOptions = {}) {
    this.#store = deps.store
    this.#clock = deps.clock
    this.#limit = new RateLimit(deps.clock, options.bytesPerSecond ?? 0)
    this.#slots = new Slots(options.maxConcurrentReads ?? MAX_CONCURRENT_READS)
    this.#served = new Served(deps.clock)
    this.#maxWaitingPerPeer = options.maxWaitingPerPeer ?? MAX_WAITING_PER_PEER
  }

  /**
   * One request frame, one answer frame. Throws `message-malformed`, `peer-refused` (too many at once, or more than the limit
   * lets out soon), `store-failed`.
   */
  async answer(from: NodeId, frame: Uint8Array): Promise<Uint8Array> {
    const request = decodeBlobRequest(frame)
    if (request.t === 'have') {
      return encodeBlobAnswer({ t: 'sizes', sizes: request.hashes.map((hash) => this.#store.sizeOf(hash) ?? null) })
    }
    // A peer that lacks nothing must not wait behind one that fetches a lot, nor fill our memory.
    const waiting = this.#waiting.get(from) ?? 0
    if (waiting >= this.#maxWaitingPerPeer) throw refused(from, 'too many blob requests of one peer are waiting')
    this.#waiting.set(from, waiting + 1)
    try {
      const bytes = this.#lengthOf(request)
      return await this.#inTurn(from, bytes, () =>
        this.#served.answer(`${nameOf(request)} ${bytes}`, () => this.#read(request, bytes))
      )
    } finally {
      const left = this.#waiting.get(from)! - 1
      if (left === 0) this.#waiting.delete(from)
      else this.#waiting.set(from, left)
    }
  }

  /** Waits for its turn under the limit before anything is read: what waits takes no memory. */
  async #inTurn(from: NodeId, most: number, part: () => Promise<Answer>): Promise<Uint8Array> {
    const { waitMs } = this.#limit
    if (waitMs > MAX_HELD_BACK_MS) throw refused(from, 'more is asked for than the upload limit lets out')
    // how much it is shows when it is read
    this.#limit.take(most)
    let sent = 0
    try {
      if (waitMs > 0) await new Promise<void>((resolve) => this.#clock.timer(waitMs, resolve))
      const { frame, bytes } = await part()
      sent = bytes
      return frame
    } finally {
      this.#limit.take(sent - most)
    }
  }

  /** Bytes of the answer at most. Under a limit of the upload a part is one chunk, so that peers take turns. */
  #lengthOf(request: Part): number {
    const { chunkBytes } = this.#store.layout
    if (request.t === 'node') return chunkBytes
    const count = this.#limit.isSet ? 1 : (request.count ?? 1)
    return Math.max(0, Math.min(count * chunkBytes, request.size - request.index * chunkBytes))
  }

  #read(request: Part, bytes: number): Promise<Answer> {
    const ref = { hash: request.hash, size: request.size }
    return this.#slots.run(async () => {
      try {
        return request.t === 'chunk'
          ? await this.#readChunks(ref, request.index, bytes)
          : answerOf(await this.#store.treeNode(ref, request))
      } catch (error) {
        if (error instanceof GrapevineError && (error.code === 'blob-missing' || error.code === 'blob-damaged'))
          return { frame: encodeBlobAnswer({ t: 'absent' }), bytes: 0 }
        throw error
      }
    })
  }

  /** What is read lies at its place in the answer. */
  async #readChunks(ref: BodyRef, from: number, bytes: number): Promise<Answer> {
    if (this.#store.sizeOf(ref.hash) !== ref.size) throw blobMissing(ref)
    const head = bytes < MIN_LONG_LENGTH ? new Uint8Array() : headOfBytes(bytes)
    const frame = roomFor(head.length + bytes)
    await this.#store.chunks(ref, from, frame.subarray(head.length))
    if (head.length === 0) return answerOf(frame)
    frame.set(head)
    return { frame, bytes }
  }
}

function answerOf(bytes: Uint8Array): Answer {
  return { frame: encodeBlobAnswer({ t: 'bytes', bytes }), bytes: bytes.length }
}

type Part = Exclude<BlobRequest, { t: 'have' }>

function nameOf(request: Part): string {
  const { hash, size, index } = request
  return request.t === 'chunk' ? `${hash} ${size} ${index}` : `${hash} ${size} ${request.level}/${index}`
}

function refused(from: NodeId, why: string): GrapevineError {
  return new GrapevineError('peer-refused', why, {
    next: 'nothing: the peer asks again later',
    facts: { from }
  })
}
