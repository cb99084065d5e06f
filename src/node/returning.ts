/**
 * Finds the way back of a node that was away while the cluster changed its secret, its neighbours their keys, or its own
 * certificate ran out: whoever is reached and lets it in nowhere is asked what the members space has become, one after
 * the other, for one that was removed meanwhile would tell nothing new. Every record is verified like any other.
 */
import { reasonOf } from '../errors.js'
import type { WayBack } from '../net/index.js'
import type { Clock, Logger } from '../runtime.js'
import { takePages, type Pages } from './join-pages.js'
import { regularly } from './regularly.js'

export interface ReturningDeps {
  readonly clock: Clock
  readonly logger: Logger
  ways(): readonly WayBack[]
  /** The records of the members space, a page at a time; each page may take so long. */
  ask(way: WayBack, timeoutMs: number): Pages
  /** Whether there was something new among them. */
  take(records: readonly Uint8Array[]): Promise<boolean>
}

/** How long it is shut out before it asks, ms; twice as long with each time that helped nothing. */
export const SHUT_OUT_MS = 5_000
/** The same where somebody is merely not connected, who is asked for the case that nobody here knows its key any more. */
export const LOST_MS = 60_000
export const MAX_PAUSE_MS = 300_000
const LOOK_MS = 1_000
const ASK_TIMEOUT_MS = 5_000
/** Ways tried in one go: the next go begins behind them. */
export const AT_ONCE = 8

/** Ways of one kind, and when they are tried again: one that is urgent does not wait for those that are not. */
class Kind {
  readonly #firstMs: number
  readonly #is: (way: WayBack) => boolean
  #since: number | undefined
  #pauseMs: number
  #next = 0

  constructor(firstMs: number, is: (way: WayBack) => boolean) {
    this.#firstMs = firstMs
    this.#pauseMs = firstMs
    this.#is = is
  }

  /** Those of these ways to be tried now. */
  due(ways: readonly WayBack[], now: number): WayBack[] {
    const own = ways.filter((way) => this.#is(way))
    if (own.length === 0) {
      this.#since = undefined
      this.#pauseMs = this.#firstMs
      return []
    }
    this.#since ??= now
    if (now - this.#since < this.#pauseMs) return []
    this.#since = now
    this.#pauseMs = Math.min(MAX_PAUSE_MS, this.#pauseMs * 2)
    return Array.from({ length: Math.min(AT_ONCE, own.length) }, () => own[this.#next++ % own.length]!)
  }
}

export class Returning {
  readonly #deps: ReturningDeps
  readonly #kinds = [new Kind(SHUT_OUT_MS, (way) => way.isUrgent), new Kind(LOST_MS, (way) => !way.isUrgent)]
  #end: (() => void) | undefined

  constructor(deps: ReturningDeps) {
    this.#deps = deps
  }

  start(): void {
    const { clock, logger } = this.#deps
    const failed = (error: unknown): void =>
      logger.warn('What the members have become could not be taken in; it is tried again.', { reason: reasonOf(error) })
    this.#end ??= regularly(clock, LOOK_MS, () => this.#look(), failed)
  }

  stop(): void {
    this.#end?.()
    this.#end = undefined
  }

  async #look(): Promise<void> {
    const ways = this.#deps.ways()
    const now = this.#deps.clock.monotonic()
    for (const way of this.#kinds.flatMap((kind) => kind.due(ways, now))) {
      if (this.#end === undefined) return
      if (await this.#go(way)) return
    }
  }

  async #go(way: WayBack): Promise<boolean> {
    const { ask, take, logger } = this.#deps
    const { news, failed } = await takePages(ask(way, ASK_TIMEOUT_MS), take)
    if (failed !== undefined)
      logger.debug('Nobody told what the members have become.', { ...way, reason: reasonOf(failed) })
    if (!news) return false
    logger.info('Another node told what the members have become meanwhile.', { ...way })
    return true
  }
}
