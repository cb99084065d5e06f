/** Every limit of the network part: name, unit, reason. Measurements: the field notes on libp2p (sections 1, 2, 5, 6). */
import { MAX_FRAME_BYTES } from '../wire/index.js'

/** Type byte and id (a 32-bit varint, at most 5 bytes) before each payload. */
export const FRAME_HEADER_BYTES = 6
/** What a length prefix on a lane may announce; checked before anything is buffered for it. */
export const MAX_LANE_FRAME_BYTES = MAX_FRAME_BYTES + FRAME_HEADER_BYTES

/** A notification is refused while more than this many bytes wait on its stream. */
export const NOTIFY_QUEUE_BYTES = 1024 * 1024
/** Requests and answers wait for their turn while more than this many bytes are handed to the stream and unsent. */
export const WRITE_AHEAD_BYTES = 512 * 1024
/** Unread bytes at which a stream is paused; half of it resumes. Its receive window (below) may still arrive on top. */
export const READ_QUEUE_BYTES = 512 * 1024
/** Receive window of one stream. 1 MiB costs 15 % on loopback against 16 MiB and bounds memory and ping delay. */
export const STREAM_WINDOW_BYTES = 1024 * 1024
/** The stack resets a stream that buffers more; must stay above the window. */
export const STREAM_BUFFER_BYTES = 8 * 1024 * 1024

/** Requests of one peer served at once per stream; its stream is not read further meanwhile. */
export const SERVED_AT_ONCE = 8
/** Requests of ours waiting for an answer on one stream. */
export const REQUESTS_IN_FLIGHT = 256
/** A request that names no timeout. */
export const REQUEST_TIMEOUT_MS = 10_000

/** The first exchange on a new connection, both directions. */
export const HELLO_TIMEOUT_MS = 5_000
export const MAX_HELLO_BYTES = 64 * 1024
/** Addresses a node announces of itself. */
export const OWN_ADDRESSES = 16
/** Addresses of other members handed over in one message. */
export const EXCHANGED_ADDRESSES = 32
/** Characters of one address. */
export const ADDRESS_CHARS = 255
/** A second process with the key of a connected peer is believed to be a restart when the first is silent this long. */
export const PROBE_TIMEOUT_MS = 2_000
/** Time for a refusal to reach the refused before its connection is closed. */
export const REFUSAL_LINGER_MS = 500

/** A lane whose stream broke is reopened after this pause, */
export const REOPEN_DELAY_MS = 50
/** at most this often between two good answers; then the connection is given up and dialled anew. */
export const MAX_REOPENS = 3

/** The multiplexer pings every connection this often after the last answer. */
export const PING_INTERVAL_MS = 10_000
/** A connection on which nothing at all was read for so long is dead: three pings. A busy process was late by 6 s. */
export const SILENT_MS = 30_000
/**
 * After so much silence (a ping is 3 s late) a second connection is tried: when it can be made, the first is dead. TCP
 * itself would notice the end of an outage of 15 s only 10 s later, because it doubles its pauses.
 */
export const DOUBT_MS = 13_000
/** And so many looks in a row found nothing new: one long look of a process that was stalled itself proves nothing. */
export const SILENT_LOOKS = 3

/** Back-off between dials of one peer. */
export const REDIAL_MIN_MS = 1_000
export const REDIAL_MAX_MS = 60_000
/** Few missing peers are dialled at least this often, so that a healed network is noticed at once, */
export const REDIAL_FEW_MS = 4_000
/** and many so much less often that a dial is due about twice a second, whatever their number. */
export const REDIAL_SPACING_MS = 500
export const PARALLEL_DIALS = 8
/** One dial, all addresses of a peer tried one after another. */
export const DIAL_TIMEOUT_MS = 8_000
/** One address. */
export const ADDRESS_DIAL_TIMEOUT_MS = 2_500
/** Full mesh up to this many links; members beyond are not dialled (they may dial us). */
export const LINKS_DIALLED_UP_TO = 16
/** Members and hints the redial loop remembers. */
export const MAX_TARGETS = 1_024
/** Addresses remembered for one member. */
export const ADDRESSES_PER_TARGET = 8
/** Rows of the address book. */
export const MAX_BOOK_ROWS = 4_096
/** Changes of the address book are saved together. */
export const BOOK_SAVE_MS = 1_000

/** How often the watchers (clock, interfaces, gossip, membership) look. */
export const WATCH_INTERVAL_MS = 2_000
/** A wall clock that moves this much more or less than the monotonic one: the machine slept or was set. */
export const CLOCK_JUMP_MS = 5_000
/** From this jump on gossip is restarted: its caches and back-offs live by the wall clock. */
export const GOSSIP_RESTART_JUMP_MS = 60_000
/** Connections that do not answer a probe this long after a sleep or a change of network are closed. */
export const WAKE_PROBE_MS = 5_000

/** Looks at which a member without gossip stream is revived, and given up. */
export const GOSSIP_REVIVE_AFTER = 1
export const GOSSIP_GIVE_UP_AFTER = 4
/** Bytes of gossip queued to one peer before the stack drops its stream (the watchdog revives it). */
export const GOSSIP_QUEUE_BYTES = 8 * 1024 * 1024
/** How long queued bytes may take to leave when the node stops. */
export const STOP_FLUSH_MS = 2_000

/** Strangers connected at once while an invitation is open. */
export const MAX_STRANGERS = 16
/** A stranger that has not finished joining by then is closed. */
export const STRANGER_MS = 15_000
export const MAX_JOIN_REQUEST_BYTES = 16 * 1024
/** The members space as the newcomer gets it. */
export const MAX_JOIN_ANSWER_BYTES = 32 * 1024 * 1024
/** Pause between two rounds of a joiner over the addresses it knows. */
export const JOIN_RETRY_MS = 500
/** Meetings with the right issuer that ends the connection at once, before a joiner believes it is not wanted. */
export const JOIN_REFUSALS = 3
