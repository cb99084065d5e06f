/** The command line as commander knows it, built from the definitions. Parsing and help; running is handed in. */
import { Command, CommanderError, Option } from 'commander'
import { DEFAULT_HOME } from '../config.js'
import { COMMANDS } from './commands.js'
import type { CommandDefinition, OptionSpec } from './context.js'
import { usageError } from './failure.js'

export interface GlobalOptions {
  home?: string
  json?: boolean
}

/** Runs one command; `options` holds its arguments too, by name. */
export type Runner = (
  definition: CommandDefinition,
  options: Record<string, unknown>,
  globals: GlobalOptions
) => Promise<void>

export interface ProgramOptions {
  readonly version: string
  readonly runner: Runner
  readonly writeOut: (text: string) => void
  /** Width of the help, characters. */
  readonly columns: number
}

export function createProgram(options: ProgramOptions): Command {
  const program = new Command('grapevine')
    .description('Keeps a catalog identical on many machines, peer to peer.')
    .version(options.version, '--version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .option('--home <dir>', `the node's directory (GRAPEVINE_HOME; default ${DEFAULT_HOME})`)
    .option('--json', 'answer in JSON, errors too')
  prepare(program, options)
  for (const definition of COMMANDS) addCommand(program, definition, options)
  return program
}

/** Parses and runs. Help and version resolve; what is not understood rejects with `usage`. */
export async function parse(program: Command, argv: readonly string[]): Promise<void> {
  try {
    await program.parseAsync(argv, { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    if (error.exitCode === 0) return // help and version
    // commander prints the help of a group that is called without a command
    const shown = error.code === 'commander.help' ? new CommanderError(1, error.code, 'a command is missing') : error
    throw usageError(shown, knownTo(program, argv), helpCommandOf(program, argv))
  }
}

function addCommand(parent: Command, definition: CommandDefinition, options: ProgramOptions): void {
  const command = parent.command(definition.name).description(definition.about)
  prepare(command, options)
  for (const argument of definition.arguments ?? []) command.argument(argument.name, argument.about)
  for (const spec of definition.options ?? []) command.addOption(optionOf(spec))
  for (const inner of definition.commands ?? []) addCommand(command, inner, options)
  if (!definition.run) return
  command.action(async () => {
    const named: Record<string, unknown> = { ...command.opts() }
    command.registeredArguments.forEach((argument, i) => {
      const value: unknown = command.processedArgs[i]
      if (value !== undefined) named[argument.name()] = value
    })
    await options.runner(definition, named, command.optsWithGlobals<GlobalOptions>())
  })
}

function prepare(command: Command, options: ProgramOptions): void {
  command
    .exitOverride()
    .allowExcessArguments(false)
    .configureHelp({ showGlobalOptions: true, helpWidth: Math.min(options.columns, 80) })
    .configureOutput({
      writeOut: options.writeOut,
      writeErr: () => undefined,
      getOutHelpWidth: () => Math.min(options.columns, 80)
    })
}

function optionOf(spec: OptionSpec): Option {
  const option = new Option(spec.flags, spec.about)
  if (spec.choices) option.choices([...spec.choices])
  const parse = spec.parse ?? ((text: string): unknown => text)
  if (spec.repeat)
    return option.argParser((value: string, before: unknown[] | undefined) => [...(before ?? []), parse(value)])
  if (spec.parse) option.argParser(spec.parse)
  // a default is written as it would be typed, and goes the way of what is typed
  if (spec.default !== undefined) option.default(spec.parse ? spec.parse(spec.default) : spec.default, spec.default)
  return option
}

/** What could have been meant: the commands and flags of the deepest command that was recognised. */
function knownTo(program: Command, argv: readonly string[]): { commands: string[]; flags: string[] } {
  const path = commandPath(program, argv)
  const flags = [...path, program].flatMap((command) => command.options.map((option) => option.long ?? ''))
  return { commands: (path[0] ?? program).commands.map((command) => command.name()), flags: [...flags, '--help'] }
}

function helpCommandOf(program: Command, argv: readonly string[]): string {
  const names = commandPath(program, argv).map((command) => command.name())
  return ['grapevine', ...names.toReversed(), '--help'].join(' ')
}

/** Deepest first, without the program itself. */
function commandPath(program: Command, argv: readonly string[]): Command[] {
  const path: Command[] = []
  let at = program
  for (const word of argv) {
    const next = at.commands.find((command) => command.name() === word)
    if (!next) continue
    path.unshift(next)
    at = next
  }
  return path
}
