/**
 * The fold of the members space: who belongs to the cluster, with which role, and which invitations are open. A pure
 * function of the valid records; every node comes to the same answer.
 *
 * Rules:
 * 1. The cluster begins with a record whose root key hashes to the cluster id and signs its author.
 * 2. Any other record of this space counts only when its author was an admin in the record's own past.
 * 3. A key keeps the first role it was admitted with. Of admissions that did not know of each other the first is the one
 *    of the least depth, then of the least log id; a record is judged by those in its own past, so that every node comes
 *    to the same verdict whatever it received first.
 */
import { timingSafeEqual } from 'node:crypto'
import { GrapevineError } from '../errors.js'
import type { Overlay } from '../store/index.js'
import {
  decodeCborRaw,
  encodeCbor,
  hexOf,
  sha256,
  type AdmitOp,
  type InviteOp,
  type JoinRequest,
  type Op,
  type Role,
  type SignedRecord
} from '../wire/index.js'
import { clusterIdOf, isFounder } from './cluster.js'

export const MEMBERS_SPACE = 'members'

export interface Member {
  readonly key: Uint8Array
  readonly role: Role
  readonly name: string
  /** The record that admitted it. */
  readonly log: string
  readonly seq: number
  readonly depth: number
}

export interface Invitation {
  readonly invite: string
  readonly secretHash: Uint8Array
  readonly role: Role
  readonly expires: number
  readonly uses: number
  readonly used: number
  readonly issuer: Uint8Array
  /** Absent: it was not taken back. */
  readonly revoked?: true
}

export type InvitationState = 'open' | 'used' | 'expired' | 'revoked'

/** Whether the record being judged has (log, seq) in its past. */
export type Knows = (log: string, seq: number) => boolean

/** How long after its end an invitation is still answered, ms. */
const INVITE_GRACE_MS = 86_400_000

const MEMBER_KEY = 'm/k/'
const INVITE_KEY = 'm/i/'
const CLUSTER_KEY = 'm/c'

export class Members {
  readonly cluster: string
  clusterName = ''
  root: Uint8Array | undefined
  /** Admissions of a key that did not know of each other, the first in front: nearly always one. */
  readonly #members = new Map<string, readonly Member[]>()
  readonly #invites = new Map<string, Invitation>()

  constructor(cluster: string) {
    this.cluster = cluster
  }

  /** Reads what the fold left in the index. */
  async load(rows: AsyncIterable<[string, Uint8Array]>): Promise<void> {
    for await (const [key, bytes] of rows) {
      const row = decodeCborRaw(bytes) as Record<string, unknown>
      if (key.startsWith(MEMBER_KEY))
        this.#members.set(key.slice(MEMBER_KEY.length), row as unknown as readonly Member[])
      else if (key.startsWith(INVITE_KEY)) this.#invites.set(key.slice(INVITE_KEY.length), row as unknown as Invitation)
      else if (key === CLUSTER_KEY) {
        this.clusterName = row.name as string
        this.root = row.root as Uint8Array
      }
    }
  }

  get(key: Uint8Array): Member | undefined {
    return this.#members.get(hexOf(key))?.[0]
  }

