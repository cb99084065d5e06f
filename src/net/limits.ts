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

/** How often the interfaces are looked at for discovery. */
export const MDNS_LOOK_MS = 5_000
/** A node says where it is about this often at most, give or take a half, */
export const MDNS_MIN_PAUSE_MS = 10_000
/** and of many all together so many times a second: each costs everybody 0.1 ms. */
export const MDNS_PACKETS_PER_S = 10
/** How many answer a question, */
export const MDNS_ANSWERS = 20
/** within this time, and no other question meanwhile. */
export const MDNS_ANSWER_WITHIN_MS = 500
/** TCP ports a node tells of one interface. */
export const MDNS_PORTS = 8
/** Secrets by which it is proven: one, and while they change those before. */
export const MDNS_PROOFS = 4
/** What members (or who else knows the secret) may make us note: at once, and each second. */
export const MDNS_HEARD = { perSecond: 50, burst: 1_000 } as const
/** Nodes remembered as heard, and for how long: more only lets us speak more often than we should. */
export const MDNS_MAX_HEARD = 4_096
export const MDNS_FORGOTTEN_MS = 300_000

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
/** Full mesh up to this many links; members beyond are not dialled (they may dial us), but for one now and then: */
export const LINKS_DIALLED_UP_TO = 16
/** So often, ms, give or take a half: it finds the other part again after an outage, and costs a handshake a minute. */
export const LINKS_EXPLORE_MS = 60_000
/** Of more links than this some are asked to let go, */
export const LINKS_MANY = 24
/** so many each time we look, */
export const ASKED_TO_LET_GO = 8
/** and a member lets go as long as it keeps so many: a random graph of that degree holds together. */
export const LINKS_KEPT = 8
/** Who has let go is not dialled for so long, ms, give or take a half, unless there are fewer links than are kept. */
export const LET_GO_REST_MS = 600_000
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

/** Connections open at once, of members and strangers, in and out. */
export const MAX_CONNECTIONS = 400
/** Of one key: two when both sides dialled, one more to see whether those are dead, one after a change of network. */
export const MAX_CONNECTIONS_PER_PEER = 4
/** Connections that one key may make at once, and then each second: each costs about 12 ms to secure. */
export const CONNECTIONS_BURST = 30
export const CONNECTIONS_PER_S = 1
/** Handshakes under way, of everybody and of one address: sixteen nodes on one machine start at once. */
export const MAX_PENDING_HANDSHAKES = 512
export const MAX_PENDING_PER_ADDRESS = 128
/** From the first byte to the multiplexer. */
export const HANDSHAKE_TIMEOUT_MS = 4_000
/** What may be sent before the handshake is over; an ordinary one has less than 1 KiB. */
export const MAX_HANDSHAKE_BYTES = 256 * 1024
/** Handshakes that said something and failed (or were a stranger's), of one address: at once, and then each second. */
export const FAILED_HANDSHAKES_BURST = 32
export const FAILED_HANDSHAKES_PER_S = 4
/** Addresses whose failures are remembered. */
export const MAX_ADDRESSES_REMEMBERED = 4_096
/** Sockets the listener holds: above what may be under way and open, so that it is never what refuses. */
export const MAX_SOCKETS = 2 * (MAX_CONNECTIONS + MAX_PENDING_HANDSHAKES)

/** Streams a peer may have open on one connection; a member needs five. */
export const MAX_STREAMS = 64
/** Streams that a peer may open on one connection at once, and then each second: opening one costs us 1.5 ms. */
export const STREAMS_BURST = 128
export const STREAMS_PER_S = 4
/** For a stream to say which protocol it speaks. */
export const NEGOTIATION_TIMEOUT_MS = 5_000
/** Of each protocol on one connection: the lane that is kept and one that takes its place. */
export const MAX_LANE_STREAMS = 2
export const MAX_PING_STREAMS = 8
/** What of one multiplexer frame may be buffered until it is whole: its window, and what encryption hands over at once. */
export const MAX_MUXER_FRAME_BYTES = STREAM_WINDOW_BYTES + 128 * 1024

