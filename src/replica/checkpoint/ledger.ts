/**
 * Who proposed which checkpoint and who vouches for what it comes to: told from applied records alone. A checkpoint is
 * sealed once every member vouches for the same; by then everything any of them wrote before it did is applied here, and
 * what it writes afterwards builds on nothing older.
 */
import type { Members } from '../../identity/index.js'
import { prefixRange, type Overlay, type Store } from '../../store/index.js'
import {
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
interface Attestation {
  /** Hex public key it was written under. */
  readonly author: string
  readonly log: string
  readonly seq: number
  readonly manifest: BodyRef
}

/** Proposals of one author remembered; of more, those least deep are forgotten. */
const MAX_PROPOSALS = 4
const PROPOSAL_ROWS = 'C/p/'
const ATTEST_ROWS = 'C/a/'

export interface LedgerDeps {
  readonly rows: Overlay
  readonly store: Store
  readonly members: Members
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

  /** Those who vouch for a checkpoint, and for what. */
  attestations(proposal: string): Attestation[] {
    return [...(this.#attested.get(proposal)?.values() ?? [])]
  }

  /** Members who have not vouched for a proposal. Whoever may not connect, because its certificate ran out, is not awaited. */
  awaited(proposal: string): string[] {
    const { members } = this.#deps
    const heard = new Set(
      this.attestations(proposal).map(({ author }) => hexOf(members.heirOf(Buffer.from(author, 'hex'))))
    )
    return members
      .list()
      .map(({ key }) => key)
      .filter((key) => members.isCurrent(key) && Buffer.compare(members.heirOf(key), key) === 0)
      .map(hexOf)
      .filter((key) => !heard.has(key))
  }

  /** What all members say that it comes to; undefined while one is awaited or they do not agree. */
  sealed(proposal: string): BodyRef | undefined {
    const all = this.attestations(proposal)
    const first = all[0]
    if (first === undefined || this.awaited(proposal).length > 0) return undefined
    const { members } = this.#deps
    const standing = all.filter(({ author }) => members.get(members.heirOf(Buffer.from(author, 'hex'))) !== undefined)
    const [said] = standing
    return said !== undefined && standing.every(({ manifest }) => manifest.hash === said.manifest.hash)
      ? said.manifest
      : undefined
  }

  /** Forgets what is settled: what was proposed no deeper than this. */
  settle(depth: number): void {
    for (const { id, depth: own } of this.proposals) if (own <= depth) this.#forget(id)
  }

  #propose(record: SignedRecord, before: CheckpointRef | undefined): void {
    const { id, log, body } = record
    if (this.#proposals.has(id)) return
    const author = hexOf(body.author)
    const proposal = { author, log, seq: body.seq, time: body.time, depth: body.depth }
    this.#proposals.set(id, { ...proposal, id, before })
    const row = { ...proposal, before: before === undefined ? null : checkpointRow(before) }
    this.#deps.rows.put(PROPOSAL_ROWS + id, encodeCbor(row))
    const own = this.proposals.filter((each) => each.author === author)
    if (own.length > MAX_PROPOSALS) this.#forget(own.reduce((a, b) => (a.depth <= b.depth ? a : b)).id)
  }

  #attest({ log, body }: SignedRecord, { proposal, manifest }: AttestOp): void {
    // one builds on what it vouches for, so that its proposal is known, or settled long since
    if (!this.#proposals.has(proposal)) return
    const author = hexOf(body.author)
    const attestation = { author, log, seq: body.seq, manifest }
    this.#remember(proposal, attestation)
    this.#deps.rows.put(`${ATTEST_ROWS}${proposal}/${author}`, encodeCbor(attestation))
  }

  /** A member's last word counts. */
  #remember(proposal: string, attestation: Attestation): void {
    const all = this.#attested.get(proposal) ?? new Map<string, Attestation>()
    this.#attested.set(proposal, all.set(attestation.author, attestation))
  }

  #forget(id: string): void {
    const { rows } = this.#deps
    for (const author of this.#attested.get(id)?.keys() ?? []) rows.delete(`${ATTEST_ROWS}${id}/${author}`)
    rows.delete(PROPOSAL_ROWS + id)
    this.#attested.delete(id)
    this.#proposals.delete(id)
  }
}
