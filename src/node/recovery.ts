/** Brings a store that refused to write back to work once its cause is gone, without a restart. */
import { reasonOf } from '../errors.js'
import type { Replica } from '../replica/index.js'
import type { Clock, Logger } from '../runtime.js'
import type { LevelStore } from '../store/index.js'

export interface RecoveryDeps {
  readonly clock: Clock
  readonly logger: Logger
  readonly stores: readonly LevelStore[]
  readonly replica: Replica
}

/** How often a failed store is tried again, ms. */
const TRY_EVERY_MS = 2_000

export class Recovery {
  readonly #deps: RecoveryDeps
  #cancel: (() => void) | undefined
  #stopped = false

  constructor(deps: RecoveryDeps) {
    this.#deps = deps
  }

  start(): void {
    this.#stopped = false
    this.#cancel ??= this.#deps.clock.timer(TRY_EVERY_MS, () => void this.#try())
  }

  stop(): void {
    this.#stopped = true
    this.#cancel?.()
    this.#cancel = undefined
  }

  async #try(): Promise<void> {
    const { stores, replica, logger } = this.#deps
    this.#cancel = undefined
    try {
      for (const store of stores) if (store.failure !== undefined) await store.reopen()
      if (replica.failure !== undefined) await replica.recover()
    } catch (error) {
      logger.debug('The store still refuses to write.', { reason: reasonOf(error) })
    }
    if (!this.#stopped) this.start()
  }
}
