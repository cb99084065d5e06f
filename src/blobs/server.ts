import { GrapevineError } from '../errors.js'
import type { NodeId } from '../runtime.js'
import type { BodyRef } from '../wire/body.js'
import { type BlobAnswer, type BlobRequest, decodeBlobRequest, encodeBlobAnswer } from '../wire/blob-messages.js'
import { Slots } from './lock.js'
import type { NodeAddress } from './tree.js'

/** Chunks read at once for all peers together: 2 MiB of memory. */
export const MAX_CONCURRENT_READS = 8
/** Requests of one peer that may be waiting or read; ours keep 5 in flight. */
export const MAX_WAITING_PER_PEER = 32

export interface BlobServerDeps {
  readonly store: {
    sizeOf(hash: string): number | undefined
    chunk(ref: BodyRef, index: number): Promise<Uint8Array>
    treeNode(ref: BodyRef, address: NodeAddress): Promise<Uint8Array>
  }
}

/** Answers the requests of the blob lane from the store. What is not here or turns out damaged is "absent". */
export class BlobServer {
  readonly #store: BlobServerDeps['store']
  readonly #slots: Slots
  readonly #maxWaitingPerPeer: number
  readonly #waiting = new Map<NodeId, number>()

  constructor(deps: BlobServerDeps, options: { maxConcurrentReads?: number; maxWaitingPerPeer?: number } = {}) {
    this.#store = deps.store
    this.#slots = new Slots(options.maxConcurrentReads ?? MAX_CONCURRENT_READS)
    this.#maxWaitingPerPeer = options.maxWaitingPerPeer ?? MAX_WAITING_PER_PEER
  }

  /** One request frame, one answer frame. Throws `message-malformed`, `peer-refused` (too many at once), `store-failed`. */
  async answer(from: NodeId, frame: Uint8Array): Promise<Uint8Array> {
    const request = decodeBlobRequest(frame)
    if (request.t === 'have') {
      return encodeBlobAnswer({ t: 'sizes', sizes: request.hashes.map((hash) => this.#store.sizeOf(hash) ?? null) })
    }
    // A peer that lacks nothing must not wait behind one that fetches a lot, nor fill our memory.
    const waiting = this.#waiting.get(from) ?? 0
    if (waiting >= this.#maxWaitingPerPeer) throw tooMany(from)
    this.#waiting.set(from, waiting + 1)
    try {
      return encodeBlobAnswer(await this.#slots.run(() => this.#part(request)))
    } finally {
      const left = this.#waiting.get(from)! - 1
      if (left === 0) this.#waiting.delete(from)
      else this.#waiting.set(from, left)
    }
  }

  async #part(request: Exclude<BlobRequest, { t: 'have' }>): Promise<BlobAnswer> {
    const ref = { hash: request.hash, size: request.size }
    try {
      const read = request.t === 'chunk' ? this.#store.chunk(ref, request.index) : this.#store.treeNode(ref, request)
      return { t: 'bytes', bytes: await read }
    } catch (error) {
      if (error instanceof GrapevineError && (error.code === 'blob-missing' || error.code === 'blob-damaged')) {
        return { t: 'absent' }
      }
      throw error
    }
  }
}

function tooMany(from: NodeId): GrapevineError {
  return new GrapevineError('peer-refused', 'too many blob requests of one peer are waiting', {
    next: 'nothing: the peer asks again later',
    facts: { from }
  })
}
