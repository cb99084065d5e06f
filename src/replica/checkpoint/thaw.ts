/** Makes an empty index what a checkpoint says: its entries and their small bodies, and how far each log goes in it. */
import { readChunk, readPack, type Catalog } from '../../catalog/index.js'
import { GrapevineError } from '../../errors.js'
import type { RecordLog } from '../../log/index.js'
import type { Clock, Logger } from '../../runtime.js'
import type { Overlay } from '../../store/index.js'
import type { Manifest } from '../../wire/index.js'
import { MAX_PENDING_ROWS } from '../applier.js'
import { Breath, breathing } from '../breath.js'
import { refOf } from './base.js'
import type { KeptCheckpoint } from './base-file.js'
import type { Contents } from './contents.js'

export interface ThawDeps {
  readonly log: RecordLog
  readonly catalog: Catalog
  readonly rows: Overlay
  readonly contents: Contents
  readonly clock: Pick<Clock, 'monotonic' | 'pause'>
  readonly logger: Logger
}

/** A long one says how far it is this often, ms. */
const PROGRESS_MS = 5_000

/**
 * Done again from the beginning it ends the same, so that a crash in between costs only time. Throws `blob-missing`,
 * `blob-damaged`, `message-malformed`.
 */
export async function thaw(kept: KeptCheckpoint, manifest: Manifest, deps: ThawDeps): Promise<void> {
  const { log, catalog, rows, contents, clock, logger } = deps
  const breath = new Breath(clock)
  let told = clock.monotonic()
  let entries = 0
  // whose log a value came from decides between values: the logs first
  for (const each of manifest.logs) log.begin(each, 'catalog')
  for (const ref of kept.packs) {
    for (const body of readPack(await contents.get(ref))) {
      catalog.keepBody(body)
      await breath.draw()
    }
    if (rows.size > MAX_PENDING_ROWS) await rows.flush()
  }
  for (const chunk of manifest.chunks) {
    entries += await breathing(catalog.thaw(readChunk(await contents.get(refOf(chunk)))), clock, breath)
    if (rows.size > MAX_PENDING_ROWS) await rows.flush()
    if (clock.monotonic() - told < PROGRESS_MS) continue
    told = clock.monotonic()
    logger.info('A checkpoint is being taken over.', { entries, of: manifest.entries })
  }
  if (entries !== manifest.entries)
    throw new GrapevineError('store-damaged', 'a checkpoint does not hold as many entries as it says', {
      next: 'report this',
      facts: { entries, of: manifest.entries, manifest: kept.manifest.hash }
    })
}
