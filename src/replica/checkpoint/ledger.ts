/**
 * Who proposed which checkpoint and who vouches for what it comes to: told from applied records alone. A checkpoint is
 * sealed once every member vouches for the same; by then everything any of them wrote before it did is applied here, and
 * what it writes afterwards builds on nothing older.
 */
import type { Knows, Members } from '../../identity/index.js'
import type { RecordLog } from '../../log/index.js'
import { prefixRange, type Overlay, type Store } from '../../store/index.js'
import {
  bytesOf,
  checkpointRow,
  decodeCborRaw,
  encodeCbor,
  hexOf,
  readCheckpoint,
  type AttestOp,
  type BodyRef,
  type CheckpointRef,
  type Dep,
  type SignedRecord
} from '../../wire/index.js'

export interface Proposal extends Dep {
  /** Hex public key. */
  readonly author: string
  /** Of its record, microseconds since 1970. */
  readonly time: number
  readonly depth: number
  readonly before: CheckpointRef | undefined
}

/** A member's word. */
export interface Attestation {
  /** Hex public key it was written under. */
  readonly author: string
  readonly log: string
  readonly seq: number
  readonly manifest: BodyRef
}

/**
 * Proposals of one author remembered until one is in force; what it proposes beyond that is nothing. Never the other way
 * round: who forgets one that it vouched for would never see it in force, and neither what follows it.
 */
export const MAX_PROPOSALS = 64
const PROPOSAL_ROWS = 'C/p/'
const ATTEST_ROWS = 'C/a/'

export interface LedgerDeps {
  readonly rows: Overlay
  readonly store: Store
  readonly members: Members
  readonly log: Pick<RecordLog, 'get' | 'knowledgeOf'>
}

export class Ledger {
  readonly #deps: LedgerDeps
  readonly #proposals = new Map<string, Proposal>()
  readonly #attested = new Map<string, Map<string, Attestation>>()

  constructor(deps: LedgerDeps) {
    this.#deps = deps
  }

