/** What is not in the target yet, and what refers to nothing there. */

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
