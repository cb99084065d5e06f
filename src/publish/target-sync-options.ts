/** What the sync between a target and the catalog needs, and what it tells. */
import type { Adapter, BodySource } from '../adapters/contract.js'
import type { CatalogReader } from '../catalog/index.js'
import type { Clock, Logger } from '../runtime.js'
import type { BodyRef } from '../wire/index.js'
import type { Base } from './base.js'
import type { DriftEnd, DriftItem } from './drift.js'
import type { DriftPolicy } from './drift-rules.js'
import type { Bodies, ChangeSink } from './importer.js'
import type { Problem } from './problems.js'
import type { SharedDirOptions } from './shared-dir.js'

export interface TargetSyncDeps {
  readonly adapter: Adapter
  readonly reader: CatalogReader
  readonly sink: ChangeSink
  readonly base: Base
  readonly clock: Clock
  readonly logger: Logger
  readonly bodies: Bodies & { has(ref: BodyRef): boolean; want(ref: BodyRef): void; source: BodySource }
  /** Whether this node may write to the catalog, at this path. */
  mayWrite(path: string, kind: 'file' | 'dir'): boolean
  /** What becomes of a local change where it may not. */
  driftPolicy(path: string): DriftPolicy
  /** A directory outside the target for what must make way. */
  readonly asideDir: string
}

export interface TargetSyncOptions {
  /** A full scan at least this often, ms. */
  readonly rescanIntervalMs: number
  /** What to do with files that were there before the first scan: see `--adopt`. */
  readonly adopt: 'merge' | 'cluster'
  /** This node joined others: what they have, or have yet to send, wins over files that were here before. */
  readonly newcomer: boolean
  /** Other nodes share the directory: nothing is written (`shared-dir.ts`). */
  readonly shared?: SharedDirOptions
}

export interface TargetSyncEvents {
  problem?(problem: Problem, open: boolean): void
  imported?(path: string, what: string): void
  written?(path: string, what: string): void
  scanned?(entries: number, ms: number): void
  drift?(item: DriftItem, end?: DriftEnd): void
}

export interface LastScan {
  readonly at: number
  readonly ms: number
  readonly entries: number
}
