/** What a sweep and its judges tell each other. */
import type { Moment } from './crash-model.js'
import type { Side } from './crash-recorder.js'

/** An image to judge. */
export interface Case {
  readonly image: string
  readonly moment: Moment
  /** The directory is looked at between the adapter's recovery and the daemon's. */
  readonly look: boolean
  /** Started as a process of its own, on the clock. */
  readonly real: boolean
  /** An image is taken at this change of files of the recovery, if it comes to it. */
  readonly again?: { readonly operation: number; readonly side: Side; readonly image: string }
}

export interface Verdict {
  /** What is wrong, with the daemon's last lines. */
  readonly failure?: string
  readonly startMs: number
  /** CPU time of a real start, ms, its helper processes included. */
  readonly startCpuMs?: number
  /** Changes of files that were numbered: none of a process of its own. */
  readonly operations: number
  /** The image asked for by `again` was taken. */
  readonly again: boolean
}
