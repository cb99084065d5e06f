/** Timers by name, each set at most once at a time. */
import type { Clock } from '../runtime.js'

/**
 * rescan: everything is looked at. retry: what failed is tried. second-look: see `missing.ts`. patience: see
 * `waiting-room.ts`. turn and look: see `shared-dir.ts`.
 */
export type Alarm = 'rescan' | 'retry' | 'second-look' | 'patience' | 'turn' | 'look'

export class Alarms {
  readonly #clock: Clock
  readonly #set = new Map<Alarm, () => void>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  has(alarm: Alarm): boolean {
    return this.#set.has(alarm)
  }

  /** In place of the one that is set; undefined: none. */
  set(alarm: Alarm, ms: number | undefined, ring: () => void): void {
    this.#set.get(alarm)?.()
    this.#set.delete(alarm)
    if (ms === undefined) return
    const cancel = this.#clock.timer(ms, () => {
      this.#set.delete(alarm)
      ring()
    })
    this.#set.set(alarm, cancel)
  }

  stop(): void {
    for (const cancel of this.#set.values()) cancel()
    this.#set.clear()
  }
}
