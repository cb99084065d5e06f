/**
 * The fold of the members space over a given set of removals: a pure function of the records handed to it, each after
 * everything it knows.
 *
 * Rules:
 * 1. The cluster begins with a record whose root key hashes to the cluster id and signs its author.
 * 2. Any other record of this space counts only when its author was an admin in the record's own past.
 * 3. A key keeps the first role it was admitted with. Of admissions that did not know of each other the first is the one
 *    of the least depth, then of the least log id; a record is judged by those in its own past, so that every node comes
 *    to the same verdict whatever it received first.
 * 4. A removed key may do nothing beyond the cuts of its removal, however late that is heard of. It may again with an
 *    admission that knew of the removal. What a removed admin wrote here beyond the cuts has no effect.
 */
import { hexOf, type AdmitOp, type InviteOp, type Op, type Role, type SignedRecord } from '../wire/index.js'
import { clusterIdOf, isFounder } from './cluster.js'
import type { Invitation } from './invitations.js'
import { isBeyond, placeKey, Revocations, type Place, type Revocation } from './revocations.js'

export const MEMBERS_SPACE = 'members'

export interface Member {
  readonly key: Uint8Array
  readonly role: Role
  readonly name: string
  /** Paths of the catalog it may write to, and below; absent: everywhere its role may. */
  readonly scope?: readonly string[]
  /** The record that admitted it. */
  readonly log: string
  readonly seq: number
  readonly depth: number
}

/** One admission, as far as removals matter to it. */
export interface Admission extends Member {
  /** Records of removals that the admission knew of, as `log/seq`. */
  readonly knew: readonly string[]
  /** Record of the removal that took its author's right to admit, as `log/seq`. */
  readonly voidBy?: string
}

/** Whether the record being judged has (log, seq) in its past. */
export type Knows = (log: string, seq: number) => boolean

/**
 * `may`; `never`, whatever removals there are; or not as things stand, with the record of the removal that forbids it, as
 * `log/seq`, and '' when it is another admission that came first.
 */
export type Verdict = 'may' | 'never' | { readonly removedBy: string }

export class MembersFold {
  readonly cluster: string
  clusterName = ''
  root: Uint8Array | undefined
  /** Admissions of a key that did not know of each other, the first in front: nearly always one. */
  readonly admissions = new Map<string, readonly Admission[]>()
  readonly invites = new Map<string, Invitation>()
  readonly revocations: Revocations

  constructor(cluster: string, revocations = new Revocations()) {
    this.cluster = cluster
    this.revocations = revocations
  }

  /** The present membership of a key. */
  get(key: Uint8Array): Admission | undefined {
    return this.admissions.get(hexOf(key))?.find((each) => this.#endedBy(each, this.revocations.of(key)) === undefined)
  }

  /** Whether a record of `key` at this place may do what `roles` may. */
  verdict(key: Uint8Array, roles: readonly Role[], at: Place, knows: Knows): Verdict {
    const past = (this.admissions.get(hexOf(key)) ?? []).filter((each) => knows(each.log, each.seq))
    if (!past.some((each) => roles.includes(each.role))) return 'never'
    const beyond = this.revocations.of(key).filter((revocation) => isBeyond(revocation, at))
    let removedBy: string | undefined
    for (const admission of past) {
      const ended = this.#endedBy(admission, beyond)
      if (ended !== undefined) removedBy ??= ended
      else if (roles.includes(admission.role)) return 'may'
      else break
    }
    return { removedBy: removedBy ?? '' }
  }

  /**
   * Where a record of `key` may write: by the admissions and removals in its own past alone, so that no later word about
   * anybody changes it. Undefined: everywhere.
   */
  scopeOf(key: Uint8Array, knows: Knows): readonly string[] | undefined {
    const past = (this.admissions.get(hexOf(key)) ?? []).filter((each) => knows(each.log, each.seq))
    const removals = this.revocations.of(key).filter((each) => knows(each.log, each.seq))
    const valid = past.find((each) => removals.every((removal) => each.knew.includes(placeKey(removal))))
    return (valid ?? past[0])?.scope
  }

  #endedBy(admission: Admission, revocations: readonly Revocation[]): string | undefined {
    if (admission.voidBy !== undefined) return admission.voidBy
    const found = revocations.find((revocation) => !admission.knew.includes(placeKey(revocation)))
    return found === undefined ? undefined : placeKey(found)
  }