  async load(): Promise<void> {
    for await (const [key, bytes] of this.#deps.store.iterate(prefixRange(PROPOSAL_ROWS))) {
      const row = decodeCborRaw(bytes) as Omit<Proposal, 'id' | 'before'> & { before: unknown }
      const before = row.before === null ? undefined : readCheckpoint(row.before, (what) => new TypeError(what))
      this.#proposals.set(key.slice(PROPOSAL_ROWS.length), { ...row, id: key.slice(PROPOSAL_ROWS.length), before })
    }
    for await (const [key, bytes] of this.#deps.store.iterate(prefixRange(ATTEST_ROWS)))
      this.#remember(key.slice(ATTEST_ROWS.length).split('/')[0]!, decodeCborRaw(bytes) as Attestation)
  }

  /** An applied record of the catalog. */
  note(record: SignedRecord): void {
    for (const op of record.body.ops) {
      if (op.k === 'checkpoint') this.#propose(record, op.before)
      if (op.k === 'attest') this.#attest(record, op)
    }
  }

  get proposals(): Proposal[] {
    return [...this.#proposals.values()]
  }

  proposal(id: string): Proposal | undefined {
    return this.#proposals.get(id)
  }

  /** Whether the member of this hex public key has vouched for a proposal. */
  hasVouched(proposal: string, key: string): boolean {
    return this.#words(proposal).has(this.#nameOf(key))
  }

  /**
   * Who is asked about a proposal, and the word of each that gave one: the members that the proposal knows, those they had
   * admitted when they gave their word, and so on. Whoever was admitted later began with more than the proposal covers. The
   * same on every node that holds these words.
   */
  asked(id: string): ReadonlyMap<string, Attestation | undefined> {
    const asked = new Map<string, Attestation | undefined>()
    const proposal = this.#proposals.get(id)
    if (proposal === undefined) return asked
    const { members } = this.#deps
    const words = this.#words(id)
    const pasts = [this.#past(proposal)]
    const everybody = [...members.list(), ...members.removed()]
    for (let grew = true; grew;) {
      grew = false
      for (const { key, log, seq } of everybody) {
        const name = this.#nameOf(hexOf(key))
        if (asked.has(name) || !pasts.some((knows) => knows(log, seq))) continue
        const word = words.get(name)
        asked.set(name, word)
        if (word !== undefined) pasts.push(this.#past(word))
        grew = true
      }
    }
    return asked
  }

  /** Members (hex keys) who have not vouched for a proposal and are waited for. */
  awaited(proposal: string): string[] {
    const asked = this.asked(proposal)
    const words = [...asked.values()].filter((word) => word !== undefined)
    return [...asked].flatMap(([key, word]) => (word === undefined && !this.#isExcused(key, words) ? [key] : []))
  }

  /**
   * Who may not connect because its certificate ran out. Who was removed, as everybody knew who vouched, when all of it that
   * counts is applied here: nobody builds on more of it.
   */
  #isExcused(name: string, words: readonly Attestation[]): boolean {
    const { members, log } = this.#deps
    const key = bytesOf(name)
    if (members.get(key) !== undefined) return !members.isCurrent(key)
    return members
      .revocations()
      .some(
        (each) =>
          hexOf(each.key) === name &&
          words.every((word) => this.#past(word)(each.log, each.seq)) &&
          [...each.cuts].every(([of, seq]) => (log.get(of)?.applied ?? 0) >= seq)
      )
  }

  /** What all members say that it comes to; undefined while one is awaited or they do not agree. */
  sealed(proposal: string): BodyRef | undefined {
    const { members } = this.#deps
    if (this.awaited(proposal).length > 0) return undefined
    const said = [...this.asked(proposal)].flatMap(([key, word]) =>
      word !== undefined && members.get(bytesOf(key)) !== undefined ? [word.manifest] : []
    )
    return said.every(({ hash }) => hash === said[0]!.hash) ? said[0] : undefined
  }

  /** Whether a proposal has in its past every word for what it follows, of those who are asked about that. */
  knowsAllWords({ log, seq, before }: Proposal): boolean {
    if (before === undefined) return true
    const knows = this.#past({ log, seq })
    const words = [...this.asked(before.proposal.id).values()].filter((word) => word !== undefined)
    return words.every((word) => knows(word.log, word.seq))
  }

  /**
   * Whether a member (hex key) may vouch for a proposal: a rival, which follows the same, that it vouched for must be in the
   * proposal's past. So of two that all vouch for everybody vouched for the less deep one first, and that one counts.
   */
  mayVouch(proposal: Proposal, key: string): boolean {
    const name = this.#nameOf(key)
    const knows = this.#past(proposal)
    return this.#rivals(proposal).every((rival) => {
      const word = this.#words(rival.id).get(name)
      return word === undefined || knows(word.log, word.seq)
    })
  }

  /** Whether somebody who is asked will never vouch for a proposal. */
  isDead(proposal: Proposal): boolean {
    return this.awaited(proposal.id).some((key) => !this.mayVouch(proposal, key))
  }

  #rivals({ id, before }: Proposal): Proposal[] {
    return this.proposals.filter((each) => each.id !== id && each.before?.manifest.hash === before?.manifest.hash)
  }

  /** Words for a proposal by the key that their authors use now. */
  #words(proposal: string): Map<string, Attestation> {
    const all = this.#attested.get(proposal)?.values() ?? []
    return new Map([...all].map((word) => [this.#nameOf(word.author), word]))
  }

  #nameOf(key: string): string {
    return hexOf(this.#deps.members.heirOf(bytesOf(key)))
  }

  /** What the record at a place knows, and itself. */
  #past({ log, seq }: { readonly log: string; readonly seq: number }): Knows {
    const knows = this.#deps.log.knowledgeOf(log, seq)
    return (of, at) => (of === log && at === seq) || knows(of, at)
  }

  /** Forgets what was proposed in place of one that is in force: nobody vouches for those any more. */
  decide(id: string): void {
    const proposal = this.#proposals.get(id)
    if (proposal !== undefined) for (const rival of this.#rivals(proposal)) this.#forget(rival.id)
  }

  /** Forgets what is settled: what was proposed no deeper than this. */
  settle(depth: number): void {
    for (const { id, depth: own } of this.proposals) if (own <= depth) this.#forget(id)
  }

  #propose(record: SignedRecord, before: CheckpointRef | undefined): void {
    const { id, log, body } = record
    if (this.#proposals.has(id)) return
    const author = hexOf(body.author)
    if (this.proposals.filter((each) => each.author === author).length >= MAX_PROPOSALS) return
    const proposal = { author, log, seq: body.seq, time: body.time, depth: body.depth }
    this.#proposals.set(id, { ...proposal, id, before })
    const row = { ...proposal, before: before === undefined ? null : checkpointRow(before) }
    this.#deps.rows.put(PROPOSAL_ROWS + id, encodeCbor(row))
  }

  #attest({ log, body }: SignedRecord, { proposal, manifest }: AttestOp): void {
    // one builds on what it vouches for, so that its proposal is known, or settled long since
    if (!this.#proposals.has(proposal)) return
    const author = hexOf(body.author)
    const attestation = { author, log, seq: body.seq, manifest }
    if (this.#remember(proposal, attestation))
      this.#deps.rows.put(`${ATTEST_ROWS}${proposal}/${author}`, encodeCbor(attestation))
  }

  /** A member's first word counts. */
  #remember(proposal: string, attestation: Attestation): boolean {
    const all = this.#attested.get(proposal) ?? new Map<string, Attestation>()
    if (all.has(attestation.author)) return false
    this.#attested.set(proposal, all.set(attestation.author, attestation))
    return true
  }

  #forget(id: string): void {
    const { rows } = this.#deps
    for (const author of this.#attested.get(id)?.keys() ?? []) rows.delete(`${ATTEST_ROWS}${id}/${author}`)
    rows.delete(PROPOSAL_ROWS + id)
    this.#attested.delete(id)
    this.#proposals.delete(id)
  }
}
