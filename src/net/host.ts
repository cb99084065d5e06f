/** Builds libp2p the one way that held up in measurements: each value has its reason in limits.ts or beside it. */
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import type { ConnectionGater, PrivateKey, Upgrader } from '@libp2p/interface'
import { createLibp2p, type Libp2p } from 'libp2p'
import type { Multiaddr } from '@multiformats/multiaddr'
import { encrypter, offer, type Secrets } from './encryption.js'
import type { GossipComponents } from './gossip.js'
import type { Pulse } from './pulse.js'
import {
  ADDRESS_DIAL_TIMEOUT_MS,
  DIAL_TIMEOUT_MS,
  HANDSHAKE_TIMEOUT_MS,
  MAX_CONNECTIONS,
  MAX_SOCKETS,
  MAX_STREAMS,
  NEGOTIATION_TIMEOUT_MS,
  PARALLEL_DIALS,
  PING_INTERVAL_MS,
  STREAM_BUFFER_BYTES,
  STREAM_WINDOW_BYTES
} from './limits.js'
import { sparing } from './windows.js'

/** For limits of the stack that something of ours stands in for. */
const UNLIMITED = 1_000_000

/** The insides of libp2p that its public object does not show. */
export type HostComponents = GossipComponents & {
  readonly upgrader: Upgrader
  readonly addressManager: { getAddresses(): Multiaddr[] }
}

export interface Host {
  readonly libp2p: Libp2p
  readonly components: HostComponents
}

export interface HostOptions {
  readonly privateKey: PrivateKey
  readonly secrets: Secrets
  readonly listen: readonly string[]
  readonly gater: ConnectionGater
  /** Listens on every connection for signs of life. */
  readonly pulse?: Pulse
  announce(addresses: Multiaddr[]): Multiaddr[]
}

/** From now on connections are made with these. */
export function useSecrets({ components }: Host, secrets: Secrets): void {
  offer(components.upgrader.getConnectionEncrypters(), components, secrets)
}

/** Not started yet: protocols are registered before. */
export async function createHost(options: HostOptions): Promise<Host> {
  const muxer = sparing(
    yamux({
      streamOptions: { maxStreamWindowSize: STREAM_WINDOW_BYTES, maxReadBufferLength: STREAM_BUFFER_BYTES },
      maxInboundStreams: MAX_STREAMS,
      maxOutboundStreams: MAX_STREAMS,
      keepAliveInterval: PING_INTERVAL_MS
    })
  )
  const libp2p = await createLibp2p({
    start: false,
    privateKey: options.privateKey,
    nodeInfo: { name: 'grapevine', version: '1', userAgent: 'grapevine' },
    addresses: { listen: [...options.listen], announceFilter: options.announce },
    transports: [tcp({ backlog: 128, maxConnections: MAX_SOCKETS })],
    connectionEncrypters: options.secrets.open.map(encrypter),
    streamMuxers: [options.pulse?.listening(muxer) ?? muxer],
    connectionManager: {
      maxConnections: MAX_CONNECTIONS,
      // Both count whoever comes first and would lock out whoever comes late: door.ts decides, with the gater.
      inboundConnectionThreshold: UNLIMITED,
      maxIncomingPendingConnections: UNLIMITED,
      inboundUpgradeTimeout: HANDSHAKE_TIMEOUT_MS,
      inboundStreamProtocolNegotiationTimeout: NEGOTIATION_TIMEOUT_MS,
      maxParallelDials: 4 * PARALLEL_DIALS,
      maxPeerAddrsToDial: 8,
      dialTimeout: DIAL_TIMEOUT_MS,
      addressDialTimeout: ADDRESS_DIAL_TIMEOUT_MS,
      // Addresses are handed over in the order they are to be tried.
      addressSorter: () => 0,
      reconnectRetries: 0
    },
    // It drops busy connections, and its pings were most of what an idle node did; see pulse.ts.
    connectionMonitor: { enabled: false },
    connectionGater: options.gater,
    peerStore: { maxAddressAge: 30 * 86_400_000, maxPeerAge: 90 * 86_400_000 },
    services: { inside: (components) => ({ components }) }
  })
  const { components } = libp2p.services.inside as { components: unknown }
  const host = { libp2p, components: components as HostComponents }
  useSecrets(host, options.secrets)
  return host
}
