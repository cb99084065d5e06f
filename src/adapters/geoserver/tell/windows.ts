/**
 * When a node may reload. A reload breaks service while it runs, so nodes take turns, and agree on them without asking
 * anybody: time is cut into windows of one length, and each window belongs to some of the members by their rank. Clocks
 * that differ by more than half a window make turns overlap; nothing else depends on them.
 */

/** A reload takes as long as its catalog is large: 8 s at 1,267 layers. One window, ms. */
export const WINDOW_MS = 20_000
/** Where GeoServers share the directory each is told so much later than the one before it, ms: a call takes 15 to 45, */
export const SHARED_TURN_MS = 250
/** and none later than the one at this place. */
const MAX_SHARED_TURNS = 10

export interface Turn {
  /** Place of this node among all members, from 0; the same list in the same order on each. */
  readonly rank: number
  readonly nodes: number
  /** Part of the nodes that may reload at a time, above 0, at most 1; one may in any case. */
  readonly share: number
}

/** How long until this node may begin to reload, ms; 0: now. Only in the first half of a window: it should end in it. */
export function reloadWaitMs({ rank, nodes, share }: Turn, now: number): number {
  const together = Math.max(1, Math.floor(nodes * share))
  const groups = Math.ceil(nodes / together)
  if (groups <= 1) return 0
  const round = groups * WINDOW_MS
  const begins = (rank % groups) * WINDOW_MS
  const into = (((now - begins) % round) + round) % round
  return into < WINDOW_MS / 2 ? 0 : round - into
}

/** How much longer than the first this node waits before it tells a GeoServer that shares its directory, ms. */
export function sharedWaitMs({ rank }: Turn): number {
  return SHARED_TURN_MS * Math.min(rank, MAX_SHARED_TURNS)
}
