/** Shapes of the local API about drift: what a node's target holds and the catalog does not. */

export interface DriftView {
  path: string
  kind: 'file' | 'dir'
  change: 'added' | 'changed' | 'moved' | 'removed'
  /** Where the catalog has it; for what was moved. */
  from?: string
  /** When this node saw it first since it started. */
  since: string
  /** What the rules of this node say becomes of it. */
  policy: 'report' | 'restore' | 'adopt'
  /** Why no node took it over, when it was proposed. */
  refused?: string
}

export interface RestoredView {
  path: string
  /** `waiting`: it makes way as soon as it can; the status says what is in the way. */
  outcome: 'restored' | 'waiting'
  /** Where its bytes lie now; absent for what was removed, or moved. */
  kept?: string
}

export interface AdoptionView {
  path: string
  outcome: 'adopted' | 'refused'
  /** Name of the node that took it over. */
  by?: string
  reason?: string
}
