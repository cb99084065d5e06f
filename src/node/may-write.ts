/** Who may write where, by role and scope. */
import { mayWriteAt } from '../catalog/index.js'
import type { Members } from '../identity/index.js'

/** Whether a member may write to the catalog at a path. */
export function mayWrite(members: Pick<Members, 'get'>, key: Uint8Array, path: string, kind: 'file' | 'dir'): boolean {
  const member = members.get(key)
  return ['admin', 'author'].includes(member?.role ?? '') && mayWriteAt(member?.scope, path, kind)
}
