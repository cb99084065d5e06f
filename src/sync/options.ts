/** Timings and bounds of sync. */
export interface SyncOptions {
  /** Our digest goes to each peer about this often, ms. */
  readonly announceIntervalMs: number
  /** Changes are told after so long without another one, ms: gossip was faster, this is what makes it sure. */
  readonly vectorQuietMs: number
  /** Changes are told at the latest after this, ms. */
  readonly vectorMaxDelayMs: number
  /** A peer that failed to serve a log is asked for it again after this, ms. */
  readonly retryMs: number
  /** A peer that said nothing for this long is hung up on, ms: three announcements missed. */
  readonly silenceMs: number
  readonly maxPullsPerPeer: number
  /** Records asked for at once: decoding them takes some 15 ms. The answer is cut at `MAX_PULL_BYTES` besides. */
  readonly maxPullRecords: number
  /** Fetched bytes that may wait to be stored before pulling pauses. */
  readonly maxBacklogBytes: number
}

/**
 * Logs that one peer may claim beyond those we know of. A newcomer hears of all at once; a thousand members have some
 * thousands. What is left out is heard of again with the next vector, when the first are here.
 */
export const MAX_UNKNOWN_LOGS = 8_192

export const SYNC_DEFAULTS: SyncOptions = {
  announceIntervalMs: 30_000,
  vectorQuietMs: 200,
  vectorMaxDelayMs: 1_000,
  retryMs: 1_000,
  silenceMs: 150_000,
  maxPullsPerPeer: 4,
  maxPullRecords: 512,
  maxBacklogBytes: 4 * 1024 * 1024
}
