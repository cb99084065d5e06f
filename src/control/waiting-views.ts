/** What is not in the target yet, what cannot be applied, and what refers to nothing there. */
import type { NodeId } from '../runtime.js'

/** A change that the catalog holds and the target does not. */
export interface WaitingEntryView {
  path: string
  id: string
  /**
   * `content`: its bytes are not here. `coming`: what it refers to is in the catalog and not in the target, or what still
   * refers to it has a change that is. `broken`: what it refers to is nowhere.
   */
  state: 'content' | 'coming' | 'broken'
  /** In words; at most 10. */
  for: string[]
  since: string
  /** When it is written as it is, whatever is missing then. */
  until?: string
}

export interface BrokenReferenceView {
  path: string
  /** In words. */
  missing: string
}

export interface WaitingView {
  /** The oldest first. */
  waiting: WaitingEntryView[]
  /** References in the target that lead nowhere, as their author had them: how many, and the first 1,000 by path. */
  broken: { count: number; references: BrokenReferenceView[] }
}

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
