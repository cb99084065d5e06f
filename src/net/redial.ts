/**
 * Dials whoever is wanted and not connected, for ever: libp2p finds peers but does not dial them, and gives up on those
 * it lost. Each target has a back-off with jitter; any peer that comes up, a sleep and a change of network reset them all.
 */
import type { Clock, Logger, NodeId, PeerInfo, Random } from '../runtime.js'
import { whyOf } from './errors.js'
import { likelyFirst, nodeIn, withNode, withoutNode } from './addresses.js'
import {
  ADDRESSES_PER_TARGET,
  LET_GO_REST_MS,
  LINKS_DIALLED_UP_TO,
  LINKS_KEPT,
  MAX_TARGETS,
  PARALLEL_DIALS,
  REDIAL_FEW_MS,
  REDIAL_MAX_MS,
  REDIAL_MIN_MS,
  REDIAL_SPACING_MS
} from './limits.js'

export type Found = PeerInfo['found']

/** How many of the least back-offs the node with the greater id leaves to the other before it dials itself. */
const YIELD = 1.5

export interface RedialDeps {
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly self: NodeId
  /** Dials the addresses one after another; resolves with the node that answered, and where. */
  dial(addresses: readonly string[]): Promise<{ node: NodeId; address: string }>
  connected(node: NodeId): boolean
  linkCount(): number
  isMember(node: NodeId): boolean
  /** A member that is dialled although there are links enough. */
  mustMeet(node: NodeId): boolean
}

export interface RedialOptions {
  readonly minMs?: number
  readonly maxMs?: number
  /** See degree.ts. */
  readonly dialledUpTo?: number
  readonly kept?: number
}

interface Target {
  /** Unknown for a given address without `/p2p/`, until it answered once. */
  node: NodeId | undefined
  /** Whether the addresses belong to that node; otherwise whoever answers at them is meant. */
  readonly named: boolean
  /** Address without node -> how it was found. The newest is last. */
  readonly addresses: Map<string, Found>
  readonly given: boolean
  /** The address that answered last: others may push each other out, but never this one. */
  worked: string | undefined
  attempts: number
  /** Monotonic ms. */
  dueAt: number
  dialling: boolean
  lastError: string | undefined
  /** Monotonic ms until which its node is to be left alone, unless links are few. */
  restUntil: number
  /** It is dialled once though there are links enough. */
  exploring: boolean
}

export class Redial {
  readonly #deps: RedialDeps
  readonly #minMs: number
  readonly #maxMs: number
  readonly #dialledUpTo: number
  readonly #kept: number
  /** By node id, or by address for given ones that name no node. */
  readonly #targets = new Map<string, Target>()
  #dials = 0
  #running = false
  #cancel: (() => void) | undefined

  constructor(deps: RedialDeps, options: RedialOptions = {}) {
    this.#deps = deps
    this.#minMs = options.minMs ?? REDIAL_MIN_MS
    this.#maxMs = options.maxMs ?? REDIAL_MAX_MS
    this.#dialledUpTo = options.dialledUpTo ?? LINKS_DIALLED_UP_TO
    this.#kept = options.kept ?? LINKS_KEPT
  }

  start(): void {
    this.#running = true
    this.#plan()
  }

  stop(): void {
    this.#running = false
    this.#cancel?.()
  }

  /** An address the operator named: always wanted, whoever answers (the gate decides). */
  give(address: string): void {
    this.#add(nodeIn(address), address, 'given')
  }

