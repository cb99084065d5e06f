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
  const removed = removedProblem(members, key)
  const standing = removed?.message ?? `this node is ${role === undefined ? 'not a member yet' : `a ${role} node`}`
  throw new GrapevineError('role-forbids', `${standing} and may not write`, {
    next: removed?.next ?? 'make the change on a node with the role author or admin'
  })
}

/** `removed` when the member with this key was; undefined when it is one, or never was. */
export function removedProblem(members: Members, key: Uint8Array): GrapevineError | undefined {
  if (members.get(key) !== undefined || !members.wasAdmitted(key)) return undefined
  return new GrapevineError('removed', 'this node was removed from the cluster', {
    next: 'to bring it back, redeem a new invitation in its home with "grapevine join TOKEN"; else stop it'
  })
}
