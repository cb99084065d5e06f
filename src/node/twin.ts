/**
 * Another process uses this node's key: neither may write until one is gone. Both are told each time they meet a common
 * peer; when that has not happened for a while, the other is gone, and this one writes on where the other never wrote.
 */
import { GrapevineError } from '../errors.js'
import type { Clock, Logger } from '../runtime.js'

export interface TwinWatchDeps {
  readonly clock: Clock
  readonly logger: Logger
  readonly replica: {
    hold(why: string, error: GrapevineError): void
    release(why: string): void
    renewEpoch(): void
  }
}

const HOLD = 'twin'
/** A refused process tries again within `REDIAL_MAX_MS` (60 s): three of those without a word, and it is gone. */
export const TWIN_GONE_MS = 180_000

export class TwinWatch {
  readonly #deps: TwinWatchDeps
  #cancel: (() => void) | undefined

  constructor(deps: TwinWatchDeps) {
    this.#deps = deps
  }

  seen(): void {
    const { clock, logger, replica } = this.#deps
    if (this.#cancel === undefined) logger.error("Another process uses this node's key; this one stops writing.")
    this.#cancel?.()
    replica.hold(
      HOLD,
      new GrapevineError('identity-duplicated', "another process uses this node's key", {
        next: 'stop one of the two; if this home is a copy of another, stop it and run "grapevine reidentify --token TOKEN"'
      })
    )
    this.#cancel = clock.timer(TWIN_GONE_MS, () => this.#gone())
  }

  #gone(): void {
    this.#cancel = undefined
    this.#deps.replica.release(HOLD)
    this.#deps.replica.renewEpoch()
    this.#deps.logger.info(
      "The other process with this node's key has not been seen for a while; this one writes again."
    )
  }

  stop(): void {
    this.#cancel?.()
    this.#cancel = undefined
  }
}
