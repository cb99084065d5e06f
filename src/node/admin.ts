/** What only an admin's node may say. */
import { GrapevineError } from '../errors.js'
import type { Replica } from '../replica/index.js'
import type { Home } from './home.js'

/** Throws `role-forbids`; `what` is whose business it is, as "invitations are". */
export function checkAdmin(replica: Pick<Replica, 'members'>, home: Pick<Home, 'keys'>, what: string): void {
  if (replica.members.get(home.keys.publicKey)?.role === 'admin') return
  throw new GrapevineError('role-forbids', `${what} the business of admin nodes`, {
    next: 'run this on an admin node; see "grapevine peers"'
  })
}
