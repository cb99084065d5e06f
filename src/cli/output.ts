/** A stream the commands write to: waits when it is full, and tells when the reader has gone. */
import { once } from 'node:events'
import type { Writable } from 'node:stream'
import { isErrno } from '../errors.js'

/** Thrown by write() once nobody reads any more (`grapevine ls | head -1`); the command then ends as if it were done. */
export class OutputClosed extends Error {
  override readonly name = 'OutputClosed'
}

export interface Output {
  write(chunk: string | Uint8Array): Promise<void>
  readonly isTTY: boolean
  /** Width in characters. */
  readonly columns: number
  /** Aborts when the reader has gone. */
  readonly closed: AbortSignal
}

/** Width that is assumed when the output is no terminal. */
export const DEFAULT_COLUMNS = 80

export class StreamOutput implements Output {
  readonly #stream: Writable & { isTTY?: boolean; columns?: number }
  readonly #closed = new AbortController()
  #failure: Error | undefined

  constructor(stream: Writable & { isTTY?: boolean; columns?: number }) {
    this.#stream = stream
    stream.on('error', (error) => {
      if (!isErrno(error, 'EPIPE', 'ECONNRESET', 'ERR_STREAM_DESTROYED')) this.#failure = error
      this.#closed.abort()
    })
    stream.on('close', () => this.#closed.abort())
  }

  get isTTY(): boolean {
    return this.#stream.isTTY === true
  }

  get columns(): number {
    return this.#stream.columns ?? DEFAULT_COLUMNS
  }

  get closed(): AbortSignal {
    return this.#closed.signal
  }

  async write(chunk: string | Uint8Array): Promise<void> {
    this.#check()
    if (!this.#stream.write(chunk)) await once(this.#stream, 'drain', { signal: this.closed }).catch(() => undefined)
    this.#check()
  }

  /** Resolves when everything written has left the process, or nobody reads it. */
  async flush(): Promise<void> {
    if (this.closed.aborted || this.#stream.writableLength === 0) return
    const written = new Promise<void>((done) => this.#stream.write('', () => done()))
    await Promise.race([written, once(this.closed, 'abort')])
  }

  #check(): void {
    if (this.#failure) throw this.#failure
    if (this.closed.aborted) throw new OutputClosed('nobody reads the output any more')
  }
}
