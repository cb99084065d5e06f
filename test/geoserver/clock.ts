/** The time of a stand-in: the real one, or one that a test moves by hand. */

export interface StandInClock {
  /** Milliseconds since 1970. */
  now(): number
  /** Resolves after so many ms, or at once when the signal is given. */
  sleep(ms: number, signal: AbortSignal): Promise<void>
}

export const realClock: StandInClock = {
  now: () => Date.now(),
  sleep: (ms, signal) =>
    new Promise((done) => {
      if (signal.aborted) return done()
      const end = (): void => {
        clearTimeout(timer)
        signal.removeEventListener('abort', end)
        done()
      }
      const timer = setTimeout(end, ms)
      signal.addEventListener('abort', end)
    })
}

/** Time stands still until `advance`. */
export class HandClock implements StandInClock {
  #now = 1_700_000_000_000
  readonly #sleepers = new Set<{ at: number; wake: () => void }>()

  now(): number {
    return this.#now
  }

  sleep(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((done) => {
      const sleeper = {
        at: this.#now + ms,
        wake: () => {
          this.#sleepers.delete(sleeper)
          done()
        }
      }
      if (signal.aborted || ms <= 0) return done()
      this.#sleepers.add(sleeper)
      signal.addEventListener('abort', () => sleeper.wake(), { once: true })
    })
  }

  /** How long those who sleep still have to, ms, shortest first. */
  get sleeping(): number[] {
    return [...this.#sleepers].map(({ at }) => at - this.#now).toSorted((a, b) => a - b)
  }

  advance(ms: number): void {
    this.#now += ms
    for (const sleeper of [...this.#sleepers]) if (sleeper.at <= this.#now) sleeper.wake()
  }
}
