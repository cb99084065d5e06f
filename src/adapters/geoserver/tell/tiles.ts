/** Tiles of an old look (rule 7 of `teller.ts`). */
import { GrapevineError } from '../../../errors.js'
import { escaped } from '../xml.js'
import type { TellerDeps } from './teller-deps.js'

/** Drops the tiles of layers and groups that are drawn anew by now. Throws what keeps GeoServer from being told. */
export async function dropTiles(deps: TellerDeps, signal: AbortSignal): Promise<void> {
  const { debt, clock, caller } = deps
  for (const [name, at] of debt.tiles) {
    if (at > clock.now()) continue
    const body = `<truncateLayer><layerName>${escaped(name)}</layerName></truncateLayer>`
    try {
      await caller.text({ method: 'POST', path: '/gwc/rest/masstruncate', body, type: 'text/xml' }, signal)
    } catch (error) {
      if (!(error instanceof GrapevineError) || error.code !== 'geoserver-refused') throw error
      // it has no tile layer: there are no tiles
      deps.logger.debug('The tiles of a layer were not dropped.', { name, reason: error.message })
    }
    debt.tilesDropped(name)
  }
}
