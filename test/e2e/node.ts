/** One node of a test cluster: a daemon of its own, with a home and a directory of its own. */
import { appendFileSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ControlClient } from '../../src/control/index.js'
import type { SpaceStatus, StatusView } from '../../src/control/target.js'
import { checkpointFlags } from './always.js'
import { launch, run, type Launched, type Launcher, type Outcome, type Where } from './program.js'
import { TreeHasher } from './tree.js'
import { PATIENCE_MS, until } from './until.js'

const RUNNING = /^grapevine: running node=(\S+) listen=(\S*) shares=/m
/** Lines of a log shown when a test fails. */
const TAIL_LINES = 40

export interface NodeOptions extends Where {
  readonly name: string
  /** A directory of this node alone; home, shared directory and log are made in it. */
  readonly place: string
  /** Flags of `start` in place of those for loopback. */
  readonly flags?: readonly string[]
  /** More flags of every `start`. */
  readonly also?: readonly string[]
  readonly home?: string
  readonly dir?: string
  /** Runs the daemon in place of a process of its own. */
  readonly launcher?: Launcher
}

export interface Counters {
  readonly published: number
  readonly publishedBytes: number
  readonly received: number
  readonly receivedBytes: number
}

export class Node {
  readonly name: string
  readonly home: string
  readonly dir: string
  readonly logFile: string
  readonly client: ControlClient
  readonly #where: Where
  readonly #flags: readonly string[] | undefined
  readonly #also: readonly string[]
  readonly #hasher = new TreeHasher()
  readonly #launch: Launcher
  #child: Launched | undefined
  #exited: Promise<number> = Promise.resolve(0)
  /** Kept over restarts, as an installed daemon keeps its port. */
  #listen = '/ip4/127.0.0.1/tcp/0'
  /** The node id, known from the first start on. */
  id = ''

  constructor({ name, place, flags, also = [], home, dir, launcher = launch, ...where }: NodeOptions) {
    this.name = name
    this.home = home ?? join(place, 'home')
    this.dir = dir ?? join(place, 'catalog')
    this.logFile = join(place, 'log.txt')
    this.client = new ControlClient({ home: this.home, timeoutMs: PATIENCE_MS })
    this.#where = where
    this.#flags = flags
    this.#also = also
    this.#launch = launcher
    mkdirSync(this.dir, { recursive: true })
  }

  get pid(): number {
    return this.#child?.pid ?? 0
  }

  get running(): boolean {
    return this.#child !== undefined
  }

  /** Starts the daemon; resolves when it says that it is running. */
  async start(...more: string[]): Promise<void> {
    const own = this.#flags ?? ['--listen', this.#listen, '--no-mdns']
    const given = [...own, ...this.#also, ...more]
    const words = ['--home', this.home, 'start', '--dir', this.dir, ...given, ...checkpointFlags(given)]
    const child = this.#launch(words, this.#where)
    this.#child = child
    let stdout = ''
    child.stdout!.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
    child.stderr!.on('data', (chunk: Buffer) => appendFileSync(this.logFile, chunk))
    this.#exited = new Promise((done) =>
      child.once('exit', (code, signal) => {
        appendFileSync(this.logFile, `-- ended with ${code ?? signal}\n`)
        if (this.#child === child) this.#child = undefined
        done(code ?? -1)
      })
    )
    const line = await until(`${this.name} is running`, () => {
      const found = RUNNING.exec(stdout)
      return found ?? (this.#child === child ? undefined : ('ended' as const))
    })
    if (line === 'ended') throw new Error(`${this.name} ended instead of running:\n${this.tail()}`)
    this.id = line[1]!
    const port = /\/tcp\/\d+/.exec(line[2]!)?.[0]
    if (port !== undefined) this.#listen = `/ip4/127.0.0.1${port}`
  }

  /** Orderly stop; resolves with the exit code. */
  async stop(): Promise<number> {
    this.#child?.kill('SIGTERM')
    return this.#ended()
  }

  /** As a power cut would end it. */
  async kill(): Promise<void> {
    this.#child?.kill('SIGKILL')
    await this.#ended()
  }

  async #ended(): Promise<number> {
    this.client.close()
    return this.#exited
  }

  async restart(...more: string[]): Promise<void> {
    await this.stop()
    await this.start(...more)
  }

  /** One command line on this home. */
  cli(...args: string[]): Promise<Outcome> {
    return this.cliWith({}, ...args)
  }

  cliWith(options: { stdin?: string | Uint8Array; env?: Record<string, string> }, ...args: string[]): Promise<Outcome> {
    return run(['--home', this.home, ...args], { ...this.#where, ...options })
  }

  /** One command line with --json that must succeed. */
  async json<T>(...args: string[]): Promise<T> {
    const { code, stdout, stderr } = await this.cli(...args, '--json')
    if (code !== 0) throw new Error(`${this.name}: ${args.join(' ')} ended with ${code}: ${stderr}`)
    return JSON.parse(stdout) as T
  }

  status(): Promise<StatusView> {
    return this.client.status()
  }

  /** The catalog's space. */
  async space(): Promise<SpaceStatus> {
    return (await this.status()).spaces[0]!
  }

  async counters(): Promise<Counters> {
    return ((await this.client.inspect('gossip')) as { counters: Counters }).counters
  }

  treeHash(): Promise<string> {
    return this.#hasher.hash(this.dir)
  }

  files(): Promise<Array<[string, string]>> {
    return this.#hasher.files(this.dir)
  }

  /** Resident memory of the daemon now and at its highest, bytes. */
  memory(): { now: number; peak: number } {
    const text = readFileSync(`/proc/${this.pid}/status`, 'utf8')
    const bytes = (field: string): number => Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(text)?.[1]) * 1024
    return { now: bytes('VmRSS'), peak: bytes('VmHWM') }
  }

  tail(): string {
    try {
      return readFileSync(this.logFile, 'utf8').split('\n').slice(-TAIL_LINES).join('\n')
    } catch {
      return '(no log)'
    }
  }
}
