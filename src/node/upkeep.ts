/**
 * Keeps certificates fresh. Every node shuts out whose certificate has run out; a node that is an admin lets the rounds
 * pass by which their life is counted, and renews the certificates of those it has seen.
 *
 * The time between rounds is counted by this process and what the last one noted, and a clock that jumps can end one round
 * early at each start, not more: a start waits a while before it believes that a round is over.
 */
import { join } from 'node:path'
import { z } from 'zod'
import { GrapevineError, reasonOf } from '../errors.js'
import { CERTIFICATE_ROUNDS, nodeIdOf, RENEWAL_ROUNDS, type Members } from '../identity/index.js'
import type { Replica } from '../replica/index.js'
import type { Clock, Logger } from '../runtime.js'
import { hexOf, MAX_RENEWED_KEYS } from '../wire/index.js'
import { readJsonOr, writePrivate } from './home.js'
import { regularly } from './regularly.js'

export interface UpkeepDeps {
  readonly home: string
  /** Raw public key of this node. */
  readonly key: Uint8Array
  readonly replica: Replica
  readonly clock: Clock
  readonly logger: Logger
  /** Node ids of connected peers. */
  connected(): Iterable<string>
  /** Who may connect has changed. */
  membershipChanged(): void
  problemChanged(error: GrapevineError, open: boolean): void
}

export interface UpkeepOptions {
  /** How long a certificate lasts that is not renewed, ms. */
  readonly certificateLifeMs: number
}

/** `since`: when this node heard of the round, ms since 1970. */
const SHAPE = z.object({ version: z.literal(1), round: z.number(), since: z.number() })

const ROUND_FILE = 'round.json'
const MAX_LOOK_MS = 30_000
const MIN_LOOK_MS = 100
/** Part of a round that a process must have lived before it ends one. */
const SETTLED = 1 / 16
/** Of several admins each later one waits so much longer, in rounds, that one record is enough. */
const STAGGER = 1 / 16

export class Upkeep {
  readonly #deps: UpkeepDeps
  readonly #roundMs: number
  readonly #seen = new Set<string>()
  #end: (() => void) | undefined
  #round = -1
  /** Monotonic: when the round began, as far as that is known, and when this process did. */
  #since = 0
  #started = 0
  #problem: { error: GrapevineError; since: number } | undefined

  constructor(deps: UpkeepDeps, options: UpkeepOptions) {
    this.#deps = deps
    this.#roundMs = options.certificateLifeMs / CERTIFICATE_ROUNDS
  }

  async start(): Promise<void> {
    const { clock, home, replica, logger } = this.#deps
    const file = await readJsonOr(join(home, ROUND_FILE), SHAPE, undefined)
    this.#started = clock.monotonic()
    this.#round = replica.members.round
    const passed = file?.round === this.#round ? clock.now() - file.since : 0
    this.#since = this.#started - Math.min(Math.max(0, passed), this.#roundMs)
    const ms = Math.min(MAX_LOOK_MS, Math.max(MIN_LOOK_MS, this.#roundMs / 8))
    this.#end = regularly(
      clock,
      ms,
      () => this.#look(),
      (error) => {
        logger.debug('Certificates were not renewed; it is tried again.', { reason: reasonOf(error) })
      }
    )
  }

  stop(): void {
    this.#end?.()
  }

  /** That this node's own certificate has run out. */
  get problem(): { error: GrapevineError; since: number } | undefined {
    return this.#problem
  }

  async #look(): Promise<void> {
    const { replica, key, connected } = this.#deps
    const { members } = replica
    for (const node of connected()) this.#seen.add(node)
    if (members.round !== this.#round) await this.#begun(members.round)
    this.#judgeSelf(members)
    if (members.get(key)?.role !== 'admin' || members.list().length < 2) return
    const over = this.#isOver(members)
    const round = members.round + (over ? 1 : 0)
    const due = this.#due(members, over ? RENEWAL_ROUNDS - 1 : RENEWAL_ROUNDS)
    if (!over && due.length === 0) return
    await replica.writeMembers(() => [{ k: 'renew', round, keys: due }])
    this.#deps.logger.debug('Certificates were renewed.', { round, members: due.length })
    if (over) this.#seen.clear()
  }

  async #begun(round: number): Promise<void> {
    const { clock, home, membershipChanged } = this.#deps
    this.#round = round
    this.#since = clock.monotonic()
    membershipChanged()
    const file: z.output<typeof SHAPE> = { version: 1, round, since: clock.now() }
    await writePrivate(join(home, ROUND_FILE), `${JSON.stringify(file)}\n`)
  }

  #isOver(members: Members): boolean {
    const now = this.#deps.clock.monotonic()
    const admins = members.list().filter(({ role }) => role === 'admin')
    const place = admins
      .map((each) => hexOf(each.key))
      .toSorted()
      .indexOf(hexOf(this.#deps.key))
    return now - this.#since >= this.#roundMs * (1 + place * STAGGER) && now - this.#started >= this.#roundMs * SETTLED
  }

  /** Members that were seen, and this node, whose certificates are so many rounds old. Who ran out is let in by people. */
  #due(members: Members, age: number): Uint8Array[] {
    const own = hexOf(this.#deps.key)
    return members
      .list()
      .map((member) => member.key)
      .filter((key) => hexOf(key) === own || (this.#seen.has(nodeIdOf(key)) && members.isCurrent(key)))
      .filter((key) => members.certificateAge(key) >= age)
      .slice(0, MAX_RENEWED_KEYS)
  }

  #judgeSelf(members: Members): void {
    const { key, clock, logger, problemChanged } = this.#deps
    const expired = members.get(key) !== undefined && !members.isCurrent(key)
    if (expired === (this.#problem !== undefined)) return
    const was = this.#problem
    this.#problem = expired ? { error: runOut(), since: clock.now() } : undefined
    if (expired) logger.error('The certificate of this node has run out; other nodes do not let it connect.')
    problemChanged((this.#problem ?? was)!.error, expired)
  }
}

function runOut(): GrapevineError {
  return new GrapevineError('certificate-expired', 'the certificate of this node has run out while it was away', {
    next: 'ask an admin for an invitation, stop this node, run "grapevine join TOKEN" on this home, and start it'
  })
}
