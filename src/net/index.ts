/** The network: libp2p behind the `Transport` of runtime.ts. The only part that imports libp2p. */
import { Libp2pNetwork } from './network.js'
import type { Network, NetworkDeps, NetworkOptions } from './options.js'

export function createNetwork(deps: NetworkDeps, options: NetworkOptions): Network {
  return new Libp2pNetwork(deps, options)
}

export { joinOver } from './join-over.js'
export type { JoinOptions } from './join-over.js'
export type { JoinHandler } from './join-desk.js'
export type { AddressRow, AddressStore } from './book.js'
export type { Candidate, Discovery } from './discovery.js'
export type { Secrets } from './encryption.js'
export type { Membership } from './gate.js'
export type {
  LaneInspection,
  Network,
  NetworkDeps,
  NetworkInspection,
  NetworkOptions,
  PeerInspection,
  WayBack
} from './options.js'
