/** Feeds one target and watches what it does to the process. */
import { createHash } from 'node:crypto'
import { GrapevineError } from '../../src/errors.js'
import { SeededRandom } from '../sim/random.js'
import type { Session, Target } from './target.js'

/** Longest time the event loop may be kept by one input, ms. */
export const MAX_BLOCK_MS = 50
/** What the process may grow by after it has warmed up, bytes. */
export const MAX_GROWTH_BYTES = 50 * 1024 * 1024
/** Times an input that seemed slow is looked at again: the machine may have been busy. */
const LOOKS = 3
/** Of all inputs, those after which growth counts. */
const WARM = 0.3
/** Slow inputs are looked at again only so often: a target that is slow throughout shows soon enough. */
const MAX_SLOW = 20

export interface Crash {
  readonly target: string
  readonly seed: number
  /** Which input of the seed it was. */
  readonly at: number
  readonly hex: string
  readonly reason: string
}

export interface Result {
  readonly target: string
  inputs: number
  accepted: number
  readonly rejected: Record<string, number>
  slowestMs: number
  growthBytes: number
  seconds: number
  readonly crashes: Crash[]
}

export interface RunOptions {
  readonly inputs: number
  readonly seed: number
  progress?(done: number): void
}

/** Most crashes reported of one target: more are mostly the same. */
const MAX_CRASHES = 10

export async function runTarget(target: Target, options: RunOptions): Promise<Result> {
  return new Run(target, options).run()
}

class Run {
  readonly #target: Target
  readonly #options: RunOptions
  readonly #random: SeededRandom
  readonly #result: Result
  readonly #stray: unknown[] = []
  #session: Session | undefined
  #slow = 0

  constructor(target: Target, options: RunOptions) {
    this.#target = target
    this.#options = options
    // each target has numbers of its own, whatever others run before it
    const mixed = createHash('sha256').update(`${options.seed} ${target.name}`).digest().readUInt32BE(0)
    this.#random = new SeededRandom(mixed)
    this.#result = {
      target: target.name,
      inputs: 0,
      accepted: 0,
      rejected: {},
      slowestMs: 0,
      growthBytes: 0,
      seconds: 0,
      crashes: []
    }
  }

  async run(): Promise<Result> {
    const stray = (error: unknown): void => void this.#stray.push(error)
    process.on('unhandledRejection', stray)
    process.on('uncaughtException', stray)
    try {
      await this.#feed()
    } finally {
      process.off('unhandledRejection', stray)
      process.off('uncaughtException', stray)
    }
    return this.#result
  }

  async #feed(): Promise<void> {
    const { inputs, progress } = this.#options
    const began = performance.now()
    let warm: number | undefined
    for (let at = 0; at < inputs && this.#result.crashes.length < MAX_CRASHES; at++) {
      if (at % (this.#target.life ?? inputs) === 0) await this.#renew()
      if (warm === undefined && at >= inputs * WARM) warm = await settledMemory()
      await this.#one(at)
      if (at % 500 === 499) {
        progress?.(at + 1)
        await new Promise((resolve) => setImmediate(resolve))
      }
    }
    await this.#end()
    this.#result.growthBytes = Math.max(0, (await settledMemory()) - (warm ?? 0))
    this.#result.seconds = (performance.now() - began) / 1_000
  }

  async #renew(): Promise<void> {
    await this.#end()
    this.#session = await this.#target.open(this.#random)
  }

  async #end(): Promise<void> {
    const session = this.#session
    this.#session = undefined
    try {
      await session?.check?.()
    } catch (error) {
      this.#crash(this.#result.inputs, new Uint8Array(), `left something wrong: ${textOf(error)}`)
    }
    await session?.close?.()
  }

  async #one(at: number): Promise<void> {
    const session = this.#session!
    const input = session.make(this.#random)
    const before = await session.state?.()
    let ms = await this.#look(session, input, at, before)
    for (let look = 0; ms > MAX_BLOCK_MS && this.#slow < MAX_SLOW && look < LOOKS; look++)
      ms = Math.min(ms, await this.#again(session, input))
    if (ms > MAX_BLOCK_MS && this.#slow++ < MAX_SLOW)
      this.#crash(at, input, `kept the event loop for ${Math.round(ms)} ms`)
    this.#result.slowestMs = Math.max(this.#result.slowestMs, ms)
    for (const error of this.#stray.splice(0)) this.#crash(at, input, `a rejection nobody handled: ${textOf(error)}`)
    this.#result.inputs += 1
  }

  async #look(session: Session, input: Uint8Array, at: number, before: string | undefined): Promise<number> {
    const stop = watch()
    try {
      const outcome = session.take(input)
      const word = outcome instanceof Promise ? ((await outcome) as unknown) : outcome
      const ms = stop()
      if (typeof word === 'string') await this.#refused(word, session, input, at, before)
      else this.#result.accepted += 1
      return ms
    } catch (error) {
      const ms = stop()
      if (error instanceof GrapevineError && this.#target.codes.includes(error.code))
        await this.#refused(error.code, session, input, at, before)
      else this.#crash(at, input, textOf(error))
      return ms
    }
  }

  async #refused(
    code: string,
    session: Session,
    input: Uint8Array,
    at: number,
    before: string | undefined
  ): Promise<void> {
    this.#result.rejected[code] = (this.#result.rejected[code] ?? 0) + 1
    const after = await session.state?.()
    if (after !== before) this.#crash(at, input, `changed something although it was refused (${code})`)
  }

  async #again(session: Session, input: Uint8Array): Promise<number> {
    const stop = watch()
    try {
      await session.take(input)
    } catch {
      // what it comes to was looked at before
    }
    return stop()
  }

  #crash(at: number, input: Uint8Array, reason: string): void {
    const { name } = this.#target
    this.#result.crashes.push({
      target: name,
      seed: this.#options.seed,
      at,
      hex: Buffer.from(input).toString('hex'),
      reason
    })
  }
}

/** How long this thread was busy: neither waiting nor, as far as can be told, kept from running by another process. ms. */
function watch(): () => number {
  const loop = performance.eventLoopUtilization()
  const cpu = process.cpuUsage()
  return () => {
    const { active } = performance.eventLoopUtilization(loop)
    const { user, system } = process.cpuUsage(cpu)
    return Math.min(active, (user + system) / 1_000)
  }
}

/** What is left when all is collected; pages that are free are given back in turns of their own. */
async function settledMemory(): Promise<number> {
  for (let times = 0; times < 3; times++) {
    globalThis.gc?.()
    await new Promise((resolve) => setImmediate(resolve))
  }
  return process.memoryUsage().rss
}

function textOf(error: unknown): string {
  if (error instanceof GrapevineError) return `${error.code}: ${error.message}\n${error.stack}`
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
