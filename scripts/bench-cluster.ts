/** The nodes of one measured run: each is a process of its own that is told what to do (bench-agent.mjs). */
import { fork, type ChildProcess } from 'node:child_process'
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { usageOf, type Usage } from './bench-machine.js'

/** How long a node may take to stop in order before it is killed, ms. */
const STOP_MS = 15_000
/** Of this workload the memory is looked at and not the time. */
const AT_REST = 'W6'
const AGENT = new URL('./bench-agent.mjs', import.meta.url)

/** Milliseconds of the monotonic clock that all processes of a machine share. */
export const now = (): number => Number(process.hrtime.bigint()) / 1e6
export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** What a node told the others of itself: where it is, the invitation, its shared directory. */
export type Info = Record<string, unknown>

class Agent {
  readonly gone: Promise<void>
  openMs = 0
  readonly #child: ChildProcess
  readonly #pending = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>()
  #id = 0

  constructor(
    readonly index: number,
    logFile: string,
    profiled: boolean
  ) {
    const log = openSync(logFile, 'a')
    this.#child = fork(AGENT, [], {
      execArgv: ['--expose-gc', '--max-old-space-size=6000'],
      stdio: ['ignore', log, log, 'ipc'],
      env: profiled ? { ...process.env, GRAPEVINE_BENCH_PROFILE: '1' } : process.env
    })
    closeSync(log)
    this.#child.on('message', (message: { id: number; value?: unknown; error?: string }) => {
      const call = this.#pending.get(message.id)
      this.#pending.delete(message.id)
      if (message.error === undefined) call?.resolve(message.value)
      else call?.reject(new Error(`node ${index}: ${message.error}`))
    })
    this.gone = new Promise((resolve) => {
      this.#child.once('exit', (code) => {
        for (const call of this.#pending.values()) call.reject(new Error(`node ${index} ended (${code})`))
        this.#pending.clear()
        resolve()
      })
    })
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  call<T>(command: string, args?: object): Promise<T> {
    return new Promise((resolve, reject) => {
      if (!this.#child.connected) return reject(new Error(`node ${this.index} is gone`))
      this.#pending.set(++this.#id, { resolve: resolve as (value: unknown) => void, reject })
      this.#child.send({ id: this.#id, command, args })
    })
  }

  kill(): void {
    this.#child.kill('SIGKILL')
  }
}

/** What one node did while a workload was measured. */
export interface Profiled {
  readonly node: number
  /** A .cpuprofile. */
  readonly file: string
  /** Processor time of all its threads, of the one that is profiled, and of those of V8. */
  readonly cpuMs: number
  readonly mainMs: number
  readonly v8Ms: number
}

/** What one node holds at rest. */
export interface Heap {
  /** A .heapsnapshot. */
  readonly file: string
  /** Bytes, as Node counts them, and those of files that are mapped. */
  readonly memory: NodeJS.MemoryUsage & { readonly mapped: number }
}

/** Where the time of one workload goes, on each node (bench-profile.ts). */
export class Profiling {
  readonly found: Array<Promise<Profiled>> = []
  running = false
  heap: Heap | undefined

  constructor(
    readonly workload: string,
    readonly directory: string
  ) {}
}

export class Cluster {
  readonly root = mkdtempSync(join(tmpdir(), 'grapevine-bench-'))
  readonly #agents: Array<Agent | undefined> = []
  readonly #ctx: { nodes: Info[]; variant?: string }

  constructor(
    variant?: string,
    readonly profiling?: Profiling
  ) {
    this.#ctx = variant === undefined ? { nodes: [] } : { nodes: [], variant }
  }

  /** `count` nodes, each linked to all others. */
  async start(count: number): Promise<void> {
    for (let i = 0; i < count; i++) await this.add(i)
    await this.all('linked', { count: count - 1 })
  }

  /** Starts node `i`, on its old directory if it has one. Resolves with the time just before its process began. */
  async add(i: number): Promise<number> {
    const dir = join(this.root, `node-${i}`)
    mkdirSync(dir, { recursive: true })
    const began = now()
    const agent = new Agent(i, join(this.root, `agent-${i}.log`), this.profiling?.running === true)
    this.#agents[i] = agent
    const { info, at } = await agent.call<{ info: Info; at: number }>('open', { i, dir, ctx: this.#ctx })
    this.#ctx.nodes[i] = info
    agent.openMs = at - began
    return began
  }

  call<T>(i: number, command: string, args?: object): Promise<T> {
    const agent = this.#agents[i]
    if (agent === undefined) throw new Error(`node ${i} does not run`)
    return agent.call<T>(command, args)
  }

  /** All that run, or those of `which`, in order. */
  all<T>(command: string, args?: object, which = [...this.#running].map(({ index }) => index)): Promise<T[]> {
    return Promise.all(which.map((i) => this.call<T>(i, command, args)))
  }

  get #running(): Agent[] {
    return this.#agents.filter((agent) => agent !== undefined)
  }

  /** From the start of its process until node `i` served, ms. */
  openMs(i: number): number {
    return this.#agents[i]?.openMs ?? 0
  }

  folder(i: number): string {
    return String(this.#ctx.nodes[i]?.folder)
  }

  /** Of node `i`, or of all that run. */
  usage(i?: number): Usage {
    const of = i === undefined ? this.#running : [this.#agents[i]].filter((agent) => agent !== undefined)
    return usageOf(of.map(({ pid }) => pid))
  }

  /** From here on the time of all nodes, and of those that start meanwhile, is this workload's. */
  beginMeasure(workload: string): void {
    const { profiling } = this
    // at rest the profiler itself would be most of what is seen
    if (profiling?.workload !== workload || workload === AT_REST) return
    profiling.running = true
    // a node does what it is told in order, so nobody need wait for it
    for (const agent of this.#running) void agent.call('profile').catch(() => undefined)
  }

  endMeasure(workload: string): void {
    const { profiling } = this
    if (profiling?.running !== true) return
    profiling.running = false
    for (const agent of this.#running) {
      const file = join(profiling.directory, `${workload}-node-${agent.index}.cpuprofile`)
      const found = agent
        .call<Omit<Profiled, 'node' | 'file'>>('profiled', { file })
        .then((taken) => ({ node: agent.index, file, ...taken }))
      // told to whoever asks, later
      found.catch(() => undefined)
      profiling.found.push(found)
    }
  }

  /** What node `i` holds, where that is looked at. */
  async keepHeap(i: number): Promise<void> {
    const { profiling } = this
    if (profiling?.workload !== AT_REST) return
    // first of all: to write a snapshot takes memory as well
    const memory = await this.call<Heap['memory']>(i, 'memory')
    const file = join(profiling.directory, `node-${i}.heapsnapshot`)
    await this.call(i, 'heap', { file })
    profiling.heap = { file, memory }
  }

  /** Stops node `i` in order; its directory stays. */
  async end(i: number): Promise<void> {
    const agent = this.#agents[i]
    if (agent === undefined) return
    await Promise.race([agent.call('close').catch(() => undefined), sleep(STOP_MS)])
    agent.kill()
    await agent.gone
    this.#agents[i] = undefined
  }

  /** Ends all and removes what they left. */
  async stop(): Promise<void> {
    await Promise.all(this.#agents.map((_, i) => this.end(i)))
    rmSync(this.root, { recursive: true, force: true, maxRetries: 3 })
  }
}
