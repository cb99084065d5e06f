/** What a command is given: its world as interfaces a test can replace. */
import type { ControlClient } from '../control/client.js'
import type { ControlTarget } from '../control/target.js'
import type { Logger } from '../runtime.js'
import type { Lifecycle } from './lifecycle.js'
import type { Output } from './output.js'

export interface Input extends AsyncIterable<Uint8Array> {
  readonly isTTY?: boolean
}

/** A control server that has been started. */
export interface Served {
  stop(): Promise<void>
}

/** The process around the commands. */
export interface Environment {
  readonly out: Output
  readonly err: Output
  readonly stdin: Input
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  /** How this program was called, for commands that are printed to be copied. */
  readonly program: string
  readonly version: string
  client(home: string): ControlClient
  lifecycle(): Promise<Lifecycle>
  serve(control: ControlTarget, options: { home: string; logger: Logger }): Promise<Served>
  /** Aborts at the first SIGINT or SIGTERM; the second ends the process at once. */
  interrupts(): AbortSignal
  logger(level: string): Promise<Logger>
}

export interface Context extends Environment {
  /** Absolute. */
  readonly home: string
  /** As it was given, for commands that are printed to be copied; undefined when it was the default. */
  readonly givenHome: string | undefined
  readonly json: boolean
  /** The daemon of this home; connects when it is first asked. */
  readonly daemon: ControlClient
}

export interface OptionSpec {
  /** As commander takes it: `--expires <duration>`. */
  readonly flags: string
  readonly about: string
  readonly default?: string
  /** Text to value; throws a GrapevineError of `usage`. */
  readonly parse?: (text: string) => unknown
  readonly choices?: readonly string[]
  /** May be given more than once: the value is a list. */
  readonly repeat?: boolean
}

export interface ArgumentSpec {
  /** `<path>` or `[path]`. */
  readonly name: string
  readonly about: string
}

/** One command of the command line. Arguments arrive among the options, by their names. */
export interface CommandDefinition {
  readonly name: string
  readonly about: string
  readonly arguments?: readonly ArgumentSpec[]
  readonly options?: readonly OptionSpec[]
  readonly commands?: readonly CommandDefinition[]
  // each command names its own options; program.ts only carries them over
  // oxlint-disable-next-line no-explicit-any
  readonly run?: (options: any, context: Context) => Promise<void>
}
