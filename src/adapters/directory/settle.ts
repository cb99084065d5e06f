/**
 * Gathers what the watches notice until it has come to rest. A program that saves a file causes several events; GeoServer
 * makes a new file empty first and renames the full one over it. One hint, with the final content, is what is wanted.
 *
 * 1. A path is looked at `settleMs` after its last event, but not later than `MAX_SETTLE_MS` after its first.
 * 2. A file that is empty then is held until it is not, or for `emptySettleMs` since it was first seen empty.
 * 3. More than `MAX_PENDING_PATHS` paths not yet at rest, or `MAX_EVENTS` events within `EVENT_WINDOW_MS`, become one
 *    hint for everything.
 */
import { reasonOf } from '../../errors.js'
import type { Clock, Logger } from '../../runtime.js'
import type { WatchHint } from '../contract.js'
import { outermost } from '../paths.js'
import { mapLimit } from './pool.js'

/** A file written without a pause is still hinted now and then, ms. */
export const MAX_SETTLE_MS = 2_000
/** Beyond this a look at everything is cheaper than a look at each. */
export const MAX_PENDING_PATHS = 1_000
/** The kernel's event queue holds 16,384 by default and drops silently: half of it at once is a warning. */
export const MAX_EVENTS = 8_192
/** Events this close together may have waited in that queue together, ms. */
export const EVENT_WINDOW_MS = 200
/**
 * Both names of a rename are noted one right after the other and should be hinted together: what was noted in the same
 * turn of the event loop as a path that has come to rest, or this soon after it, goes with it, ms. However long the process
 * was held up between the two, what the kernel reported at once comes in one turn.
 */
export const TOGETHER_MS = 2
const PARALLEL_LOOKS = 8

/** What became of a path: to be hinted, of no interest (our own write, ignored), or a file that is empty. */
export type Look = 'hint' | 'nothing' | 'empty'

export interface SettleDeps {
  readonly clock: Clock
  readonly logger: Logger
  /** Looks at a path that has come to rest; a directory is watched, with all below it, when this resolves. */
  look(path: string): Promise<Look>
  /** Watches whatever is not watched yet, before everything is looked at. */
  lookAtAll(): Promise<void>
  hint(hint: WatchHint): void
}

export interface SettleOptions {
  readonly settleMs: number
  readonly emptySettleMs: number
}

interface Pending {
  readonly first: number
  last: number
  /** Turn of the event loop of the last event. */
  turn: number
}

export class Settler {
  readonly #deps: SettleDeps
  readonly #options: SettleOptions
  /** In the order of `last`, so that the head is due first. */
  readonly #pending = new Map<string, Pending>()
  /** Path -> when a file that is empty may be hinted all the same, ms of the monotonic clock; the head is due first. */
  readonly #held = new Map<string, number>()
  #everything: Pending | null = null
  #events = 0
  #turn = 0
  #turnEnds: NodeJS.Immediate | undefined
  #windowStart = 0
  #timer: { readonly due: number; readonly cancel: () => void } | null = null
  #flushing: Promise<void> | null = null
  #stopped = false

  constructor(deps: SettleDeps, options: SettleOptions) {
    this.#deps = deps
    this.#options = options
  }

  /** Something happened at `path`; '' means that it cannot be said where. */
  note(path: string): void {
    if (this.#stopped) return
    const now = this.#deps.clock.monotonic()
    this.#countTurn()
    this.#countEvent(now)
    if (this.#everything !== null || path === '') this.#noteEverything(now)
    else {
      this.#notePath(path, now)
      if (this.#pending.size > MAX_PENDING_PATHS || this.#events > MAX_EVENTS) this.#noteEverything(now)
    }
    this.#arm()
  }

  /** A scan met an empty file: it comes back when it is not, or old enough. */
  hold(path: string): void {
    if (this.#stopped || this.#held.has(path)) return
    this.#held.set(path, this.#deps.clock.monotonic() + this.#options.emptySettleMs)
    this.#arm()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#timer?.cancel()
    this.#timer = null
    this.#pending.clear()
    this.#held.clear()
    clearImmediate(this.#turnEnds)
    await this.#flushing
  }

  #countTurn(): void {
    this.#turnEnds ??= setImmediate(() => {
      this.#turn++
      this.#turnEnds = undefined
    })
  }

  #countEvent(now: number): void {
    if (now - this.#windowStart > EVENT_WINDOW_MS) {
      this.#windowStart = now
      this.#events = 0
    }
    this.#events++
  }

  #notePath(path: string, now: number): void {
    const pending = this.#pending.get(path)
    if (pending === undefined) this.#pending.set(path, { first: now, last: now, turn: this.#turn })
    else if (now - pending.first < MAX_SETTLE_MS) {
      pending.last = now
      pending.turn = this.#turn
      // to the end, where the order of `last` has it
      this.#pending.delete(path)
      this.#pending.set(path, pending)
    }
  }

