/** Holds reading to a number of bytes a second, so that looking things over never slows what the node is for. */
import type { Clock } from '../runtime.js'

/** Bytes read before there is a pause: many short ones would cost more than they spare. */
const PIECE_BYTES = 128 * 1024

export class Pace {
  readonly #clock: Clock
  readonly #bytesPerMs: number
  #read = 0
  #stopped = false
  #wake: (() => void) | undefined

  /** `bytesPerSecond` 0: as fast as it goes, with other work let in between. */
  constructor(clock: Clock, bytesPerSecond: number) {
    this.#clock = clock
    this.#bytesPerMs = bytesPerSecond / 1_000
  }

  async take(bytes: number): Promise<void> {
    this.#read += bytes
    if (this.#read < PIECE_BYTES || this.#stopped) return
    const ms = this.#bytesPerMs === 0 ? 0 : this.#read / this.#bytesPerMs
    this.#read = 0
    if (ms === 0) return this.#clock.pause()
    await new Promise<void>((resolve) => {
      const cancel = this.#clock.timer(ms, resolve)
      this.#wake = () => {
        cancel()
        resolve()
      }
    })
  }

  /** Ends the waiting, now and from now on. */
  stop(): void {
    this.#stopped = true
    this.#wake?.()
  }
}
