import { giveBack } from '../buffers.js'
import type { Clock, NodeId, Transport } from '../runtime.js'
import { Paces } from './pace.js'
import type { Piece } from './plan.js'
import type { RateLimit } from './rate.js'
import { type Outcome, requestPiece } from './requests.js'
import type { Wanted } from './wanted.js'

interface Flight {
  readonly wanted: Wanted
  readonly node: NodeId
  readonly abort: AbortController
  readonly beganMs: number
}

/** The parts that are asked for and not yet dealt with: how many of each peer, how many bytes in all. */
export class Flights {
  readonly #transport: Pick<Transport, 'request'>
  readonly #maxBytes: number
  readonly #now: () => number
  readonly #paces: Paces
  readonly #limit: RateLimit
  readonly #flights = new Set<Flight>()
  readonly #busy = new Map<NodeId, number>()
  #bytes = 0

  /** @param options.limit how many bytes a second may be asked for. */
  constructor(
    { transport, clock }: { transport: Pick<Transport, 'request'>; clock: Pick<Clock, 'monotonic'> },
    { maxBytes, mostChunks, limit }: { maxBytes: number; mostChunks: number; limit: RateLimit }
  ) {
    this.#transport = transport
    this.#limit = limit
    this.#maxBytes = maxBytes
    this.#now = () => clock.monotonic()
    this.#paces = new Paces(this.#now, mostChunks)
  }

  get bytes(): number {
    return this.#bytes
  }

  /** How many bytes may be asked for now. */
  get room(): number {
    return this.#limit.waitMs === 0 ? this.#maxBytes - this.#bytes : 0
  }

  /** How many chunks a part may have that this peer is asked for. */
  chunksOf(node: NodeId): number {
    return this.#limit.isSet ? 1 : this.#paces.chunks(node)
  }

  busy(node: NodeId): number {
    return this.#busy.get(node) ?? 0
  }

  /**
   * The next peer to ask for a part of a blob, of those that have fewer than `most` in flight. Whoever kept others waiting
   * is asked only when nobody else has the blob.
   */
  pick({ sources }: Wanted, most: number): NodeId | undefined {
    const all = [...sources.usable].every((node) => this.#paces.isStalled(node))
    const passes = (node: NodeId): boolean => this.busy(node) < most && (all || !this.#paces.isStalled(node))
    return sources.pick(passes, (node) => this.busy(node))
  }

  /** When the next request takes too long, or the limit lets another one go, ms; undefined: neither. */
  get nextMs(): number | undefined {
    const slow = [...this.#flights].map((flight) => this.#dueMs(flight)).filter((dueMs) => dueMs > this.#now())
    const due = this.#limit.dueMs === undefined ? slow : [...slow, this.#limit.dueMs]
    return due.length === 0 ? undefined : Math.min(...due)
  }

  /** Ends the requests that take too long, as far as another peer that has the blob can be asked at once instead. */
  endSlow(most: number): void {
    for (const flight of this.#flights) {
      if (this.#dueMs(flight) > this.#now()) continue
      this.#paces.stalled(flight.node)
      const canAnswer = (other: NodeId): boolean => this.busy(other) < most && !this.#paces.isStalled(other)
      if ([...flight.wanted.sources.usable].some(canAnswer)) flight.abort.abort()
    }
  }

  #dueMs({ node, beganMs }: Flight): number {
    return beganMs + this.#paces.patience(node)
  }

  /** Asks for a piece; its bytes count until `landed` is done with them. */
  async fly(
    wanted: Wanted,
    node: NodeId,
    piece: Piece,
    landed: (outcome: Outcome<Uint8Array>) => Promise<void>
  ): Promise<void> {
    const flight: Flight = { wanted, node, abort: new AbortController(), beganMs: this.#now() }
    this.#flights.add(flight)
    this.#bytes += piece.bytes
    this.#limit.take(piece.bytes)
    this.#busy.set(node, this.busy(node) + 1)
    try {
      const outcome = await requestPiece(this.#transport, node, wanted.ref, piece, flight.abort.signal)
      if (outcome.got === 'answer') this.#paces.answered(node, this.#now() - flight.beganMs)
      await landed(outcome)
      if (outcome.got === 'answer' && piece.kind === 'chunk') giveBack(outcome.value)
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
