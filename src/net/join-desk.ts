/**
 * The issuer's side of joining: the one protocol a stranger may speak, one request, one answer, then it is closed and
 * comes back as a member. Request and answer are bytes of wire's join messages behind a length prefix.
 */
import { decode, encode } from 'it-length-prefixed'
import { pipe } from 'it-pipe'
import { pEvent } from 'p-event'
import type { Connection, Stream } from '@libp2p/interface'
import { GrapevineError } from '../errors.js'
import type { Clock, Logger } from '../runtime.js'
import { encodeJoinRefusal } from '../wire/index.js'
import { whyOf } from './errors.js'
import { rawKeyOf } from './keys.js'
import { MAX_JOIN_ANSWER_BYTES, MAX_JOIN_REQUEST_BYTES, REFUSAL_LINGER_MS, STRANGER_MS } from './limits.js'
import { readable } from './readable.js'

/** @param publicKey 32 bytes, proven by the handshake. What it throws becomes the refusal the joiner sees. */
export type JoinHandler = (request: Uint8Array, publicKey: Uint8Array) => Promise<Uint8Array>

export interface JoinDeskDeps {
  readonly clock: Clock
  readonly logger: Logger
  handler(): JoinHandler | undefined
  strangersAllowed(): boolean
}

export class JoinDesk {
  readonly #deps: JoinDeskDeps
  readonly #strangers = new Set<Connection>()

  constructor(deps: JoinDeskDeps) {
    this.#deps = deps
  }

  get strangers(): number {
    return this.#strangers.size
  }

  /** Whether this connection was let in for joining only. */
  holds(connection: Connection): boolean {
    return this.#strangers.has(connection)
  }

  /** A stranger came in. It has limited time. */
  opened(connection: Connection): void {
    this.#strangers.add(connection)
    const cancel = this.#deps.clock.timer(STRANGER_MS, () => connection.abort(new Error('joining took too long')))
    connection.addEventListener('close', () => {
      cancel()
      this.#strangers.delete(connection)
    })
  }

  /** Never rejects. */
  async serve(stream: Stream, connection: Connection): Promise<void> {
    const node = connection.remotePeer.toString()
    try {
      await this.#exchange(stream, connection)
      this.#deps.logger.debug('Answered a request to join', { node })
    } catch (error) {
      this.#deps.logger.info('A request to join failed', { node, reason: whyOf(error) })
      stream.abort(error instanceof Error ? error : new Error(whyOf(error)))
    }
    if (!this.holds(connection)) return
    // Closing at once could overtake the answer; the joiner usually closes first.
    this.#deps.clock.timer(REFUSAL_LINGER_MS, () => connection.abort(new Error('joining is over')))
  }

  async #exchange(stream: Stream, connection: Connection): Promise<void> {
    const signal = AbortSignal.timeout(STRANGER_MS)
    const handler = this.#deps.handler()
    const key = rawKeyOf(connection.remotePeer)
    if (handler === undefined || key === undefined || !this.#deps.strangersAllowed())
      throw new Error('no invitation is open')
    const request = await firstFrame(stream, MAX_JOIN_REQUEST_BYTES, signal)
    const answer = await handler(request, key).catch((error: unknown) => {
      this.#deps.logger.info('Refused a request to join', {
        node: connection.remotePeer.toString(),
        reason: whyOf(error)
      })
      return encodeJoinRefusal(error instanceof GrapevineError ? error.code : 'internal')
    })
    stream.send(encode.single(answer, { maxDataLength: MAX_JOIN_ANSWER_BYTES }))
    await stream.close({ signal })
    if (stream.status === 'open')
      await pEvent(stream, 'close', {
        signal: AbortSignal.any([signal, AbortSignal.timeout(REFUSAL_LINGER_MS)])
      }).catch(() => undefined)
  }
}

/** The first frame of a stream. Rejects when it is longer than `maxBytes`, when the stream ends, or with the signal. */
export async function firstFrame(stream: Stream, maxBytes: number, signal: AbortSignal): Promise<Uint8Array> {
  const giveUp = (): void => stream.abort(new Error('no answer in time'))
  signal.addEventListener('abort', giveUp, { once: true })
  try {
    const frames = pipe(readable(stream), (source) => decode(source, { maxDataLength: maxBytes }))
    for await (const frame of frames) return frame.subarray()
    throw new Error('the stream ended without a message')
  } finally {
    signal.removeEventListener('abort', giveUp)
  }
}
