/** The program under test, and processes of it that end with us. */
import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process'
import type { EventEmitter } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Duplex } from 'node:stream'
import { fileURLToPath } from 'node:url'

/** Where package.json is: these files run from their source and compiled, one directory deeper. */
export const PACKAGE_ROOT = findPackageRoot()
/** The compiled executable; `GRAPEVINE_MAIN` names another one, such as an installed package's. */
export const MAIN = process.env['GRAPEVINE_MAIN'] ?? join(PACKAGE_ROOT, 'dist', 'main.js')

function findPackageRoot(): string {
  for (let at = dirname(fileURLToPath(import.meta.url)); at !== dirname(at); at = dirname(at)) {
    const file = join(at, 'package.json')
    if (existsSync(file) && (JSON.parse(readFileSync(file, 'utf8')) as { name?: string }).name === 'grapevine')
      return at
  }
  throw new Error('the package root was not found above the tests')
}

export interface Outcome {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** How a process is run: by default directly, in a network namespace through `ip netns exec`. */
export interface Where {
  /** Words before the command. */
  readonly prefix?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  /** Another user to run as; only root can. */
  readonly uid?: number
  readonly gid?: number
  /** Given the other end of a line to the process, which has it as its descriptor 3. */
  readonly line?: (line: Duplex) => void
}

const children = new Set<ChildProcess>()
const cleanups = new Set<() => void>()

/** Runs at the end of this process whatever happens, unless the returned function is called before. */
export function atExit(cleanup: () => void): () => void {
  cleanups.add(cleanup)
  return () => void cleanups.delete(cleanup)
}

process.once('exit', () => {
  for (const child of children) child.kill('SIGKILL')
  for (const cleanup of cleanups) cleanup()
})
for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143]
] as const)
  process.once(signal, () => process.exit(code))

/** What a node needs of the process that runs it. */
export interface Launched {
  readonly pid?: number | undefined
  readonly stdout: EventEmitter | null
  readonly stderr: EventEmitter | null
  kill(signal: NodeJS.Signals): boolean
  once(event: 'exit', listener: (code: number | null, signal: NodeJS.Signals | null) => void): unknown
}

export type Launcher = (args: readonly string[], where: Where) => Launched

/** Starts the program. It is killed with us at the latest. */
export function launch(args: readonly string[], where: Where = {}): ChildProcess {
  const line = where.line === undefined ? [] : (['pipe'] as const)
  const child = spawnNode([MAIN, ...args], where, ['pipe', 'pipe', 'pipe', ...line])
  // a process that ends early closes its stdin under our hands
  child.stdin!.on('error', () => undefined)
  where.line?.(child.stdio[3] as Duplex)
  return child
}

/** Starts node with a script of the program's; it is killed with us at the latest. */
export function spawnNode(args: readonly string[], where: Where, stdio: StdioOptions): ChildProcess {
  if (!existsSync(MAIN)) throw new Error(`${MAIN} is missing: build first with "npm run build"`)
  const [command, ...words] = [...(where.prefix ?? []), process.execPath, ...args]
  const child = spawn(command!, words, {
    stdio,
    cwd: where.cwd,
    ...(where.uid === undefined ? {} : { uid: where.uid, gid: where.gid ?? where.uid }),
    env: { ...cleanEnvironment(), ...where.env }
  })
  children.add(child)
  child.once('exit', () => children.delete(child))
  return child
}

/** Runs the program to its end. */
export function run(args: readonly string[], where: Where & { stdin?: string | Uint8Array } = {}): Promise<Outcome> {
  const child = launch(args, where)
  const out: Buffer[] = []
  const err: Buffer[] = []
  child.stdout!.on('data', (chunk: Buffer) => out.push(chunk))
  child.stderr!.on('data', (chunk: Buffer) => err.push(chunk))
  child.stdin!.end(where.stdin ?? '')
  return new Promise((done, fail) => {
    child.once('error', fail)
    child.once('close', (code, signal) => {
      const stderr = Buffer.concat(err).toString() + (signal === null ? '' : `ended by ${signal}\n`)
      done({ code: code ?? -1, stdout: Buffer.concat(out).toString(), stderr })
    })
  })
}

/** Of the kernel's clock for CPU time; fixed for programs since long ago. */
const MS_PER_TICK = 10

/** CPU time a process and its ended children have used, ms. */
export function cpuMsOf(pid: number): number {
  // the name may hold spaces; behind it the fields are in order: utime, stime, cutime, cstime are the 12th to 15th
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ')
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks) * MS_PER_TICK, 0)
}

/** Settings of whoever runs the tests must not reach the daemons. */
export function cleanEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(GRAPEVINE_|NODE_OPTIONS|NODE_TEST)/.test(name))
  )
}
