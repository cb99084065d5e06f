/** Applies held records in causal order: to the members' fold or the catalog's, whole or not at all. */
import type { Catalog } from '../catalog/index.js'
import { GrapevineError, isFault } from '../errors.js'
import { MEMBERS_SPACE, type Knows, type Member, type Members, type Verdict } from '../identity/index.js'
import { decodeKnowledge, type LogHead, type Outcome, type RecordLog } from '../log/index.js'
import type { Clock, Logger } from '../runtime.js'
import type { Overlay } from '../store/index.js'
import { hexOf, ROLES, type BorderRecord, type Role, type SignedRecord } from '../wire/index.js'
import { collect, nothingApplied, type Applied } from './applied.js'
import { Breath } from './breath.js'
import type { Base } from './checkpoint/base.js'
import type { Ledger } from './checkpoint/ledger.js'
import { Folding, type Folded } from './folding.js'
import type { Heads } from './heads.js'
import type { Quarantine } from './quarantine.js'
import type { Removals } from './removals.js'
import { dependsOnRemovals, NO_RIGHT, WRITERS, withoutRight } from './removed.js'
import type { Scopes } from './scopes.js'

export const CATALOG_SPACE = 'catalog'

export interface ApplierDeps {
  readonly log: RecordLog
  readonly members: Members
  readonly catalog: Catalog
  readonly heads: Heads
  readonly removals: Removals
  readonly scopes: Scopes
  readonly quarantine: Quarantine
  readonly ledger: Pick<Ledger, 'note'>
  readonly base: Pick<Base, 'isBefore' | 'judged' | 'membersBehind'>
  readonly rows: Overlay
  readonly logger: Logger
  readonly clock: Clock
}

/** As `NO_RIGHT`, whatever becomes known of removals. */
const NEVER = `${NO_RIGHT}, nor was it ever admitted to`
/** Why a record is rejected that its author wrote before it knew of the checkpoint in force. */
export const TOO_LATE = 'it builds on what a checkpoint took the place of'
/** Index rows that may wait to be written; a few megabytes. */
export const MAX_PENDING_ROWS = 8_000
/** A long run says so this often, ms. */
const PROGRESS_MS = 5_000

export class Applier {
  readonly #deps: ApplierDeps
  readonly #folding: Folding
  #toldAt: number
  #breath: Breath

  constructor(deps: ApplierDeps) {
    this.#deps = deps
    this.#folding = new Folding(deps)
    this.#toldAt = deps.clock.monotonic()
    this.#breath = new Breath(deps.clock)
  }

