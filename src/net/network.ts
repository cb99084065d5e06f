/** The transport of the node over libp2p. Lives longer than one start: handlers stay, everything else is made anew. */
import { GrapevineError } from '../errors.js'
import type { Lane, NodeId, PeerInfo, TransportHandler } from '../runtime.js'
import { Shares, type Throttled } from '../share.js'
import { MAX_FRAME_BYTES } from '../wire/index.js'
import { tooLarge, unreachable, whyOf } from './errors.js'
import { FrameType } from './frames.js'
import { inspectRun, peerInfo } from './inspect.js'
import type { JoinHandler } from './join-desk.js'
import { keyFromSeed, nodeIdOf } from './keys.js'
import {
  MEMBER_BYTES,
  MEMBER_GOSSIP,
  MEMBER_PARTS,
  MEMBER_REQUESTS,
  MEMBER_WORK,
  REQUEST_TIMEOUT_MS
} from './limits.js'
import type { Link } from './link.js'
import type { Network, NetworkDeps, NetworkInspection, NetworkOptions, RunEvents, WayBack } from './options.js'
import type { Outgoing } from './outgoing.js'
import { Run } from './run.js'

/** Before `handle()` nobody listens: nothing is lost that pulling does not bring back. */
const NOBODY: TransportHandler = {
  peerUp: () => undefined,
  peerDown: () => undefined,
  notified: () => undefined,
  requested: () => Promise.reject(new GrapevineError('stopped', 'the node is not ready', { next: 'try again' })),
  gossip: () => 'ignore'
}

export class Libp2pNetwork implements Network {
  readonly self: NodeId
  readonly #deps: NetworkDeps
  readonly #options: NetworkOptions
  /** Outlives a restart: who is in debt stays so. */
  readonly #shares: Shares
  readonly #listeners = new Set<(node: NodeId) => void>()
  #handler: TransportHandler = NOBODY
  #joinHandler: JoinHandler | undefined
  #run: Run | undefined
  /** Starts and stops one after another, however they are called. */
  #turn: Promise<void> = Promise.resolve()

  constructor(deps: NetworkDeps, options: NetworkOptions) {
    this.#deps = deps
    this.#options = options
    this.#shares = new Shares(
      { clock: deps.clock, changed: (node, state) => deps.throttled?.(node, state) },
      { bytes: MEMBER_BYTES, gossip: MEMBER_GOSSIP, work: MEMBER_WORK, requests: MEMBER_REQUESTS, parts: MEMBER_PARTS }
    )
    this.self = nodeIdOf(keyFromSeed(options.privateSeed).publicKey.raw)
  }

  start(): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#run !== undefined) return
      const run = new Run(this.#deps, this.#options, this.#events(), this.self)
      this.#run = run
      try {
        await run.start()
      } catch (error) {
        this.#run = undefined
        await run.stop().catch(() => undefined)
        throw error
      }
    })
  }

  stop(): Promise<void> {
    return this.#inTurn(async () => {
      await this.#run?.stop()
      this.#run = undefined
      this.#shares.stop()
    })
  }

  handle(handler: TransportHandler): void {
    this.#handler = handler
  }

  handleJoin(handler: JoinHandler | undefined): void {
    this.#joinHandler = handler
  }

  onDuplicateIdentity(listener: (node: NodeId) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  peers(): PeerInfo[] {
    const run = this.#run
    return run === undefined ? [] : run.links.allUp().map((link) => peerInfo(run, link))
  }

  multiaddrs(): string[] {
    return this.#run?.multiaddrs() ?? []
  }

  membershipChanged(): void {
    this.#run?.membershipChanged()
  }

  secretsChanged(): void {
    this.#run?.secretsChanged()
  }

  waysBack(): WayBack[] {
    return this.#run?.waysBack() ?? []
  }

  notify(to: NodeId, frame: Uint8Array): boolean {
    if (frame.length > MAX_FRAME_BYTES) throw tooLarge('a notification', frame.length, MAX_FRAME_BYTES)
    return this.#run?.links.up(to)?.outgoing('sync')?.tell(FrameType.notify, frame) ?? false
  }

  async request(
    to: NodeId,
    lane: Lane,
    frame: Uint8Array,
    options: { timeoutMs?: number; signal?: AbortSignal } = {}
  ): Promise<Uint8Array> {
    if (frame.length > MAX_FRAME_BYTES) throw tooLarge('a request', frame.length, MAX_FRAME_BYTES)
    const link = this.#run?.links.up(to)
    if (link === undefined) throw unreachable(to, 'is not connected')
    const timeoutMs = options.timeoutMs ?? REQUEST_TIMEOUT_MS
    const startedAt = this.#deps.clock.monotonic()
    const outgoing = link.outgoing(lane) ?? (await this.#opened(link, lane, timeoutMs))
    const left = Math.ceil(timeoutMs - (this.#deps.clock.monotonic() - startedAt))
    return await outgoing.call(FrameType.request, frame, { timeoutMs: Math.max(1, left), signal: options.signal })
  }

  async publish(frame: Uint8Array): Promise<number> {
    return (await this.#run?.gossip?.publish(frame)) ?? 0
  }

  hangUp(node: NodeId, reason: string): void {
    this.#run?.links.hangUp(node, reason)
  }

  saveAddresses(): void {
    this.#run?.saveAddresses()
  }

  throttled(): Map<NodeId, Throttled> {
    return this.#shares.throttled()
  }

  inspect(): NetworkInspection {
    return inspectRun(this.self, this.#run, this.#shares)
  }

  #opened(link: Link, lane: Lane, timeoutMs: number): Promise<Outgoing> {
    return new Promise((resolve, reject) => {
      const cancel = this.#deps.clock.timer(timeoutMs, () =>
        reject(unreachable(link.node, `did not open the ${lane} lane within ${timeoutMs} ms`))
      )
      link
        .lane(lane)
        .finally(cancel)
        .then(resolve, (error: unknown) =>
          reject(
            error instanceof GrapevineError
              ? error
              : unreachable(link.node, `refused the ${lane} lane: ${whyOf(error)}`, error)
          )
        )
    })
  }

  #events(): RunEvents {
    return {
      handler: () => this.#handler,
      joinHandler: () => this.#joinHandler,
      duplicate: (node) => this.#duplicate(node),
      share: (node) => this.#shares.of(node)
    }
  }

  #duplicate(node: NodeId): void {
    this.#deps.logger.error('One key is in use by two processes; stop one and give it a key of its own', {
      node,
      ours: node === this.self
    })
    for (const listener of this.#listeners) {
      try {
        listener(node)
      } catch (error) {
        this.#deps.logger.error('A handler of network events failed', { reason: whyOf(error) })
      }
    }
  }

  #inTurn(step: () => Promise<void>): Promise<void> {
    const done = this.#turn.then(step)
    this.#turn = done.catch(() => undefined)
    return done
  }
}
