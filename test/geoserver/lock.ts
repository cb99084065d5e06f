/** The one configuration lock of a GeoServer: its REST calls wait for each other and for a reload. */
import type { StandInClock } from './clock.js'
import { RestError } from './rest-error.js'

export class ConfigurationLock {
  readonly #clock: StandInClock
  readonly #timeoutMs: number
  #last: Promise<unknown> = Promise.resolve()
  waiting = 0

  constructor(clock: StandInClock, timeoutMs: number) {
    this.#clock = clock
    this.#timeoutMs = timeoutMs
  }

  /** Runs the work when those before are done. Throws a `RestError` after the timeout; the work is not done then. */
  run<T>(work: () => Promise<T>): Promise<T> {
    const before = this.#last
    let givenUp = false
    const turn = before.then(async () => {
      if (!givenUp) return work()
      throw new RestError(503, 'the configuration is locked')
    })
    this.#last = turn.catch(() => {})
    const patience = new AbortController()
    this.waiting++
    const inTime = Promise.race([
      before.then(() => true),
      this.#clock.sleep(this.#timeoutMs, patience.signal).then(() => false)
    ])
    return inTime.then((mine) => {
      this.waiting--
      patience.abort()
      if (mine) return turn
      givenUp = true
      turn.catch(() => {})
      throw new RestError(503, 'the configuration is locked')
    })
  }
}
