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
export type { DriftEnd, DriftItem } from './drift.js'
export { DriftRules, type DriftPolicy } from './drift-rules.js'
export { Reconciler, type ReconcilerDeps } from './reconciler.js'
