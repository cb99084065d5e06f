/**
 * Reading a libp2p stream with back-pressure. Its own iterator queues without bound and re-opens the window for every
 * frame. Here the stream is paused once enough is queued. The pause must come in a microtask: `resume()` first hands
 * over what it buffered and re-opens the window after, which would undo a pause made inside the message handler.
 */
import type { Stream, StreamCloseEvent, StreamMessageEvent } from '@libp2p/interface'
import { READ_QUEUE_BYTES } from './limits.js'

export type Chunk = StreamMessageEvent['data']

/** @param limit unread bytes at which the stream is paused; it is resumed below half of it. */
export async function* readable(stream: Stream, limit = READ_QUEUE_BYTES): AsyncGenerator<Chunk> {
  const inbox = new Inbox(stream, limit)
  try {
    for (;;) {
      const chunk = inbox.take()
      if (chunk !== undefined) yield chunk
      else if (inbox.error !== undefined) throw inbox.error
      else if (inbox.ended) return
      else await inbox.more()
    }
  } finally {
    inbox.release()
  }
}

class Inbox {
  ended = false
  error: Error | undefined
  readonly #stream: Stream
  readonly #limit: number
  #chunks: Chunk[] = []
  #bytes = 0
  #paused = false
  #wake: (() => void) | undefined

  constructor(stream: Stream, limit: number) {
    this.#stream = stream
    this.#limit = limit
    stream.addEventListener('message', this.#onMessage)
    stream.addEventListener('end', this.#onEnd)
    stream.addEventListener('close', this.#onClose)
    if (stream.status !== 'open') this.ended = true
  }

  take(): Chunk | undefined {
    const chunk = this.#chunks.shift()
    if (chunk === undefined) return undefined
    this.#bytes -= chunk.byteLength
    if (this.#paused && this.#bytes < this.#limit / 2) {
      this.#paused = false
      quietly(() => this.#stream.resume())
    }
    return chunk
  }

  async more(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve
    })
  }

  release(): void {
    this.#stream.removeEventListener('message', this.#onMessage)
    this.#stream.removeEventListener('end', this.#onEnd)
    this.#stream.removeEventListener('close', this.#onClose)
  }

  readonly #onMessage = (event: StreamMessageEvent): void => {
    this.#chunks.push(event.data)
    this.#bytes += event.data.byteLength
    if (!this.#paused && this.#bytes >= this.#limit) {
      this.#paused = true
      queueMicrotask(() => {
        if (this.#paused) quietly(() => this.#stream.pause())
      })
    }
    this.#wake?.()
  }

  readonly #onEnd = (): void => {
    this.ended = true
    this.#wake?.()
  }

  readonly #onClose = (event: StreamCloseEvent): void => {
    this.ended = true
    this.error = event.error
    this.#wake?.()
  }
}

/** A stream that is closing refuses to pause and resume; its end is reported by its events. */
function quietly(action: () => void): void {
  try {
    action()
  } catch {
    // See above: the `close` event follows or has been seen.
  }
}
