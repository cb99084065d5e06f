/** The multiplexer of the stack, with a hand on each that it puts on a connection. */
import type { MessageStream, StreamMuxer, StreamMuxerFactory } from '@libp2p/interface'

type Make<Components> = (components: Components) => StreamMuxerFactory

/** `use` runs when the multiplexer listens to its wire already, which starts the flow. */
export function eachMuxer<Components>(
  make: Make<Components>,
  use: (muxer: StreamMuxer, wire: MessageStream) => void
): Make<Components> {
  return (components) => {
    const factory = make(components)
    return {
      protocol: factory.protocol,
      createStreamMuxer: (wire) => {
        const muxer = factory.createStreamMuxer(wire)
        use(muxer, wire)
        return muxer
      }
    }
  }
}
