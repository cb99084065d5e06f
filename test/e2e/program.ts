/** The program under test, and processes of it that end with us. */
import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process'
import type { EventEmitter } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
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
  const child = spawnNode([MAIN, ...args], where, ['pipe', 'pipe', 'pipe'])
  // a process that ends early closes its stdin under our hands
  child.stdin!.on('error', () => undefined)
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

/** Settings of whoever runs the tests must not reach the daemons. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(GRAPEVINE_|NODE_OPTIONS|NODE_TEST)/.test(name))
  )
}
