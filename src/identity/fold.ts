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
 * 5. Whom the root appoints is an admin, by whoever's record that becomes known; it outranks everybody who was not, and of
 *    those who were the later outranks the earlier.
 * 6. A member may go on under another key, with its role, scope and rank, and remove the key it had before. The first it
 *    names counts, by what it knows, then by depth and log id; what the others do has no effect. It is removed with any key
 *    it had, and then goes on once more when it is admitted again. Only what goes on removes a former key alone.
 * 7. A certificate lasts `CERTIFICATE_ROUNDS` rounds from the one in which it was given or renewed; only admins let rounds
 *    pass. It decides who may connect, and nothing about records.
 */
import {
  hexOf,
  ROLES,
  type AdmitOp,
  type AppointOp,
  type InviteOp,
  type Op,
  type RekeyOp,
  type Role,
  type SignedRecord
} from '../wire/index.js'
import { byRank, type Admission } from './admission.js'
import { isAppointed } from './appointments.js'
import { Certificates } from './certificates.js'
import { clusterIdOf, isFounder } from './cluster.js'
import type { Invitation } from './invitations.js'
import { Heirs, isFirst } from './heirs.js'
import { isRekey } from './rekeys.js'
import { isBeyond, placeKey, Revocations, type Place, type Revocation } from './revocations.js'
import { ClusterSecrets } from './cluster-secrets.js'

export const MEMBERS_SPACE = 'members'

