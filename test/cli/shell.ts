/** Runs command lines in this process against a real control server in a temporary home. */
import { PassThrough } from 'node:stream'
import type { TestContext } from 'node:test'
import type { Environment } from '../../src/cli/context.js'
import { StreamOutput } from '../../src/cli/output.js'
import { runCommand } from '../../src/cli/run.js'
import { ControlClient, ControlServer } from '../../src/control/index.js'
import type { Logger } from '../../src/runtime.js'
import { silentLogger } from '../../src/runtime.js'
import { startWorld, tempHome, type World } from '../control/world.js'
import { FakeLifecycle } from './fake-lifecycle.js'

export interface Outcome {
  readonly code: number
  readonly stdout: string
  readonly bytes: Buffer
  readonly stderr: string
}

export interface Shell {
  readonly home: string
  readonly lifecycle: FakeLifecycle
  readonly interrupt: AbortController
  run(...argv: string[]): Promise<Outcome>
  /** Everything written to stdout so far, by the run that is under way. */
  readonly soFar: () => string
}

export interface ShellOptions {
  readonly stdin?: string | { isTTY: true }
  readonly columns?: number
  readonly isTTY?: boolean
  readonly env?: Record<string, string>
  readonly cwd?: string
  readonly home?: string
  readonly logger?: Logger
}

/** A shell on a home with a running daemon. */
export async function shellWithDaemon(t: TestContext, options: ShellOptions = {}): Promise<Shell & World> {
  const world = await startWorld(t)
  return { ...world, ...shellOn(world.home, options) }
}

/** A shell on a home no daemon runs on. */
export async function shellWithoutDaemon(t: TestContext, options: ShellOptions = {}): Promise<Shell> {
  return shellOn(options.home ?? (await tempHome(t)), options)
}

function shellOn(home: string, options: ShellOptions): Shell {
  const lifecycle = new FakeLifecycle()
  const interrupt = new AbortController()
  let soFar: () => string = () => ''
  const run = async (...argv: string[]): Promise<Outcome> => {
    const out = sink(options)
    const err = sink({})
    soFar = () => out.bytes().toString()
    const environment = environmentOf(home, options, lifecycle, interrupt, out.output, err.output)
    const code = await runCommand(argv, environment)
    return { code, stdout: out.bytes().toString(), bytes: out.bytes(), stderr: err.bytes().toString() }
  }
  return { home, lifecycle, interrupt, run, soFar: () => soFar() }
}

function environmentOf(
  home: string,
  options: ShellOptions,
  lifecycle: FakeLifecycle,
  interrupt: AbortController,
  out: StreamOutput,
  err: StreamOutput
): Environment {
  const stdin = Object.assign(new PassThrough(), { isTTY: typeof options.stdin === 'object' })
  if (typeof options.stdin !== 'object') stdin.end(options.stdin ?? '')
  return {
    out,
    err,
    stdin,
    env: { GRAPEVINE_HOME: home, ...options.env },
    cwd: options.cwd ?? home,
    program: 'grapevine',
    version: '0.1.0',
    client: (where) => new ControlClient({ home: where }),
    lifecycle: async () => lifecycle,
    serve: async (target, { home: where, logger }) => {
      const server = new ControlServer({ target, logger }, { home: where, version: '0.1.0' })
      await server.start()
      return server
    },
    interrupts: () => interrupt.signal,
    logger: async () => options.logger ?? silentLogger
  }
}

function sink(options: ShellOptions): { output: StreamOutput; bytes: () => Buffer } {
  const chunks: Buffer[] = []
  const stream = Object.assign(new PassThrough(), { isTTY: options.isTTY ?? false, columns: options.columns ?? 80 })
  stream.on('data', (chunk: Buffer) => chunks.push(chunk))
  return { output: new StreamOutput(stream), bytes: () => Buffer.concat(chunks) }
}

/** Waits until a condition of this process holds. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((done) => setImmediate(done))
}

/** The widest line, in characters. */
export function widest(text: string): number {
  return Math.max(...text.split('\n').map((line) => [...line].length))
}
