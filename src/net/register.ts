/** Tells libp2p which protocols we speak, and with whom. */
import type { Connection, Stream } from '@libp2p/interface'
import type { Lane } from '../runtime.js'
import { madeWith, type Secrets } from './encryption.js'
import type { Gate } from './gate.js'
import type { Host } from './host.js'
import type { JoinDesk } from './join-desk.js'
import { MAX_LANE_STREAMS, MAX_PING_STREAMS } from './limits.js'
import type { Links } from './links.js'
import type { Manners } from './manners.js'
import { echo } from './ping.js'
import type { Protocols } from './protocols.js'

export interface RegisterDeps {
  readonly protocols: Protocols
  readonly links: Links
  readonly gate: Gate
  readonly desk: JoinDesk
  readonly manners: Manners
  readonly secrets: () => Secrets
}

/** Every protocol but joining is for members: the guard is around each handler, not in libp2p's middleware. */
export async function register({ libp2p }: Host, deps: RegisterDeps): Promise<void> {
  const { protocols, links, gate, desk, manners } = deps
  const members =
    (handler: (stream: Stream, connection: Connection) => Promise<void>) =>
    async (stream: Stream, connection: Connection) => {
      if (gate.isMember(connection.remotePeer) && !desk.holds(connection)) return await handler(stream, connection)
      stream.abort(new Error('not a member'))
    }
  const lane = (name: Lane) => members((stream, connection) => links.accept(name, stream, connection))
  await libp2p.handle(protocols.lanes.sync, lane('sync'), { maxInboundStreams: MAX_LANE_STREAMS })
  await libp2p.handle(protocols.lanes.blob, lane('blob'), { maxInboundStreams: MAX_LANE_STREAMS })
  await libp2p.handle(protocols.ping, members(echo), { maxInboundStreams: MAX_PING_STREAMS })
  await libp2p.handle(protocols.join, (stream, connection) => desk.serve(stream, connection), {
    maxInboundStreams: MAX_LANE_STREAMS
  })
  libp2p.addEventListener('connection:open', ({ detail }) => {
    manners.boundStreams(detail)
    const isClosed = madeWith(deps.secrets().closed, detail)
    if (gate.isMember(detail.remotePeer) && !isClosed) links.opened(detail)
    else if (isClosed && !gate.mayReturn(detail.remotePeer)) detail.abort(new Error('this secret is retired'))
    else desk.opened(detail)
  })
  libp2p.addEventListener('peer:disconnect', ({ detail }) => links.disconnected(detail))
}
