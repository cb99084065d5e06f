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
  const ms = Math.floor(time / 1000)
  if (!(ms >= 0 && ms < MAX_DATE_MS)) return `${time}`
  const minute = Math.floor(ms / 60_000)
  if (minute !== lastMinute) {
    lastMinute = minute
    lastMinuteText = new Date(minute * 60_000).toISOString().slice(0, -'00.000Z'.length)
  }
  const left = ms - minute * 60_000
  const seconds = Math.floor(left / 1000)
  const thousandths = left - seconds * 1000
  return `${lastMinuteText}${seconds < 10 ? '0' : ''}${seconds}.${thousandths < 10 ? '00' : thousandths < 100 ? '0' : ''}${thousandths}Z`
}

/** Further no date goes. */
const MAX_DATE_MS = 8.64e15
/** Times come in crowds: a listing has one for each line. */
let lastMinute = Number.NaN
let lastMinuteText = ''
