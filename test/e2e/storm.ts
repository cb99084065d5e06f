/** A burst of changes on all nodes while daemons are killed and started again at any moment. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { reasonOf } from '../../src/errors.js'
import type { Cluster } from './cluster.js'
import type { Node } from './node.js'
import { until } from './until.js'

export interface StormOptions {
  readonly changes: number
  readonly kills: number
  /** Decides who is killed, and after how many acknowledged changes. */
  readonly seed: number
  readonly progress?: (kills: number, acknowledged: number) => void
}

export interface StormResult {
  readonly acknowledged: number
  /** Changes that ended in an error, because their daemon died or was not up. */
  readonly failed: number
  readonly kills: number
  /** Kills that hit a daemon that was just starting. */
  readonly killsAtStart: number
  readonly seconds: number
  readonly secondsToEqual: number
}

/** Changes one call carries, by turns: a single one, and a packed set. */
const BATCH = 10
/** Every so many changes a writer writes an earlier path of its own again. */
const REWRITE_EVERY = 7
/** The whole storm takes less, ms. */
const STORM_MS = 20 * 60_000
/** Longest pause before a starting daemon is killed, ms: it takes about so long to start. */
const START_MS = 800

/** What one writer knows of its paths: the content acknowledged last, and those tried since without an answer. */
interface Promised {
  acknowledged: string | undefined
  tried: string[]
}

class Writer {
  readonly promised = new Map<string, Promised>()
  readonly #node: Node
  readonly #count: number
  readonly #mayWrite: (n: number) => boolean
  acknowledged = 0
  failed = 0

  /** Writes `count` changes, each as soon as `mayWrite` allows it: the burst is to last as long as the kills do. */
  constructor(node: Node, count: number, mayWrite: (n: number) => boolean) {
    this.#node = node
    this.#count = count
    this.#mayWrite = mayWrite
  }

  async run(): Promise<void> {
    for (let n = 0; n < this.#count;) {
      const size = Math.min(this.#count - n, n % (2 * BATCH) === 0 ? BATCH : 1)
      const changes = Array.from({ length: size }, (_, at) => this.#change(n + at))
      await until('this change is due', () => this.#mayWrite(n), STORM_MS)
      n += size
      await this.#write(changes)
    }
  }

  #change(n: number): { path: string; content: string } {
    const again = n % REWRITE_EVERY === REWRITE_EVERY - 1 ? n - 1 : n
    const path = `burst/${this.#node.name}/${Math.floor(again / 100)}/${again}.txt`
    return { path, content: `change ${n} of ${this.#node.name}\n` }
  }

  /** A set without an answer is not written again: whether it holds is open, and both is allowed. */
  async #write(changes: ReadonlyArray<{ path: string; content: string }>): Promise<void> {
    for (const { path, content } of changes) this.#promise(path).tried.push(content)
    try {
      const files = changes.map(({ path, content }) => ({ path, body: Buffer.from(content) }))
      if (files.length > 1) await this.#node.client.putMany(files)
      else await this.#node.client.put(files[0]!.path, once(files[0]!.body))
      for (const { path, content } of changes) {
        const promise = this.#promise(path)
        promise.acknowledged = content
        promise.tried = promise.tried.slice(promise.tried.indexOf(content) + 1)
      }
      this.acknowledged += changes.length
    } catch (error) {
      this.failed += changes.length
      await until(`${this.#node.name} is up again (${reasonOf(error)})`, () => this.#node.client.daemon())
    }
  }

  #promise(path: string): Promised {
    const promise = this.promised.get(path) ?? { acknowledged: undefined, tried: [] }
    this.promised.set(path, promise)
    return promise
  }

  /** Paths that hold neither what was acknowledged nor what was tried after it. */
  broken(dir: string): string[] {
    return [...this.promised].flatMap(([path, { acknowledged, tried }]) => {
      const file = join(dir, path)
      const found = existsSync(file) ? readFileSync(file, 'utf8') : undefined
      const good = found === acknowledged || (found !== undefined && tried.includes(found))
      return good ? [] : [`${path}: ${String(found)} where ${String(acknowledged)} was acknowledged`]
    })
  }
}

/** Runs the storm on a running cluster and checks that nothing acknowledged is lost and all end equal. */
export async function storm(cluster: Cluster, { changes, kills, seed, progress }: StormOptions): Promise<StormResult> {
  const began = performance.now()
  const random = generator(seed)
  const { nodes } = cluster
  const each = Math.ceil(changes / nodes.length)
  let period = 0
  const writers = nodes.map((node) => new Writer(node, each, (n) => n < ((period + 1) / kills) * each))
  const acknowledged = (): number => writers.reduce((sum, writer) => sum + writer.acknowledged, 0)
  const writing = Promise.all(writers.map((writer) => writer.run()))
  const done = { writing: true }
  const finished = writing.finally(() => (done.writing = false))
  // a failing writer is reported when it is awaited below
  finished.catch(() => undefined)
  let killsAtStart = 0
  for (let kill = 0; kill < kills; kill++) {
    period = kill
    const before = acknowledged()
    const threshold = random() * (changes / kills) * 0.7
    await until(
      'enough is written for the next kill',
      () => acknowledged() - before >= threshold || !done.writing,
      undefined,
      1
    )
    const node = nodes[Math.floor(random() * nodes.length)]!
    await node.kill()
    if (random() < 0.3) {
      await killAtStart(node, random() * START_MS)
      killsAtStart++
    }
    await node.start()
    progress?.(kill + 1, acknowledged())
  }
  await finished
  const wrote = performance.now()
  await cluster.connected()
  await cluster.equal()
  const equal = performance.now()
  await cluster.verified()
  for (const node of nodes)
    for (const writer of writers) assert.deepEqual(writer.broken(node.dir), [], `lost on ${node.name}`)
  const seconds = (ms: number): number => Math.round(ms / 100) / 10
  return {
    acknowledged: acknowledged(),
    failed: writers.reduce((sum, writer) => sum + writer.failed, 0),
    kills,
    killsAtStart,
    seconds: seconds(performance.now() - began),
    secondsToEqual: seconds(equal - wrote)
  }
}

/** Starts a daemon and kills it wherever it is after `ms`. */
async function killAtStart(node: Node, ms: number): Promise<void> {
  const starting = node.start()
  const ended = starting.catch(() => undefined)
  // the moment of a kill is the one thing that is not waited for
  await Promise.race([ended, new Promise((later) => setTimeout(later, ms))])
  await node.kill()
  await ended
}

/** A small generator of numbers in [0, 1) that a seed repeats. */
function generator(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}
