/**
 * Whether this process alone writes this node's history. Its store may be an older copy, a clone of it may live
 * elsewhere, or both sides of a fork may have spread: each is told from records and vectors, never from a clock.
 */
import { GrapevineError } from '../errors.js'
import type { RecordLog } from '../log/index.js'
import type { SignedRecord } from '../wire/index.js'

export interface OwnHistoryDeps {
  readonly log: RecordLog
  readonly author: Uint8Array
  /** What connected peers say they hold of a log. */
  heads(log: string): ReadonlyArray<{ seq: number; head: string }>
  hold(why: string, error: GrapevineError): void
  release(why: string): void
  /** Whether what this process writes next goes to this log, or to one of the same epoch. */
  writesTo(log: string): boolean
  /** This process writes on under an epoch nobody has used, and says so at once. */
  beginEpoch(): void
  twinFound(): void
  /** Whether this node holds another branch of a log than its peers: to be noted, for whoever cures it. */
  partedChanged(log: string, parted: boolean): void
}

const FORK = 'fork'

export class OwnHistory {
  readonly #deps: OwnHistoryDeps
  /** Log -> seq of the first record this process wrote to it. */
  readonly #wrote = new Map<string, number>()
  /** Logs whose branch here is not the one some peer holds. */
  readonly #parted = new Set<string>()
  /** Our own logs with a fork, and whether some peer holds the branch that we hold. */
  readonly #forked = new Map<string, 'unknown' | 'shared' | 'alone'>()
  #doubted = false

  constructor(deps: OwnHistoryDeps) {
    this.#deps = deps
  }

  wrote(record: SignedRecord): void {
    if (!this.#wrote.has(record.log)) this.#wrote.set(record.log, record.body.seq)
  }

  isOwn(author: Uint8Array): boolean {
    return Buffer.compare(author, this.#deps.author) === 0
  }

  /**
   * Records came in, and were applied as far as possible. Under our own key they are a tail we lost, or another process
   * wrote them; either way nothing more is written where they stand.
   */
  tookIn(records: readonly SignedRecord[]): void {
    const own = records.filter((record) => this.isOwn(record.body.author))
    if (own.length === 0) return
    if (own.some((record) => this.#knowsThisLife(record))) this.#deps.twinFound()
    // more of a past that comes back is no news; what stands where we would write always is
    if (this.#doubted && !own.some((record) => this.#deps.writesTo(record.log))) return
    this.#doubted = true
    this.#deps.beginEpoch()
  }

  /** Whether its author had seen what this process wrote: then it is not from our own past. */
  #knowsThisLife(record: SignedRecord): boolean {
    const known = this.#deps.log.get(record.log)?.knowledge
    if (known === undefined) return false
    return [...this.#wrote].some(([log, seq]) => log !== record.log && (known.get(log) ?? 0) >= seq)
  }

  /** A peer holds another branch of this log than we do. */
  parted(log: string): void {
    this.#parted.add(log)
    const own = this.#deps.log.get(log)
    if (own === undefined || this.isOwn(own.author)) this.forked(log)
    else this.#deps.partedChanged(log, true)
  }

  /** Logs whose branch here is not the one some peer holds. */
  get partedLogs(): ReadonlySet<string> {
    return this.#parted
  }

  /** Two records of our own stand at one place of this log. */
  forked(log: string): void {
    if (!this.#forked.has(log)) this.#forked.set(log, 'unknown')
    this.judge()
  }

  /**
   * With a fork in our own log: as long as some peer holds the branch we hold, writing goes on under a new epoch. When none
   * does, what we would write builds on records nobody else will take, so nothing is written until that is cured.
   */
  judge(): void {
    for (const [log, was] of this.#forked) {
      const is = this.#shared(log) ? 'shared' : 'alone'
      if (is === was) continue
      this.#forked.set(log, is)
      this.#deps.partedChanged(log, is === 'alone')
      if (is === 'shared') this.#deps.beginEpoch()
    }
    const [alone] = [...this.#forked].find(([, how]) => how === 'alone') ?? []
    if (alone === undefined) this.#deps.release(FORK)
    else this.#deps.hold(FORK, forked(alone))
  }

  #shared(log: string): boolean {
    const from = this.#deps.log.twins(log)[0]?.body.seq
    if (from === undefined) return false
    return this.#deps
      .heads(log)
      .some(({ seq, head }) => seq >= from && this.#deps.log.row(log, seq)?.id.startsWith(head) === true)
  }
}

function forked(log: string): GrapevineError {
  return new GrapevineError('fork', "other nodes hold another continuation of this node's own log than this node", {
    next: 'run "grapevine stop", "grapevine reidentify" (with --token if the node this home was copied from still runs), then "grapevine start"',
    facts: { log }
  })
}
