/**
 * The world as interfaces a test can replace: time, randomness, log lines, the disk under the log, the network.
 * The parts that decide (log, catalog, sync, identity, publish) are handed these and touch nothing else.
 */

/** Time. `now` may jump and is advice only; `monotonic` never goes back and is for deadlines. Both in milliseconds. */
export interface Clock {
  now(): number
  monotonic(): number
  /** Runs `fn` once after `ms`; returns the cancel function. Does not keep the process alive. */
  timer(ms: number, fn: () => void): () => void
  /** Lets other work run before going on with something long. */
  pause(): Promise<void>
}

export interface Random {
  bytes(length: number): Uint8Array
  /** Uniform in [0, 1). */
  float(): number
}

export type Facts = Readonly<Record<string, unknown>>

/** A line is a short sentence and its facts as fields; never a built string, never a secret. */
export interface Logger {
  debug(message: string, facts?: Facts): void
  info(message: string, facts?: Facts): void
  warn(message: string, facts?: Facts): void
  error(message: string, facts?: Facts): void
}

export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} }

/** Time between two warnings of the same words, ms. */
const SELDOM_MS = 10_000
/** Different words remembered. */
const MAX_SELDOM = 256

/**
 * The same logger for what others can make happen as often as they like: a warning is written at once, and the same
 * words again only after a while, with how often they were left out (`times`).
 */
export function seldom(logger: Logger, clock: Pick<Clock, 'monotonic'>): Logger {
  const said = new Map<string, { at: number; times: number }>()
  const warn = (message: string, facts: Facts = {}): void => {
    const now = clock.monotonic()
    const before = said.get(message)
    if (before !== undefined && now - before.at < SELDOM_MS) {
      before.times += 1
      return
    }
    if (said.size >= MAX_SELDOM) said.clear()
    said.set(message, { at: now, times: 0 })
    logger.warn(message, before === undefined || before.times === 0 ? facts : { ...facts, times: before.times })
  }
  return {
    warn,
    debug: (message, facts) => logger.debug(message, facts),
    info: (message, facts) => logger.info(message, facts),
    error: (message, facts) => logger.error(message, facts)
  }
}

/** One append-only file under the log. Offsets and lengths are bytes. */
export interface DiskFile {
  readonly size: number
  /** Appends at the end; resolves when the operating system has the bytes (not yet durable). */
  append(bytes: Uint8Array): Promise<void>
  /** Makes everything appended so far durable. A failure is final for this file: reopen, never retry. */
  sync(): Promise<void>
  read(offset: number, length: number): Uint8Array
  /** Cuts the file; durable when it resolves. */
  truncate(size: number): Promise<void>
  close(): Promise<void>
}

/** The directory under the log: flat names, no paths. */
export interface Disk {
  list(): Promise<string[]>
  /** Opens for append and read, creating it when missing (creation is durable when it resolves). */
  open(name: string): Promise<DiskFile>
  remove(name: string): Promise<void>
}

/** A node's public name: the libp2p peer id text of its Ed25519 key (`12D3KooW...`). */
export type NodeId = string

export interface PeerInfo {
  readonly node: NodeId
  readonly addresses: readonly string[]
  /** How its address became known. */
  readonly found: 'mdns' | 'given' | 'peer' | 'inbound' | 'book'
  readonly rttMs?: number
  readonly connectedAt: number
}

/** Two kept streams a peer: bulk on one never delays the other. */
export type Lane = 'sync' | 'blob'

export type GossipVerdict = 'accept' | 'ignore' | 'reject'

export interface TransportHandler {
  peerUp(peer: PeerInfo): void
  peerDown(node: NodeId): void
  /** A one-way message. While the promise is pending the stream it came on is not read further. */
  notified(from: NodeId, frame: Uint8Array): void | Promise<void>
  /** Answers a request. Throwing answers the caller with a typed refusal. */
  requested(from: NodeId, lane: Lane, frame: Uint8Array): Promise<Uint8Array>
  /** Runs before a gossip message is forwarded; must be quick and synchronous. */
  gossip(from: NodeId, frame: Uint8Array): GossipVerdict
}

/** How the parts reach other nodes. Implemented by net/ over libp2p and by the simulated network of the tests. */
export interface Transport {
  readonly self: NodeId
  handle(handler: TransportHandler): void
  peers(): PeerInfo[]
  /** Queues a one-way message; false when the peer is not connected or its queue is full (the message is dropped). */
  notify(to: NodeId, frame: Uint8Array): boolean
  /** One request, one answer, several in flight on one kept stream. Rejects with a GrapevineError. */
  request(
    to: NodeId,
    lane: Lane,
    frame: Uint8Array,
    options?: { timeoutMs?: number; signal?: AbortSignal }
  ): Promise<Uint8Array>
  /** Gossips to everybody; resolves with the number of neighbours it was queued for. A hint, never the only way. */
  publish(frame: Uint8Array): Promise<number>
  /** Closes the connection to a peer; it may come back. */
  hangUp(node: NodeId, reason: string): void
}

/** One life cycle for everything long-lived. Both may be called twice; stop undoes start in reverse order. */
export interface Startable {
  start(): Promise<void>
  stop(): Promise<void>
}
