/** Notices that the machine slept, that its clock was set, or that its network changed. */
import type { Clock } from '../runtime.js'
import { interfacesFingerprint } from './addresses.js'
import { CLOCK_JUMP_MS, WATCH_INTERVAL_MS } from './limits.js'

export interface WatchDeps {
  readonly clock: Clock
  /** Every look, after the events below. */
  tick(): void
  /** @param ms how much more (or, negative, less) the wall clock moved than the monotonic one. */
  clockJumped(ms: number): void
  networkChanged(): void
}

export interface WatchOptions {
  readonly intervalMs?: number
  /** One text that differs when the network differs; undefined when that cannot be known at present. */
  readonly fingerprint?: () => string | undefined
}

export class Watch {
  readonly #deps: WatchDeps
  readonly #intervalMs: number
  readonly #fingerprint: () => string | undefined
  #offset = 0
  #network: string | undefined
  #cancel: (() => void) | undefined

  constructor(deps: WatchDeps, options: WatchOptions = {}) {
    this.#deps = deps
    this.#intervalMs = options.intervalMs ?? WATCH_INTERVAL_MS
    this.#fingerprint = options.fingerprint ?? interfacesFingerprint
  }

  start(): void {
    this.#offset = this.#deps.clock.now() - this.#deps.clock.monotonic()
    this.#network = this.#fingerprint()
    this.#arm()
  }

  stop(): void {
    this.#cancel?.()
    this.#cancel = undefined
  }

  #arm(): void {
    this.#cancel = this.#deps.clock.timer(this.#intervalMs, () => {
      this.#arm()
      this.#look()
    })
  }

  #look(): void {
    const offset = this.#deps.clock.now() - this.#deps.clock.monotonic()
    const jump = offset - this.#offset
    this.#offset = offset
    if (Math.abs(jump) > CLOCK_JUMP_MS) this.#deps.clockJumped(jump)
    const network = this.#fingerprint()
    if (network !== undefined && network !== this.#network) {
      const known = this.#network !== undefined
      this.#network = network
      if (known) this.#deps.networkChanged()
    }
    this.#deps.tick()
  }
}
