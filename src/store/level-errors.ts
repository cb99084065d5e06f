import { GrapevineError, diskError } from '../errors.js'

const REBUILD = 'stop the daemon and delete the index: it is rebuilt from the log at the next start'

/**
 * Turns what LevelDB and its binding throw into our errors. The binding wraps the reason of a failed open, and reports
 * a full disk as an I/O error whose text alone names it.
 */
export function levelError(
  error: unknown,
  message: string,
  facts: Readonly<Record<string, unknown>> = {}
): GrapevineError {
  if (error instanceof GrapevineError) return error
  const cause = innermost(error)
  const code = codeOf(cause)
  if (code === 'LEVEL_LOCKED') return lockedError(facts, error)
  // reads that are synchronous give the text alone
  if (code === 'LEVEL_CORRUPTION' || cause.message.startsWith('Corruption:')) {
    return damagedError(`${message}: ${cause.message}`, facts, error)
  }
  if (code === 'LEVEL_DATABASE_NOT_OPEN' || code === 'LEVEL_ITERATOR_NOT_OPEN') {
    return new GrapevineError('stopped', `${message}: the index is closed`, {
      next: 'wait until it is open again, or start the daemon',
      facts,
      cause: error
    })
  }
  if (/no space left|quota exceeded/i.test(cause.message)) {
    return new GrapevineError('disk-full', `${message}: no space left on the device`, {
      next: 'free space on that file system; the daemon goes on by itself',
      facts,
      cause: error
    })
  }
  return diskError(error, 'store-failed', message, facts)
}

/**
 * What went wrong while reading. A table that is gone, cut short or on a bad sector is reported by LevelDB as an I/O
 * error, but trying again does not help: it is damage, and the index can be rebuilt.
 */
export function readError(
  error: unknown,
  message: string,
  facts: Readonly<Record<string, unknown>> = {}
): GrapevineError {
  if (error instanceof GrapevineError) return error
  const cause = innermost(error)
  // The binding gives such errors a code in some calls only, so their text has to tell.
  const damaged = /^IO error: .*(no such file|missing file|invalid argument|truncated|input\/output error)/i
  if (!damaged.test(cause.message)) return levelError(error, message, facts)
  return damagedError(`${message}: ${cause.message}`, facts, error)
}

export function damagedError(
  message: string,
  facts: Readonly<Record<string, unknown>>,
  cause?: unknown
): GrapevineError {
  return new GrapevineError('store-damaged', message, { next: REBUILD, facts, cause })
}

/** Removing reports a lock that is held as an I/O error on the lock file. */
export function removeError(error: unknown, path: string): GrapevineError {
  if (/\block\b/i.test(innermost(error).message)) return lockedError({ path }, error)
  return levelError(error, 'The index cannot be removed', { path })
}

export function lockedError(facts: Readonly<Record<string, unknown>>, cause?: unknown): GrapevineError {
  return new GrapevineError('home-locked', 'Another process has the index open', {
    next: 'stop the other daemon on this home, or ask it instead',
    facts,
    cause
  })
}

function innermost(error: unknown): Error {
  let current = error instanceof Error ? error : new Error(String(error))
  while (current.cause instanceof Error) current = current.cause
  return current
}

function codeOf(error: Error): string | undefined {
  return 'code' in error ? String(error.code) : undefined
}
