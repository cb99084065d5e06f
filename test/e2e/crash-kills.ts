/**
 * Kills a daemon at numbered changes of its files while it runs a script, starts it again, and compares with what had
 * been acknowledged. The script is cut into parts with a copy of home and directory before each, so that a point is
 * reached in a second instead of a minute.
 */
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { join } from 'node:path'
import { createDirectoryAdapter, MemoryStatCache } from '../../src/adapters/index.js'
import { reasonOf } from '../../src/errors.js'
import { systemClock } from '../../src/runtime-node.js'
import { silentLogger } from '../../src/runtime.js'
import { compactedAlways } from './always.js'
import { settled } from './catalog.js'
import { checkAfterCrash, readOrAbsent, type Allowed } from './crash-check.js'
import { halfSets, script, SCRIPT_LENGTH, type Change, type Model } from './crash-script.js'
import { PART_LENGTH, SIDES, type Point } from './crash-recorder.js'
import { Node } from './node.js'
import { cpuMsOf, PACKAGE_ROOT } from './program.js'
import { until } from './until.js'

export interface KillsResult {
  /** Changes of files the whole script makes, starts and stops of the daemon among them. */
  readonly operations: number
  /** Moments there are: three for each change. */
  readonly points: number
  swept: number
  /** Of these: the daemon did less this time and ended before it came to this number. An earlier one was tried instead. */
  notReached: number
  /** Points, or earlier ones in their place, at which the daemon was killed. */
  killed: number
  /** Killed once more while it recovered. */
  secondCrashes: number
  slowestStartMs: number
  medianStartMs: number
  /** CPU time of the slowest start, its helper processes included. */
  slowestStartCpuMs: number
  readonly failures: string[]
}

export interface KillsOptions {
  /** A directory of this sweep alone. */
  readonly place: string
  /** Every so many points is tried, from `offset` on. */
  readonly stride: number
  readonly offset?: number
  /** Changes of the script to play, from the first on. */
  readonly length?: number
  readonly progress?: (swept: number, of: number, result: KillsResult) => void
}

/** Changes of files a start makes at most before it says that it runs; a second crash is tried among them. */
const RECOVERY_OPERATIONS = 40
/** Which directory was shared: neither its path nor its inode survives the copy. */
const ROOT_FILE = 'root-identity.json'

export async function sweepByKills(options: KillsOptions): Promise<KillsResult> {
  const parts = partsOf(script().slice(0, options.length ?? SCRIPT_LENGTH))
  const counts = await record(options.place, parts)
  const all = pointsOf(counts)
  const result: KillsResult = {
    operations: counts.reduce((sum, count) => sum + count, 0),
    points: all.length,
    swept: 0,
    notReached: 0,
    killed: 0,
    secondCrashes: 0,
    slowestStartMs: 0,
    medianStartMs: 0,
    slowestStartCpuMs: 0,
    failures: []
  }
  const starts: number[] = []
  const chosen = all.filter((_, at) => at % options.stride === (options.offset ?? 0) % options.stride)
  for (const [at, point] of chosen.entries()) {
    let reached = false
    for (let operation = point.operation; operation > 0 && !reached; operation >>= 1) {
      const crash = new Crash(options.place, parts, { ...point, operation }, at)
      try {
        starts.push(await crash.run())
      } catch (error) {
        result.failures.push(`${crash.describe()}: ${reasonOf(error)}`)
      } finally {
        await crash.end()
      }
      ;({ reached } = crash)
      if (!reached && operation === point.operation) result.notReached += 1
      result.slowestStartCpuMs = Math.max(result.slowestStartCpuMs, crash.startCpuMs)
      if (crash.twice) result.secondCrashes += 1
    }
    result.swept += 1
    if (reached) result.killed += 1
    result.slowestStartMs = Math.round(Math.max(0, ...starts))
    result.medianStartMs = Math.round(starts.toSorted((a, b) => a - b)[starts.length >> 1] ?? 0)
    options.progress?.(result.swept, chosen.length, result)
  }
  return result
}

interface Part {
  readonly changes: readonly Change[]
  /** What the catalog holds before the part. */
  readonly before: Model
}

function partsOf(changes: readonly Change[]): Part[] {
  const parts: Part[] = []
  const model: Model = new Map()
  for (let from = 0; from < changes.length; from += PART_LENGTH) {
    const some = changes.slice(from, from + PART_LENGTH)
    parts.push({ changes: some, before: new Map(model) })
    for (const change of some) change.apply(model)
  }
  return parts
}

/** Plays the script once without a crash; keeps a copy before each part and counts what each part changes. */
async function record(place: string, parts: readonly Part[]): Promise<number[]> {
  const counts: number[] = []
  const run = join(place, 'run')
  mkdirSync(run, { recursive: true })
  const first = nodeIn(run)
  const made = await first.cli('init', '--cluster', 'crash', '--name', 'a')
  if (made.code !== 0) throw new Error(made.stderr)
  for (const [part, { changes }] of parts.entries()) {
    copyState(run, join(place, `part-${part}`))
    const counter = join(place, 'count')
    const node = nodeIn(run, { CRASH_COUNT: counter })
    await node.start()
    for (const change of changes) {
      await change.run(node, () => undefined)
      await compactedAlways(node)
    }
    await settled(node)
    await node.stop()
    counts.push(Number(readFileSync(counter, 'utf8')))
  }
  rmSync(run, { recursive: true })
  return counts
}

