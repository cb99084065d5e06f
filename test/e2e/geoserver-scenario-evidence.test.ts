/** What the report of scenarios goes by: an agreement is no edit, and what GeoServers leave out is found in either log. */
import '../../src/polyfill.js'
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { complaintsIn } from './geoserver-scenario-evidence.js'

test('what a GeoServer left out is found in its file and in its output, whichever is there', (t) => {
  const place = mkdtempSync(join(tmpdir(), 'gv-complaints-'))
  t.after(() => rmSync(place, { recursive: true }))
  const [file, output] = [join(place, 'geoserver.log'), join(place, 'a.log')]
  assert.throws(() => complaintsIn([file, output]), /geoserver\.log.*a\.log/)
  writeFileSync(output, 'started\nIgnoring feature type directory x\nFailed to load actual store y\n')
  assert.deepEqual(complaintsIn([file, output]), ['Ignoring feature type directory x'])
  writeFileSync(file, 'Ignoring feature type directory x\nFailed to load data store y\n')
  assert.deepEqual(complaintsIn([file, output]), ['Ignoring feature type directory x', 'Failed to load data store y'])
})
