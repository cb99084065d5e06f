/** The state of the network as plain data, for people and for tests. */
import type { Lane, NodeId, PeerInfo } from '../runtime.js'
import type { Shares, Throttled } from '../share.js'
import { withoutNode } from './addresses.js'
import type { Link } from './link.js'
import type { LaneInspection, NetworkInspection, PeerInspection } from './options.js'
import { roundTripOf } from './pulse.js'
import type { Run } from './run.js'

const LANES: readonly Lane[] = ['sync', 'blob']
const NO_COUNTERS = {
  published: 0,
  publishedBytes: 0,
  received: 0,
  receivedBytes: 0,
  accepted: 0,
  ignored: 0,
  rejected: 0,
  firsthand: 0,
  revived: 0,
  givenUp: 0,
  refusedRpcs: 0,
  notForwarded: 0,
  notWarned: 0
}
const NO_GATE = { refusedInbound: 0, refusedOutbound: 0, refusedKey: 0, refusedStrangers: 0 }
const NO_DOOR = { displaced: 0, refusedAddress: 0, oversized: 0, failed: 0 }
const NO_JOINS = { judged: 0, repeated: 0, displaced: 0, late: 0 }
const NO_MANNERS = { frames: 0, streams: 0 }
const NO_GOSSIP = { score: 0, inMesh: false, outbound: false, inbound: false, queuedBytes: 0 }

export function inspectRun(self: NodeId, run: Run | undefined, shares: Shares): NetworkInspection {
  const throttled = shares.throttled()
  const gossip = run?.gossip?.inspect()
  return {
    self,
    addresses: run?.multiaddrs() ?? [],
    topics: gossip?.topics ?? [],
    mesh: gossip?.mesh ?? [],
    subscribers: gossip?.subscribers ?? [],
    counters: gossip?.counters ?? NO_COUNTERS,
    gate: { ...NO_GATE, ...run?.gate.counters, strangers: run?.desk.strangers ?? 0 },
    door: { ...NO_DOOR, ...run?.door.counters, pending: run?.door.pending ?? 0, crowded: run?.links.crowded ?? 0 },
    joins: { ...NO_JOINS, ...run?.desk.counters },
    manners: { ...NO_MANNERS, ...run?.manners.counters },
    peers: run?.links.allUp().map((link) => inspectPeer(run, link, throttled.get(link.node))) ?? [],
    redial: run?.redial.snapshot() ?? []
  }
}

/** What the other parts see of a peer. */
export function peerInfo(run: Run, link: Link): PeerInfo {
  const connections = run.links.connectionsOf(link.node)
  const dialled = connections
    .filter(({ direction }) => direction === 'outbound')
    .map(({ remoteAddr }) => withoutNode(remoteAddr.toString()))
  const rttMs = connections.map(roundTripOf).find((rtt) => rtt !== undefined) ?? link.helloMs
  return {
    node: link.node,
    addresses: [...new Set([...dialled, ...link.listen.map(withoutNode)])],
    found: (dialled.length === 0 ? undefined : run.redial.howFound(link.node)) ?? 'inbound',
    connectedAt: link.openedAt,
    ...(rttMs === undefined ? {} : { rttMs: Math.round(rttMs * 10) / 10 })
  }
}

function inspectPeer(run: Run, link: Link, throttled: Throttled | undefined): PeerInspection {
  return {
    node: link.node,
    connections: run.links.connectionsOf(link.node).map((connection) => {
      const rttMs = roundTripOf(connection)
      return {
        direction: connection.direction,
        address: connection.remoteAddr.toString(),
        encryption: connection.encryption ?? '',
        streams: connection.streams.length,
        ...(rttMs === undefined ? {} : { rttMs })
      }
    }),
    gossip: run.gossip?.inspectPeer(link.node) ?? NO_GOSSIP,
    lanes: LANES.map((lane) => inspectLane(link, lane)),
    unsentAnswerBytes: link.share.unsent,
    ...(throttled === undefined ? {} : { throttled })
  }
}

function inspectLane(link: Link, lane: Lane): LaneInspection {
  const outgoing = link.outgoing(lane)
  const incoming = link.incoming.get(lane)
  return {
    lane,
    open: outgoing !== undefined,
    inFlight: outgoing?.inFlight ?? 0,
    queuedBytes: outgoing?.queuedBytes ?? 0,
    serving: incoming?.serving ?? 0,
    answersQueuedBytes: incoming?.queuedBytes ?? 0
  }
}
