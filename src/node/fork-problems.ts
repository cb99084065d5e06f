/** Forks that somebody should know of: in a log whose author has not written on elsewhere, or with another branch here than at a peer. */
import { GrapevineError } from '../errors.js'
import { nodeIdOf } from '../identity/index.js'
import type { LogHead } from '../log/index.js'
import type { Replica } from '../replica/index.js'

export function forkProblems(replica: Replica, nameOf: (key: Uint8Array) => string | undefined): GrapevineError[] {
  const heads = [...replica.log.logs()]
  return heads
    .filter((head) => head.frozen)
    .flatMap((head) => {
      const parted = replica.partedLogs.has(head.log)
      if (!parted && heads.some((other) => isLater(other, head))) return []
      const [twin] = replica.log.twins(head.log)
      const author = nameOf(head.author) ?? nodeIdOf(head.author)
      return [
        new GrapevineError(
          'fork',
          `two different records claim place ${twin?.body.seq ?? head.seq} of a log of ${author}: its key was used by two processes, or an old copy of it was started`,
          {
            next: parted
              ? `this node holds another branch than a peer: stop the copy of ${author} and run "grapevine reidentify" in its home; when there is none, ${author} lies: remove it on an admin node with "grapevine revoke", and run "grapevine reidentify" on the stopped nodes that hold the branch fewer hold ("grapevine inspect log --log ${head.log}" shows which)`
              : `find the copy of ${author}; both records are in "grapevine inspect log --log ${head.log}"`,
            facts: { log: head.log, author: nodeIdOf(head.author) }
          }
        )
      ]
    })
}

/** Whether the same author has begun another epoch since. */
function isLater(other: LogHead, head: LogHead): boolean {
  return other.epoch !== head.epoch && Buffer.compare(other.author, head.author) === 0 && other.knowledge.has(head.log)
}