  /** What a record of this space may do. */
  judge(record: SignedRecord, knows: Knows): Verdict {
    if (this.isFounding(record)) return 'may'
    const at = { log: record.log, seq: record.body.seq }
    return this.verdict(record.body.author, ['admin'], at, (log, seq) => log === record.log || knows(log, seq))
  }

  /** Folds one record; returns the keys it admitted and what it was allowed. */
  apply(record: SignedRecord, knows: Knows): { admitted: Uint8Array[]; verdict: Verdict } {
    const verdict = this.judge(record, knows)
    const admitted: Uint8Array[] = []
    if (verdict === 'may') for (const op of record.body.ops) this.#applyOp(op, record, knows, admitted)
    else if (verdict !== 'never')
      for (const op of record.body.ops) if (op.k === 'admit') this.#admit(op, record, knows, [], verdict.removedBy)
    return { admitted, verdict }
  }

  #applyOp(op: Op, record: SignedRecord, knows: Knows, admitted: Uint8Array[]): void {
    switch (op.k) {
      case 'found':
        // an admin's later word on the founding has no effect
        if (record.body.ops[0] !== op || !this.isFounding(record)) return
        this.clusterName = op.name
        this.root = op.root
        return this.#admit({ key: record.body.author, role: 'admin', name: op.nodeName }, record, knows, admitted)
      case 'invite':
        return this.#invite(op, record)
      case 'uninvite': {
        const open = this.invites.get(op.invite)
        if (open !== undefined) this.invites.set(op.invite, { ...open, revoked: true })
        return
      }
      case 'admit':
        this.#admit(op, record, knows, admitted)
        if (op.invite !== undefined) this.#use(op.invite)
        return
      default:
        return
    }
  }

  /** Whether this is the first record of this cluster: its root vouches for the author. */
  isFounding(record: SignedRecord): boolean {
    const { space, seq, author, ops } = record.body
    const [op] = ops
    return (
      space === MEMBERS_SPACE &&
      seq === 1 &&
      op?.k === 'found' &&
      clusterIdOf(op.root) === this.cluster &&
      isFounder(op.root, author, op.signature)
    )
  }

  #admit(
    op: Pick<AdmitOp, 'key' | 'role' | 'name' | 'scope'>,
    record: SignedRecord,
    knows: Knows,
    admitted: Uint8Array[],
    voidBy?: string
  ): void {
    const name = hexOf(op.key)
    const before = this.admissions.get(name) ?? []
    const knew = this.revocations.of(op.key).filter((each) => knows(each.log, each.seq))
    // who admits a key that it knows to be admitted, and not removed since, changes nothing
    const known = before.filter(({ log, seq }) => log === record.log || knows(log, seq))
    if (known.some((each) => this.#endedBy(each, knew) === undefined)) return
    const member: Admission = {
      key: op.key,
      role: op.role,
      name: op.name,
      log: record.log,
      seq: record.body.seq,
      depth: record.body.depth,
      knew: knew.map(placeKey),
      ...(op.scope === undefined ? {} : { scope: op.scope }),
      ...(voidBy === undefined ? {} : { voidBy })
    }
    const was = this.get(op.key)
    this.admissions.set(
      name,
      [...before, member].toSorted((a, b) => a.depth - b.depth || (a.log < b.log ? -1 : 1))
    )
    if (this.get(op.key) === member && was !== member) admitted.push(op.key)
  }

  #invite(op: InviteOp, record: SignedRecord): void {
    if (this.invites.has(op.invite)) return
    const { k: _, ...invitation } = op
    this.invites.set(op.invite, { ...invitation, used: 0, issuer: record.body.author })
  }

  #use(invite: string): void {
    const open = this.invites.get(invite)
    if (open !== undefined) this.invites.set(invite, { ...open, used: open.used + 1 })
  }
}
