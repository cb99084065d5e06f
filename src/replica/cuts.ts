/** How much of a key's logs still counts when it is removed. */
import { GrapevineError } from '../errors.js'
import { MEMBERS_SPACE } from '../identity/index.js'
import type { LogHead, RecordLog } from '../log/index.js'
import { hexOf, MAX_REVOCATION_CUTS, type Cut, type RevokeOp } from '../wire/index.js'

/**
 * The removal of `key`. All that is held of it here still counts; with `since` nothing from that seq on of the log of the
 * catalog it wrote to last. Throws `usage` when that log is not so long.
 */
export function removalOf(log: RecordLog, key: Uint8Array, since?: number): RevokeOp {
  const own = [...log.logs()].filter((head) => hexOf(head.author) === hexOf(key) && head.applied > 0)
  const newest = own
    .filter((head) => head.space !== MEMBERS_SPACE)
    .toSorted((a, b) => depthOf(log, b) - depthOf(log, a))[0]
  if (since !== undefined && (newest === undefined || since > newest.applied + 1))
    throw new GrapevineError('usage', `this node holds ${newest?.applied ?? 0} records of that member's log`, {
      next: 'see its records with "grapevine inspect log", and give the first seq that shall not count',
      facts: { since, log: newest?.log }
    })
  // what is not named counts for nothing, so of very many epochs the longest are named
  const cuts = own
    .map((head): Cut | undefined => cutAt(log, head, head === newest && since !== undefined ? since - 1 : head.applied))
    .filter((cut) => cut !== undefined)
    .toSorted((a, b) => b.seq - a.seq)
    .slice(0, MAX_REVOCATION_CUTS)
  return { k: 'revoke', key, cuts }
}

function cutAt(log: RecordLog, head: LogHead, seq: number): Cut | undefined {
  return seq < 1 ? undefined : { log: head.log, seq, id: log.row(head.log, seq)!.id }
}

function depthOf(log: RecordLog, head: LogHead): number {
  return log.row(head.log, head.applied)!.depth
}
