/** How a failed command is told: one sentence and the next step on stderr, one JSON object with --json. */
import type { CommanderError } from 'commander'
import { nearestOf } from '../nearest.js'
import { asGrapevineError, errorView } from '../control/failure.js'
import { jsonText } from '../control/json.js'
import { ERRORS, GrapevineError } from '../errors.js'
import { safe } from './terminal.js'

export function exitCodeOf(error: unknown): number {
  return ERRORS[asGrapevineError(error).code].exitCode
}

export function failureText(error: unknown, json: boolean): string {
  const { code, message, next } = asGrapevineError(error)
  if (json) return jsonText(errorView(error)) + '\n'
  return `grapevine: ${code}: ${safe(message)}\n  next: ${safe(next)}\n`
}

/** What commander refuses, in our words, with the nearest name that exists. */
export function usageError(
  error: CommanderError,
  known: { commands: string[]; flags: string[] },
  help: string
): GrapevineError {
  const message = error.message.replace(/^error: /, '').split('\n')[0]!
  const word = /'([^']*)'/.exec(message)?.[1] ?? ''
  const candidates =
    error.code === 'commander.unknownCommand'
      ? known.commands
      : error.code === 'commander.unknownOption'
        ? known.flags
        : []
  const nearest = nearestOf(word.split('=')[0]!, candidates)
  return new GrapevineError('usage', message, {
    next: nearest === undefined ? `see \`${help}\`` : `did you mean ${nearest}?`
  })
}
