/** Names on the wire. They carry the cluster's id, so that two clusters on one LAN have nothing to say to each other. */
import type { Lane } from '../runtime.js'
import { hexOf } from '../wire/index.js'

export interface Protocols {
  readonly lanes: Readonly<Record<Lane, string>>
  readonly join: string
  /** Answered by whoever is alive; the probe after a sleep and before a stop. */
  readonly ping: string
  readonly topic: string
  readonly serviceTag: string
}

/** @param clusterId 16 bytes; the first four name the cluster here, and the handshake proves the rest. */
export function protocolsOf(clusterId: Uint8Array): Protocols {
  const id8 = hexOf(clusterId.subarray(0, 4))
  return {
    lanes: { sync: `/grapevine/${id8}/sync/1`, blob: `/grapevine/${id8}/blob/1` },
    join: `/grapevine/${id8}/join/1`,
    ping: `/grapevine/${id8}/ping/1.0.0`,
    topic: `/grapevine/${id8}/log/1`,
    serviceTag: `_grapevine-${id8}._udp.local`
  }
}
