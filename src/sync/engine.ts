/**
 * Delta sync without I/O. Events only change state; one function, `evaluate`, decides what is next. Time is handed in.
 *
 * Rules (tests cite the numbers):
 * 1. What a peer holds is believed only as far as it said so, and asked for only beyond what we hold or have asked for.
 * 2. One pull a log is under way at a time; different logs, and what was already fetched but not yet stored, do not wait.
 * 3. A peer that does not answer, or answers short, is asked again only after a while; another peer is asked at once.
 *    Logs we hold nothing of come last, and those asked for in vain more and more seldom: a peer may make them up.
 * 4. Whenever what we hold changes, every peer learns it within `vectorMaxDelayMs`.
 * 5. Every peer hears our digest every `announceIntervalMs`; who differs asks for the vector.
 * 6. A connected peer that is silent for `silenceMs` is hung up on.
 * 7. "In sync" is said of a peer only when vectors and roots are equal.
 */
import type { NodeId } from '../runtime.js'
import { vectorDigest, type SyncNotice, type VectorEntry } from '../wire/index.js'
import { Claims } from './claims.js'
import { Durable } from './durable.js'
import { MAX_UNKNOWN_LOGS, SYNC_DEFAULTS, type SyncOptions } from './options.js'

export type SyncEffect =
  | { readonly do: 'notify'; readonly to: NodeId; readonly message: SyncNotice }
  | {
      readonly do: 'pull'
      readonly id: number
      readonly to: NodeId
      readonly log: string
      readonly from: number
      readonly count: number
    }
  | { readonly do: 'hang-up'; readonly to: NodeId; readonly reason: string }

interface Peer {
  readonly node: NodeId
  readonly claims: Claims
  root: string | undefined
  /** The vector is known in full. */
  complete: boolean
  pulls: number
  heardAt: number
  announceAt: number
}

interface Pull {
  readonly id: number
  readonly peer: Peer
  readonly log: string
  readonly from: number
}

interface Want {
  /** Newest seq we hold. */
  held: number
  head: string
  /** Newest seq handed on to be stored; falls back to `held` when storing fails. */
  fetched: number
  pull: Pull | undefined
}

/** What the engine asks of its surroundings. */
export interface SyncDeps {
  /** Root of the catalog, or undefined while records wait. */
  root(): string | undefined
  /** Bytes fetched and not yet stored. */
  backlogBytes(): number
  random(): number
  /** For how long nothing more of a log is to be asked for, ms; 0: it may be now. */
  restMs(log: string): number
}

export class SyncEngine {
  readonly #deps: SyncDeps
  readonly #options: SyncOptions
  readonly #peers = new Map<NodeId, Peer>()
  readonly #logs = new Map<string, Want>()
  readonly #pulls = new Map<number, Pull>()
  /** What other nodes said, since this one started, that they durably hold. */
  readonly durable = new Durable()
  readonly #changed = new Set<string>()
  #changedSince: number | undefined
  #lastChange = 0
  #nextId = 1

  constructor(deps: SyncDeps, options: Partial<SyncOptions> = {}) {
    this.#deps = deps
    this.#options = { ...SYNC_DEFAULTS, ...options }
  }

