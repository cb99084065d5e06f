import type { Clock } from '../../src/runtime.js'

interface Event {
  readonly at: number
  readonly order: number
  readonly run: () => void
  cancelled: boolean
}

/** Everything an event sets off is microtasks; one turn of the real loop lets all of them end. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** On a slow machine: what lies between two looks at the clock takes so long, and an event no longer than that, ms. */
const LOOK_MS = 2
const MAX_AHEAD_MS = 20

/** Virtual time for the whole world: events run one after the other, each to the end of what it set off. */
export class SimTime {
  now = 0
  #events: Event[] = []
  #order = 0

  after(ms: number, run: () => void): () => void {
    const event: Event = { at: this.now + Math.max(0, ms), order: this.#order++, run, cancelled: false }
    this.#insert(event)
    return () => {
      event.cancelled = true
    }
  }

  #insert(event: Event): void {
    let low = 0
    let high = this.#events.length
    while (low < high) {
      const middle = (low + high) >> 1
      const other = this.#events[middle]!
      if (other.at < event.at || (other.at === event.at && other.order < event.order)) low = middle + 1
      else high = middle
    }
    this.#events.splice(low, 0, event)
  }

  /** Runs events until `until` (virtual ms), or until `done` says so; false when time ran out. */
  async run(until: number, done: () => boolean = () => false): Promise<boolean> {
    // what was begun from outside ends before time goes on, as what an event sets off does
    await settled()
    for (;;) {
      if (done()) return true
      const event = this.#events.shift()
      if (event === undefined || event.at > until) {
        if (event !== undefined) this.#events.unshift(event)
        this.now = Math.max(this.now, until)
        return done()
      }
      if (event.cancelled) continue
      this.now = event.at
      event.run()
      await settled()
    }
  }

  /** A node's view of it: its wall clock says `wall()`, which may jump, stand still, or be years off. */
  clock(alive: () => boolean, wall: () => number): Clock {
    return {
      now: wall,
      monotonic: () => this.now,
      timer: (ms, fn) => this.after(ms, () => alive() && fn()),
      pause: () => Promise.resolve()
    }
  }

  /**
   * The same on a slow machine: work takes time, so that whatever is long pauses often, and what happens next in the world
   * happens in the middle of it. A process that ends in a pause never comes back from it.
   */
  slowClock(alive: () => boolean, wall: () => number): Clock {
    let at = 0
    return {
      ...this.clock(alive, wall),
      // never far ahead of the world, where timers are
      monotonic: () => (at = Math.min(this.now + MAX_AHEAD_MS, Math.max(this.now, at) + LOOK_MS)),
      pause: () => new Promise((resolve) => setImmediate(() => alive() && resolve()))
    }
  }
}