  #noteEverything(now: number): void {
    this.#pending.clear()
    this.#everything ??= { first: now, last: now, turn: this.#turn }
    if (now - this.#everything.first < MAX_SETTLE_MS) this.#everything.last = now
  }

  #arm(): void {
    if (this.#flushing !== null || this.#stopped) return
    const due = this.#nextDue()
    if (due === null || (this.#timer !== null && this.#timer.due <= due)) return
    this.#timer?.cancel()
    const delayMs = Math.max(0, due - this.#deps.clock.monotonic())
    this.#timer = { due, cancel: this.#deps.clock.timer(delayMs, () => this.#wake()) }
  }

  #wake(): void {
    this.#timer = null
    this.#flushing = this.#flush()
      .catch((error: unknown) => {
        const next = 'nothing to do: the periodic scan finds them'
        this.#deps.logger.error('changes in the directory could not be looked at', { reason: reasonOf(error), next })
      })
      .finally(() => {
        this.#flushing = null
        this.#arm()
      })
  }

  #nextDue(): number | null {
    const head = this.#everything ?? this.#pending.values().next().value
    const due = head === undefined ? null : head.last + this.#options.settleMs
    for (const [path, until] of this.#held) {
      // one with fresh events is looked at anyway when it has come to rest
      if (!this.#pending.has(path)) return due === null || until < due ? until : due
    }
    return due
  }

  async #flush(): Promise<void> {
    const now = this.#deps.clock.monotonic()
    if (this.#everything !== null && this.#isAtRest(this.#everything, now)) {
      this.#everything = null
      await this.#deps.lookAtAll()
      if (!this.#stopped) this.#deps.hint({ all: true })
    }
    const paths = this.#takeRested(now)
    const looks = await mapLimit(paths, PARALLEL_LOOKS, (path) => this.#look(path))
    const hinted = outermost(paths.filter((_, at) => looks[at]))
    if (hinted.length > 0 && !this.#stopped) this.#deps.hint({ paths: hinted })
  }

  #takeRested(now: number): string[] {
    const rested = new Set<string>()
    let before: Pending | undefined
    for (const [path, pending] of this.#pending) {
      if (!this.#isAtRest(pending, now) && !this.#goesWith(before, pending, now)) break
      before = pending
      rested.add(path)
    }
    for (const path of rested) this.#pending.delete(path)
    for (const [path, until] of this.#held) {
      if (until > now) break
      if (!this.#pending.has(path)) rested.add(path)
    }
    return [...rested]
  }

  /** Whether the path is to be hinted. */
  async #look(path: string): Promise<boolean> {
    const look = await this.#deps.look(path)
    if (look !== 'empty') {
      this.#held.delete(path)
      return look === 'hint'
    }
    const now = this.#deps.clock.monotonic()
    const until = this.#held.get(path) ?? now + this.#options.emptySettleMs
    if (until <= now) this.#held.delete(path)
    else this.#held.set(path, until)
    return until <= now
  }

  #goesWith(before: Pending | undefined, pending: Pending, now: number): boolean {
    if (before === undefined) return false
    if (pending.turn === before.turn) return true
    return pending.last - before.last <= TOGETHER_MS && now - pending.last >= this.#options.settleMs / 2
  }

  #isAtRest(pending: Pending, now: number): boolean {
    return now - pending.last >= this.#options.settleMs
  }
}
