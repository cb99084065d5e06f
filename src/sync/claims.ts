/**
 * What one peer says it holds, and what of it may be asked for now. A peer can claim thousands of logs that do not exist:
 * each step costs what it changes, not what is claimed, and what was asked for in vain is asked for more and more seldom.
 */
import { Bucket } from '../share.js'
import { PutOff } from './put-off.js'

/** A log we hold nothing of is asked for twice as seldom after each time in vain; at the most seldom after so long, ms. */
const MAX_PUT_OFF_MS = 60_000
/** Pulls of logs we hold nothing of that one peer may leave unanswered at once, and then each second. */
export const IN_VAIN = { burst: 256, perSecond: 50 } as const

/** What has to wait for its author's share waits at least and at most so long before it is looked at again, ms. */
const MIN_LATER_MS = 16
const MAX_LATER_MS = 1_024

export interface Claim {
  readonly seq: number
  readonly head: string
}

export class Claims {
  readonly #vector = new Map<string, Claim>()
  /** To be asked for, oldest first: logs we hold something of, */
  readonly #known = new Set<string>()
  /** and logs we hold nothing of. */
  readonly #strange = new Set<string>()
  readonly #putOff = new PutOff()
  /** How often each log we hold nothing of was asked for in vain, one after another. */
  readonly #inVain = new Map<string, number>()
  /** The time that was handed in last. */
  #now = 0
  /** Pulls in vain. */
  #vain = this.#newBucket()

  get(log: string): Claim | undefined {
    return this.#vector.get(log)
  }

  get size(): number {
    return this.#vector.size
  }

  [Symbol.iterator](): IterableIterator<[string, Claim]> {
    return this.#vector[Symbol.iterator]()
  }

  /** It holds so much of a log; `held` is what we hold. */
  set(log: string, claim: Claim, held: number): void {
    this.#vector.set(log, claim)
    this.open(log, held)
  }

  /** It no longer holds what it said. */
  clear(): void {
    this.#vector.clear()
    this.#known.clear()
    this.#strange.clear()
    // nor is it remembered for ever what was in vain
    for (const log of this.#inVain.keys()) if (!this.#putOff.has(log)) this.#inVain.delete(log)
  }

  /** A log may have to be asked for (again): it comes to the end of the line. */
  open(log: string, held: number): void {
    const claim = this.#vector.get(log)
    if (claim === undefined || claim.seq <= held || this.#putOff.has(log)) return
    if (held > 0) this.#strange.delete(log)
    const line = held > 0 ? this.#known : this.#strange
    line.add(log)
  }

  /** Takes the next log to ask for out of the line: first those we hold something of. */
  next(now: number): string | undefined {
    for (const log of this.#known) {
      this.#known.delete(log)
      return log
    }
    if (this.#restUntil(now) > now) return undefined
    for (const log of this.#strange) {
      this.#strange.delete(log)
      return log
    }
    return undefined
  }

  /** It could not serve a log as promised, or what it served was refused: left alone for `ms`, or longer. */
  failed(log: string, held: number, ms: number, now: number): void {
    let wait = ms
    if (held === 0) {
      const times = this.#inVain.get(log) ?? 0
      this.#inVain.set(log, times + 1)
      wait = Math.min(MAX_PUT_OFF_MS, ms * 2 ** times)
      this.#now = now
      this.#vain.take(1)
    }
    this.#known.delete(log)
    this.#strange.delete(log)
    this.#putOff.add(log, wait, now)
  }

  /** It is not to be asked for before so many milliseconds, or up to twice as many. */
  later(log: string, ms: number, now: number): void {
    this.#putOff.add(log, Math.min(MAX_LATER_MS, 2 ** Math.ceil(Math.log2(Math.max(MIN_LATER_MS, ms)))), now)
  }

  /** Puts what was left alone long enough back into the line. */
  wake(now: number, held: (log: string) => number): void {
    for (const log of this.#putOff.due(now)) this.open(log, held(log))
  }

  /** Something changed: what was in vain may be no more. */
  retry(held: (log: string) => number): void {
    this.#inVain.clear()
    this.#vain = this.#newBucket()
    for (const log of this.#putOff.all()) this.open(log, held(log))
  }

  /** When there is something to ask for again without an event; undefined: never. */
  due(now: number): number | undefined {
    const rest = this.#strange.size > 0 ? this.#restUntil(now) : now
    const { next } = this.#putOff
    return rest > now ? Math.min(rest, next ?? rest) : next
  }

  #newBucket(): Bucket {
    return new Bucket({ monotonic: () => this.#now }, IN_VAIN)
  }

  /** When a log we hold nothing of may be asked for. */
  #restUntil(now: number): number {
    this.#now = now
    return now + this.#vain.debtMs()
  }
}
