import type { BodyRef } from '../wire/body.js'
import type { PartialBlob } from './partial.js'
import { Sources } from './sources.js'
import { Transfer } from './transfer.js'

/** A blob that is to be here: its transfer, the peers that may give it, and what is open of it on disk. */
export class Wanted {
  readonly ref: BodyRef
  readonly transfer = new Transfer()
  readonly sources = new Sources()
  partial: PartialBlob | undefined
  /** Ends the opening that is going on. */
  abort = new AbortController()
  /** Bytes that were here when it was last open. */
  #had = 0

  constructor(ref: BodyRef) {
    this.ref = ref
  }

  get have(): number {
    if (this.partial !== undefined) this.#had = this.partial.have
    return this.#had
  }

  /** Whether it can be begun: it waits, and a connected peer has it. */
  get ready(): boolean {
    return this.transfer.state.at === 'queued' && this.sources.usable.size > 0
  }

  /** Nobody has it any more, and nothing of it is on its way. */
  get idle(): boolean {
    const { state } = this.transfer
    return state.at === 'fetching' && state.plan.inFlight === 0 && this.sources.usable.size === 0
  }

  /** Whether an answer for `partial` still belongs to what is open now. */
  isFetching(partial: PartialBlob): boolean {
    return this.partial === partial && this.transfer.state.at === 'fetching'
  }

  /** Takes what is open of it away from it, so that late answers find nothing to write to. */
  release(): PartialBlob | undefined {
    void this.have
    const { partial } = this
    this.partial = undefined
    return partial
  }
}

/** The wanted blobs by hash. Two references may claim different sizes for one hash; at most one can come true. */
export class WantedSet implements Iterable<Wanted> {
  readonly #byHash = new Map<string, Wanted[]>()
  #count = 0

  get size(): number {
    return this.#count
  }

  get(ref: BodyRef): Wanted | undefined {
    return this.ofHash(ref.hash).find((wanted) => wanted.ref.size === ref.size)
  }

  ofHash(hash: string): readonly Wanted[] {
    return this.#byHash.get(hash) ?? []
  }

  add(wanted: Wanted): void {
    this.#byHash.set(wanted.ref.hash, [...this.ofHash(wanted.ref.hash), wanted])
    this.#count += 1
  }

  delete(wanted: Wanted): void {
    const left = this.ofHash(wanted.ref.hash).filter((other) => other !== wanted)
    this.#count -= this.ofHash(wanted.ref.hash).length - left.length
    if (left.length === 0) this.#byHash.delete(wanted.ref.hash)
    else this.#byHash.set(wanted.ref.hash, left)
  }

  *[Symbol.iterator](): Iterator<Wanted> {
    for (const several of this.#byHash.values()) yield* several
  }
}
