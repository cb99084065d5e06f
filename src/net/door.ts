/**
 * Who may begin a handshake. Connections are cheap to open and cost us milliseconds to secure, so what an address may
 * have under way and may fail at is bounded. Whoever is over its bound is not simply refused, which would let one flood
 * lock out everybody behind the same address: the oldest handshake that has said nothing gives way to the newest.
 */
import type { MultiaddrConnection } from '@libp2p/interface'
import type { Clock } from '../runtime.js'
import { Bucket } from '../share.js'
import { networkOf } from './addresses.js'
import {
  FAILED_HANDSHAKES_BURST,
  FAILED_HANDSHAKES_PER_S,
  MAX_ADDRESSES_REMEMBERED,
  MAX_HANDSHAKE_BYTES,
  MAX_PENDING_HANDSHAKES,
  MAX_PENDING_PER_ADDRESS
} from './limits.js'

/** What of a connection we need. Its socket is how we learn whether anything was said at all. */
export type Wire = Pick<MultiaddrConnection, 'remoteAddr' | 'abort' | 'addEventListener'> & { readonly socket?: Ear }
interface Ear {
  on(event: 'data', listener: (bytes: Uint8Array) => void): unknown
  off(event: 'data', listener: (bytes: Uint8Array) => void): unknown
}

export interface DoorCounters {
  /** Handshakes that gave way to newer ones. */
  displaced: number
  /** Refused because their address failed too often. */
  refusedAddress: number
  /** Ended because they sent too much before they were through. */
  oversized: number
  /** Handshakes that said something and came to nothing. */
  failed: number
}

interface Pending {
  readonly wire: Wire
  readonly place: Place
  bytes: number
  release(): void
}

/** An address, or the block of addresses one customer has. */
interface Place {
  readonly pending: Set<Pending>
  /** What it may fail at. */
  readonly failures: Bucket
}

export class Door {
  readonly counters: DoorCounters = { displaced: 0, refusedAddress: 0, oversized: 0, failed: 0 }
  readonly #clock: Clock
  readonly #places = new Map<string, Place>()
  readonly #pending = new Map<Wire, Pending>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Handshakes under way. */
  get pending(): number {
    return this.#pending.size
  }

  /** A connection came in; false: it is not worth a handshake. */
  admit(wire: Wire): boolean {
    const place = this.#place(networkOf(wire.remoteAddr))
    if (place.failures.debtMs() > 0) {
      this.counters.refusedAddress += 1
      return false
    }
    if (place.pending.size >= MAX_PENDING_PER_ADDRESS) this.#displace(place)
    else if (this.#pending.size >= MAX_PENDING_HANDSHAKES) this.#displace(this.#fullest())
    this.#follow(wire, place)
    return true
  }

  /** The handshake is over. Who is no member has used up some of what its address may try. */
  passed(wire: Wire, member: boolean): void {
    const pending = this.#pending.get(wire)
    pending?.release()
    if (!member) pending?.place.failures.take(1)
  }

  #follow(wire: Wire, place: Place): void {
    const listen = (bytes: Uint8Array): void => {
      pending.bytes += bytes.length
      if (pending.bytes <= MAX_HANDSHAKE_BYTES) return
      this.counters.oversized += 1
      wire.abort(new Error('too much was said before the handshake was over'))
    }
    const pending: Pending = {
      wire,
      place,
      bytes: 0,
      release: () => {
        wire.socket?.off('data', listen)
        place.pending.delete(pending)
        this.#pending.delete(wire)
      }
    }
    place.pending.add(pending)
    this.#pending.set(wire, pending)
    wire.socket?.on('data', listen)
    wire.addEventListener('close', () => this.#closed(pending))
  }

  #closed(pending: Pending): void {
    if (!this.#pending.has(pending.wire)) return
    pending.release()
    // silence costs nothing but the place it took, and that it has given back
    if (pending.bytes === 0) return
    this.counters.failed += 1
    pending.place.failures.take(1)
  }

  #displace(place: Place): void {
    // in the order in which they came: the oldest is the first
    const all = [...place.pending]
    const last = all.find(({ bytes }) => bytes === 0) ?? all[0]
    if (last === undefined) return
    this.counters.displaced += 1
    last.wire.abort(new Error('newer handshakes need the room'))
    // an end the connection has not told yet
    last.release()
  }

  #fullest(): Place {
    return [...this.#places.values()].reduce((most, place) => (place.pending.size > most.pending.size ? place : most))
  }

  #place(name: string): Place {
    let place = this.#places.get(name)
    if (place === undefined) {
      this.#forget()
      const rate = { perSecond: FAILED_HANDSHAKES_PER_S, burst: FAILED_HANDSHAKES_BURST }
      place = { pending: new Set(), failures: new Bucket(this.#clock, rate) }
      this.#places.set(name, place)
    }
    return place
  }

  /** Makes room by dropping addresses of which there is nothing to remember, else the oldest without a handshake. */
  #forget(): void {
    if (this.#places.size < MAX_ADDRESSES_REMEMBERED) return
    const idle = [...this.#places].filter(([, { pending }]) => pending.size === 0)
    const clean = idle.filter(([, { failures }]) => failures.full)
    for (const [name] of clean.length > 0 ? clean : idle.slice(0, 1)) this.#places.delete(name)
  }
}
