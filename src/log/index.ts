export type { Hole } from './stranded.js'
export { RecordLog, type LogHead, type Outcome, type RecordLogDeps, type DamagedRange } from './record-log.js'
export { SegmentLog, type Location, type Scanned } from './segments.js'
export { storedHeads, type Knowledge, type RecordRow, type RecordState } from './rows.js'
