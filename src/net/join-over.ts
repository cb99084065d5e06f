/**
 * The joiner's side: a short-lived libp2p with the joiner's key looks for the issuer at the addresses of the token and
 * by multicast DNS, proves that it is the issuer by its key, hands over the request and returns the answer.
 */
import { randomBytes } from 'node:crypto'
import { encode } from 'it-length-prefixed'
import type { Connection } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { GrapevineError } from '../errors.js'
import type { Clock, Logger, NodeId, Random } from '../runtime.js'
import { whyOf } from './errors.js'
import { likelyFirst, withNode, withoutNode } from './addresses.js'
import { isDialable } from './hello.js'
import { createHost, type Host } from './host.js'
import { firstFrame } from './join-desk.js'
import { keyFromSeed, nodeIdOf } from './keys.js'
import { DIAL_TIMEOUT_MS, JOIN_REFUSALS, JOIN_RETRY_MS, MAX_JOIN_ANSWER_BYTES } from './limits.js'
import { MdnsDiscovery } from './mdns.js'
import { protocolsOf, type Protocols } from './protocols.js'

export interface JoinOptions {
  /** 32 bytes, the joiner's private key. */
  readonly seed: Uint8Array
  /** 16 bytes. */
  readonly clusterId: Uint8Array
  /** Secrets of the cluster, 32 bytes each: one of them the other side must know. */
  readonly secrets: readonly Uint8Array[]
  /** 32 bytes, the public key of the node that issued the invitation; undefined: whoever answers will do. */
  readonly issuer: Uint8Array | undefined
  readonly addresses: readonly string[]
  readonly mdns: boolean
  readonly request: Uint8Array
  readonly timeoutMs: number
  readonly logger: Logger
}

/** A joiner lives for seconds and is handed no clock of its own. */
const joinerTime: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  pause: () => new Promise((resolve) => setImmediate(resolve)),
  timer(ms, fn) {
    const timer = setTimeout(fn, ms)
    timer.unref()
    return () => clearTimeout(timer)
  }
}
const joinerRandom: Random = { bytes: (length) => randomBytes(length), float: () => Math.random() }

/**
 * Resolves with the issuer's answer. Rejects with `issuer-unreachable` (facts: what was tried), or with `token-unknown`
 * when the issuer was met and has no invitation open.
 */
export async function joinOver(options: JoinOptions): Promise<Uint8Array> {
  const joiner = new Joiner(options)
  try {
    return await joiner.run()
  } finally {
    await joiner.stop()
  }
}

class Joiner {
  readonly #options: JoinOptions
  readonly #protocols: Protocols
  readonly #issuer: NodeId | undefined
  readonly #addresses: Set<string>
  /** Address -> why it did not lead anywhere. */
  readonly #tried = new Map<string, string>()
  #host: Host | undefined
  #discovery: MdnsDiscovery | undefined
  #wake: (() => void) | undefined
  #met = false
  #refusals = 0

  constructor(options: JoinOptions) {
    this.#options = options
    this.#protocols = protocolsOf(options.clusterId)
    this.#issuer = options.issuer && nodeIdOf(options.issuer)
    this.#addresses = new Set(options.addresses.filter(isDialable).map(withoutNode))
  }

  async run(): Promise<Uint8Array> {
    const deadline = Date.now() + this.#options.timeoutMs
    this.#host = await this.#createHost()
    await this.#host.libp2p.start()
    if (this.#options.mdns) await this.#discover()
    for (;;) {
      const answer = await this.#attempt(this.#host, deadline)
      if (answer !== undefined) return answer
      if (this.#refusals >= JOIN_REFUSALS) throw this.#notWanted()
      if (Date.now() + JOIN_RETRY_MS >= deadline) throw this.#unreachable()
      await this.#pause()
    }
  }

  async stop(): Promise<void> {
    await this.#discovery?.stop()
    await this.#host?.libp2p.stop()
  }

  #createHost(): Promise<Host> {
    return createHost({
      privateKey: keyFromSeed(this.#options.seed),
      secrets: { open: this.#options.secrets, closed: [] },
      listen: [],
      announce: () => [],
      gater: {
        denyInboundConnection: () => true,
        denyOutboundEncryptedConnection: (peer) => {
          const isIssuer = this.#issuer === undefined || peer.toString() === this.#issuer
          this.#met ||= isIssuer
          return !isIssuer
        }
      }
    })
  }

  async #discover(): Promise<void> {
    this.#discovery = new MdnsDiscovery(
      {
        clock: joinerTime,
        random: joinerRandom,
        logger: this.#options.logger,
        ports: () => [],
        secrets: () => this.#options.secrets
      },
      { serviceTag: this.#protocols.serviceTag }
    )
    await this.#discovery.start(({ node, addresses }) => {
      if (this.#issuer !== undefined && node !== this.#issuer) return
      for (const address of addresses) this.#addresses.add(withoutNode(address))
      this.#wake?.()
    })
  }

  /** One round over the known addresses. Undefined: try again. */
  async #attempt(host: Host, deadline: number): Promise<Uint8Array | undefined> {
    const addresses = likelyFirst([...this.#addresses]).map((address) =>
      this.#issuer === undefined ? address : withNode(address, this.#issuer)
    )
    if (addresses.length === 0) return undefined
    this.#met = false
    try {
      const signal = AbortSignal.timeout(Math.max(1, Math.min(DIAL_TIMEOUT_MS, deadline - Date.now())))
      const connection = await host.libp2p.dial(
        addresses.map((address) => multiaddr(address)),
        { signal }
      )
      return await this.#ask(connection, deadline)
    } catch (error) {
      if (this.#met) this.#refusals += 1
      for (const address of addresses) this.#tried.set(withoutNode(address), whyOf(error))
      this.#options.logger.debug('The issuer could not be asked', {
        addresses,
        met: this.#met,
        reason: whyOf(error)
      })
      return undefined
    }
  }

  async #ask(connection: Connection, deadline: number): Promise<Uint8Array> {
    const signal = AbortSignal.timeout(Math.max(1, deadline - Date.now()))
    const stream = await connection.newStream(this.#protocols.join, { signal })
    stream.send(encode.single(this.#options.request))
    return await firstFrame(stream, MAX_JOIN_ANSWER_BYTES, signal)
  }

  /** Ends early when a new address was heard. */
  async #pause(): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, JOIN_RETRY_MS)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  #notWanted(): GrapevineError {
    return new GrapevineError(
      'token-unknown',
      'the issuer was reached but lets no newcomer in: its invitations are used up, expired or withdrawn',
      {
        next: 'ask for a new invitation',
        facts: { issuer: this.#issuer }
      }
    )
  }

  #unreachable(): GrapevineError {
    const tried = Object.fromEntries(this.#tried)
    const where =
      this.#addresses.size === 0 ? 'nobody on this network answered for it' : `tried ${[...this.#addresses].join(', ')}`
    return new GrapevineError('issuer-unreachable', `the node that issued the invitation does not answer: ${where}`, {
      next: 'check that it runs and can be reached from here, then join again; or name its address with --peer',
      facts: { issuer: this.#issuer, tried, mdns: this.#options.mdns }
    })
  }
}
