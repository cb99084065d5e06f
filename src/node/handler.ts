/** Who is told what comes in from peers. */
import type { BlobFetcher, BlobServer } from '../blobs/index.js'
import type { Fact } from '../control/index.js'
import type { Replica } from '../replica/index.js'
import type { TransportHandler } from '../runtime.js'
import type { Adoption } from './adoption.js'
import type { Clocks } from './clocks.js'
import type { Systems } from './systems.js'

export interface HandlerDeps {
  readonly replica: Replica
  readonly fetcher: BlobFetcher
  readonly blobServer: BlobServer
  readonly clocks: Clocks
  readonly systems: Systems
  readonly adoption: Adoption
  emit(fact: Fact): void
}

export function handlerOf({
  replica,
  fetcher,
  blobServer,
  clocks,
  systems,
  adoption,
  emit
}: HandlerDeps): TransportHandler {
  return {
    peerUp: (peer) => {
      replica.peerUp(peer)
      fetcher.peerUp(peer.node)
      emit({ event: 'peer-connected', node: peer.node, found: peer.found })
    },
    peerDown: (node) => {
      replica.peerDown(node)
      clocks.gone(node)
      systems.gone(node)
      fetcher.peerDown(node)
      emit({ event: 'peer-disconnected', node })
    },
    notified: (from, frame) => replica.notified(from, frame),
    requested: async (from, lane, frame) =>
      lane === 'blob' ? blobServer.answer(from, frame) : (adoption.answer(from, frame) ?? replica.requested(frame)),
    gossip: (from, frame) => replica.gossip(from, frame)
  }
}
