/**
 * Writing frames with back-pressure. `onDrain()` of the stack works only once in the life of a stream, so we listen for
 * the event itself. Frames that wait here keep their order among themselves.
 */
import { pEvent } from 'p-event'
import type { Stream } from '@libp2p/interface'
import type { Uint8ArrayList } from 'uint8arraylist'
import { NOTIFY_QUEUE_BYTES, WRITE_AHEAD_BYTES } from './limits.js'

/** A frame with its length before it (frames.ts). */
type Framed = Uint8Array | Uint8ArrayList

export class FrameWriter {
  readonly #stream: Stream
  #last: Promise<void> = Promise.resolve()

  constructor(stream: Stream) {
    this.#stream = stream
  }

  /** Bytes handed to the stream and not yet taken over by the connection. */
  get queuedBytes(): number {
    return this.#stream.writeBufferLength
  }

  /** Sends now or not at all: false when the queue is full or the stream is closed. */
  offer(frame: Framed): boolean {
    if (this.queuedBytes + frame.byteLength > NOTIFY_QUEUE_BYTES) return false
    try {
      this.#stream.send(frame)
      return true
    } catch {
      return false
    }
  }

  /**
   * Resolves when the stream has taken the frame over; rejects when it closes first.
   * @param encodeFrame makes the frame when its turn comes, so that what waits is held once, by the caller.
   * @param wanted asked again before; false drops it.
   */
  write(encodeFrame: () => Framed, wanted: () => boolean = () => true): Promise<void> {
    const turn = this.#last.then(() => this.#send(encodeFrame, wanted))
    this.#last = turn.catch(() => undefined)
    return turn
  }

  async #send(encodeFrame: () => Framed, wanted: () => boolean): Promise<void> {
    while (wanted() && this.#stream.writeBufferLength > WRITE_AHEAD_BYTES) await this.#drained()
    if (wanted()) this.#stream.send(encodeFrame())
  }

  async #drained(): Promise<void> {
    if (this.#stream.status !== 'open') throw new Error('the stream is closed')
    try {
      await pEvent(this.#stream, ['drain', 'idle'], { rejectionEvents: ['close'] })
    } catch {
      // What pEvent rejects with is an event, not an error.
      throw new Error('the stream closed while it was full')
    }
  }
}
