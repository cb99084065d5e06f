/** How a call to GeoServer fails, each with the step that mends it. */
import { faultText, GrapevineError, reasonOf } from '../../../errors.js'

/** Passwords as stores hold them: GeoServer may quote what it was sent. */
const PASSWORDS = /\b(plain|crypt\d|digest\d):[^\s<"']+/g

export function unreachable(url: string, call: string, cause: unknown): GrapevineError {
  const why = cause instanceof Error && cause.cause !== undefined ? cause.cause : cause
  return new GrapevineError('geoserver-unreachable', `GeoServer at ${url} did not answer: ${faultText(why)}`, {
    next: 'look whether GeoServer runs and whether --geoserver-url is its address; files are kept in step meanwhile',
    facts: { url, call, reason: reasonOf(why) },
    cause
  })
}

export function tooSlow(url: string, call: string, timeoutMs: number): GrapevineError {
  return new GrapevineError(
    'geoserver-unreachable',
    `GeoServer at ${url} did not answer within ${timeoutMs / 1000} seconds`,
    {
      next: 'look whether GeoServer is busy, for example with a reload; what it was asked may still be done',
      facts: { url, call, timeoutMs }
    }
  )
}

export function unauthorized(url: string, call: string, status: number): GrapevineError {
  const known = status === 401
  return new GrapevineError(
    'geoserver-unauthorized',
    known ? `GeoServer at ${url} does not know this user and password` : `GeoServer at ${url} forbids it to this user`,
    {
      next: known
        ? 'check --geoserver-user and what the file of --geoserver-password-file holds'
        : 'give the user of --geoserver-user the role of an administrator in GeoServer',
      facts: { url, call, status }
    }
  )
}

/** `answer` is GeoServer's own message, of which a line is kept. */
export function refused(url: string, call: string, status: number, answer: string): GrapevineError {
  const message = faultText(new Error(answer.replace(PASSWORDS, '$1:...')))
  return new GrapevineError(
    'geoserver-refused',
    `GeoServer at ${url} refused with ${status}: ${message || 'no word'}`,
    {
      next: "look at GeoServer's log for the cause",
      facts: { url, call, status, message }
    }
  )
}

export function notGeoServer(url: string, what: string): GrapevineError {
  return new GrapevineError('geoserver-refused', `${url} ${what}`, {
    next: 'give --geoserver-url as people open it, with its context: http://127.0.0.1:8080/geoserver',
    facts: { url }
  })
}

export function answerTooLarge(url: string, call: string, limit: number): GrapevineError {
  return new GrapevineError('too-large', `GeoServer at ${url} answered with more than ${limit} bytes`, {
    next: 'look at what --geoserver-url answers there',
    facts: { url, call, limit }
  })
}