  /** Applies whatever of these logs, and of logs that waited for them, can be applied now. */
  async drain(logs: Iterable<string>, atHand: ReadonlyMap<string, SignedRecord> = new Map()): Promise<Applied> {
    this.#toldAt = this.#deps.clock.monotonic()
    this.#breath = new Breath(this.#deps.clock)
    const { log, quarantine } = this.#deps
    const result = nothingApplied()
    if (this.#deps.removals.isPending) await this.#carryThrough(result)
    const work = new Set(logs)
    for (const next of work) {
      work.delete(next)
      const head = log.get(next)
      while (head !== undefined && head.applied < head.seq && !quarantine.rests(next)) {
        const record = atHand.get(`${next}/${head.applied + 1}`) ?? this.#read(next, head.applied + 1)
        // damaged: it is fetched again, and this log goes on when it is back
        if (record === undefined) break
        if (!(await this.#applyOne(head, record, result))) break
        if (this.#deps.removals.isPending) for (const held of await this.#carryThrough(result)) work.add(held)
        for (const waiting of log.blocked.take(next)) work.add(waiting)
        await this.#breathe(result)
      }
    }
    return result
  }

  /** A long run lets others work, keeps what is pending in bounds, and tells how far it is. */
  async #breathe(result: Applied): Promise<void> {
    const { rows, clock, logger } = this.#deps
    await this.#breath.draw()
    if (rows.size > MAX_PENDING_ROWS) await rows.flush()
    if (clock.monotonic() - this.#toldAt < PROGRESS_MS) return
    this.#toldAt = clock.monotonic()
    logger.info('Records are being applied.', { records: result.records, waiting: this.#deps.log.waitingCount() })
  }

  #read(log: string, seq: number): SignedRecord | undefined {
    try {
      return this.#deps.log.read(log, seq)
    } catch (error) {
      if (error instanceof GrapevineError && error.code === 'store-damaged' && error.facts.id !== undefined)
        return undefined
      throw error
    }
  }

  /** False when the record has to wait. */
  async #applyOne(head: LogHead, record: SignedRecord, result: Applied): Promise<boolean> {
    const { log, heads } = this.#deps
    const missing = log.missing(record)
    if (missing !== undefined) {
      log.blocked.add(head.log, missing)
      return false
    }
    const behind = record.body.space === CATALOG_SPACE ? this.#deps.base.membersBehind(log) : undefined
    if (behind !== undefined) {
      log.blocked.add(head.log, { log: behind })
      return false
    }
    const border = this.#deps.base.judged(record.log, record.body.seq, record.id)
    const past = border === undefined ? log.past(record.log, record.body.deps) : pastOf(border)
    if (past === undefined && this.#buildsOnSettled(record)) return this.#tooLate(record, result)
    if (past === undefined) {
      // it builds on a record of a fork we do not hold; nothing it says can be judged here
      const dep = record.body.deps[0]!
      log.blocked.add(head.log, dep)
      return false
    }
    const knows = (other: string, seq: number): boolean =>
      other === record.log ? seq < record.body.seq : (past.knowledge.get(other) ?? 0) >= seq
    // what is not in its past it cannot continue
    if (border === undefined && record.body.space === CATALOG_SPACE && this.#deps.base.isBefore(knows))
      return this.#tooLate(record, result)
    let outcome: Outcome
    try {
      const foreseen =
        border === undefined
          ? await this.#foresee(record, past.depth, knows, result)
          : await this.#foreseen(record, border, knows, result)
      const folded =
        foreseen.state !== 'fold' || foreseen.madeRoom
          ? undefined
          : await this.#folding.inSteps(record, knows, this.#breath)
      // from here on without a pause: a flush in between would part what was folded from the word that it was
      outcome = this.#outcome(record, foreseen, folded, knows, result)
    } catch (error) {
      return this.#waitsForDamaged(record, error) ? false : this.#held(record, error, result)
    }
    log.setApplied(record, past, outcome)
    if (outcome.state === 'applied') this.#deps.ledger.note(record)
    this.#deps.quarantine.applied(record)
    heads.applied(record)
    if (outcome.state === 'rejected') result.rejected.push({ record, reason: outcome.reason })
    result.records += 1
    return true
  }

  /** Whether it builds on a record that a checkpoint took the place of, and that is not the last of its log in it. */
  #buildsOnSettled({ body }: SignedRecord): boolean {
    const { log } = this.#deps
    return body.deps.some((dep) => log.isSettled(dep.log, dep.seq) && log.row(dep.log, dep.seq) === undefined)
  }

  /**
   * It builds on what is gone, which its author would know if it had not been away for longer than members are waited
   * for: it counts for nothing, and its author writes what it said again.
   */
  #tooLate(record: SignedRecord, result: Applied): true {
    const { log, quarantine, heads } = this.#deps
    const own = log.get(record.log)!
    const past = { depth: record.body.depth - 1, knowledge: own.knowledge, changed: false }
    log.setApplied(record, past, this.#told(record, rejected(TOO_LATE)))
    quarantine.applied(record)
    heads.applied(record)
    result.rejected.push({ record, reason: TOO_LATE })
    result.records += 1
    return true
  }

  /** The same for a record that was judged by those who held what it builds on: only removals may change that. */
  async #foreseen(
    record: SignedRecord,
    border: BorderRecord,
    knows: Knows,
    result: Applied
  ): Promise<Outcome | { state: 'fold'; madeRoom: boolean }> {
    if (border.verdict === 'rejected') return rejected('it was rejected when a checkpoint was made')
    const verdict = this.#verdict(record, knows)
    if (verdict === 'never') return rejected(NEVER)
    return verdict === 'may'
      ? { state: 'fold', madeRoom: await this.#makeRoom(record, knows, result) }
      : withoutRight(verdict.removedBy)
  }

  /** Nothing was changed when a record that this one is judged by does not read back: it waits until that is back. */
  #waitsForDamaged({ log, body }: SignedRecord, error: unknown): boolean {
    if (!(error instanceof GrapevineError) || error.code !== 'store-damaged') return false
    const { log: damaged } = error.facts
    if (typeof damaged !== 'string') return false
    this.#deps.log.blocked.add(log, { log: damaged })
    this.#deps.logger.warn('A record waits for a damaged one that it is judged by.', { log, seq: body.seq, damaged })
    return true
  }

  /** A fault of ours in folding one record holds that record; whatever else was thrown concerns the whole node. */
  async #held(record: SignedRecord, error: unknown, result: Applied): Promise<false> {
    const { quarantine, removals } = this.#deps
    if (!isFault(error)) throw error
    quarantine.hold(record, error)
    // the members may be half changed, and what the record built on brought back for it: both are made anew
    removals.begin()
    await this.#carryThrough(result)
    return false
  }

  /**
   * What becomes of a record, as far as that is certain before it is folded. The same on every node: it depends on the
   * record's past, and on the removals, alone. What an honest record built on is counted again before it is folded.
   */
  async #foresee(
    record: SignedRecord,
    depth: number,
    knows: Knows,
    result: Applied
  ): Promise<Outcome | { state: 'fold'; madeRoom: boolean }> {
    const { removals, scopes } = this.#deps
    if (record.body.depth !== depth + 1) return rejected(`its depth is ${record.body.depth} where ${depth + 1} follows`)
    const verdict = this.#verdict(record, knows)
    if (verdict === 'never') return rejected(NEVER)
    const beyond = record.body.space === CATALOG_SPACE ? await scopes.problem(record, knows) : undefined
    if (beyond !== undefined) return rejected(beyond)
    if (verdict !== 'may') {
      if (record.body.space === CATALOG_SPACE && !(await removals.wouldHold(record)))
        return rejected('one of its edits does not hold')
      return withoutRight(verdict.removedBy)
    }
    return { state: 'fold', madeRoom: await this.#makeRoom(record, knows, result) }
  }

  #verdict(record: SignedRecord, knows: Knows): Verdict {
    const { members } = this.#deps
    const { space, author, seq } = record.body
    if (space === MEMBERS_SPACE) return members.judge(record, knows)
    return members.verdict(author, rolesFor(record), { log: record.log, seq }, knows)
  }

  async #makeRoom(record: SignedRecord, knows: Knows, result: Applied): Promise<boolean> {
    const { removals } = this.#deps
    if (record.body.space !== CATALOG_SPACE || removals.voids.size === 0) return false
    const delta = await removals.makeRoomFor(record, knows)
    if (delta !== undefined) collect(result, delta)
    return delta !== undefined
  }

  #outcome(
    record: SignedRecord,
    foreseen: Outcome | { state: 'fold'; madeRoom: boolean },
    folded: Folded | undefined,
    knows: Knows,
    result: Applied
  ): Outcome {
    const { removals } = this.#deps
    if (foreseen.state !== 'fold') {
      if (dependsOnRemovals(foreseen)) this.#takeVoid(record, foreseen, knows, result)
      return foreseen.state === 'void' ? foreseen : this.#told(record, foreseen)
    }
    const reason = this.#folding.take(record, folded ?? this.#folding.atOnce(record, knows), knows, result)
    if (reason === undefined) return { state: 'applied', reason: '' }
    // a record that is refused builds on nothing
    if (foreseen.madeRoom) removals.begin()
    return this.#told(record, rejected(reason))
  }

