/** What is told of a log, and of what was found in it. */
import type { Knowledge, RecordRow } from './rows.js'

/** One log as we hold it. */
export interface LogHead {
  readonly log: string
  readonly space: string
  readonly author: Uint8Array
  readonly epoch: string
  seq: number
  id: string
  applied: number
  frozen: boolean
  /** Up to this seq a checkpoint took the place of its records. */
  floor: number
  /** What the newest applied record knows of others, and the seq whose row says so. */
  knowledge: Knowledge
  knowledgeAt: number
}

/** What became of a record once it was judged. */
export type Outcome = Pick<RecordRow, 'state' | 'reason'>

export interface DamagedRange {
  readonly segment: number
  readonly offset: number
  readonly length: number
  readonly reason: string
}
