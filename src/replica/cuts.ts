/** How much of a key's logs still counts when it is removed. */
import { GrapevineError } from '../errors.js'
import { MEMBERS_SPACE } from '../identity/index.js'
import type { LogHead, RecordLog } from '../log/index.js'
import { hexOf, MAX_REVOCATION_CUTS, type Cut, type RevokeOp } from '../wire/index.js'

/**
 * The removal of `key`, and of `heirs`, which are all it went on as. All that is held of them here still counts; with
 * `since` nothing from that seq on of the log of the catalog that `key` wrote to last, and nothing of what the heirs wrote
 * to the catalog, which came later. Throws `usage` when that log is not so long.
 */
export function removalOf(
  log: RecordLog,
  key: Uint8Array,
  since?: number,
  heirs: readonly Uint8Array[] = []
): RevokeOp {
  const held = [...log.logs()].filter((head) => head.applied > 0)
  const own = held.filter((head) => hexOf(head.author) === hexOf(key))
  const names = new Set(heirs.map(hexOf))
  const theirs = held.filter(
    (head) => names.has(hexOf(head.author)) && (since === undefined || head.space === MEMBERS_SPACE)
  )
  const newest = own
    .filter((head) => head.space !== MEMBERS_SPACE)
    .toSorted((a, b) => depthOf(log, b) - depthOf(log, a))[0]
  if (since !== undefined && (newest === undefined || since > newest.applied + 1))
    throw new GrapevineError('usage', `this node holds ${newest?.applied ?? 0} records of that member's log`, {
      next: 'see its records with "grapevine inspect log", and give the first seq that shall not count',
      facts: { since, log: newest?.log }
    })
  if (since !== undefined && newest !== undefined && since <= newest.floor)
    throw new GrapevineError(
      'usage',
      `a checkpoint took the place of the records up to ${newest.floor}: they count for good`,
      {
        next: 'give a later seq, and undo by hand what came before',
        facts: { since, floor: newest.floor, log: newest.log }
      }
    )
  // what is not named counts for nothing, so of very many epochs the longest are named
  const cuts = [...own, ...theirs]
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