  /** What has no effect may have one when more is known of removals. */
  #takeVoid(record: SignedRecord, { state, reason }: Outcome, knows: Knows, result: Applied): void {
    const { members, removals, rows } = this.#deps
    if (record.body.space === CATALOG_SPACE) collect(result, removals.takeVoid(record, state === 'void' ? reason : ''))
    else {
      members.apply(record, knows, rows)
      if (members.needsRefold(record)) removals.begin()
    }
  }

  #told(record: SignedRecord, outcome: Outcome): Outcome {
    const { id, log, body } = record
    this.#deps.logger.warn('A record was rejected.', { id, log, seq: body.seq, reason: outcome.reason })
    return outcome
  }

  /**
   * What was said about members is carried through everything that was folded before it was heard. Returns the logs whose
   * held records may be judged otherwise now.
   *
   * Any other fault than a damaged record makes the node read-only, and no record is quarantined for it: what fails here is
   * worked out from all that was ever said about members, so there is no one record to hold. To hold the one that brought it
   * would keep a removed member in at this node alone, quietly, or fold its records where nobody else does. Read-only the node
   * says so, still takes in, serves and shows the catalog as it was, and tries again by itself (`Replica.recover`).
   */
  async #carryThrough(result: Applied): Promise<Iterable<string>> {
    const { members, removals, logger } = this.#deps
    const before = members.list()
    try {
      collect(result, await removals.carryThrough())
    } catch (error) {
      if (!(error instanceof GrapevineError) || error.code !== 'store-damaged') throw error
      // tried again with the next record, and when the damaged one is back
      logger.warn('A removal cannot take effect before a damaged record is back.', { reason: error.message })
      return []
    }
    const admitted = unlike(members.list(), before)
    const removed = unlike(before, members.list())
    result.admitted.push(...admitted)
    result.removed.push(...removed)
    return admitted.length + removed.length > 0 ? this.#deps.quarantine.retry() : []
  }

  /** After a crash, or a rebuild: everything held and not applied. */
  drainAll(): Promise<Applied> {
    return this.drain([...this.#deps.log.logs()].map((head) => head.log))
  }
}

/** To vouch for a checkpoint changes nothing, and every member is asked to. */
function rolesFor({ body: { ops } }: SignedRecord): readonly Role[] {
  return ops.length > 0 && ops.every((op) => op.k === 'attest') ? ROLES : WRITERS
}

function pastOf({ depth, knowledge }: BorderRecord): ReturnType<RecordLog['past']> {
  const known = decodeKnowledge(knowledge)
  return { depth: depth - 1, knowledge: known, changed: known.size > 0 }
}

function rejected(reason: string): Outcome {
  return { state: 'rejected', reason }
}

/** Keys of `some` that are not among `others`. */
function unlike(some: readonly Member[], others: readonly Member[]): Uint8Array[] {
  const known = new Set(others.map(({ key }) => hexOf(key)))
  return some.map(({ key }) => key).filter((key) => !known.has(hexOf(key)))
}
