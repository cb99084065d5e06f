/**
 * Gives memory back when the process has come to rest. V8 collects when something new is needed, and so keeps what a burst
 * made it take for as long as nothing happens: after 100,000 entries were taken in 313 MiB stay resident, after three
 * collections a second apart 201 (what held buffers goes with the first, the pages they lay in later; 30 ms each).
 */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { Clock, Logger } from '../runtime.js'

/** How often the process is looked at, ms. */
export const LOOK_MS = 5_000
/** It is at rest when it used at most this part of a processor since the last look. */
export const REST_SHARE = 0.05
/** What the heap must have grown by since it was last collected for it to be worth the while, bytes. */
export const WORTH_BYTES = 16 * 1024 * 1024
/** What a collection gives back is seen, and let go by the system, with the next: so long after it, ms, */
export const AGAIN_MS = 1_000
/** as long as they give back this much, bytes. */
export const LEAST_BYTES = 4 * 1024 * 1024
/** Nothing else happens during a collection: after one that took longer the next waits, ms; */
export const MAX_COLLECTION_MS = 45
/** so long, and twice as long after each further one: most were slow because others used the machine. */
export const PATIENCE_MS = 60_000
export const MAX_PATIENCE_MS = 3_600_000

/** What is asked of the process. */
export interface ProcessMemory {
  /** Processor time used so far, ms. */
  cpuMs(): number
  /** What the heap takes from the system, used or not, bytes. */
  heapBytes(): number
  collect(): void
}

export interface IdleMemoryDeps {
  readonly clock: Pick<Clock, 'monotonic' | 'timer'>
  readonly logger: Pick<Logger, 'debug'>
  readonly memory: ProcessMemory
}

export class IdleMemory {
  readonly #deps: IdleMemoryDeps
  #cancel = (): void => undefined
  #cpuMs = 0
  #at = 0
  /** The heap after it was last collected, bytes. */
  #left = 0
  #patienceMs = PATIENCE_MS

  constructor(deps: IdleMemoryDeps) {
    this.#deps = deps
  }

  start(): void {
    this.#cpuMs = this.#deps.memory.cpuMs()
    this.#at = this.#deps.clock.monotonic()
    this.#cancel = this.#deps.clock.timer(LOOK_MS, () => this.#look())
  }

  stop(): void {
    this.#cancel()
  }

  #look(): void {
    const { clock, memory } = this.#deps
    const share = (memory.cpuMs() - this.#cpuMs) / (clock.monotonic() - this.#at)
    if (share > REST_SHARE || memory.heapBytes() - this.#left < WORTH_BYTES) return this.start()
    this.#collect()
  }

  #collect(): void {
    const { clock, logger, memory } = this.#deps
    const began = clock.monotonic()
    const before = memory.heapBytes()
    memory.collect()
    const ms = clock.monotonic() - began
    const after = memory.heapBytes()
    logger.debug('Memory was given back, as nothing happens.', { before, after, ms: Math.round(ms) })
    if (ms > MAX_COLLECTION_MS) {
      this.#cancel = clock.timer(this.#patienceMs, () => this.start())
      this.#patienceMs = Math.min(MAX_PATIENCE_MS, 2 * this.#patienceMs)
      return
    }
    this.#patienceMs = PATIENCE_MS
    if (before - after >= LEAST_BYTES) this.#cancel = clock.timer(AGAIN_MS, () => this.#collect())
    else {
      this.#left = after
      this.start()
    }
  }
}

/** This process. V8 hands out its collector to contexts made after the flag is set (Node's own example of that call). */
export function processMemory(): ProcessMemory {
  let collect: (() => void) | undefined
  return {
    cpuMs: () => {
      const { user, system } = process.cpuUsage()
      return (user + system) / 1_000
    },
    heapBytes: () => process.memoryUsage().heapTotal,
    collect: () => {
      if (collect === undefined) {
        setFlagsFromString('--expose-gc')
        collect = runInNewContext('gc') as () => void
      }
      collect()
    }
  }
}
