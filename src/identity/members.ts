/**
 * The fold of the members space as a node keeps it: who belongs to the cluster, with which role, which invitations are
 * open and who was removed. Without removals each record is folded as it comes. With them everything is folded anew, for
 * a removal decides about records that were folded before it was heard of; the space is small.
 */
import type { Overlay } from '../store/index.js'
import {
  bytesOf,
  decodeCborRaw,
  encodeCbor,
  hexOf,
  type JoinRequest,
  type RevokeOp,
  type Role,
  type SignedRecord
} from '../wire/index.js'
import { CERTIFICATE_ROUNDS } from './certificates.js'
import type { ClusterSecret, ClusterSecrets } from './cluster-secrets.js'
import type { Admission, Member } from './admission.js'
import { MembersFold, type Knows, type Verdict } from './fold.js'
import { checkRedeemable, INVITE_GRACE_MS, type Invitation } from './invitations.js'
import {
  placeKey,
  revocationOf,
  revocationOfRow,
  Revocations,
  rowOf,
  type Place,
  type Revocation,
  type RevocationRow
} from './revocations.js'

/** A record of the members space and what it knows. */
export interface KnownRecord {
  readonly record: SignedRecord
  readonly knows: Knows
}

const MEMBER_KEY = 'm/k/'
const INVITE_KEY = 'm/i/'
const REVOCATION_KEY = 'm/r/'
const CLUSTER_KEY = 'm/c'
const CERTIFICATE_KEY = 'm/n/'
const ROUND_KEY = 'm/o'
const SECRET_KEY = 'm/s/'
const RETIRED_KEY = 'm/t'

export class Members {
  readonly cluster: string
  #fold: MembersFold

  constructor(cluster: string) {
    this.cluster = cluster
    this.#fold = new MembersFold(cluster)
  }

  get clusterName(): string {
    return this.#fold.clusterName
  }

  get root(): Uint8Array | undefined {
    return this.#fold.root
  }

  /** Reads what the fold left in the index. */
  async load(rows: AsyncIterable<[string, Uint8Array]>): Promise<void> {
    for await (const [key, bytes] of rows) {
      const row = decodeCborRaw(bytes) as Record<string, unknown>
      const fold = this.#fold
      if (key.startsWith(MEMBER_KEY)) {
        // rows of a version that knew no removals lack `knew`
        const all = (row as unknown as Admission[]).map((each) => ({ ...each, knew: each.knew ?? [] }))
        fold.note(key.slice(MEMBER_KEY.length), all)
      } else if (key.startsWith(INVITE_KEY))
        fold.invites.set(key.slice(INVITE_KEY.length), row as unknown as Invitation)
      else if (key.startsWith(REVOCATION_KEY)) fold.revocations.add(revocationOfRow(row as unknown as RevocationRow))
      else if (key === CLUSTER_KEY) {
        fold.clusterName = row.name as string
        fold.root = row.root as Uint8Array
        fold.founding = row.log as string | undefined
      } else if (key === ROUND_KEY) fold.certificates.pass(row.round as number)
      else if (key.startsWith(CERTIFICATE_KEY))
        fold.certificates.begun.set(key.slice(CERTIFICATE_KEY.length), row.round as number)
      else if (key.startsWith(SECRET_KEY)) fold.secrets.load(row as unknown as ClusterSecret)
      else if (key === RETIRED_KEY) fold.secrets.retire(row.ids as string[])
    }
  }

  get(key: Uint8Array): Member | undefined {
    return this.#fold.get(key)
  }

  /** The present round of certificates. */
  get round(): number {
    return this.#fold.certificates.round
  }

  /** Rounds that have passed since the certificate of this member, or of a key it had before, was renewed. */
  certificateAge(key: Uint8Array): number {
    return this.#fold.certificateAge(key)
  }

  /** The round in which its certificate began. */
  certificateBegun(key: Uint8Array): number {
    return this.round - this.certificateAge(key)
  }

  /** Whether this member may connect: its certificate is not older than it may be. */
  isCurrent(key: Uint8Array): boolean {
    return this.get(key) !== undefined && this.certificateAge(key) <= CERTIFICATE_ROUNDS
  }

  get secrets(): Pick<ClusterSecrets, 'list' | 'isRetired' | 'get'> {
    return this.#fold.secrets
  }

  /** Removals of this key, for the root to override. */
  removalsOf(key: Uint8Array): Place[] {
    return this.#fold.revocations.of(key).map(({ log, seq }) => ({ log, seq }))
  }

