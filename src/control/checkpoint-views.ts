/** What is told of checkpoints. */

/** A state of the catalog that takes the place of records. */
export interface CheckpointView {
  /** Id of the record that proposed it. */
  proposal: string
  /** Content id of what it consists of: what members vouch for. */
  manifest: string
  entries: number
  logs: number
  pieces: number
  /** All that it consists of, small bodies included. */
  bytes: number
}

export interface CheckpointsView {
  /** The newest that all members vouched for. */
  inForce: CheckpointView | null
  /** The one before it: what that covers is gone from the log. */
  floor: CheckpointView | null
  /** Records of the catalog that the one in force does not cover. */
  since: number
  logBytes: number
  /** Large bodies and what checkpoints consist of; `letGo` since the daemon was started: what nothing named any more. */
  contents: { count: number; bytes: number; letGo: { count: number; bytes: number } }
  /** Those that members are still asked about, with the names of those who have not answered. */
  proposed: Array<{ proposal: string; author: string; time: string; awaited: string[] }>
  /** Of each log, up to which seq its records are gone. */
  settled: Record<string, number>
}
