/**
 * Who has to pause: an author of whom more waits than a slice takes, as long as somebody else has something to do too. So
 * it has a twentieth of our time and the others have the rest; alone it has all of it.
 */
import type { Clock } from '../runtime.js'

/** A pause is so many times as long as the slice before it took. */
export const REST_FACTOR = 19
/** A pause is never longer, ms: a slice that a slow disk holds up must not give one author half of our time. */
export const MAX_REST_MS = 1_000
/**
 * Others have something to do for so long after they last had, ms: as long as a change of theirs may be on its way. Not
 * longer, because who joins or comes back writes now and then too, and wants everything there is meanwhile.
 */
const SHARED_MS = 300

export interface PausesDeps {
  readonly clock: Pick<Clock, 'monotonic' | 'timer'>
  /** Whether records of others wait for what lies here of this author. */
  awaited(author: string): boolean
  /** A pause is over. */
  over(): void
}

export class Pauses {
  readonly #deps: PausesDeps
  /** Who pauses, and what ends that early. */
  readonly #pausing = new Map<string, () => void>()
  /** When we last wrote ourselves, and the last two authors of whom a slice took all there was, the newest first. */
  #wroteAt = Number.NEGATIVE_INFINITY
  #small: ReadonlyArray<{ readonly author: string; readonly at: number }> = []

  constructor(deps: PausesDeps) {
    this.#deps = deps
  }

  has(author: string): boolean {
    return this.#pausing.has(author)
  }

  /** This node had something to do itself. */
  wrote(): void {
    this.#wroteAt = this.#deps.clock.monotonic()
  }

  /** A slice took all there was of this author: it is not the one that keeps others waiting, but one of the others. */
  took(author: string): void {
    const others = this.#small.filter((small) => small.author !== author)
    this.#small = [{ author, at: this.#deps.clock.monotonic() }, ...others.slice(0, 1)]
  }

  /** Whether somebody besides this author had something to do a moment ago. */
  isShared(author: string): boolean {
    const since = this.#deps.clock.monotonic() - SHARED_MS
    return this.#wroteAt > since || this.#small.some((small) => small.author !== author && small.at > since)
  }

  /** An author pauses after a slice that took so long, ms. */
  begin(author: string, sliceMs: number): void {
    const ms = Math.min(MAX_REST_MS, REST_FACTOR * sliceMs)
    if (ms < 1 || this.has(author)) return
    const cancel = this.#deps.clock.timer(ms, () => {
      this.#pausing.delete(author)
      this.#deps.over()
    })
    this.#pausing.set(author, cancel)
  }

  /**
   * Ends the pauses of those whose records others' wait for: these were written where more of the former had been taken,
   * and to let them wait would make everybody as slow as it is. What has not come yet ends none, so that a record which
   * names one far ahead does not either.
   */
  endAwaited(): void {
    for (const author of this.#pausing.keys()) if (this.#deps.awaited(author)) this.#end(author)
  }

  endAll(): void {
    for (const author of this.#pausing.keys()) this.#end(author)
  }

  #end(author: string): void {
    this.#pausing.get(author)?.()
    this.#pausing.delete(author)
  }
}
