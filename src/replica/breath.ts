/** Long work in pieces: a change of somebody else's needs some twenty turns of the event loop, each behind such a piece. */
import type { Clock } from '../runtime.js'

/** Work goes on for so long before it lets others run, ms. */
const HOLD_MS = 4

export class Breath {
  readonly #clock: Pick<Clock, 'monotonic' | 'pause'>
  #began: number

  constructor(clock: Pick<Clock, 'monotonic' | 'pause'>) {
    this.#clock = clock
    this.#began = clock.monotonic()
  }

  get isDue(): boolean {
    return this.#clock.monotonic() - this.#began >= HOLD_MS
  }

  /** Lets others run, when it is time. Called between two pieces, each of them short. */
  async draw(): Promise<void> {
    if (!this.isDue) return
    await this.#clock.pause()
    this.#began = this.#clock.monotonic()
  }
}

/** Has work that goes in short steps done, with a breath between them. Throws what it throws. */
export async function breathing<T>(
  steps: Generator<void, T>,
  clock: Pick<Clock, 'monotonic' | 'pause'>,
  breath = new Breath(clock)
): Promise<T> {
  for (;;) {
    const { done, value } = steps.next()
    if (done === true) return value
    // most steps are far shorter than what is held on for: to wait for each would cost as much again
    if (breath.isDue) await breath.draw()
  }
}
