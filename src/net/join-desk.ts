/**
 * The issuer's side of joining: the one protocol a stranger may speak, one request, one answer, then it is closed and
 * comes back as a member. Request and answer are bytes of wire's join messages behind a length prefix.
 */
import { decode, encode } from 'it-length-prefixed'
import { pipe } from 'it-pipe'
import { pEvent } from 'p-event'
import type { Connection, Stream } from '@libp2p/interface'
import { GrapevineError } from '../errors.js'
import { seldom, type Clock, type Logger } from '../runtime.js'
import { Bucket } from '../share.js'
import { encodeJoinRefusal } from '../wire/index.js'
import { whyOf } from './errors.js'
import { rawKeyOf } from './keys.js'
import {
  JOINS_BURST,
  JOINS_PER_S,
  MAX_JOIN_ANSWER_BYTES,
  MAX_JOIN_REQUEST_BYTES,
  MAX_STRANGERS,
  REFUSAL_LINGER_MS,
  STRANGER_GRACE_MS,
  STRANGER_MS
} from './limits.js'
import { readable } from './readable.js'

/** @param publicKey 32 bytes, proven by the handshake. What it throws becomes the refusal the joiner sees. */
export type JoinHandler = (request: Uint8Array, publicKey: Uint8Array) => Promise<Uint8Array>

export interface JoinDeskDeps {
  readonly clock: Clock
  readonly logger: Logger
  handler(): JoinHandler | undefined
  strangersAllowed(): boolean
  /** @param publicKey of a member that was away. */
  mayReturn(publicKey: Uint8Array): boolean
}

export interface JoinCounters {
  /** Requests that were answered, whatever the answer. */
  judged: number
  /** Requests on a connection that had made one already. */
  repeated: number
  /** Strangers that asked nothing and gave way to others. */
  displaced: number
  /** Strangers that did not finish in time. */
  late: number
}

interface Stranger {
  readonly since: number
  asked: boolean
}

export class JoinDesk {
  readonly counters: JoinCounters = { judged: 0, repeated: 0, displaced: 0, late: 0 }
  readonly #deps: JoinDeskDeps
  readonly #logger: Logger
  /** In the order in which they came. */
  readonly #strangers = new Map<Connection, Stranger>()
  readonly #asked = new WeakSet<Connection>()
  readonly #joins: Bucket

  constructor(deps: JoinDeskDeps) {
    this.#deps = deps
    this.#logger = seldom(deps.logger, deps.clock)
    this.#joins = new Bucket(deps.clock, { perSecond: JOINS_PER_S, burst: JOINS_BURST })
  }

  get strangers(): number {
    return this.#strangers.size
  }

  /** Whether this connection was let in for joining only. */
  holds(connection: Connection): boolean {
    return this.#strangers.has(connection)
  }

  /** Whether one more may come in: if need be in place of one that is here for a while and has asked nothing. */
  room(): boolean {
    if (this.#strangers.size < MAX_STRANGERS) return true
    const now = this.#deps.clock.monotonic()
    for (const [connection, { since, asked }] of this.#strangers) {
      if (asked || now - since < STRANGER_GRACE_MS) continue
      this.counters.displaced += 1
      connection.abort(new Error('others want to join'))
      this.#strangers.delete(connection)
      return true
    }
    return false
  }

  /** A stranger came in. It has limited time. */
  opened(connection: Connection): void {
    if (this.#strangers.size >= MAX_STRANGERS) return connection.abort(new Error('too many want to join at once'))
    this.#strangers.set(connection, { since: this.#deps.clock.monotonic(), asked: false })
    const cancel = this.#deps.clock.timer(STRANGER_MS, () => {
      this.counters.late += 1
      connection.abort(new Error('joining took too long'))
    })
    connection.addEventListener('close', () => {
      cancel()
      this.#strangers.delete(connection)
    })
  }

  /** Never rejects. */
  async serve(stream: Stream, connection: Connection): Promise<void> {
    const node = connection.remotePeer.toString()
    if (this.#asked.has(connection)) {
      this.counters.repeated += 1
      return stream.abort(new Error('one request a connection'))
    }
    this.#asked.add(connection)
    const stranger = this.#strangers.get(connection)
    if (stranger !== undefined) stranger.asked = true
    try {
      await this.#exchange(stream, connection)
      this.#deps.logger.debug('Answered a request to join', { node })
    } catch (error) {
      this.#logger.warn('A request to join failed', { node, reason: whyOf(error) })
      stream.abort(error instanceof Error ? error : new Error(whyOf(error)))
    }
    if (!this.holds(connection)) return
    // Closing at once could overtake the answer; the joiner usually closes first.
    this.#deps.clock.timer(REFUSAL_LINGER_MS, () => connection.abort(new Error('joining is over')))
  }

  /** Requests are judged no faster than so many a second; few can wait, because few strangers are here at once. */
  async #turn(): Promise<void> {
    for (let ms = this.#joins.debtMs(); ms > 0; ms = this.#joins.debtMs())
      await new Promise<void>((resolve) => this.#deps.clock.timer(ms, resolve))
    this.#joins.take(1)
    this.counters.judged += 1
  }

  async #exchange(stream: Stream, connection: Connection): Promise<void> {
    const signal = AbortSignal.timeout(STRANGER_MS)
    const handler = this.#deps.handler()
    const key = rawKeyOf(connection.remotePeer)
    const welcome = key !== undefined && (this.#deps.mayReturn(key) || this.#deps.strangersAllowed())
    if (handler === undefined || !welcome) throw new Error('no invitation is open')
    const request = await firstFrame(stream, MAX_JOIN_REQUEST_BYTES, signal)
    await this.#turn()
    const answer = await handler(request, key).catch((error: unknown) => {
      this.#logger.warn('Refused a request to join', {
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
