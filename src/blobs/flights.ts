import type { NodeId, Transport } from '../runtime.js'
import type { Piece } from './plan.js'
import { type Outcome, requestPiece } from './requests.js'
import type { Wanted } from './wanted.js'

interface Flight {
  readonly wanted: Wanted
  readonly node: NodeId
  readonly abort: AbortController
}

/** The parts that are asked for and not yet dealt with: how many of each peer, how many bytes in all. */
export class Flights {
  readonly #transport: Pick<Transport, 'request'>
  readonly #maxBytes: number
  readonly #flights = new Set<Flight>()
  readonly #busy = new Map<NodeId, number>()
  #bytes = 0

  constructor(transport: Pick<Transport, 'request'>, maxBytes: number) {
    this.#transport = transport
    this.#maxBytes = maxBytes
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Whether another part of up to so many bytes may be asked for. */
  hasRoomFor(bytes: number): boolean {
    return this.#bytes + bytes <= this.#maxBytes
  }

  busy(node: NodeId): number {
    return this.#busy.get(node) ?? 0
  }

  /** Asks for a piece; its bytes count until `landed` is done with them. */
  async fly(
    wanted: Wanted,
    node: NodeId,
    piece: Piece,
    landed: (outcome: Outcome<Uint8Array>) => Promise<void>
  ): Promise<void> {
    const flight: Flight = { wanted, node, abort: new AbortController() }
    this.#flights.add(flight)
    this.#bytes += piece.bytes
    this.#busy.set(node, this.busy(node) + 1)
    try {
      await landed(await requestPiece(this.#transport, node, wanted.ref, piece, flight.abort.signal))
    } finally {
      this.#flights.delete(flight)
      this.#bytes -= piece.bytes
      const left = this.busy(node) - 1
      if (left === 0) this.#busy.delete(node)
      else this.#busy.set(node, left)
    }
  }

  /** Ends the requests for a blob, or to a peer. */
  abort(of: Wanted | NodeId): void {
    for (const flight of this.#flights) if (flight.wanted === of || flight.node === of) flight.abort.abort()
  }
}
