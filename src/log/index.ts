export type { Hole } from './stranded.js'
export type { DamagedRange, LogHead, Outcome } from './head.js'
export { RecordLog, type RecordLogDeps } from './record-log.js'
export { SegmentLog, type Location, type Scanned } from './segments.js'
export {
  decodeKnowledge,
  encodeKnowledge,
  storedHeads,
  type Knowledge,
  type RecordRow,
  type RecordState
} from './rows.js'
export { dropSettled, settledKeys } from './settled.js'
