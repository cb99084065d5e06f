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
const SHUT_OUT_MS = 5_000
const MAX_PAUSE_MS = 300_000
const LOOK_MS = 1_000
const ASK_TIMEOUT_MS = 5_000
/** Ways tried in one go: the next go begins behind them. */
const AT_ONCE = 8

export class Returning {
  readonly #deps: ReturningDeps
  #end: (() => void) | undefined
  #since: number | undefined
  #pauseMs = SHUT_OUT_MS
  #next = 0

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
    if (ways.length === 0) {
      this.#since = undefined
      this.#pauseMs = SHUT_OUT_MS
      return
    }
    this.#since ??= now
    if (now - this.#since < this.#pauseMs) return
    this.#since = now
    this.#pauseMs = Math.min(MAX_PAUSE_MS, this.#pauseMs * 2)
    for (let tried = 0; tried < Math.min(AT_ONCE, ways.length) && this.#end !== undefined; tried++) {
      const way = ways[this.#next++ % ways.length]!
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
