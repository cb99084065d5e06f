/** What a run of applied records did, gathered while it goes on. */
import type { CatalogDelta, ConflictChange } from '../catalog/index.js'
import type { SignedRecord } from '../wire/index.js'

export interface Applied {
  readonly entries: Set<string>
  readonly admitted: Uint8Array[]
  /** Keys that were members and are no more. */
  readonly removed: Uint8Array[]
  readonly rejected: Array<{ record: SignedRecord; reason: string }>
  readonly conflicts: ConflictChange[]
  records: number
}

export function nothingApplied(): Applied {
  return { entries: new Set(), admitted: [], removed: [], rejected: [], conflicts: [], records: 0 }
}

export function collect(result: Applied, delta: CatalogDelta): void {
  for (const id of delta.entries) result.entries.add(id)
  result.conflicts.push(...delta.conflicts)
}
