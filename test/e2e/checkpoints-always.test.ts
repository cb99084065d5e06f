/** Kills, edits made apart and crashes at any change of files, once more: with checkpoints made all the time. */
import assert from 'node:assert/strict'
import { after } from 'node:test'
import { checkpointsCounted } from './always.js'

process.env['GRAPEVINE_CHECKPOINTS'] = 'always'
for (const test of ['kill', 'apart', 'crash-points']) await import(`./${test}.test.js`)

after(() => {
  assert.ok(checkpointsCounted() > 0, 'no checkpoint came into force')
})
