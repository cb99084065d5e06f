/**
 * Our end of a stream we opened: notifications and requests go out, answers come back, several requests in flight.
 * The life of a request: queued -> sent -> answered | refused | timed out | given up | stream closed.
 */
import type { Stream } from '@libp2p/interface'
import type { Clock, NodeId } from '../runtime.js'
import { brokenFrame, refused, unreachable, whyOf } from './errors.js'
import { framed, framesOf, FrameType, MAX_FRAME_ID, type Frame } from './frames.js'
import { REQUESTS_IN_FLIGHT } from './limits.js'
import { FrameWriter } from './writer.js'

export interface OutgoingDeps {
  readonly clock: Clock
  /** Once, when the stream is over; `broken` when the peer sent what cannot be read. */
  closed(broken: Error | undefined): void
}

export interface CallOptions {
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
}

interface Pending {
  resolve(payload: Uint8Array): void
  reject(error: unknown): void
}

export class Outgoing {
  readonly #deps: OutgoingDeps
  readonly #node: NodeId
  readonly #stream: Stream
  readonly #writer: FrameWriter
  readonly #pending = new Map<number, Pending>()
  #lastId = 0
  #closed = false

  constructor(deps: OutgoingDeps, node: NodeId, stream: Stream) {
    this.#deps = deps
    this.#node = node
    this.#stream = stream
    this.#writer = new FrameWriter(stream)
    void this.#read()
  }

  get inFlight(): number {
    return this.#pending.size
  }

  get queuedBytes(): number {
    return this.#writer.queuedBytes
  }

  /** One-way; false when it cannot be queued. */
  tell(type: number, payload: Uint8Array): boolean {
    return !this.#closed && this.#writer.offer(framed(type, 0, payload))
  }

  /** Rejects with `peer-unreachable` or `peer-refused`, or with the signal's reason. */
  call(type: number, payload: Uint8Array, options: CallOptions): Promise<Uint8Array> {
    if (this.#closed) return Promise.reject(unreachable(this.#node, 'closed the stream'))
    if (this.#pending.size >= REQUESTS_IN_FLIGHT)
      return Promise.reject(unreachable(this.#node, 'has too many requests waiting'))
    const { signal } = options
    if (signal?.aborted === true) return Promise.reject(asError(signal.reason))
    const id = this.#nextId()
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        this.#pending.delete(id)
        cancelTimer()
        signal?.removeEventListener('abort', onAbort)
      }
      const pending: Pending = {
        resolve: (answer) => (settle(), resolve(answer)),
        reject: (error) => (settle(), reject(asError(error)))
      }
      const onAbort = (): void => pending.reject(signal?.reason)
      const cancelTimer = this.#deps.clock.timer(options.timeoutMs, () => {
        pending.reject(unreachable(this.#node, `did not answer within ${options.timeoutMs} ms`))
      })
      signal?.addEventListener('abort', onAbort, { once: true })
      this.#pending.set(id, pending)
      this.#writer
        .write(
          () => framed(type, id, payload),
          () => this.#pending.get(id) === pending
        )
        .catch((error: unknown) => {
          pending.reject(unreachable(this.#node, `could not be written to: ${whyOf(error)}`, error))
        })
    })
  }

  close(): void {
    this.#stream.abort(new Error('the lane is closed'))
  }

  async #read(): Promise<void> {
    let broken: Error | undefined
    try {
      for await (const frame of framesOf(this.#stream)) this.#answered(frame)
    } catch (error) {
      // A reset is the ordinary end of a stream; only what came over an open one can be broken.
      if (this.#stream.status === 'open') broken = brokenFrame(error)
    }
    this.#closed = true
    if (this.#stream.status === 'open') this.#stream.abort(broken ?? new Error('the peer closed the lane'))
    for (const pending of this.#pending.values()) pending.reject(unreachable(this.#node, 'closed the stream', broken))
    this.#deps.closed(broken)
  }

  /** Answers nobody waits for (any more) are dropped: the request timed out or was given up. */
  #answered(frame: Frame): void {
    const pending = this.#pending.get(frame.id)
    if (frame.type === FrameType.answer) pending?.resolve(frame.payload)
    else if (frame.type === FrameType.refusal) pending?.reject(refused(this.#node, codeOf(frame.payload)))
  }

  #nextId(): number {
    do this.#lastId = this.#lastId >= MAX_FRAME_ID ? 1 : this.#lastId + 1
    while (this.#pending.has(this.#lastId))
    return this.#lastId
  }
}

/** What a peer names as code ends up in logs: short and harmless text only. */
function codeOf(payload: Uint8Array): string {
  const code = Buffer.from(payload.subarray(0, 64)).toString('latin1')
  return /^[a-z][a-z0-9-]*$/.test(code) ? code : 'unknown'
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason))
}
