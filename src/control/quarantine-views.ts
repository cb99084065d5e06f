/** Shapes of the local API about what a node could not apply. */
import type { NodeId } from '../runtime.js'

/** A record that runs into a fault of this version: kept, without effect here, and what builds on it waits. */
export interface HeldRecordView {
  record: string
  space: string
  author: NodeId
  log: string
  seq: number
  /** What was thrown, one line. */
  reason: string
  since: string
  /** Records held here that wait for it. */
  waiting: number
  /** Entries it touches, by the path they have or would have. */
  paths: string[]
}

/** An entry that could not be written to the target. */
export interface FailingEntryView {
  path: string
  id: string
  /** `retried`: by itself. `held`: when it changes, with a full scan, at a start. `dropped`: when it changes. */
  state: 'retried' | 'held' | 'dropped'
  reason: string
  since: string
}

export interface QuarantineView {
  records: HeldRecordView[]
  entries: FailingEntryView[]
}
