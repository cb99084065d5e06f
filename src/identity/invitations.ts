/** Invitations: what is kept of them, and whether one may be redeemed. */
import { timingSafeEqual } from 'node:crypto'
import { GrapevineError } from '../errors.js'
import { hexOf, sha256, type InviteOp, type JoinRequest, type Role } from '../wire/index.js'

export interface Invitation {
  readonly invite: string
  readonly secretHash: Uint8Array
  readonly role: Role
  readonly expires: number
  readonly uses: number
  readonly used: number
  readonly issuer: Uint8Array
  /** See AdmitOp. */
  readonly scope?: readonly string[]
  /** Absent: it was not taken back. */
  readonly revoked?: true
}

export type InvitationState = 'open' | 'used' | 'expired' | 'revoked'

/** How long after its end an invitation is still answered, ms. */
export const INVITE_GRACE_MS = 86_400_000

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

/** Throws `token-unknown`, `token-revoked`, `token-expired` or `token-used` unless `open` may be redeemed at its issuer. */
export function checkRedeemable(
  open: Invitation | undefined,
  request: JoinRequest,
  issuer: Uint8Array,
  now: number
): Invitation {
  const offered = sha256(request.secret)
  if (open === undefined || hexOf(open.issuer) !== hexOf(issuer) || !timingSafeEqual(offered, open.secretHash)) {
    throw refusal('token-unknown', 'this node never issued such an invitation')
  }
  const state = invitationState(open, now)
  if (state !== 'open') throw refusal(`token-${state}`, SPENT[state])
  return open
}

function refusal(code: `token-${'unknown' | keyof typeof SPENT}`, message: string): GrapevineError {
  return new GrapevineError(code, message, { next: 'ask for a new invitation' })
}

/** An invitation op and its secret, from 32 random bytes. */
export function makeInvitation(
  random: Uint8Array,
  { role, expires, uses, scope }: { role: Role; expires: number; uses: number; scope?: readonly string[] }
): { op: InviteOp; secret: Uint8Array } {
  const secret = random.slice(16, 32)
  const op = { k: 'invite' as const, invite: hexOf(random.subarray(0, 16)), secretHash: sha256(secret) }
  return { op: { ...op, role, expires, uses, ...(scope === undefined ? {} : { scope }) }, secret }
}
