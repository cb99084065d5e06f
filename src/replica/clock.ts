/**
 * The node's own hybrid clock: microseconds, never going back, never the same twice. It follows nobody else's clock:
 * what is causally later wins because it replaces what it saw, not because its time is greater.
 */
import type { Clock } from '../runtime.js'

export class HybridClock {
  readonly #clock: Clock
  #last: number

  constructor(clock: Clock, last = 0) {
    this.#clock = clock
    this.#last = last
  }

  next(): number {
    this.#last = Math.max(this.#last + 1, Math.floor(this.#clock.now() * 1000))
    return this.#last
  }
}

export function isoTime(time: number): string {
  const ms = time / 1000
  return Number.isFinite(ms) && ms < 8.64e15 ? new Date(ms).toISOString() : `${time}`
}
