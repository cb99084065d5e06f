/** A clock that a test moves by hand; nothing happens until it does. */
import type { Clock } from '../../src/runtime.js'

export class HandClock implements Clock {
  #now = 0
  readonly #timers: Array<{ at: number; fn: () => void }> = []
  /** Times others were let run. */
  pauses = 0

  now(): number {
    return this.#now
  }

  monotonic(): number {
    return this.#now
  }

  timer(ms: number, fn: () => void): () => void {
    const timer = { at: this.#now + ms, fn }
    this.#timers.push(timer)
    return () => {
      const at = this.#timers.indexOf(timer)
      if (at >= 0) this.#timers.splice(at, 1)
    }
  }

  pause(): Promise<void> {
    this.pauses += 1
    return Promise.resolve()
  }

  /** Time passes, and what becomes due happens in order. */
  async pass(ms: number): Promise<void> {
    const end = this.#now + ms
    for (;;) {
      const next = this.#timers.filter(({ at }) => at <= end).toSorted((a, b) => a.at - b.at)[0]
      if (next === undefined) break
      this.#timers.splice(this.#timers.indexOf(next), 1)
      this.#now = Math.max(this.#now, next.at)
      next.fn()
      await new Promise((resolve) => setImmediate(resolve))
    }
    this.#now = end
    await new Promise((resolve) => setImmediate(resolve))
  }

  /** Time passes as while a program computes: nothing happens meanwhile. */
  spend(ms: number): void {
    this.#now += ms
  }
}