type Newcomer = Pick<AdmitOp, 'key' | 'role' | 'name' | 'scope'> &
  Pick<Admission, 'voidBy' | 'serial' | 'heirOf' | 'rests' | 'senior'> & { readonly inherits?: readonly string[] }

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
  /** Log of the founding record. */
  founding: string | undefined
  /** Admissions of a key that did not know of each other, the first in front: nearly always one. */
  readonly admissions = new Map<string, readonly Admission[]>()
  readonly invites = new Map<string, Invitation>()
  readonly revocations: Revocations
  readonly certificates = new Certificates()
  readonly secrets = new ClusterSecrets()
  readonly heirs: Heirs
  /** A record came late that takes the effect of one that was folded: all is to be folded anew. */
  isStale = false
  readonly #rivalry: boolean

  /** @param rivalry Whether of the keys that a member goes on as the first alone counts. */
  constructor(cluster: string, revocations = new Revocations(), rivalry = true) {
    this.cluster = cluster
    this.revocations = revocations
    this.heirs = new Heirs(this.admissions, revocations)
    this.#rivalry = rivalry
  }

  /** The present membership of a key. */
  get(key: Uint8Array): Admission | undefined {
    return this.admissions.get(hexOf(key))?.find((each) => this.#endedBy(each, () => true) === undefined)
  }

  /** Whether a record of `key` at this place may do what `roles` may. */
  verdict(key: Uint8Array, roles: readonly Role[], at: Place, knows: Knows): Verdict {
    return this.#standing(key, roles, at, knows).verdict
  }

  /** The same, and the admission it rests on. */
  #standing(
    key: Uint8Array,
    roles: readonly Role[],
    at: Place,
    knows: Knows
  ): { verdict: Verdict; admission?: Admission } {
    const past = (this.admissions.get(hexOf(key)) ?? []).filter((each) => knows(each.log, each.seq))
    if (!past.some((each) => roles.includes(each.role))) return { verdict: 'never' }
    let removedBy: string | undefined
    for (const admission of past) {
      const ended = this.#endedBy(admission, (revocation) => isBeyond(revocation, at))
      if (ended !== undefined) removedBy ??= ended
      else if (roles.includes(admission.role)) return { verdict: 'may', admission }
      else break
    }
    return { verdict: { removedBy: removedBy ?? '' } }
  }

  /** Rounds since the certificate of this key, or of one it goes on for, was renewed. */
  certificateAge(key: Uint8Array): number {
    const keys = new Set([hexOf(key)])
    for (const each of keys)
      for (const { heirOf } of this.admissions.get(each) ?? []) if (heirOf !== undefined) keys.add(heirOf)
    return this.certificates.ageOf([...keys])
  }

  /**
   * Where a record of `key` may write: by the admissions and removals in its own past alone, so that no later word about
   * anybody changes it. Undefined: everywhere.
   */
  scopeOf(key: Uint8Array, knows: Knows): readonly string[] | undefined {
    const past = (this.admissions.get(hexOf(key)) ?? []).filter((each) => knows(each.log, each.seq))
    const known = (removal: Revocation): boolean => knows(removal.log, removal.seq)
    const valid = past.find((each) => this.#removalOf(each, known) === undefined)
    return (valid ?? past[0])?.scope
  }

  #endedBy(admission: Admission, matters: (revocation: Revocation) => boolean): string | undefined {
    return admission.voidBy ?? this.#removalOf(admission, matters)
  }

  /** The removal of its key, or of one it goes on for, that it did not know of, among those that matter. */
  #removalOf(admission: Admission, matters: (revocation: Revocation) => boolean): string | undefined {
    const ends = (each: Revocation): boolean => matters(each) && !admission.knew.includes(placeKey(each))
    const found = this.revocations.of(admission.key).find(ends) ?? this.heirs.removalsThrough(admission).find(ends)
    return found === undefined ? undefined : placeKey(found)
  }

  /** What a record of this space may do. */
  judge(record: SignedRecord, knows: Knows): Verdict {
    if (this.isFounding(record) || this.#isAppointment(record, knows)) return 'may'
    return this.#author(record, this.#isOwnBusiness(record, knows) ? ROLES : ['admin'], knows).verdict
  }

  #author(record: SignedRecord, roles: readonly Role[], knows: Knows): { verdict: Verdict; admission?: Admission } {
    const at = { log: record.log, seq: record.body.seq }
    return this.#standing(record.body.author, roles, at, (log, seq) => log === record.log || knows(log, seq))
  }

  /** The root speaks for itself, whoever passes it on; which root that is must be in the record's past. */
  #isAppointment({ body }: SignedRecord, knows: Knows): boolean {
    const [op, more] = body.ops
    if (op?.k !== 'appoint' || more !== undefined || this.root === undefined) return false
    return this.founding !== undefined && knows(this.founding, 1) && isAppointed(this.root, this.cluster, op)
  }

  /** What every member may say of itself. */
  #isOwnBusiness(record: SignedRecord, knows: Knows): boolean {
    const { body } = record
    const isOwn = (op: Op): boolean => op.k === 'rekey' || (op.k === 'revoke' && this.isOwnKey(record, op.key, knows))
    return body.ops.length > 0 && body.ops.every(isOwn)
  }

  /** Whether the author of `record` goes on for `key`, as far as the record knows. */
  isOwnKey({ log, body }: SignedRecord, key: Uint8Array, knows: Knows): boolean {
    return this.#goesOnFor(hexOf(body.author), hexOf(key), (other, seq) => other === log || knows(other, seq))
  }

  /** Through however many keys: anybody may have as many as it likes, so nothing here calls itself. */
  #goesOnFor(heir: string, key: string, knows: Knows): boolean {
    const reached = new Set([heir])
    for (const each of reached)
      for (const { heirOf, log, seq } of this.admissions.get(each) ?? []) {
        if (heirOf === undefined || !knows(log, seq)) continue
        if (heirOf === key) return true
        reached.add(heirOf)
      }
    return false
  }

  /** Folds one record; returns the keys it admitted and what it was allowed. */
  apply(record: SignedRecord, knows: Knows): { admitted: Uint8Array[]; verdict: Verdict } {
    const verdict = this.judge(record, knows)
    const admitted: Uint8Array[] = []
    if (verdict === 'may') for (const op of record.body.ops) this.#applyOp(op, record, knows, admitted)
    else if (verdict !== 'never')
      for (const op of record.body.ops)
        if (op.k === 'admit') this.#admit({ ...op, voidBy: verdict.removedBy }, record, knows, [])
        else if (op.k === 'rekey') this.#rekey(op, record, knows, [], verdict.removedBy)
    return { admitted, verdict }
  }

  #applyOp(op: Op, record: SignedRecord, knows: Knows, admitted: Uint8Array[]): void {
    switch (op.k) {
      case 'found':
        // an admin's later word on the founding has no effect
        if (record.body.ops[0] !== op || !this.isFounding(record)) return
        this.clusterName = op.name
        this.root = op.root
        this.founding = record.log
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
        this.certificates.renew([op.key], op.round ?? 0)
        if (op.invite !== undefined) this.#use(op.invite)
        return
      case 'appoint':
        if (this.#isAppointment(record, knows)) this.#appoint(op, record, knows, admitted)
        return
      case 'rekey':
        return this.#rekey(op, record, knows, admitted)
      case 'renew':
        this.certificates.pass(op.round)
        return this.certificates.renew(op.keys, op.round)
      case 'secret':
        return this.secrets.add(op, record)
      case 'retire':
        return this.secrets.retire(op.ids)
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

  #appoint(op: AppointOp, record: SignedRecord, knows: Knows, admitted: Uint8Array[]): void {
    const { key, name, serial, overrides } = op
    const known = this.admissions.get(hexOf(key)) ?? []
    // said again it says nothing new: a removal that came after it holds
    if (known.some((each) => each.serial === serial && this.#isKnown(each, record, knows))) return
    this.#keep({ key, name, role: 'admin', serial }, overrides.map(placeKey), record, admitted)
  }

  #rekey(
    { key, signature }: RekeyOp,
    record: SignedRecord,
    knows: Knows,
    admitted: Uint8Array[],
    voidBy?: string
  ): void {
    const { author, ops } = record.body
    // of one record the first alone is looked at: nobody is made known by the others
    if (ops.find((op) => op.k === 'rekey')?.key !== key) return
    if (!isRekey(key, this.cluster, author, signature)) return
    // void: whose place it would take is as good as any that it knows, it takes none
    const admission =
      voidBy === undefined ? this.#author(record, ROLES, knows).admission : this.#first(author, record, knows)
    if (admission === undefined) return
    const { role, name, scope, serial, senior, log, seq, depth, knew } = admission
    const rests = { log, seq }
    const newcomer = { key, role, name, heirOf: hexOf(author), rests, inherits: knew, senior: senior ?? { log, depth } }
    const ended = voidBy ?? this.#rivalTo(admission, key, record)
    this.#admit({ ...newcomer, ...defined({ scope, serial, voidBy: ended }) }, record, knows, admitted)
  }

  /** The record, as `log/seq`, by which the author went on as somebody else. */
  #rivalTo(admission: Admission, next: Uint8Array, { log, body }: SignedRecord): string | undefined {
    const rival = this.#rivalry ? this.heirs.rivalOf(admission, next) : undefined
    if (rival === undefined) return undefined
    this.isStale ||= !isFirst(rival, { log, seq: body.seq, depth: body.depth })
    return placeKey(rival)
  }

  #first(key: Uint8Array, record: SignedRecord, knows: Knows): Admission | undefined {
    return this.admissions.get(hexOf(key))?.find((each) => this.#isKnown(each, record, knows))
  }

  #isKnown({ log, seq }: Place, record: SignedRecord, knows: Knows): boolean {
    return log === record.log || knows(log, seq)
  }

  #admit(newcomer: Newcomer, record: SignedRecord, knows: Knows, admitted: Uint8Array[]): void {
    const isKnownRemoval = (each: Revocation): boolean => knows(each.log, each.seq)
    const knew = this.revocations.of(newcomer.key).filter(isKnownRemoval).map(placeKey)
    // who admits a key that it knows to be admitted, and not removed since, changes nothing
    const known = (this.admissions.get(hexOf(newcomer.key)) ?? []).filter((each) => this.#isKnown(each, record, knows))
    if (known.some((each) => this.#endedBy(each, isKnownRemoval) === undefined)) return
    this.#keep(newcomer, [...new Set([...knew, ...(newcomer.inherits ?? [])])], record, admitted)
  }

  #keep(newcomer: Newcomer, knew: readonly string[], record: SignedRecord, admitted: Uint8Array[]): void {
    const { key, role, name, scope, voidBy, serial, heirOf, rests, senior } = newcomer
    const { log, body } = record
    const place = { log, seq: body.seq, depth: body.depth }
    const heir = { heirOf, rests, senior }
    const member: Admission = { key, role, name, ...place, knew, ...defined({ scope, voidBy, serial, ...heir }) }
    const was = this.get(key)
    this.admissions.set(hexOf(key), [...(this.admissions.get(hexOf(key)) ?? []), member].toSorted(byRank))
    this.heirs.note(member)
    if (this.get(key) === member && was !== member) admitted.push(key)
  }

  /** All admissions of a key, by its name in hex. */
  note(name: string, all: readonly Admission[]): void {
    this.admissions.set(name, all)
    for (const each of all) this.heirs.note(each)
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

/** Without what is undefined. */
function defined<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as never
}
