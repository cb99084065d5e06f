/**
 * Writes the golden files of a format version, once: `node --import tsx test/golden/write.ts`. What exists is never
 * written over: bytes that were released must be readable for ever. A new format gets new names, or a new folder.
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { encodeUpdate } from '../../src/catalog/update.js'
import { hexOf } from '../../src/wire/index.js'
import { blobMessages, indexRows, LATER_FIELD, messages, names, RECORDS, segments, UPDATES } from './fixtures.js'
import { goldenPath } from './files.js'

const hexed = (table: Record<string, Uint8Array>): Record<string, string> =>
  Object.fromEntries(Object.entries(table).map(([name, bytes]) => [name, hexOf(bytes)]))

const tables: Record<string, Record<string, string>> = {
  'updates.json': hexed(Object.fromEntries(UPDATES.map(({ name, update }) => [name, encodeUpdate(update)]))),
  'records.json': hexed({
    ...Object.fromEntries(RECORDS.map(({ name, record }) => [name, record.bytes])),
    'a field of a later version': LATER_FIELD
  }),
  'messages.json': hexed(messages()),
  'blobs.json': hexed(blobMessages()),
  'segments.json': hexed(segments()),
  'index.json': hexed(indexRows()),
  'names.json': names()
}

for (const [file, table] of Object.entries(tables)) {
  const path = goldenPath(file)
  if (existsSync(path)) continue
  mkdirSync(goldenPath(''), { recursive: true })
  writeFileSync(path, `${JSON.stringify(table, null, 2)}\n`)
  process.stdout.write(`wrote ${file}\n`)
}