function pointsOf(counts: readonly number[]): Point[] {
  return counts.flatMap((count, part) =>
    Array.from({ length: count }, (_, at) => at + 1).flatMap((operation) =>
      SIDES.map((side) => ({ part, operation, side }))
    )
  )
}

/** One point: the crash, perhaps another one, the recovery, and what must hold then. */
class Crash {
  reached = false
  twice = false
  startCpuMs = 0
  readonly #place: string
  readonly #part: Part
  readonly #point: Point
  /** The how manieth it is: decides what else is done with it. */
  readonly #at: number
  #node: Node | undefined
  #during = 'the start'

  constructor(place: string, parts: readonly Part[], point: Point, at: number) {
    this.#place = join(place, 'crash')
    this.#part = parts[point.part]!
    this.#point = point
    this.#at = at
    copyState(join(place, `part-${point.part}`), this.#place)
  }

  describe(): string {
    const { part, operation, side } = this.#point
    return `part ${part}, operation ${operation} ${side}${this.twice ? ', twice' : ''}, during ${this.#during}`
  }

  /** Resolves with how long the start after the crash took, ms. */
  async run(): Promise<number> {
    const allowed = await this.#runChanges()
    if (this.#at % 3 === 2) this.twice = await this.#crashAgain()
    if (this.#at % 2 === 1) await this.#lookBetween()
    const began = performance.now()
    const node = this.#start({})
    await node.start()
    const startMs = performance.now() - began
    this.startCpuMs = cpuMsOf(node.pid)
    await checkAfterCrash(node, allowed)
    return startMs
  }

  async end(): Promise<void> {
    await this.#node?.kill()
    rmSync(this.#place, { recursive: true, force: true })
  }

  /** Plays the part until the daemon dies; what may be there then. */
  async #runChanges(): Promise<Allowed> {
    const { operation, side } = this.#point
    const node = this.#start({ CRASH_AT: `${operation}:${side}` })
    let before = new Map(this.#part.before)
    try {
      await node.start()
      for (const change of this.#part.changes) {
        this.#during = change.what
        const after = new Map(before)
        change.apply(after)
        let stays = false
        const ending = change.run(node, () => (stays = true))
        if (!(await survives(node, ending))) return { before, after, stays }
        before = after
        this.#during = 'a checkpoint'
        await compactedAlways(node)
      }
      this.#during = 'the stop'
      await node.stop()
    } catch (error) {
      if (node.running) throw error
    } finally {
      this.reached = node.tail().includes('-- ended with SIGKILL')
    }
    return { before, after: before, stays: false }
  }

  async #crashAgain(): Promise<boolean> {
    const operation = ((this.#at * 7) % RECOVERY_OPERATIONS) + 1
    const node = this.#start({ CRASH_AT: `${operation}:${SIDES[this.#at % SIDES.length]!}` })
    await node.start().catch(() => undefined)
    if (node.running) await until('it died or has nothing to do', async () => !node.running || (await idle(node)))
    const died = !node.running
    await node.kill()
    return died
  }

  /** What the target would be told: the adapter has recovered and nobody has gone on with the rest. */
  async #lookBetween(): Promise<void> {
    const { home, dir } = this.#node!
    const adapter = createDirectoryAdapter(
      { clock: systemClock, logger: silentLogger, cache: new MemoryStatCache() },
      { root: dir, journalDir: join(home, 'journal') }
    )
    await adapter.start()
    await adapter.stop()
    const broken = halfSets((path) => readOrAbsent(join(dir, path)))
    if (broken.length > 0) throw new Error(`half a set after the adapter recovered: ${broken.join('; ')}`)
  }

  #start(env: Record<string, string>): Node {
    this.#node = nodeIn(this.#place, env)
    return this.#node
  }
}

/** Whether the change was acknowledged; false when the daemon died under it. */
async function survives(node: Node, ending: Promise<void>): Promise<boolean> {
  try {
    await ending
    return true
  } catch (error) {
    await until('the daemon is known to be dead', () => !node.running, 5_000).catch(() => {
      throw error
    })
    return false
  }
}

async function idle(node: Node): Promise<boolean> {
  return (await node.status()).target?.state === 'watching'
}

function nodeIn(place: string, crash: Record<string, string> = {}): Node {
  const hook = pathToFileURL(join(PACKAGE_ROOT, 'test', 'e2e', 'crash-hook.mjs')).href
  const env = Object.keys(crash).length === 0 ? {} : { NODE_OPTIONS: `--import=${hook}`, ...crash }
  return new Node({ name: 'a', place, env, also: ['--no-mdns'] })
}

/** A copy of a stopped or dead daemon's home and directory. */
function copyState(from: string, to: string): void {
  rmSync(to, { recursive: true, force: true })
  for (const name of ['home', 'catalog'])
    cpSync(join(from, name), join(to, name), { recursive: true, preserveTimestamps: true })
  const rootFile = join(to, 'home', ROOT_FILE)
  if (!existsSync(rootFile)) return
  const dir = join(to, 'catalog')
  const { dev, ino } = statSync(dir, { bigint: true })
  writeFileSync(rootFile, JSON.stringify({ dir, root: { dev: String(dev), ino: String(ino) } }), { mode: 0o600 })
}
