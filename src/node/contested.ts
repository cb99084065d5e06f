/** Which records of a home cannot stand where they are, because other nodes hold others there, or perhaps will. */
import type { Replica } from '../replica/index.js'
import type { Dropped } from './reissue.js'

export interface ContestedOptions {
  /** Logs of which a peer was found to hold another branch. */
  readonly parted: ReadonlySet<string>
  /** This home is a copy whose original goes on under the same key. */
  readonly copy: boolean
  readonly author: Uint8Array
  /** Epochs that began in this very home, after it was copied: the original never wrote there. */
  readonly ownEpochs: ReadonlySet<string>
}

/** Log -> seq from which on its records go, with all that builds on them. */
export function contested(replica: Replica, options: ContestedOptions): Dropped {
  const dropped = new Map<string, number>()
  for (const head of replica.log.logs()) {
    const [twin] = replica.log.twins(head.log)
    if (twin !== undefined && options.parted.has(head.log)) dropped.set(head.log, twin.body.seq)
    else if (options.copy && Buffer.compare(head.author, options.author) === 0 && !options.ownEpochs.has(head.epoch)) {
      const from = seenByOthers(replica, head.log, options.author) + 1
      if (from <= head.seq) dropped.set(head.log, from)
    }
  }
  return withFollowers(replica, dropped)
}

/**
 * How far somebody else is known to hold a log of ours: others' records name it. Beyond that the original may have written
 * other records. What others hold after all comes back from them, and saying the same twice changes nothing.
 */
function seenByOthers(replica: Replica, log: string, author: Uint8Array): number {
  let seen = 0
  for (const head of replica.log.logs())
    if (Buffer.compare(head.author, author) !== 0) seen = Math.max(seen, head.knowledge.get(log) ?? 0)
  return seen
}

/** Records that name a dropped one as what they build on, and so on. */
function withFollowers(replica: Replica, dropped: Map<string, number>): Dropped {
  for (let grew = dropped.size > 0; grew;) {
    grew = false
    for (const head of replica.log.logs()) {
      const from = firstFollower(replica, head.log, dropped)
      if (from === undefined) continue
      dropped.set(head.log, from)
      grew = true
    }
  }
  return dropped
}

function firstFollower(replica: Replica, log: string, dropped: Dropped): number | undefined {
  const head = replica.log.get(log)!
  const end = Math.min(head.seq, (dropped.get(log) ?? Number.POSITIVE_INFINITY) - 1)
  const mayFollow = [...dropped].some(([other, from]) => other !== log && (head.knowledge.get(other) ?? 0) >= from)
  if (!mayFollow) return undefined
  for (let seq = head.floor + 1; seq <= end; seq++) {
    const follows = replica.log
      .read(log, seq)
      .body.deps.some((dep) => dep.seq >= (dropped.get(dep.log) ?? Number.POSITIVE_INFINITY))
    if (follows) return seq
  }
  return undefined
}
