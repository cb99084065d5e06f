/** Every error code. A code is stable; its sentence is free. `exitCode` is what the command line ends with. */
export const ERRORS = {
  usage: { meaning: 'the command line or a request was not understood', httpStatus: 400, exitCode: 2 },
  'config-invalid': { meaning: 'a setting is unknown or out of its range', httpStatus: 400, exitCode: 2 },
  'home-missing': { meaning: 'there is no node in this home yet', httpStatus: 404, exitCode: 3 },
  'home-exists': { meaning: 'this home already holds a node', httpStatus: 409, exitCode: 3 },
  'home-unsafe': { meaning: 'the home or a key in it is open to other users', httpStatus: 403, exitCode: 3 },
  'home-locked': { meaning: 'another process works on this home', httpStatus: 409, exitCode: 3 },
  'daemon-unreachable': { meaning: 'no daemon answers on this home', httpStatus: 503, exitCode: 4 },
  'not-found': { meaning: 'there is nothing under this path or id', httpStatus: 404, exitCode: 5 },
  'name-not-allowed': { meaning: 'an entry cannot have this name', httpStatus: 400, exitCode: 5 },
  'path-taken': { meaning: 'another entry already has this path', httpStatus: 409, exitCode: 5 },
  'not-a-file': { meaning: 'the path is a directory where a file is needed', httpStatus: 409, exitCode: 5 },
  'not-a-directory': { meaning: 'the path is a file where a directory is needed', httpStatus: 409, exitCode: 5 },
  'move-into-itself': { meaning: 'a directory cannot be moved below itself', httpStatus: 409, exitCode: 5 },
  'not-empty': { meaning: 'a place that must be empty or missing holds something', httpStatus: 409, exitCode: 5 },
  'too-large': { meaning: 'something exceeds a named limit', httpStatus: 413, exitCode: 5 },
  'role-forbids': { meaning: "this node's role does not allow it", httpStatus: 403, exitCode: 6 },
  removed: { meaning: 'this node was removed from the cluster', httpStatus: 403, exitCode: 6 },
  'out-of-scope': {
    meaning: 'a member may not write at this path',
    httpStatus: 403,
    exitCode: 6
  },
  'certificate-expired': {
    meaning: 'the certificate of a member was not renewed in time',
    httpStatus: 403,
    exitCode: 7
  },
  'token-malformed': { meaning: 'the invitation token is damaged or cut short', httpStatus: 400, exitCode: 7 },
  'token-expired': { meaning: 'the invitation has expired', httpStatus: 410, exitCode: 7 },
  'token-used': { meaning: 'the invitation has no uses left', httpStatus: 410, exitCode: 7 },
  'token-revoked': { meaning: 'the invitation was taken back', httpStatus: 410, exitCode: 7 },
  'token-unknown': { meaning: 'the issuer does not know this invitation', httpStatus: 403, exitCode: 7 },
  'token-foreign': { meaning: 'the invitation belongs to another cluster', httpStatus: 403, exitCode: 7 },
  'issuer-unreachable': {
    meaning: 'the node that issued the invitation does not answer',
    httpStatus: 504,
    exitCode: 7
  },
  'already-member': { meaning: 'this home already belongs to a cluster', httpStatus: 409, exitCode: 7 },
  'record-malformed': { meaning: 'a record is not well formed', httpStatus: 400, exitCode: 8 },
  'record-refused': { meaning: 'a record breaks a rule and was not taken', httpStatus: 400, exitCode: 8 },
  'message-malformed': { meaning: 'a message from a peer is not well formed', httpStatus: 400, exitCode: 8 },
  'peer-unreachable': { meaning: 'the peer is not connected or did not answer in time', httpStatus: 504, exitCode: 9 },
  'peer-refused': { meaning: 'the peer answered with a refusal', httpStatus: 502, exitCode: 9 },
  fork: { meaning: 'two different records claim one place in a log', httpStatus: 409, exitCode: 9 },
  'identity-duplicated': { meaning: 'two processes use the key of one node', httpStatus: 409, exitCode: 9 },
  'listen-failed': { meaning: 'an address to listen on cannot be used', httpStatus: 409, exitCode: 9 },
  'blob-missing': { meaning: 'the bytes of an entry are not on this node yet', httpStatus: 503, exitCode: 9 },
  'blob-damaged': { meaning: 'bytes do not match their hash', httpStatus: 502, exitCode: 9 },
  'not-replicated': {
    meaning: 'a change is kept here, but not on as many other nodes as asked for',
    httpStatus: 504,
    exitCode: 10
  },
  'not-in-sync': { meaning: 'nodes do not hold the same catalog', httpStatus: 409, exitCode: 10 },
  'catching-up': {
    meaning: 'this node first takes in what its peers have, and writes nothing before',
    httpStatus: 503,
    exitCode: 10
  },
  'store-damaged': { meaning: 'stored data is damaged', httpStatus: 500, exitCode: 11 },
  'records-lost': {
    meaning: 'something that was acknowledged is damaged here and on no node that answers',
    httpStatus: 500,
    exitCode: 11
  },
  'backup-damaged': { meaning: 'a backup is damaged, cut short, or no backup at all', httpStatus: 400, exitCode: 11 },
  'store-newer': { meaning: 'stored data was written by a newer grapevine', httpStatus: 500, exitCode: 11 },
  'store-failed': { meaning: 'reading or writing the store failed', httpStatus: 500, exitCode: 11 },
  'disk-full': { meaning: 'there is no space left for the store or the target', httpStatus: 507, exitCode: 11 },
  'target-missing': { meaning: 'the shared directory is missing or was replaced', httpStatus: 409, exitCode: 12 },
  'file-unreadable': { meaning: 'a file in the shared directory cannot be read', httpStatus: 409, exitCode: 12 },
  'file-changed': { meaning: 'a file changed while it was read', httpStatus: 409, exitCode: 12 },
  'file-not-shared': {
    meaning: 'something in the shared directory is not a file or directory and is left out',
    httpStatus: 409,
    exitCode: 12
  },
  'target-write-failed': { meaning: 'writing to the shared directory failed', httpStatus: 500, exitCode: 12 },
  'record-quarantined': {
    meaning: 'a record ran into a fault of this version and is held, with what builds on it',
    httpStatus: 409,
    exitCode: 12
  },
  'entry-quarantined': {
    meaning: 'an entry could not be written to the target and is held there',
    httpStatus: 409,
    exitCode: 12
  },
  'drop-refused': { meaning: 'a record cannot be left out on one node alone', httpStatus: 409, exitCode: 5 },
  'clock-off': { meaning: 'the clock of a node is off', httpStatus: 409, exitCode: 12 },
  'file-broken': {
    meaning: 'a file of a GeoServer data directory is not what it must be to be shared',
    httpStatus: 409,
    exitCode: 12
  },
  'secret-missing': { meaning: 'this node has no password for a store', httpStatus: 409, exitCode: 12 },
  'directory-faulty': { meaning: 'a GeoServer data directory holds faults', httpStatus: 409, exitCode: 14 },
  'geoserver-unreachable': { meaning: 'GeoServer does not answer, or not in time', httpStatus: 504, exitCode: 9 },
  'geoserver-unauthorized': {
    meaning: 'GeoServer does not accept the user it is asked as',
    httpStatus: 502,
    exitCode: 9
  },
  'geoserver-refused': { meaning: 'GeoServer refused what it was told', httpStatus: 502, exitCode: 9 },
  'geoserver-not-taken': {
    meaning: 'GeoServer answered well and did not do what it was told',
    httpStatus: 502,
    exitCode: 9
  },
  'versions-unequal': { meaning: 'GeoServers of the cluster are of different versions', httpStatus: 409, exitCode: 12 },
  'plugin-missing': {
    meaning: 'a GeoServer lacks a plugin that something in the catalog needs',
    httpStatus: 409,
    exitCode: 12
  },
  'directory-shared': {
    meaning: 'this node shares its directory with other nodes and writes nothing there',
    httpStatus: 409,
    exitCode: 5
  },
  starting: { meaning: 'the node makes its index anew, and answers when it is done', httpStatus: 503, exitCode: 13 },
  stopped: { meaning: 'the node is stopping', httpStatus: 503, exitCode: 13 },
  internal: { meaning: 'a fault in grapevine itself', httpStatus: 500, exitCode: 1 }
} as const satisfies Record<string, { meaning: string; httpStatus: number; exitCode: number }>

