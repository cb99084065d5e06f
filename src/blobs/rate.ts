/** How many bytes of blobs may go out, or come in, each second: what the operator allows, for all peers together. */
import type { Clock } from '../runtime.js'
import { Bucket } from '../share.js'

/** What an unused limit saves up: this part of a second. */
const BURST_SECONDS = 0.25

/** `bytesPerSecond` 0: no limit. Time is of the monotonic clock. */
export class RateLimit {
  readonly #now: () => number
  readonly #bucket: Bucket | undefined

  constructor(clock: Pick<Clock, 'monotonic'>, bytesPerSecond: number) {
    this.#now = () => clock.monotonic()
    this.#bucket =
      bytesPerSecond === 0
        ? undefined
        : new Bucket(clock, { perSecond: bytesPerSecond, burst: bytesPerSecond * BURST_SECONDS })
  }

  get isSet(): boolean {
    return this.#bucket !== undefined
  }

  /** How long until the next part may go, ms; 0: now. */
  get waitMs(): number {
    return this.#bucket?.debtMs() ?? 0
  }

  /** When the next part may go, ms; undefined: now. */
  get dueMs(): number | undefined {
    const { waitMs } = this
    return waitMs === 0 ? undefined : this.#now() + waitMs
  }

  /** Notes bytes that go; whoever comes next waits for them. Fewer than nothing: so many did not go after all. */
  take(bytes: number): void {
    this.#bucket?.take(bytes)
  }
}
