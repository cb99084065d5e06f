/**
 * What the multiplexer lets pass: a frame is buffered until it is whole, however long its header says it is, and streams
 * may be opened and dropped as fast as a peer can. Both are ended here with the connection, and named.
 */
import type { Connection, MessageStream, StreamMuxer } from '@libp2p/interface'
import type { Clock, Logger } from '../runtime.js'
import { Bucket } from '../share.js'
import { MAX_MUXER_FRAME_BYTES, STREAMS_BURST, STREAMS_PER_S } from './limits.js'
import { muxerOf } from './pulse.js'

export interface MannersCounters {
  /** Connections closed because a frame announced more than a stream may carry, */
  frames: number
  /** or because streams were opened without end. */
  streams: number
}

export class Manners {
  readonly counters: MannersCounters = { frames: 0, streams: 0 }
  readonly #clock: Clock
  readonly #logger: Logger

  constructor(deps: { clock: Clock; logger: Logger }) {
    this.#clock = deps.clock
    this.#logger = deps.logger
  }

  /** Looks at what a multiplexer buffers; to be called when it listens to its wire already. */
  boundFrames(wire: MessageStream, muxer: StreamMuxer): void {
    const { decoder } = muxer as unknown as { decoder?: { buffer: { byteLength: number } } }
    wire.addEventListener('message', () => {
      if ((decoder?.buffer.byteLength ?? 0) <= MAX_MUXER_FRAME_BYTES) return
      this.counters.frames += 1
      this.#logger.warn('Closed a connection: a frame is longer than any stream may send', {
        limit: MAX_MUXER_FRAME_BYTES
      })
      wire.abort(new Error('a frame is too long'))
    })
  }

  /** Counts the streams a peer opens on a connection that is open. */
  boundStreams(connection: Connection): void {
    const bucket = new Bucket(this.#clock, { perSecond: STREAMS_PER_S, burst: STREAMS_BURST })
    let over = false
    muxerOf(connection)?.addEventListener?.('stream', () => {
      bucket.take(1)
      if (over || bucket.debtMs() === 0) return
      over = true
      this.counters.streams += 1
      this.#logger.warn('Closed a connection: its peer opens streams without end', {
        node: connection.remotePeer.toString()
      })
      connection.abort(new Error('too many streams were opened'))
    })
  }
}
