/**
 * After damage to the log the target may stand for more than the catalog knows: entries it never heard of, or values
 * newer than its own. Taken for what it seems, that would be deleted or overwritten with something older.
 */
import type { CatalogReader } from '../catalog/index.js'
import type { Logger } from '../runtime.js'
import type { Base, BaseRow } from './base.js'

/** Drops such rows, so that the next scan finds what is there as new. */
export async function dropUnknown(base: Base, reader: CatalogReader, logger: Logger): Promise<void> {
  const unknown: BaseRow[] = []
  for await (const row of base.list()) if (!knowsAll(row, reader)) unknown.push(row)
  for (const row of unknown) base.delete(row)
  await base.flush()
  if (unknown.length > 0)
    logger.warn('The target holds more than the catalog knows, as after damage to the log; it is imported.', {
      entries: unknown.length,
      first: unknown[0]!.path
    })
}

/** Whether the catalog has heard of the entry and of every value the row stands for, even if they were replaced since. */
function knowsAll(row: BaseRow, reader: CatalogReader): boolean {
  // a directory that merely lingers stands for nothing the catalog could know
  if (row.lingering) return true
  const state = reader.entry(row.id)?.state
  if (state === undefined) return false
  const written = new Map(state.clients.map(({ client, clock }) => [client, clock]))
  return row.seen.every((key) => {
    const [client, clock] = key.split(':').map(Number) as [number, number]
    return clock < (written.get(client) ?? 0)
  })
}
