/**
 * Who may connect: decided on the key the handshake has proven, before any other protocol. The cluster secret in the
 * handshake's prologue has kept out everybody else already. Nothing here may be slow: the stack waits without a timeout.
 */
import type { ConnectionGater, PeerId } from '@libp2p/interface'
import { rawKeyOf } from './keys.js'

export interface Membership {
  /** @param publicKey 32 bytes, Ed25519. */
  isMember(publicKey: Uint8Array): boolean
  /** While an invitation is open a stranger may connect, to join and for nothing else. */
  strangersAllowed(): boolean
}

export interface GateCounters {
  refusedInbound: number
  refusedOutbound: number
}

export class Gate {
  readonly counters: GateCounters = { refusedInbound: 0, refusedOutbound: 0 }
  readonly #membership: Membership
  readonly #strangers: () => number
  readonly #maxStrangers: number

  constructor(membership: Membership, strangers: () => number, maxStrangers: number) {
    this.#membership = membership
    this.#strangers = strangers
    this.#maxStrangers = maxStrangers
  }

  isMember(peer: PeerId): boolean {
    const key = rawKeyOf(peer)
    return key !== undefined && this.#membership.isMember(key)
  }

  strangerMayEnter(): boolean {
    return this.#membership.strangersAllowed() && this.#strangers() < this.#maxStrangers
  }

  readonly gater: ConnectionGater = {
    denyDialPeer: (peer) => !this.isMember(peer),
    denyOutboundEncryptedConnection: (peer) => this.#count('refusedOutbound', !this.isMember(peer)),
    denyInboundEncryptedConnection: (peer) =>
      this.#count('refusedInbound', !this.isMember(peer) && !this.strangerMayEnter())
  }

  #count(counter: keyof GateCounters, denied: boolean): boolean {
    if (denied) this.counters[counter] += 1
    return denied
  }
}
