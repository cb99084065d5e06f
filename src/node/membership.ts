/** What the network asks of the members. Before a home is open nobody is one. */
import type { Membership } from '../net/index.js'
import type { Home } from './home.js'
import type { Opened } from './open.js'

export function membershipOf(home: Home, opened: () => Opened | undefined): Membership {
  const members = (): Opened['replica']['members'] | undefined => opened()?.replica.members
  return {
    isMember: (key) => members()?.isCurrent(key) === true || opened()?.membersBefore?.isCurrent(key) === true,
    heirOf: (key) => members()?.heirOf(key) ?? key,
    mayReturn: (key) => members()?.get(key) !== undefined,
    strangersAllowed: () => members()?.expectsNewcomers(home.keys.publicKey, Date.now()) ?? false
  }
}
