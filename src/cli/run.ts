/** The command line as a whole: builds the environment of the commands, runs one, and tells how it ended. */
import { basename, relative, resolve } from 'node:path'
import { DEFAULT_HOME } from '../config.js'
import { ControlClient } from '../control/client.js'
import { VERSION } from '../version.js'
import type { Context, Environment } from './context.js'
import { exitCodeOf, failureText } from './failure.js'
import { interruptsOf } from './interrupts.js'
import type { Lifecycle } from './lifecycle.js'
import { OutputClosed, StreamOutput } from './output.js'
import { createProgram, parse, type GlobalOptions } from './program.js'
import { shellWord } from './terminal.js'

/** Runs one command line; resolves with the exit code once everything written has left. `overrides` is for tests. */
export async function main(process: NodeJS.Process, overrides: Partial<Environment> = {}): Promise<number> {
  const out = new StreamOutput(process.stdout)
  const err = new StreamOutput(process.stderr)
  const environment: Environment = {
    out,
    err,
    stdin: process.stdin,
    env: process.env,
    cwd: process.cwd(),
    program: programOf(process),
    version: VERSION,
    client: (home) => new ControlClient({ home }),
    lifecycle: loadLifecycle,
    serve: async (control, { home, logger }) => {
      const { ControlServer } = await import('../control/server.js')
      const server = new ControlServer({ target: control, logger }, { home, version: environment.version })
      await server.start()
      return server
    },
    interrupts: interruptsOf(process),
    logger: async (level) => (await import('./logger.js')).createLogger(level),
    ...overrides
  }
  const code = await runCommand(process.argv.slice(2), environment)
  await Promise.all([out.flush(), err.flush()])
  return code
}

/** One command in a given environment; never throws. */
export async function runCommand(argv: readonly string[], environment: Environment): Promise<number> {
  let help = ''
  const program = createProgram({
    version: environment.version,
    columns: environment.out.columns,
    writeOut: (text) => (help += text),
    runner: async (definition, options, globals) => {
      const context = contextOf(environment, globals)
      try {
        await definition.run!(options, context)
      } finally {
        context.daemon.close()
      }
    }
  })
  try {
    await parse(program, argv)
    if (help !== '') await environment.out.write(help)
    return 0
  } catch (error) {
    // a reader that has seen enough (`| head -1`) is no failure
    if (error instanceof OutputClosed) return 0
    await environment.err.write(failureText(error, argv.includes('--json'))).catch(() => undefined)
    return exitCodeOf(error)
  }
}

function contextOf(environment: Environment, globals: GlobalOptions): Context {
  const given = globals.home ?? (environment.env['GRAPEVINE_HOME'] || undefined)
  const home = resolve(environment.cwd, given ?? DEFAULT_HOME)
  return { ...environment, home, givenHome: given, json: globals.json === true, daemon: environment.client(home) }
}

/** The node is loaded only by commands that need it: the others then start several times faster. */
async function loadLifecycle(): Promise<Lifecycle> {
  return import('../node.js')
}

/** The words that call this program again from the same directory. */
function programOf(process: NodeJS.Process): string {
  const script = process.argv[1]
  if (script === undefined || basename(script) === 'grapevine') return 'grapevine'
  const near = relative(process.cwd(), script)
  return `node ${shellWord(near.startsWith('..') ? script : near)}`
}