/** One RPC of gossip. Not less: one answer bundles many messages, and a smaller limit mutes honest links. */
export const MAX_GOSSIP_RPC_BYTES = 4 * 1024 * 1024
/** Messages in one RPC. */
export const GOSSIP_MAX_MESSAGES = 4_096
/** Topics one RPC names: we have one. */
export const GOSSIP_MAX_SUBSCRIPTIONS = 16
/** Bytes of topic names remembered for one peer. */
export const GOSSIP_MAX_TOPIC_BYTES = 4_096
/** Control messages of each kind in one RPC. */
export const GOSSIP_MAX_CONTROL = 64
/** Message ids in one IHAVE or IWANT: what gossipsub itself sends at most. */
export const GOSSIP_MAX_IDS = 5_000
/** Message ids in one IDONTWANT. */
export const GOSSIP_MAX_IDONTWANT = 512
/** Peers offered with a PRUNE: we neither send nor use them. */
export const GOSSIP_MAX_PEERS = 16
/** Bytes of gossip passed on for one neighbour: at once, and each second. What is not passed on is pulled. */
export const GOSSIP_FORWARD = { perSecond: 1024 * 1024, burst: 8 * 1024 * 1024 } as const
/** Large messages of one neighbour that others are asked not to send too: at once, and each second. */
export const GOSSIP_DONT_WANTS = { perSecond: 32, burst: 64 } as const
/** Neighbours of whom that is remembered. */
export const GOSSIP_NEIGHBOURS = 1_024
/** RPCs beyond these limits before the link is closed. */
export const GOSSIP_MAX_BAD_RPCS = 8

/**
 * What one member may make us do for it, whatever it sends: bytes that come unasked (gossip, notifications, requests),
 * time of our one thread spent on them, and requests answered. An honest burst of 10,000 files is far below.
 */
export const MEMBER_BYTES = { perSecond: 32 * 1024 * 1024, burst: 128 * 1024 * 1024 } as const
/** Milliseconds; a quarter of a core for ever. */
export const MEMBER_WORK = { perSecond: 250, burst: 1_000 } as const
/**
 * The same for gossip that is judged. At once only as much as one message takes, because whatever is judged in a row stands
 * between an honest change and each of its some twenty steps. Of an author that gossips the tiniest records as fast as it may
 * (130 ms a second) some come by the pull.
 */
export const MEMBER_GOSSIP = { perSecond: 100, burst: 20 } as const
/** Questions about records and the like: a pull brings some 200 records, and 300 pulls more than can be taken in. */
export const MEMBER_REQUESTS = { perSecond: 200, burst: 200 } as const
/** Parts of files, up to 1 MiB each: one fetched at 250 MB/s from one node asks it 250 times a second. */
export const MEMBER_PARTS = { perSecond: 250, burst: 1_250 } as const
/** Answers to one member that wait to be sent, bytes: no further question of it is read meanwhile. */
export const MAX_UNSENT_ANSWER_BYTES = 8 * 1024 * 1024

/** A peer to which nothing at all could be sent of what it asked for, for so long, does not read. */
export const UNREAD_LOOK_MS = 5_000

/** Strangers connected at once while an invitation is open. */
export const MAX_STRANGERS = 16
/** A stranger that asks nothing for this long may have to give way to another one. */
export const STRANGER_GRACE_MS = 1_000
/** Requests to join that are judged, of everybody: at once, and then each second. */
export const JOINS_BURST = 200
export const JOINS_PER_S = 20
/** A stranger that has not finished joining by then is closed. */
export const STRANGER_MS = 15_000
export const MAX_JOIN_REQUEST_BYTES = 16 * 1024
/** The members space as the newcomer gets it. */
export const MAX_JOIN_ANSWER_BYTES = 32 * 1024 * 1024
/** Pause between two rounds of a joiner over the addresses it knows. */
export const JOIN_RETRY_MS = 500
/** Meetings with the right issuer that ends the connection at once, before a joiner believes it is not wanted. */
export const JOIN_REFUSALS = 3
/** Links up to which a node tells whom it is linked with: so many members are all linked with all (`DEGREE`), and some more. */
export const CIRCLE_LINKS = 24
/** A gossip message up to this is handed to all of a circle by its publisher, bytes; of larger ones IDONTWANT keeps copies rare. */
export const CIRCLE_MESSAGE_BYTES = 16 * 1024
