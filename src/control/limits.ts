/**
 * Every limit of the local API: name, unit, reason. Those that repeat a limit of the wire are compared with it by
 * test/control/limits.test.ts, because this part may not import wire/.
 */

/** Body of one `put`, bytes (the largest body that may be declared at all). */
export const MAX_PUT_BYTES = 2 ** 40
/** JSON body of a plain request, bytes: two paths and a few words fit many times over. */
export const MAX_REQUEST_BYTES = 64 * 1024
/** JSON body of a `putMany`, bytes: it is held in memory as a whole. */
export const MAX_PUT_MANY_BYTES = 48 * 1024 * 1024
/** Files of one `putMany`: bounds how long one request keeps the log busy. */
export const MAX_PUT_MANY_FILES = 10_000
/** Seq of a record. */
export const MAX_SEQ = 2 ** 48 - 1
/** A whole path, UTF-8 bytes. */
export const MAX_PATH_BYTES = 4_096
/** Paths of one request about drift. */
export const MAX_DRIFT_PATHS = 1_000
/** JSON body of such a request, bytes: that many of the longest paths. */
export const MAX_DRIFT_BYTES = 8 * 1024 * 1024
/** Uses of one invitation. */
export const MAX_INVITE_USES = 10_000
/** A certificate by the root, characters. */
export const MAX_CERTIFICATE_LENGTH = 8_192
/** Paths of one member's scope. */
export const MAX_SCOPES = 16
/** Life of an invitation, ms (one year). */
export const MAX_INVITE_MS = 366 * 86_400_000
/** How long one `verify` may wait for equality, ms: longer waits are a loop of the caller's. */
export const MAX_VERIFY_WAIT_MS = 3_600_000
/** Records listed by one request. */
export const MAX_LOG_LINES = 10_000_000
/** Open connections to the socket: only this user can connect, so this only stops a runaway script. */
export const MAX_CONNECTIONS = 256
/** Request line and headers, bytes: a path of MAX_PATH_BYTES is three times as long when percent-encoded. */
export const MAX_HEADER_BYTES = 32 * 1024
/** A listing is written in pieces of about this size, bytes: fewer system calls, still bounded memory. */
export const LISTING_CHUNK_BYTES = 16 * 1024
/** How long stop() lets running requests finish, ms. */
export const STOP_GRACE_MS = 2_000
/** How long a plain request of the client may take, ms: a daemon that hangs is not waited for for ever. */
export const REQUEST_TIMEOUT_MS = 60_000
/** How long a probe of a socket may take, ms. */
export const PROBE_TIMEOUT_MS = 2_000
/** Longest path of a unix socket, bytes: 108 with the closing zero on Linux, 104 elsewhere. */
export const MAX_SOCKET_PATH_BYTES = 103

/** Other nodes a write may wait for. */
export const MAX_REPLICAS = 1_000
/** How long a write waits for them unless told otherwise, ms. */
export const DEFAULT_REPLICATED_TIMEOUT_MS = 30_000

/** Who is refused before it has sent everything has so long to read why, ms. */
export const REFUSAL_LINGER_MS = 5_000
