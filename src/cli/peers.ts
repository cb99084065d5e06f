/** `grapevine peers`: the members of the cluster as this node sees them. */
import type { PeerStatus } from '../control/target.js'
import type { CommandDefinition, Context } from './context.js'
import { print } from './print.js'
import { shortId, table } from './terminal.js'

export async function run(_options: object, context: Context): Promise<void> {
  const peers = await context.daemon.peers()
  await print(context, peers, () =>
    peers.length === 0 ? 'no other members known\n' : peerTable(peers, context.out.columns)
  )
}

export function peerTable(peers: readonly PeerStatus[], width: number): string {
  return table(
    [
      { title: 'member', of: (peer: PeerStatus) => shortId(peer.node) },
      { title: 'role', of: (peer) => peer.role },
      { title: 'connected', of: (peer) => (peer.connected ? 'yes' : 'no') },
      { title: 'rtt', of: (peer) => (peer.rttMs === undefined ? '-' : `${peer.rttMs.toFixed(1)} ms`), align: 'right' },
      { title: 'found', of: (peer) => peer.found ?? '-' },
      { title: 'in sync', of: syncText },
      { title: 'name', of: (peer) => peer.name ?? '-' }
    ],
    peers,
    width
  )
}

function syncText(peer: PeerStatus): string {
  if (peer.inSync === null) return 'unknown'
  if (peer.inSync) return 'yes'
  const parts = [
    ...(peer.behind > 0 ? [`we lack ${peer.behind}`] : []),
    ...(peer.ahead > 0 ? [`lacks ${peer.ahead}`] : [])
  ]
  return parts.length === 0 ? 'no' : parts.join(', ')
}

export const definition: CommandDefinition = {
  name: 'peers',
  about: 'the members: role, link, round trip, how found, in sync or how far behind',
  run
}
