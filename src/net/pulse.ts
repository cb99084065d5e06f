/**
 * Closes connections that are open and dead. The multiplexer pings each connection, which costs a frame each way; whoever
 * has read nothing at all for too long, not even the answer, is gone. The stack's own monitor opens a stream for every
 * ping (twenty packets) and drops a connection whose ping is late although it is busy.
 */
import type { Connection, MessageStream, StreamMuxer, StreamMuxerFactory } from '@libp2p/interface'
import type { Clock, Logger } from '../runtime.js'
import { SILENT_LOOKS } from './limits.js'
import { eachMuxer } from './muxers.js'

export interface PulseDeps {
  readonly clock: Clock
  readonly logger: Logger
  /** A multiplexer was put on a connection. */
  muxed?(wire: MessageStream, muxer: StreamMuxer): void
}

export interface PulseOptions {
  readonly silentMs: number
}

interface Heard {
  /** Pieces read so far. */
  pieces: number
  /** Of those, when it was last looked. */
  seen: number
  /** Monotonic ms of the last look at which something new had been read. */
  since: number
  /** Looks since then. A process that was stalled looks once, and reads what has come meanwhile before the next. */
  looks: number
}

export class Pulse {
  readonly #deps: PulseDeps
  readonly #silentMs: number
  readonly #wires = new Map<MessageStream, Heard>()
  readonly #muxers = new WeakMap<object, Heard>()

  constructor(deps: PulseDeps, options: PulseOptions) {
    this.#deps = deps
    this.#silentMs = options.silentMs
  }

  /** The same multiplexer, with an ear on each connection it is put on. */
  listening<Components>(make: (components: Components) => StreamMuxerFactory): typeof make {
    return eachMuxer(make, (muxer, wire) => {
      this.#muxers.set(muxer, this.#listen(wire))
      this.#deps.muxed?.(wire, muxer)
    })
  }

  /** For how long nothing was read on a connection, ms, as of the last look. */
  silentFor(connection: Connection): number {
    const heard = this.#muxers.get(muxerOf(connection) ?? connection)
    return heard === undefined || heard.pieces !== heard.seen ? 0 : this.#deps.clock.monotonic() - heard.since
  }

  /** To be called every few seconds. */
  look(): void {
    const now = this.#deps.clock.monotonic()
    for (const [wire, heard] of this.#wires) {
      if (heard.pieces !== heard.seen) Object.assign(heard, { seen: heard.pieces, since: now, looks: 0 })
      else if (++heard.looks >= SILENT_LOOKS && now - heard.since >= this.#silentMs)
        this.#close(wire, now - heard.since)
    }
  }

  #listen(wire: MessageStream): Heard {
    const heard: Heard = { pieces: 0, seen: 0, since: this.#deps.clock.monotonic(), looks: 0 }
    this.#wires.set(wire, heard)
    wire.addEventListener('message', () => (heard.pieces += 1))
    wire.addEventListener('close', () => this.#wires.delete(wire))
    return heard
  }

  #close(wire: MessageStream, ms: number): void {
    this.#wires.delete(wire)
    this.#deps.logger.info('Closing a connection on which nothing is heard any more', { ms: Math.round(ms) })
    wire.abort(new Error('nothing was heard any more'))
  }
}

/** Round trip of the multiplexer's last ping, ms; undefined before the first answer, or below what its clock can tell. */
export function roundTripOf(connection: Connection): number | undefined {
  const rtt = muxerOf(connection)?.getRTT?.() ?? 0
  return rtt > 0 ? rtt : undefined
}

/** What we use of a connection's multiplexer. */
interface Inner {
  getRTT?: () => number
  addEventListener?: (event: 'stream', listener: () => void) => void
}

/** A connection keeps its multiplexer to itself; without it there is merely less to know. */
export function muxerOf(connection: Connection): Inner | undefined {
  return (connection as unknown as { muxer?: Inner }).muxer
}
