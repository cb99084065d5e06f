/**
 * One peer, however many connections it has. States: greeting -> up -> closed, or greeting -> closed.
 * 1. A link is up once the peer answered our hello and we answered its hello; never before, and only once.
 * 2. Nothing of the peer but its hello is served before that.
 * 3. A lane whose stream breaks is opened again while a connection lives; the sync lane by itself, others when needed.
 * 4. Closed is final; a peer that comes back gets a new link.
 */
import type { Connection } from '@libp2p/interface'
import { GrapevineError } from '../errors.js'
import type { Clock, Lane, Logger, NodeId } from '../runtime.js'
import { unreachable, whyOf } from './errors.js'
import { FrameType } from './frames.js'
import { decodeHello, encodeHello, type Hello } from './hello.js'
import type { Incoming } from './incoming.js'
import { HELLO_TIMEOUT_MS, MAX_REOPENS, REOPEN_DELAY_MS } from './limits.js'
import { Outgoing } from './outgoing.js'
import type { PeerShare } from './peer-share.js'
import type { Protocols } from './protocols.js'

export interface LinkDeps {
  readonly clock: Clock
  readonly logger: Logger
  readonly protocols: Protocols
  /** Connections of this peer that may carry lanes now. */
  connections(node: NodeId): Connection[]
  /** What we tell this peer about us. */
  hello(node: NodeId): Hello
  /** The peer answered our hello with its own. */
  answered(link: Link, hello: Hello): void
  up(link: Link): void
  /** The link cannot work: the connections are to be closed. */
  failed(link: Link, error: GrapevineError): void
}

export class Link {
  readonly node: NodeId
  readonly openedAt: number
  readonly share: PeerShare
  /** 32 hex; the peer's start we are talking to. */
  instance: string | undefined
  /** What the peer says it listens on: claims about itself only. */
  listen: readonly string[] = []
  /** With whom the peer says it is linked, and what its gossip begins with, hex (circle.ts). */
  circle: { readonly hash: string; readonly publisher: string } | undefined
  /** Connections on which this start of the peer has spoken. */
  readonly voices = new WeakSet<Connection>()
  /** Round trip of the hello, ms. */
  helloMs: number | undefined
  readonly incoming = new Map<Lane, Incoming>()
  readonly #deps: LinkDeps
  readonly #outgoing = new Map<Lane, Outgoing>()
  readonly #opening = new Map<Lane, Promise<Outgoing>>()
  readonly #settled = Promise.withResolvers<void>()
  #state: 'greeting' | 'up' | 'closed' = 'greeting'
  #heard = false
  #answered = false
  #reopens = 0

  constructor(deps: LinkDeps, node: NodeId, share: PeerShare) {
    this.#deps = deps
    this.share = share
    this.node = node
    this.openedAt = deps.clock.now()
    this.#settled.promise.catch(() => undefined)
  }

  get state(): 'greeting' | 'up' | 'closed' {
    return this.#state
  }

  outgoing(lane: Lane): Outgoing | undefined {
    return this.#outgoing.get(lane)
  }

  /** Rejects with `peer-unreachable` when the link closes first. */
  admitted(): Promise<void> {
    return this.#settled.promise
  }

