/**
 * What every step of a recorded history of a data directory does to its references, as one JSON line:
 *
 *   npm run geoserver-history -- DIR_OR_ARCHIVE
 */
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { readHistory } from '../test/adapters/geoserver/history.js'
import { unpack } from '../test/e2e/fixtures.js'

const [data] = process.argv.slice(2)
if (data === undefined) {
  process.stderr.write('usage: npm run geoserver-history -- DIR_OR_ARCHIVE\n')
  process.exit(2)
}

/** An archive holds one folder. */
function folderOf(path: string): string {
  if (statSync(path).isDirectory()) return path
  const place = unpack(path)
  return join(place, readdirSync(place)[0]!)
}

const began = performance.now()
const report = readHistory(folderOf(data))
process.stdout.write(`${JSON.stringify({ ...report, ms: Math.round(performance.now() - began) })}\n`)
