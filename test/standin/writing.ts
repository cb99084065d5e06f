/** How GeoServer writes a file, as a watcher sees it. */
import { randomUUID } from 'node:crypto'
import { existsSync, renameSync, writeFileSync } from 'node:fs'

/** A new file is empty for a moment; an existing one is only ever replaced whole. */
export function writeAsGeoServer(path: string, text: string): void {
  if (!existsSync(path)) writeFileSync(path, '')
  const temporary = `${path}.${randomUUID()}.tmp`
  writeFileSync(temporary, text)
  renameSync(temporary, path)
}