  /** greeting: says hello, and gives up when either direction takes too long. */
  greet(): void {
    const cancel = this.#deps.clock.timer(HELLO_TIMEOUT_MS, () =>
      this.#fail(unreachable(this.node, 'did not greet in time'))
    )
    void this.admitted().then(cancel, cancel)
    this.lane('sync').catch((error: unknown) => {
      // A member that joins again (the answer to its first request was lost) speaks no lanes yet: leave it its time.
      const joining = error instanceof Error && error.name === 'UnsupportedProtocolError'
      if (joining) this.#deps.logger.debug('A member speaks no lanes (yet)', { node: this.node })
      else this.#fail(error)
    })
  }

  /** The peer's own hello came and was accepted. */
  heard(): void {
    this.#heard = true
    this.#comeUp()
  }

  /** The open stream of a lane, opening it when there is none. */
  lane(lane: Lane): Promise<Outgoing> {
    const open = this.#outgoing.get(lane)
    if (open !== undefined) return Promise.resolve(open)
    const opening = this.#opening.get(lane)
    if (opening !== undefined) return opening
    const started = this.#open(lane).finally(() => this.#opening.delete(lane))
    this.#opening.set(lane, started)
    return started
  }

  /** any -> closed. Ends every stream; the connections are the owner's. */
  close(reason: string): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#settled.reject(unreachable(this.node, reason))
    for (const outgoing of this.#outgoing.values()) outgoing.close()
    for (const incoming of this.incoming.values()) incoming.close(reason)
  }

  async #open(lane: Lane): Promise<Outgoing> {
    if (this.#state === 'closed') throw unreachable(this.node, 'is not connected')
    if (lane !== 'sync') await this.admitted()
    const connection = this.#deps.connections(this.node)[0]
    if (connection === undefined) throw unreachable(this.node, 'is not connected')
    const stream = await connection.newStream(this.#deps.protocols.lanes[lane], {
      signal: AbortSignal.timeout(HELLO_TIMEOUT_MS)
    })
    const outgoing: Outgoing = new Outgoing(
      { clock: this.#deps.clock, closed: (broken) => this.#laneClosed(lane, outgoing, broken) },
      this.node,
      stream
    )
    try {
      if (lane === 'sync') await this.#exchangeHello(outgoing)
      this.voices.add(connection)
      if (this.state === 'closed') throw unreachable(this.node, 'is not connected')
    } catch (error) {
      outgoing.close()
      throw error
    }
    this.#outgoing.set(lane, outgoing)
    if (lane === 'sync') {
      this.#answered = true
      this.#comeUp()
    }
    return outgoing
  }

  async #exchangeHello(outgoing: Outgoing): Promise<void> {
    const startedAt = this.#deps.clock.monotonic()
    const payload = encodeHello(this.#deps.hello(this.node))
    const answer = decodeHello(await outgoing.call(FrameType.hello, payload, { timeoutMs: HELLO_TIMEOUT_MS }))
    if (this.instance !== undefined && this.instance !== answer.instance) {
      throw unreachable(this.node, 'answers as two different processes')
    }
    this.helloMs = this.#deps.clock.monotonic() - startedAt
    this.instance = answer.instance
    this.#deps.answered(this, answer)
  }

  #comeUp(): void {
    if (this.#state !== 'greeting' || !this.#heard || !this.#answered) return
    this.#state = 'up'
    this.#deps.up(this)
    this.#settled.resolve()
  }

  #laneClosed(lane: Lane, outgoing: Outgoing, broken: Error | undefined): void {
    if (this.#outgoing.get(lane) !== outgoing) return
    this.#outgoing.delete(lane)
    if (this.#state === 'closed') return
    if (broken !== undefined) return this.#fail(broken)
    if (lane === 'sync') this.#deps.clock.timer(REOPEN_DELAY_MS, () => this.#reopen())
  }

  /** With the connection gone too there is nothing to reopen: the owner closes this link in the same moment. */
  #reopen(): void {
    if (this.#state === 'closed' || this.#outgoing.has('sync') || this.#deps.connections(this.node).length === 0) return
    if (this.#reopens >= MAX_REOPENS) return this.#fail(unreachable(this.node, 'keeps closing the sync lane'))
    this.#reopens += 1
    this.#deps.logger.debug('Reopening a lane', { node: this.node, lane: 'sync', attempt: this.#reopens })
    this.lane('sync').then(
      () => this.#deps.clock.timer(HELLO_TIMEOUT_MS, () => (this.#reopens = 0)),
      (error: unknown) => {
        this.#deps.logger.debug('A lane could not be reopened', { node: this.node, reason: whyOf(error) })
        this.#deps.clock.timer(REOPEN_DELAY_MS, () => this.#reopen())
      }
    )
  }

  #fail(error: unknown): void {
    if (this.#state === 'closed') return
    const typed = error instanceof GrapevineError ? error : unreachable(this.node, `failed: ${whyOf(error)}`, error)
    this.#deps.failed(this, typed)
  }
}