  list(): Member[] {
    return [...this.#members.values()].flatMap(([first]) => (first === undefined ? [] : [first]))
  }

  invitation(invite: string): Invitation | undefined {
    return this.#invites.get(invite)
  }

  invitations(): Invitation[] {
    return [...this.#invites.values()]
  }

  /** Whether `key` has one of `roles` by the first of its admissions in the past of the record being judged. */
  mayAct(key: Uint8Array, roles: readonly Role[], knows: Knows): boolean {
    const admission = this.#members.get(hexOf(key))?.find((each) => knows(each.log, each.seq))
    return admission !== undefined && roles.includes(admission.role)
  }

  /** Applies one record of the members space, or throws `record-refused` and changes nothing. Returns the keys admitted. */
  apply(record: SignedRecord, knows: Knows, rows: Overlay): Uint8Array[] {
    const { author, ops } = record.body
    if (
      !this.isFounding(record) &&
      !this.mayAct(author, ['admin'], (log, at) => log === record.log || knows(log, at))
    ) {
      throw new GrapevineError('record-refused', 'a record of the members space was not written by an admin', {
        next: 'nothing: it has no effect'
      })
    }
    const admitted: Uint8Array[] = []
    for (const op of ops) this.#applyOp(op, record, knows, rows, admitted)
    return admitted
  }

  #applyOp(op: Op, record: SignedRecord, knows: Knows, rows: Overlay, admitted: Uint8Array[]): void {
    switch (op.k) {
      case 'found':
        // an admin's later word on the founding has no effect
        if (record.body.ops[0] !== op || !this.isFounding(record)) return
        this.clusterName = op.name
        this.root = op.root
        rows.put(CLUSTER_KEY, encodeCbor({ name: op.name, root: op.root }))
        return this.#admit({ key: record.body.author, role: 'admin', name: op.nodeName }, record, knows, rows, admitted)
      case 'invite':
        return this.#invite(op, record, rows)
      case 'uninvite': {
        const open = this.#invites.get(op.invite)
        if (open !== undefined) this.#saveInvite({ ...open, revoked: true }, rows)
        return
      }
      case 'admit':
        this.#admit(op, record, knows, rows, admitted)
        if (op.invite !== undefined) this.#use(op.invite, rows)
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
    op: Pick<AdmitOp, 'key' | 'role' | 'name'>,
    record: SignedRecord,
    knows: Knows,
    rows: Overlay,
    admitted: Uint8Array[]
  ): void {
    const name = hexOf(op.key)
    const before = this.#members.get(name) ?? []
    // who admits a key that it knows to be admitted changes nothing
    if (before.some(({ log, seq }) => log === record.log || knows(log, seq))) return
    const member: Member = {
      key: op.key,
      role: op.role,
      name: op.name,
      log: record.log,
      seq: record.body.seq,
      depth: record.body.depth
    }
    const all = [...before, member].toSorted((a, b) => a.depth - b.depth || (a.log < b.log ? -1 : 1))
    this.#members.set(name, all)
    rows.put(MEMBER_KEY + name, encodeCbor(all))
    if (all[0] === member) admitted.push(op.key)
  }

  #invite(op: InviteOp, record: SignedRecord, rows: Overlay): void {
    if (this.#invites.has(op.invite)) return
    this.#saveInvite(
      {
        invite: op.invite,
        secretHash: op.secretHash,
        role: op.role,
        expires: op.expires,
        uses: op.uses,
        used: 0,
        issuer: record.body.author
      },
      rows
    )
  }

  #use(invite: string, rows: Overlay): void {
    const open = this.#invites.get(invite)
    if (open !== undefined) this.#saveInvite({ ...open, used: open.used + 1 }, rows)
  }

  #saveInvite(invitation: Invitation, rows: Overlay): void {
    this.#invites.set(invitation.invite, invitation)
    rows.put(INVITE_KEY + invitation.invite, encodeCbor({ ...invitation }))
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
    const open = this.#invites.get(request.invite)
    const offered = sha256(request.secret)
    if (open === undefined || hexOf(open.issuer) !== hexOf(issuer) || !timingSafeEqual(offered, open.secretHash)) {
      throw refusal('token-unknown', 'this node never issued such an invitation')
    }
    const state = invitationState(open, now)
    if (state !== 'open') throw refusal(`token-${state}`, SPENT[state])
    return open
  }
}

const SPENT = {
  used: 'the invitation has no uses left',
  expired: 'the invitation has expired',
  revoked: 'the invitation was taken back'
}

/** What an invitation is good for at `now`, ms at its issuer. */
export function invitationState({ revoked, expires, used, uses }: Invitation, now: number): InvitationState {
  if (revoked === true) return 'revoked'
  if (expires <= now) return 'expired'
  return used >= uses ? 'used' : 'open'
}

function refusal(code: `token-${'unknown' | keyof typeof SPENT}`, message: string): GrapevineError {
  return new GrapevineError(code, message, { next: 'ask for a new invitation' })
}

/** The rows `load` wants. */
export const MEMBER_ROWS = 'm/'

/** An invitation op and its secret, from 32 random bytes. */
export function makeInvitation(
  random: Uint8Array,
  role: Role,
  expires: number,
  uses: number
): { op: InviteOp; secret: Uint8Array } {
  const secret = random.slice(16, 32)
  return {
    op: { k: 'invite', invite: hexOf(random.subarray(0, 16)), secretHash: sha256(secret), role, expires, uses },
    secret
  }
}
