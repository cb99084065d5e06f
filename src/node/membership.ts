/** What the network asks of the members. Before a home is open nobody is one. */
import { RENEWAL_ROUNDS, type Members } from '../identity/index.js'
import type { Membership } from '../net/index.js'
import type { Home } from './home.js'
import type { Opened } from './open.js'

export function membershipOf(
  home: Pick<Home, 'keys'>,
  opened: () => (Pick<Opened, 'membersBefore'> & { readonly replica: Pick<Opened['replica'], 'members'> }) | undefined
): Membership {
  const members = (): Members | undefined => opened()?.replica.members
  return {
    isMember: (key) => members()?.isCurrent(key) === true || opened()?.membersBefore?.isCurrent(key) === true,
    heirOf: (key) => members()?.heirOf(key) ?? key,
    mustMeet: (key) => isDue(members(), home.keys.publicKey) && members()?.get(key)?.role === 'admin',
    mayReturn: (key) => members()?.get(key) !== undefined,
    strangersAllowed: () => members()?.expectsNewcomers(home.keys.publicKey, Date.now()) ?? false
  }
}

/** Its certificate should have been renewed by now: no admin has seen it for half of its life. Admins renew their own. */
function isDue(members: Members | undefined, own: Uint8Array): boolean {
  const role = members?.get(own)?.role
  return role !== undefined && role !== 'admin' && members!.certificateAge(own) >= RENEWAL_ROUNDS
}
