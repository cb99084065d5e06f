export type { FailingEntry } from './failing.js'
export {
  TargetSync,
  type LastScan,
  type TargetSyncDeps,
  type TargetSyncEvents,
  type TargetSyncOptions
} from './target-sync.js'
export { Base } from './base.js'
export type { Bodies, ChangeSink } from './importer.js'
export type { Problem } from './problems.js'