  /** The greatest count the root has used. */
  get lastSerial(): number {
    return Math.max(0, ...[...this.#fold.admissions.values()].flat().map(({ serial }) => serial ?? 0))
  }

  /** Keys this one goes on for, and those in turn, whatever else made it a member since; the last in front. */
  predecessorsOf(key: Uint8Array): Uint8Array[] {
    const found = new Set([hexOf(key)])
    for (const each of found)
      for (const { heirOf, voidBy } of this.#fold.admissions.get(each) ?? [])
        if (heirOf !== undefined && voidBy === undefined) found.add(heirOf)
    return [...found].slice(1).map(bytesOf)
  }

  /** The key this one went on as, and so on: the one that is used now. */
  heirOf(key: Uint8Array): Uint8Array {
    const seen = new Set<string>()
    let at = key
    for (let next: Uint8Array | undefined = key; next !== undefined && !seen.has(hexOf(next));) {
      at = next
      seen.add(hexOf(at))
      next = this.#fold.heirs.nextOf(at)
    }
    return at
  }

  /** All keys this one went on as: who removes it removes those. */
  heirsOf(key: Uint8Array): Uint8Array[] {
    return this.#fold.heirs.allOf(key)
  }

  list(): Member[] {
    return [...this.#fold.admissions.values()].flatMap(([first]) => {
      const member = first === undefined ? undefined : this.get(first.key)
      return member === undefined ? [] : [member]
    })
  }

  /** Members that were removed and not admitted again, as they were first admitted. */
  removed(): Member[] {
    return [...this.#fold.admissions.values()].flatMap(([first]) =>
      first === undefined || this.get(first.key) !== undefined ? [] : [first]
    )
  }

  /** Whether this key is or was a member: its records belong to the history even when they count for nothing. */
  wasAdmitted(key: Uint8Array): boolean {
    return this.#fold.admissions.has(hexOf(key))
  }

  /** Whether some removal takes effect from records of this key, or from those who admitted it. */
  isTouchedByRemovals(key: Uint8Array): boolean {
    const admissions = this.#fold.admissions.get(hexOf(key)) ?? []
    const isEnded = (each: Admission): boolean =>
      each.voidBy !== undefined || this.#fold.heirs.removalsThrough(each).length > 0
    return this.#fold.revocations.of(key).length > 0 || admissions.some(isEnded)
  }

  revocations(): Revocation[] {
    return [...this.#fold.revocations]
  }

  invitation(invite: string): Invitation | undefined {
    return this.#fold.invites.get(invite)
  }

  invitations(): Invitation[] {
    return [...this.#fold.invites.values()]
  }

  isFounding(record: SignedRecord): boolean {
    return this.#fold.isFounding(record)
  }

  /** Whether a record of `key` at this place may do what `roles` may, by its own past and the removals known here. */
  verdict(key: Uint8Array, roles: readonly Role[], at: Place, knows: Knows): Verdict {
    return this.#fold.verdict(key, roles, at, knows)
  }

  /** See MembersFold. */
  scopeOf(key: Uint8Array, knows: Knows): readonly string[] | undefined {
    return this.#fold.scopeOf(key, knows)
  }

  /** What a record of the members space may do. */
  judge(record: SignedRecord, knows: Knows): Verdict {
    return this.#fold.judge(record, knows)
  }

  /** Whether `record` of the members space needs everything folded anew, by `refold`, once it is applied. */
  needsRefold(record: SignedRecord): boolean {
    return this.#fold.isStale || this.#fold.revocations.size > 0 || record.body.ops.some((op) => op.k === 'revoke')
  }

  /** Applies one record of the members space; returns the keys it admitted. */
  apply(record: SignedRecord, knows: Knows, rows: Overlay): Uint8Array[] {
    const { admitted } = this.#fold.apply(record, knows)
    for (const op of record.body.ops) {
      if (op.k === 'found') {
        this.#put(this.#clusterRow(), rows)
        this.#saveMember(record.body.author, rows)
      }
      if (op.k === 'admit' || op.k === 'appoint' || op.k === 'rekey') this.#saveMember(op.key, rows)
      if (op.k === 'admit') this.#put(this.#certificateRows([op.key]), rows)
      if (op.k === 'renew') this.#put(this.#certificateRows(op.keys), rows)
      if (op.k === 'secret' || op.k === 'retire') this.#put(this.#secretRows(), rows)
      if ('invite' in op && op.invite !== undefined) this.#saveInvite(op.invite, rows)
    }
    return admitted
  }

  /**
   * Folds all records of the space, which come each after what it knows. Of removals that would undo each other the one of
   * the senior admin counts: who was admitted first, by depth and then by log id.
   */
  refold(records: readonly KnownRecord[], rows: Overlay): void {
    const before = this.#rows()
    const accepted = new Revocations()
    for (const { record, knows, op } of bySeniority(removalsIn(records), this.#foldOf(records, accepted))) {
      const fold = this.#foldOf(records, accepted)
      const isOwn = fold.isOwnKey(record, op.key, knows)
      // which of the keys it went on as counts, that shall follow from the removals, not the removals from it
      const judging = isOwn ? this.#foldOf(records, accepted, false) : fold
      if (judging.judge(record, knows) === 'may') accepted.add(revocationOf(record, op, !isOwn))
    }
    this.#fold = this.#foldOf(records, accepted)
    const after = this.#rows()
    for (const key of before.keys()) if (!after.has(key)) rows.delete(key)
    for (const [key, row] of after) rows.put(key, encodeCbor(row))
  }

  #foldOf(records: readonly KnownRecord[], revocations: Revocations, rivalry = true): MembersFold {
    const fold = new MembersFold(this.cluster, revocations, rivalry)
    for (const { record, knows } of records) fold.apply(record, knows)
    return fold
  }

  /** All that `load` reads, by its key. */
  #rows(): Map<string, unknown> {
    const { admissions, invites, revocations, certificates } = this.#fold
    return new Map<string, unknown>([
      ...this.#clusterRow(),
      ...[...admissions].map(([name, all]) => [MEMBER_KEY + name, all] as const),
      ...[...invites].map(([invite, open]) => [INVITE_KEY + invite, { ...open }] as const),
      ...[...revocations].map((each) => [revocationKey(each), rowOf(each)] as const),
      ...this.#certificateRows([...certificates.begun.keys()].map(bytesOf)),
      ...this.#secretRows()
    ])
  }

  #put(from: ReadonlyArray<readonly [string, unknown]>, rows: Overlay): void {
    for (const [key, row] of from) rows.put(key, encodeCbor(row))
  }

  #certificateRows(keys: readonly Uint8Array[]): Array<readonly [string, unknown]> {
    const { round, begun } = this.#fold.certificates
    const certificates = keys.map(
      (key) => [CERTIFICATE_KEY + hexOf(key), { round: begun.get(hexOf(key)) ?? 0 }] as const
    )
    return round === 0 ? certificates : [...certificates, [ROUND_KEY, { round }]]
  }

  #secretRows(): Array<readonly [string, unknown]> {
    const { secrets } = this.#fold
    const all = [...secrets.all()].map((secret) => [SECRET_KEY + secret.id, { ...secret }] as const)
    return secrets.retired.size === 0 ? all : [...all, [RETIRED_KEY, { ids: [...secrets.retired] }]]
  }

