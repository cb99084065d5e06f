/**
 * Who may connect: decided on the key the handshake has proven, before any other protocol. The cluster secret in the
 * handshake's prologue has kept out everybody else already. Nothing here may be slow: the stack waits without a timeout.
 */
import type { ConnectionGater, PeerId } from '@libp2p/interface'
import type { Clock } from '../runtime.js'
import { Allowances } from '../share.js'
import type { Door } from './door.js'
import { rawKeyOf } from './keys.js'
import { CONNECTIONS_BURST, CONNECTIONS_PER_S } from './limits.js'

export interface Membership {
  /** @param publicKey 32 bytes, Ed25519. */
  isMember(publicKey: Uint8Array): boolean
  /** Whether this key belongs to a member that may have to learn what it missed before it is let in as one. */
  mayReturn(publicKey: Uint8Array): boolean
  /** The key a member has now that had this one. */
  heirOf(publicKey: Uint8Array): Uint8Array
  /** An admin that has to see this node soon, however many others it is connected to: its certificate is to be renewed. */
  mustMeet(publicKey: Uint8Array): boolean
  /** While an invitation is open a stranger may connect, to join and for nothing else. */
  strangersAllowed(): boolean
}

export interface GateCounters {
  refusedInbound: number
  refusedOutbound: number
  /** Of them, keys that connected too often, */
  refusedKey: number
  /** and strangers for whom there was no room. */
  refusedStrangers: number
}

export interface GateDeps {
  readonly clock: Clock
  readonly membership: Membership
  readonly door: Door
  /** Makes room for one more stranger; false when there is none. */
  roomForStranger(): boolean
}

/** Keys whose connections are counted. */
const MAX_KEYS = 4_096

export class Gate {
  readonly counters: GateCounters = { refusedInbound: 0, refusedOutbound: 0, refusedKey: 0, refusedStrangers: 0 }
  readonly #deps: GateDeps
  /** Connections of each member, as they came. */
  readonly #keys: Allowances

  constructor(deps: GateDeps) {
    this.#deps = deps
    this.#keys = new Allowances(deps.clock, { perSecond: CONNECTIONS_PER_S, burst: CONNECTIONS_BURST }, MAX_KEYS)
  }

  isMember(peer: PeerId): boolean {
    const key = rawKeyOf(peer)
    return key !== undefined && this.#deps.membership.isMember(key)
  }

  mayReturn(peer: PeerId): boolean {
    const key = rawKeyOf(peer)
    return key !== undefined && this.#deps.membership.mayReturn(key)
  }

  readonly gater: ConnectionGater = {
    denyDialPeer: (peer) => !this.isMember(peer),
    denyOutboundEncryptedConnection: (peer) => this.#count('refusedOutbound', !this.isMember(peer)),
    denyInboundConnection: (wire) => !this.#deps.door.admit(wire),
    denyInboundEncryptedConnection: (peer) =>
      this.#count('refusedInbound', this.isMember(peer) ? this.#tooOften(peer) : !this.#strangerMayEnter(peer)),
    denyInboundUpgradedConnection: (peer, wire) => {
      this.#deps.door.passed(wire, this.isMember(peer))
      return false
    }
  }

  #strangerMayEnter(peer: PeerId): boolean {
    if (this.mayReturn(peer)) return !this.#tooOften(peer) && this.#deps.roomForStranger()
    if (!this.#deps.membership.strangersAllowed()) return false
    return !this.#count('refusedStrangers', !this.#deps.roomForStranger())
  }

  #tooOften(peer: PeerId): boolean {
    return this.#count('refusedKey', !this.#keys.may(peer.toString(), 1))
  }

  #count(counter: keyof GateCounters, denied: boolean): boolean {
    if (denied) this.counters[counter] += 1
    return denied
  }
}