  peerUp(node: NodeId, now: number): SyncEffect[] {
    const peer: Peer = {
      node,
      claims: new Claims(),
      root: undefined,
      complete: false,
      pulls: 0,
      heardAt: now,
      announceAt: this.#nextAnnounce(now)
    }
    this.#peers.set(node, peer)
    return [{ do: 'notify', to: node, message: this.#digest() }, ...this.evaluate(now)]
  }

  peerDown(node: NodeId, now: number): SyncEffect[] {
    this.#peers.delete(node)
    for (const pull of this.#pulls.values()) if (pull.peer.node === node) this.#drop(pull)
    return this.evaluate(now)
  }

  /** A peer's announcement. */
  heard(node: NodeId, message: SyncNotice, now: number): SyncEffect[] {
    const peer = this.#peers.get(node)
    if (peer === undefined) return []
    peer.heardAt = now
    if (message.t === 'ask-vector')
      return [{ do: 'notify', to: node, message: this.#vector([...this.#logs.keys()], true) }]
    if (message.t === 'digest') return this.#heardDigest(peer, message, now)
    if (message.full) {
      peer.claims.clear()
      peer.complete = true
    }
    this.#claims(peer, message.vector)
    this.#holds(node, message.vector)
    peer.root = message.root
    return this.evaluate(now)
  }

  #heardDigest(peer: Peer, message: { digest: string; root?: string }, now: number): SyncEffect[] {
    peer.root = message.root
    if (message.digest !== vectorDigest(this.vector()))
      return [{ do: 'notify', to: peer.node, message: { t: 'ask-vector' } }]
    for (const { log, seq, head } of this.vector()) peer.claims.set(log, { seq, head }, seq)
    this.#holds(peer.node, this.vector())
    peer.complete = true
    return this.evaluate(now)
  }

  /** What a peer says it holds; of logs nobody has heard of only so many, because it may make them up. */
  #claims(peer: Peer, vector: readonly VectorEntry[]): void {
    for (const { log, seq, head } of vector) {
      const known = this.#held(log) > 0
      if (known || peer.claims.get(log) !== undefined || peer.claims.size < this.#logs.size + MAX_UNKNOWN_LOGS)
        peer.claims.set(log, { seq, head }, this.#held(log))
    }
  }

  /** Only of what we hold ourselves does it matter who else does. */
  #holds(node: NodeId, vector: readonly VectorEntry[]): void {
    this.durable.said(
      node,
      vector.filter(({ log }) => this.#held(log) > 0)
    )
  }

  /** A neighbour passed on gossip that names these: it holds, or is about to hold, at least so much. */
  gossiped(node: NodeId, heads: readonly VectorEntry[], now: number): SyncEffect[] {
    const peer = this.#peers.get(node)
    if (peer === undefined) return []
    peer.heardAt = now
    this.#claims(
      peer,
      heads.filter(({ log, seq }) => (peer.claims.get(log)?.seq ?? 0) < seq)
    )
    return this.evaluate(now)
  }

  /** We durably hold these logs this far now. */
  held(heads: readonly VectorEntry[], now: number): SyncEffect[] {
    for (const { log, seq, head } of heads) {
      const want = this.#want(log)
      want.held = seq
      want.head = head
      want.fetched = Math.max(want.fetched, seq)
      this.#changed.add(log)
    }
    if (heads.length > 0) {
      this.#changedSince ??= now
      this.#lastChange = now
    }
    return this.evaluate(now)
  }

  /** Records up to `seq` of a log were handed on from elsewhere (gossip) and need not be pulled. */
  fetching(log: string, seq: number): void {
    const want = this.#want(log)
    want.fetched = Math.max(want.fetched, seq)
  }

  /** How far records of a log have been handed on. */
  fetched(log: string): number {
    return this.#logs.get(log)?.fetched ?? 0
  }

  /** A pull was answered with records up to `last` (0: none); `head` is what the peer holds. */
  pulled(id: number, last: number, head: number, now: number): SyncEffect[] {
    const pull = this.#pulls.get(id)
    if (pull === undefined) return []
    this.#drop(pull)
    pull.peer.heardAt = now
    const known = pull.peer.claims.get(pull.log)
    const held = this.#held(pull.log)
    if (known !== undefined && head < known.seq) pull.peer.claims.set(pull.log, { seq: head, head: '' }, held)
    if (last >= pull.from) this.fetching(pull.log, last)
    else pull.peer.claims.failed(pull.log, held, this.#options.retryMs, now)
    return this.evaluate(now)
  }

  pullFailed(id: number, now: number): SyncEffect[] {
    const pull = this.#pulls.get(id)
    if (pull === undefined) return []
    this.#drop(pull)
    pull.peer.claims.failed(pull.log, this.#held(pull.log), this.#options.retryMs, now)
    return this.evaluate(now)
  }

  /** What was fetched of a log could not be stored: ask again, from `node` only after a while. */
  refused(log: string, node: NodeId, now: number): SyncEffect[] {
    const want = this.#logs.get(log)
    if (want !== undefined) want.fetched = want.held
    this.#peers.get(node)?.claims.failed(log, this.#held(log), this.#options.retryMs, now)
    this.#open(log)
    return this.evaluate(now)
  }

  /** Tells every peer the digest now. */
  tell(): SyncEffect[] {
    return [...this.#peers.keys()].map((to) => ({ do: 'notify', to, message: this.#digest() }))
  }

  /** Something changed that may make refused records acceptable (a member was admitted). */
  retryNow(now: number): SyncEffect[] {
    for (const peer of this.#peers.values()) peer.claims.retry((log) => this.#held(log))
    return this.evaluate(now)
  }

  // --- the one decision -------------------------------------------------------------------------------------------

  /** Everything there is to do now. Called after every event and on every tick. */
  evaluate(now: number): SyncEffect[] {
    const effects: SyncEffect[] = []
    for (const peer of this.#peers.values()) this.#pullFrom(peer, now, effects)
    this.#tellChanges(now, effects)
    for (const peer of this.#peers.values()) this.#keepInTouch(peer, now, effects)
    return effects
  }

  #pullFrom(peer: Peer, now: number, effects: SyncEffect[]): void {
    peer.claims.wake(now, (log) => this.#held(log))
    if (this.#deps.backlogBytes() > this.#options.maxBacklogBytes) return
    while (peer.pulls < this.#options.maxPullsPerPeer) {
      const log = peer.claims.next(now)
      if (log === undefined) return
      const want = this.#logs.get(log)
      const from = (want?.fetched ?? 0) + 1
      // when its pull ends, or what was fetched is refused, it stands in the line again
      if ((peer.claims.get(log)?.seq ?? 0) < from || want?.pull !== undefined) continue
      const rest = this.#deps.restMs(log)
      if (rest > 0) {
        // not by a pull that waits: its author would keep the others of this peer waiting too
        peer.claims.later(log, rest, now)
        continue
      }
      const pull: Pull = { id: this.#nextId++, peer, log, from }
      this.#want(log).pull = pull
      this.#pulls.set(pull.id, pull)
      peer.pulls += 1
      effects.push({ do: 'pull', id: pull.id, to: peer.node, log, from, count: this.#options.maxPullRecords })
    }
  }

  /** Whoever holds more of a log than we do may be asked for it. */
  #open(log: string): void {
    const held = this.#held(log)
    for (const peer of this.#peers.values()) peer.claims.open(log, held)
  }

  #tellChanges(now: number, effects: SyncEffect[]): void {
    if (this.#changedSince === undefined) return
    const quiet = now - this.#lastChange >= this.#options.vectorQuietMs
    if (!quiet && now - this.#changedSince < this.#options.vectorMaxDelayMs) return
    const message = this.#vector([...this.#changed], false)
    this.#changed.clear()
    this.#changedSince = undefined
    for (const peer of this.#peers.values()) effects.push({ do: 'notify', to: peer.node, message })
  }

  #keepInTouch(peer: Peer, now: number, effects: SyncEffect[]): void {
    if (now - peer.heardAt > this.#options.silenceMs) {
      peer.heardAt = now
      effects.push({ do: 'hang-up', to: peer.node, reason: 'silent' })
    } else if (now >= peer.announceAt) {
      peer.announceAt = this.#nextAnnounce(now)
      effects.push({ do: 'notify', to: peer.node, message: this.#digest() })
    }
  }

  /** When something becomes due without an event, milliseconds from now. */
  nextTickMs(now: number): number {
    const { vectorQuietMs, vectorMaxDelayMs, announceIntervalMs, silenceMs } = this.#options
    let due = now + announceIntervalMs
    if (this.#changedSince !== undefined) {
      due = Math.min(due, this.#lastChange + vectorQuietMs, this.#changedSince + vectorMaxDelayMs)
    }
    for (const peer of this.#peers.values()) {
      due = Math.min(due, peer.announceAt, peer.heardAt + silenceMs + 1)
      due = Math.min(due, peer.claims.due(now) ?? due)
    }
    return Math.max(1, due - now)
  }

  // --- what is known ----------------------------------------------------------------------------------------------

  vector(): VectorEntry[] {
    const vector: VectorEntry[] = []
    for (const [log, want] of this.#logs) if (want.held > 0) vector.push({ log, seq: want.held, head: want.head })
    return vector
  }

  /** How a connected peer stands to us; `inSync` null while its vector is not known. */
  standing(node: NodeId): { inSync: boolean | null; behind: number; ahead: number; diverged: boolean } | undefined {
    const peer = this.#peers.get(node)
    if (peer === undefined) return undefined
    let behind = 0
    let ahead = 0
    for (const [log, { seq }] of peer.claims) ahead += Math.max(0, seq - this.#held(log))
    for (const [log, want] of this.#logs) behind += Math.max(0, want.held - (peer.claims.get(log)?.seq ?? 0))
    const root = this.#deps.root()
    const level = peer.complete && behind === 0 && ahead === 0
    const diverged = level && root !== undefined && peer.root !== undefined && root !== peer.root
    return { inSync: peer.complete ? level && root !== undefined && root === peer.root : null, behind, ahead, diverged }
  }

  /** The same in one word: of most that it is not is known without looking at every log. */
  isInSync(node: NodeId): boolean {
    const peer = this.#peers.get(node)
    if (peer?.complete !== true || peer.root === undefined || peer.root !== this.#deps.root()) return false
    return this.standing(node)?.inSync === true
  }

  /** What connected peers say they hold of a log. */
  heads(log: string): Array<{ seq: number; head: string }> {
    return [...this.#peers.values()].flatMap((peer) => peer.claims.get(log) ?? [])
  }

  /** The newest seq any connected peer claims of a log. */
  claimed(log: string): number {
    let seq = 0
    for (const peer of this.#peers.values()) seq = Math.max(seq, peer.claims.get(log)?.seq ?? 0)
    return seq
  }

  #held(log: string): number {
    return this.#logs.get(log)?.held ?? 0
  }

  #want(log: string): Want {
    let want = this.#logs.get(log)
    if (want === undefined) {
      want = { held: 0, head: '', fetched: 0, pull: undefined }
      this.#logs.set(log, want)
    }
    return want
  }

  #drop(pull: Pull): void {
    this.#pulls.delete(pull.id)
    pull.peer.pulls -= 1
    const want = this.#logs.get(pull.log)
    if (want?.pull !== pull) return
    want.pull = undefined
    // a log that was only claimed is not remembered
    if (want.held === 0 && want.fetched === 0) this.#logs.delete(pull.log)
    this.#open(pull.log)
  }

  #digest(): SyncNotice {
    return withRoot({ t: 'digest', digest: vectorDigest(this.vector()) }, this.#deps.root())
  }

  #vector(logs: readonly string[], full: boolean): SyncNotice {
    const vector: VectorEntry[] = []
    for (const log of logs) {
      const want = this.#logs.get(log)
      if (want !== undefined && want.held > 0) vector.push({ log, seq: want.held, head: want.head })
    }
    return withRoot({ t: 'vector', full, vector }, this.#deps.root())
  }

  #nextAnnounce(now: number): number {
    return now + this.#options.announceIntervalMs * (0.5 + this.#deps.random())
  }
}

function withRoot<T extends SyncNotice>(message: T, root: string | undefined): T {
  return root === undefined ? message : { ...message, root }
}