  #clusterRow(): Array<readonly [string, unknown]> {
    const { clusterName, root, founding } = this.#fold
    return root === undefined ? [] : [[CLUSTER_KEY, { name: clusterName, root, log: founding }]]
  }

  #saveMember(key: Uint8Array, rows: Overlay): void {
    const all = this.#fold.admissions.get(hexOf(key))
    if (all !== undefined) rows.put(MEMBER_KEY + hexOf(key), encodeCbor(all))
  }

  #saveInvite(invite: string, rows: Overlay): void {
    const open = this.#fold.invites.get(invite)
    if (open !== undefined) rows.put(INVITE_KEY + invite, encodeCbor({ ...open }))
  }

  /**
   * Whether somebody may come with an invitation of `issuer` at `now` (ms). Used ones and those just expired count too:
   * who comes with one is told so, instead of meeting a closed door.
   */
  expectsNewcomers(issuer: Uint8Array, now: number): boolean {
    const own = hexOf(issuer)
    return this.invitations().some(
      (invitation) => hexOf(invitation.issuer) === own && invitation.expires > now - INVITE_GRACE_MS
    )
  }

  /**
   * Checks a redemption at its issuer; throws `token-unknown`, `token-revoked`, `token-expired` or
   * `token-used`.
   */
  checkRedemption(request: JoinRequest, issuer: Uint8Array, now: number): Invitation {
    return checkRedeemable(this.invitation(request.invite), request, issuer, now)
  }
}

interface Removal extends KnownRecord {
  readonly op: RevokeOp
}

function removalsIn(records: readonly KnownRecord[]): Removal[] {
  return records.flatMap(({ record, knows }) =>
    record.body.ops.flatMap((op) => (op.k === 'revoke' ? [{ record, knows, op }] : []))
  )
}

/** Those of the root's last word first, then the senior admin's; of one admin in the order of its records. */
function bySeniority(removals: readonly Removal[], fold: MembersFold): Removal[] {
  const first = ({ record }: Removal): Admission | undefined => fold.admissions.get(hexOf(record.body.author))?.[0]
  return removals.toSorted((a, b) => {
    const [one, other] = [first(a), first(b)]
    const [age, otherAge] = [one?.senior ?? one, other?.senior ?? other]
    return (
      (other?.serial ?? 0) - (one?.serial ?? 0) ||
      (age?.depth ?? Infinity) - (otherAge?.depth ?? Infinity) ||
      compareText(age?.log ?? '', otherAge?.log ?? '') ||
      a.record.body.depth - b.record.body.depth ||
      compareText(a.record.log, b.record.log) ||
      a.record.body.seq - b.record.body.seq
    )
  })
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

const revocationKey = (revocation: Revocation): string =>
  `${REVOCATION_KEY}${placeKey(revocation)}/${hexOf(revocation.key)}`

/** The rows `load` wants. */
export const MEMBER_ROWS = 'm/'
