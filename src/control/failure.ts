/** Errors on their way over the socket: `{error: {code, message, next, facts}}` and back. */
import { ERRORS, GrapevineError, reasonOf, type ErrorCode } from '../errors.js'

export interface ErrorView {
  error: { code: ErrorCode; message: string; next: string; facts: Readonly<Record<string, unknown>> }
}

/** Anything thrown as the one error users see. What is not ours is a fault of ours. */
export function asGrapevineError(error: unknown): GrapevineError {
  if (error instanceof GrapevineError) return error
  return new GrapevineError('internal', `something went wrong inside grapevine: ${reasonOf(error)}`, {
    next: "look at the daemon's log and report it",
    cause: error
  })
}

export function errorView(error: unknown): ErrorView {
  const { code, message, next, facts } = asGrapevineError(error)
  return { error: { code, message, next, facts } }
}

export function httpStatusOf(error: unknown): number {
  return ERRORS[asGrapevineError(error).code].httpStatus
}

/** The error inside an answer, or undefined when it is none. A code of a newer daemon becomes `internal`. */
export function errorFromView(value: unknown): GrapevineError | undefined {
  const error = fieldsOf(fieldsOf(value)?.['error'])
  if (!error || typeof error['code'] !== 'string' || typeof error['message'] !== 'string') return undefined
  const known = Object.hasOwn(ERRORS, error['code'])
  return new GrapevineError(known ? (error['code'] as ErrorCode) : 'internal', error['message'], {
    next: typeof error['next'] === 'string' ? error['next'] : "look at the daemon's log",
    facts: { ...fieldsOf(error['facts']), ...(known ? {} : { code: error['code'] }) }
  })
}

function fieldsOf(value: unknown): Record<string, unknown> | undefined {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
}
