import type { Wanted } from './wanted.js'

/**
 * Which wanted blobs are begun, and which may be next, in the order they became possible. At most half of the places go
 * to blobs of more than one chunk, so that many small ones never wait behind a few huge ones.
 */
export class Places {
  readonly #max: number
  readonly #maxLarge: number
  readonly #small = new Set<Wanted>()
  readonly #large = new Set<Wanted>()
  readonly #active = new Set<Wanted>()
  readonly #chunkBytes: number
  #activeLarge = 0

  constructor(max: number, chunkBytes: number) {
    this.#max = max
    this.#maxLarge = Math.max(1, Math.floor(max / 2))
    this.#chunkBytes = chunkBytes
  }

  get active(): ReadonlySet<Wanted> {
    return this.#active
  }

  /** Notes one that can be begun; others are left alone. */
  offer(wanted: Wanted): void {
    if (wanted.ready) this.#queueOf(wanted).add(wanted)
  }

  /** Begins the next one that still can be, while there is room. */
  take(): Wanted | undefined {
    if (this.#active.size >= this.#max) return undefined
    return this.#takeFrom(this.#small) ?? (this.#activeLarge < this.#maxLarge ? this.#takeFrom(this.#large) : undefined)
  }

  /** Gives its place back, and its place in the queue. */
  leave(wanted: Wanted): void {
    this.#queueOf(wanted).delete(wanted)
    if (this.#active.delete(wanted) && this.#isLarge(wanted)) this.#activeLarge -= 1
  }

  #takeFrom(queue: Set<Wanted>): Wanted | undefined {
    for (const wanted of queue) {
      queue.delete(wanted)
      if (!wanted.ready) continue
      this.#active.add(wanted)
      if (this.#isLarge(wanted)) this.#activeLarge += 1
      return wanted
    }
    return undefined
  }

  #queueOf(wanted: Wanted): Set<Wanted> {
    return this.#isLarge(wanted) ? this.#large : this.#small
  }

  #isLarge(wanted: Wanted): boolean {
    return wanted.ref.size > this.#chunkBytes
  }
}
