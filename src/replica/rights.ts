/** What a node may do in the catalog. */
import { GrapevineError } from '../errors.js'
import type { Members } from '../identity/index.js'
import type { Role } from '../wire/index.js'
import { WRITERS } from './removed.js'

/** Whether members of this role write to the catalog. */
export function isWriter(role: Role | undefined): boolean {
  return WRITERS.some((writer) => writer === role)
}

/** Throws `role-forbids` unless the member with this key writes to the catalog. */
export function checkWriter(members: Members, key: Uint8Array): void {
  const role = members.get(key)?.role
  if (isWriter(role)) return
  const standing = members.wasAdmitted(key) ? 'was removed from the cluster' : 'is not a member yet'
  throw new GrapevineError(
    'role-forbids',
    `this node ${role === undefined ? standing : `is a ${role} node`} and may not write`,
    { next: 'make the change on a node with the role author or admin' }
  )
}
