/** Invitations of this cluster: issued, listed and taken back, by a running node or in a stopped home. */
import type { InvitationView, InviteRequest, InviteView } from '../control/target.js'
import { GrapevineError } from '../errors.js'
import { invitationState, makeInvitation, nodeIdOf, type Invitation, type Members } from '../identity/index.js'
import type { Replica } from '../replica/index.js'
import { systemRandom } from '../runtime-node.js'
import { silentLogger } from '../runtime.js'
import {
  encodeToken,
  MAX_INVITE_MS,
  MAX_INVITE_USES,
  MAX_SCOPE_BYTES,
  MAX_SCOPES,
  pathProblem,
  type Token
} from '../wire/index.js'
import { checkAdmin } from './admin.js'
import { readHome, type Home } from './home.js'
import { noTransport, openHome } from './open.js'

/** Issues an invitation on an open replica. */
export async function createInvitation(
  replica: Replica,
  home: Home,
  { addresses, secret: clusterSecret }: { addresses: readonly string[]; secret: Uint8Array },
  options: InviteRequest
): Promise<InviteView> {
  const { role, expiresMs, uses } = options
  checkAdmin(replica, home, 'invitations are')
  if (!(expiresMs >= 1_000 && expiresMs <= MAX_INVITE_MS))
    throw new GrapevineError('usage', 'an invitation lives from one second to a year', {
      next: 'give --expires such as 1h or 7d'
    })
  if (!(Number.isInteger(uses) && uses >= 1 && uses <= MAX_INVITE_USES))
    throw new GrapevineError('usage', `an invitation has 1 to ${MAX_INVITE_USES} uses`, {
      next: 'give --uses such as 1'
    })
  const expires = Date.now() + expiresMs
  const scope = checkedScope(options)
  const { op, secret } = makeInvitation(systemRandom.bytes(32), { role, expires, uses, ...scope })
  await replica.writeMembers(() => [op])
  const token: Token = {
    cluster: home.cluster.cluster,
    clusterSecret,
    root: replica.members.root!,
    issuer: home.keys.publicKey,
    invite: op.invite,
    secret,
    role,
    expires,
    clusterName: home.cluster.clusterName,
    addresses: addresses.slice(0, 16)
  }
  return { token: encodeToken(token), expires: new Date(expires).toISOString(), role, uses, ...scope }
}

/** Only of authors is it asked where they write: admins may write everywhere, the others nowhere. */
function checkedScope({ role, scope }: InviteRequest): { scope?: readonly string[] } {
  if (scope === undefined) return {}
  if (role !== 'author')
    throw new GrapevineError('usage', `a scope is for authors, not for the role ${role}`, {
      next: 'give --role author, or leave --scope out'
    })
  const problem = scope.map(scopeProblem).find((each) => each !== undefined)
  if (problem === undefined && scope.length > 0 && scope.length <= MAX_SCOPES) return { scope: [...new Set(scope)] }
  throw new GrapevineError('usage', problem ?? `a scope has 1 to ${MAX_SCOPES} paths`, {
    next: 'give paths of the catalog such as --scope styles'
  })
}

function scopeProblem(path: string): string | undefined {
  const problem =
    Buffer.byteLength(path) > MAX_SCOPE_BYTES ? `has more than ${MAX_SCOPE_BYTES} bytes` : pathProblem(path)
  return problem === undefined ? undefined : `the path ${JSON.stringify(path.slice(0, 200))} of the scope ${problem}`
}

/** The same while no daemon runs: the token then holds no addresses of this node but those it listens on when started. */
export async function createInviteOffline(options: InviteRequest & { home: string }): Promise<InviteView> {
  return offline(options.home, (replica, home) =>
    createInvitation(replica, home, { addresses: [], secret: home.secrets[0]! }, options)
  )
}

/** All that were ever issued, the newest end first. */
export function invitationsOf(members: Members, now: number): InvitationView[] {
  return members
    .invitations()
    .map((invitation) => viewOf(invitation, now))
    .toSorted((a, b) => (a.expires === b.expires ? (a.invite < b.invite ? -1 : 1) : a.expires < b.expires ? 1 : -1))
}

/** Takes an invitation back, whoever issued it; one that is taken back already stays so. Throws `not-found`, `role-forbids`. */
export async function revokeInvitation(replica: Replica, home: Home, invite: string): Promise<InvitationView> {
  checkAdmin(replica, home, 'invitations are')
  const { members } = replica
  const known = members.invitation(invite)
  if (known === undefined)
    throw new GrapevineError('not-found', `there is no invitation ${invite}`, { next: 'see "grapevine invite ls"' })
  if (known.revoked !== true) await replica.writeMembers(() => [{ k: 'uninvite', invite }])
  return viewOf(members.invitation(invite)!, Date.now())
}

/** The same while no daemon runs: others hear of it when this node is started. */
export async function revokeInviteOffline(options: { home: string; invite: string }): Promise<InvitationView> {
  return offline(options.home, (replica, home) => revokeInvitation(replica, home, options.invite))
}

function viewOf(invitation: Invitation, now: number): InvitationView {
  const { invite, role, scope, uses, used, issuer, expires } = invitation
  return {
    invite,
    state: invitationState(invitation, now),
    role,
    ...(scope === undefined ? {} : { scope }),
    uses,
    used,
    expires: new Date(expires).toISOString(),
    issuer: nodeIdOf(issuer)
  }
}

async function offline<T>(path: string, work: (replica: Replica, home: Home) => Promise<T>): Promise<T> {
  const home = await readHome(path)
  const opened = await openHome(home, noTransport(home.node), silentLogger)
  try {
    return await work(opened.replica, home)
  } finally {
    await opened.close()
  }
}