export type ErrorCode = keyof typeof ERRORS

/**
 * The only error users see. `code` is for programs, `facts` for logs, the message a sentence for people, `next` what
 * to do about it.
 */
export class GrapevineError extends Error {
  override readonly name = 'GrapevineError'
  readonly code: ErrorCode
  readonly facts: Readonly<Record<string, unknown>>
  readonly next: string

  constructor(
    code: ErrorCode,
    message: string,
    options: { next: string; facts?: Readonly<Record<string, unknown>>; cause?: unknown }
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.facts = options.facts ?? {}
    this.next = options.next
  }
}

/** The message of anything thrown, for a log field. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

export function isErrno(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code))
}

/** Turns what Node throws for a full or failing disk into our error; anything else becomes `otherwise`. */
export function diskError(
  error: unknown,
  otherwise: ErrorCode,
  message: string,
  facts: Readonly<Record<string, unknown>> = {}
): GrapevineError {
  if (error instanceof GrapevineError) return error
  if (isErrno(error, 'ENOSPC', 'EDQUOT')) {
    return new GrapevineError('disk-full', `${message}: no space left on the device`, {
      next: 'free space on that file system; the daemon goes on by itself',
      facts,
      cause: error
    })
  }
  return new GrapevineError(otherwise, `${message}: ${reasonOf(error)}`, {
    next: 'look at the cause, then try again',
    facts,
    cause: error
  })
}

/** Whether this is a fault of the program itself, and nothing that the system, a peer or a person brought about. */
export function isFault(error: unknown): boolean {
  if (error instanceof GrapevineError) return error.code === 'internal'
  if (!(error instanceof Error)) return true
  const refusedBySystem = 'syscall' in error || ('code' in error && /^E[A-Z0-9]+$/.test(String(error.code)))
  return !refusedBySystem && error.name !== 'AbortError'
}

/** Longest reason that is kept or shown, characters. */
const MAX_REASON_CHARS = 200

/** What was thrown, in one line that a terminal takes and a listing holds. */
export function faultText(error: unknown): string {
  const name = error instanceof Error && error.name !== 'Error' ? `${error.name}: ` : ''
  const text = `${name}${reasonOf(error)}`.replace(/[\p{C}\p{Zl}\p{Zp}]+/gu, ' ').trim()
  return text.length > MAX_REASON_CHARS ? `${text.slice(0, MAX_REASON_CHARS - 3).toWellFormed()}...` : text
}
