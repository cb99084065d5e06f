import type { NodeId } from '../runtime.js'
import type { Wanted } from './wanted.js'

/** Those that one peer has and that can be begun, in the order they became possible. */
interface Queue {
  readonly small: Set<Wanted>
  readonly large: Set<Wanted>
}

/** How many of those that were begun because one peer has them are not over yet. */
interface Begun {
  all: number
  large: number
}

/**
 * Which wanted blobs are begun, and which may be next. At most half of the places go to blobs of more than one chunk, so
 * that many small ones never wait behind a few huge ones. Each is begun on the word of one peer; whoever's blobs have the
 * fewest places comes first, and a quarter of the places is never for one peer alone: what it announces and does not give
 * must keep nobody from what others have.
 */
export class Places {
  readonly #max: number
  readonly #maxLarge: number
  readonly #queues = new Map<NodeId, Queue>()
  readonly #active = new Map<Wanted, NodeId>()
  readonly #begun = new Map<NodeId, Begun>()
  readonly #chunkBytes: number
  #activeLarge = 0

  constructor(max: number, chunkBytes: number) {
    this.#max = max
    this.#maxLarge = Math.max(1, Math.floor(max / 2))
    this.#chunkBytes = chunkBytes
  }

  get active(): { readonly size: number; [Symbol.iterator](): Iterator<Wanted> } {
    return { size: this.#active.size, [Symbol.iterator]: () => this.#active.keys() }
  }

  /** Notes one that can be begun; others are left alone. */
  offer(wanted: Wanted): void {
    if (!wanted.ready) return
    for (const node of wanted.sources.usable) {
      let queue = this.#queues.get(node)
      if (queue === undefined) this.#queues.set(node, (queue = { small: new Set(), large: new Set() }))
      this.#sizeOf(queue, wanted).add(wanted)
    }
  }

  /** Begins the next one that still can be, while there is room. */
  take(): Wanted | undefined {
    if (this.#active.size >= this.#max) return undefined
    const inTurn = [...this.#queues.keys()].toSorted((a, b) => this.#begunBy(a).all - this.#begunBy(b).all)
    for (const node of inTurn) {
      const wanted = this.#next(node)
      if (wanted !== undefined) return wanted
    }
    return undefined
  }

  /** Gives its place back, and its place in the queues. */
  leave(wanted: Wanted): void {
    for (const [node, queue] of this.#queues) {
      this.#sizeOf(queue, wanted).delete(wanted)
      this.#drop(node, queue)
    }
    const node = this.#active.get(wanted)
    if (node === undefined) return
    this.#active.delete(wanted)
    this.#count(node, wanted, -1)
  }

  #next(node: NodeId): Wanted | undefined {
    const queue = this.#queues.get(node)!
    const { all, large } = this.#begunBy(node)
    if (all >= withoutQuarter(this.#max)) return undefined
    const mayBeLarge = this.#activeLarge < this.#maxLarge && large < withoutQuarter(this.#maxLarge)
    const wanted = this.#takeFrom(queue.small, node) ?? (mayBeLarge ? this.#takeFrom(queue.large, node) : undefined)
    this.#drop(node, queue)
    return wanted
  }

  #takeFrom(queue: Set<Wanted>, node: NodeId): Wanted | undefined {
    for (const wanted of queue) {
      queue.delete(wanted)
      if (!wanted.ready || !wanted.sources.usable.has(node)) continue
      this.#active.set(wanted, node)
      this.#count(node, wanted, 1)
      return wanted
    }
    return undefined
  }

  #drop(node: NodeId, { small, large }: Queue): void {
    if (small.size === 0 && large.size === 0) this.#queues.delete(node)
  }

  #begunBy(node: NodeId): Begun {
    return this.#begun.get(node) ?? { all: 0, large: 0 }
  }

  #count(node: NodeId, wanted: Wanted, by: 1 | -1): void {
    const { all, large } = this.#begunBy(node)
    const isLarge = this.#isLarge(wanted) ? by : 0
    this.#activeLarge += isLarge
    if (all + by === 0) this.#begun.delete(node)
    else this.#begun.set(node, { all: all + by, large: large + isLarge })
  }

  #sizeOf(queue: Queue, wanted: Wanted): Set<Wanted> {
    return this.#isLarge(wanted) ? queue.large : queue.small
  }

  #isLarge(wanted: Wanted): boolean {
    return wanted.ref.size > this.#chunkBytes
  }
}

/** What of so many places one peer's blobs may have. */
function withoutQuarter(places: number): number {
  return places - Math.floor(places / 4)
}