  /** An address somebody mentioned: a hint, used when its node is (or becomes) a member. */
  found(node: NodeId, address: string, how: Found): void {
    if (node !== this.#deps.self) this.#add(node, address, how)
  }

  /** How we know this node, if not from itself. */
  howFound(node: NodeId): Found | undefined {
    return [...this.#targets.values()]
      .filter((target) => target.node === node)
      .flatMap((target) => (target.given ? ['given' as const] : [...target.addresses.values()]))[0]
  }

  /** Where a node may be dialled, each with `/p2p/`. */
  addressesOf(node: NodeId): string[] {
    const known = [...this.#targets.values()].filter((target) => target.node === node)
    return likelyFirst([...new Set(known.flatMap(({ addresses }) => [...addresses.keys()]))]).map((address) =>
      withNode(address, node)
    )
  }

  /** All back-offs start anew: something changed that may make the difference. */
  wake(): void {
    for (const target of this.#targets.values()) this.#reset(target)
    this.#plan()
  }

  /** A member that let go of us, or that we let go: it is left alone for a while, an address given for it as well. */
  rest(node: NodeId): void {
    const restUntil = this.#deps.clock.monotonic() + LET_GO_REST_MS * (0.5 + this.#deps.random.float())
    for (const target of this.#targets.values()) if (target.node === node) target.restUntil = restUntil
  }

  /** Dials one member that is not linked, whichever it is, though there are links enough. */
  explore(): void {
    const now = this.#deps.clock.monotonic()
    const others = [...this.#targets.values()].filter(
      (target) =>
        this.#member(target) && !this.#deps.connected(target.node!) && !target.dialling && target.restUntil <= now
    )
    const target = others[Math.floor(this.#deps.random.float() * others.length)]
    if (target === undefined) return
    target.exploring = true
    target.dueAt = now
    this.#plan()
  }

  up(): void {
    this.wake()
  }

  /** A link ended. One that never came up counts as a failed dial: its back-off goes on. */
  down(node: NodeId, wasUp: boolean): void {
    for (const target of wasUp ? this.#targets.values() : []) {
      if (target.node !== node) continue
      // The last dial is long ago: without this both sides, and everybody who lost the same node, would dial in step.
      target.dueAt = Number.POSITIVE_INFINITY
      this.#reset(target)
    }
    this.#plan()
  }

  snapshot(): { target: string; addresses: string[]; attempts: number; dueInMs: number; lastError?: string }[] {
    const now = this.#deps.clock.monotonic()
    return [...this.#targets].map(([target, { addresses, attempts, dueAt, lastError }]) => ({
      target,
      addresses: [...addresses.keys()],
      attempts,
      dueInMs: Math.max(0, Math.round(dueAt - now)),
      ...(lastError === undefined ? {} : { lastError })
    }))
  }

  #add(node: NodeId | undefined, address: string, how: Found): void {
    const bare = withoutNode(address)
    const key = node ?? bare
    let target = this.#targets.get(key)
    if (target === undefined || (how === 'given' && !target.given)) {
      target = {
        node,
        named: node !== undefined,
        addresses: target?.addresses ?? new Map<string, Found>(),
        given: how === 'given',
        worked: target?.worked,
        attempts: 0,
        dueAt: this.#deps.clock.monotonic(),
        dialling: target?.dialling ?? false,
        lastError: undefined,
        restUntil: target?.restUntil ?? 0,
        exploring: false
      }
      // of many some are chosen, and not those of which we heard first
      if (how !== 'given' && this.#targets.size > this.#dialledUpTo)
        target.dueAt += this.#deps.random.float() * this.#minMs
      if (this.#yields(target)) target.dueAt += YIELD * this.#minMs
      this.#targets.set(key, target)
      this.#forget()
    }
    // An answer by mDNS is a sign of life; other sources only repeat what they once heard.
    if (target.addresses.has(bare) && how !== 'mdns') return
    if (!target.addresses.has(bare)) target.addresses.set(bare, how)
    trim(target)
    this.#reset(target)
    this.#plan()
  }

  /** Over the cap hints about strangers go first, then the oldest others; given ones stay. */
  #forget(): void {
    if (this.#targets.size <= MAX_TARGETS) return
    const loose = [...this.#targets].filter(([, target]) => !target.given)
    const victim = loose.find(([, target]) => !this.#member(target)) ?? loose[0]
    if (victim !== undefined) this.#targets.delete(victim[0])
  }

  #reset(target: Target): void {
    target.attempts = 0
    const wait = this.#deps.random.float() * this.#minMs + (this.#yields(target) ? YIELD * this.#minMs : 0)
    target.dueAt = Math.min(target.dueAt, this.#deps.clock.monotonic() + wait)
  }

  /** Two that learn of each other in the same moment would both dial, and keep two connections for ever: one waits. */
  #yields({ node, given }: Target): boolean {
    return !given && node !== undefined && this.#deps.self > node
  }

  #member(target: Target): boolean {
    return target.node !== undefined && this.#deps.isMember(target.node)
  }

  #wanted(target: Target): boolean {
    if (target.dialling || (target.node !== undefined && this.#deps.connected(target.node))) return false
    const links = this.#deps.linkCount()
    if (target.exploring) return true
    if (target.restUntil > this.#deps.clock.monotonic() && links >= this.#kept) return false
    if (target.given) return true
    if (target.node === undefined || !this.#deps.isMember(target.node)) return false
    return links + this.#dials < this.#dialledUpTo || this.#deps.mustMeet(target.node)
  }

  /** Starts what is due and sleeps until the next is. */
  #plan(): void {
    this.#cancel?.()
    this.#cancel = undefined
    if (!this.#running) return
    const now = this.#deps.clock.monotonic()
    const wanted = [...this.#targets.values()].filter((target) => this.#wanted(target))
    const due = wanted.filter(({ dueAt }) => dueAt <= now).toSorted((a, b) => a.dueAt - b.dueAt)
    for (const target of due) {
      // Whoever waited longest comes first: dials to the dead take long, and must not keep the others from their turn.
      if (this.#dials >= PARALLEL_DIALS) return
      if (this.#wanted(target)) void this.#dial(target)
    }
    const next = Math.min(...wanted.filter(({ dialling }) => !dialling).map(({ dueAt }) => dueAt))
    if (Number.isFinite(next)) this.#cancel = this.#deps.clock.timer(Math.max(1, next - now), () => this.#plan())
  }

  async #dial(target: Target): Promise<void> {
    target.dialling = true
    target.attempts += 1
    this.#dials += 1
    const { node } = target
    const addresses = likelyFirst([...target.addresses.keys()]).map((address) =>
      target.named && node !== undefined ? withNode(address, node) : address
    )
    try {
      const { node: answered, address } = await this.#deps.dial(addresses)
      target.node = answered
      target.worked = withoutNode(address)
      target.lastError = undefined
    } catch (error) {
      target.lastError = whyOf(error)
      this.#deps.logger.debug('A dial failed', {
        target: node ?? addresses[0],
        attempt: target.attempts,
        reason: target.lastError
      })
    }
    target.dueAt = this.#deps.clock.monotonic() + this.#backoff(target.attempts)
    target.dialling = false
    target.exploring = false
    this.#dials -= 1
    this.#plan()
  }

  /** Doubles from the least to the most, each half fixed and half random, so that a fleet does not knock in step. */
  #backoff(attempts: number): number {
    const full = Math.min(this.#longestMs(), this.#minMs * 2 ** Math.min(attempts - 1, 16))
    return full / 2 + this.#deps.random.float() * (full / 2)
  }

  /** Grows with how many are missing: after a partition few are found again in seconds, and many do not cost much. */
  #longestMs(): number {
    const missing = [...this.#targets.values()].filter((target) => target.dialling || this.#wanted(target)).length
    return Math.min(this.#maxMs, Math.max(REDIAL_FEW_MS, missing * REDIAL_SPACING_MS))
  }
}

/** Hints beyond the cap go, the oldest first; what the operator gave and what worked stays. */
function trim(target: Target): void {
  const loose = [...target.addresses].filter(([address, found]) => found !== 'given' && address !== target.worked)
  for (const [address] of loose.slice(0, Math.max(0, target.addresses.size - ADDRESSES_PER_TARGET)))
    target.addresses.delete(address)
}
