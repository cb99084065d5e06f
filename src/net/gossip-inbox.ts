/**
 * The gossip stream of a neighbour, as gossipsub reads it: cut into whole RPCs, one at a time, no faster than its share
 * allows. Gossipsub itself reads without back-pressure and would queue whatever comes.
 */
import { decode, encode } from 'it-length-prefixed'
import { pipe } from 'it-pipe'
import type { Stream } from '@libp2p/interface'
import type { Share } from '../share.js'
import { brokenFrame } from './errors.js'
import { MAX_GOSSIP_RPC_BYTES } from './limits.js'
import { readable, type Chunk } from './readable.js'

/** What has to be paid before the next piece of gossip. */
export const GOSSIP_BUCKETS = ['bytes', 'gossip']

export interface InboxDeps {
  readonly share: Share
  /** The stream cannot be read on: its peer is to blame. */
  broken(reason: Error): void
}

/** What gossipsub uses of a stream that it reads. */
export function gossipInbox(stream: Stream, deps: InboxDeps): Stream {
  const inbox = {
    get status() {
      return stream.status
    },
    protocol: stream.protocol,
    close: (options?: Parameters<Stream['close']>[0]) => stream.close(options),
    abort: (error: Error) => stream.abort(error),
    [Symbol.asyncIterator]: () => rpcs(stream, deps)
  }
  return inbox as unknown as Stream
}

async function* rpcs(stream: Stream, { share, broken }: InboxDeps): AsyncGenerator<Chunk> {
  const source = pipe(readable(stream), (chunks) => decode(chunks, { maxDataLength: MAX_GOSSIP_RPC_BYTES }))
  try {
    for await (const rpc of source) {
      share.take('bytes', rpc.byteLength)
      await share.turn(GOSSIP_BUCKETS)
      yield encode.single(rpc, { maxDataLength: MAX_GOSSIP_RPC_BYTES })
    }
  } catch (error) {
    if (stream.status === 'open') broken(brokenFrame(error))
    throw error
  }
}
