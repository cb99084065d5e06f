/**
 * Window updates of the multiplexer. The library answers each frame it reads with an update of the stream's window: a frame, an
 * encryption and a packet for every message. One is needed when much of the window is used: half of it, as the first
 * implementation of yamux does (https://github.com/hashicorp/yamux, `sendWindowUpdate`).
 */
import type { StreamMuxerFactory } from '@libp2p/interface'
import { eachMuxer } from './muxers.js'

/** What a multiplexed stream is in truth. */
interface Stream {
  readonly state: number
  readonly recvWindow: number
  readonly recvWindowCapacity: number
  sendWindowUpdate(): void
}

/** `StreamState.Established` of the library: any other state has more to say than how much room there is. */
const ESTABLISHED = 3

/** The same multiplexer; its streams tell of room when half of their window is used. */
export function sparing<Components>(make: (components: Components) => StreamMuxerFactory): typeof make {
  return eachMuxer(make, (muxer) => {
    const insides = muxer as unknown as { _newStream?: (...args: unknown[]) => Stream }
    const { _newStream } = insides
    if (_newStream !== undefined) insides._newStream = (...args) => seldom(_newStream.apply(muxer, args))
  })
}

function seldom(stream: Stream): Stream {
  const { sendWindowUpdate } = stream
  stream.sendWindowUpdate = () => {
    if (stream.state === ESTABLISHED && stream.recvWindowCapacity > stream.recvWindow / 2) return
    sendWindowUpdate.call(stream)
  }
  return stream
}
