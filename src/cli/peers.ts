/** `grapevine peers`: the members of the cluster as this node sees them. */
import type { PeerStatus } from '../control/target.js'
import type { CommandDefinition, Context } from './context.js'
import { print } from './print.js'
import { safe, shortId, table } from './terminal.js'

export async function run(_options: object, context: Context): Promise<void> {
  const peers = await context.daemon.peers()
  await print(context, peers, () =>
    peers.length === 0 ? 'no other members known\n' : peerTable(peers, context.out.columns)
  )
}

function roleText({ role, scope, expired }: PeerStatus): string {
  return `${role}${scope === undefined ? '' : '*'}${expired === true ? ', expired' : ''}`
}

/** Below the table: where those may write who may not write everywhere. */
function scopeLines(peers: readonly PeerStatus[]): string {
  return peers
    .filter(({ scope }) => scope !== undefined)
    .map(({ node, scope }) => `* ${shortId(node)} writes below ${safe(scope!.join(', '))}\n`)
    .join('')
}

export function peerTable(peers: readonly PeerStatus[], width: number): string {
  const rows = table(
    [
      { title: 'member', of: (peer: PeerStatus) => shortId(peer.node) },
      { title: 'role', of: roleText },
      { title: 'connected', of: (peer) => (peer.connected ? 'yes' : 'no') },
      { title: 'rtt', of: (peer) => (peer.rttMs === undefined ? '-' : `${peer.rttMs.toFixed(1)} ms`), align: 'right' },
      { title: 'found', of: (peer) => peer.found ?? '-' },
      { title: 'in sync', of: syncText },
      { title: 'name', of: (peer) => peer.name ?? '-' }
    ],
    peers,
    width
  )
  return rows + scopeLines(peers)
}

/** Who is slowed is behind because of that. */
function syncText(peer: PeerStatus): string {
  return peer.throttled === undefined ? standingText(peer) : `${standingText(peer)}, slowed: ${peer.throttled.reason}`
}

function standingText(peer: PeerStatus): string {
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
