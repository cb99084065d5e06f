/** What `npm test` runs. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { REPOSITORY } from './golden/files.js'

/** Refusing takes no build and no test, ms. */
const REFUSED_MS = 10_000

test('a word that the path of no test holds is refused, and nothing is built or run', () => {
  const script = join(REPOSITORY, 'scripts', 'test.mjs')
  const words = ['runner', 'no-test-has-this-word', 'nor-this']
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...words], {
    encoding: 'utf8',
    timeout: REFUSED_MS
  })
  assert.equal(stderr, 'no test file has "no-test-has-this-word" or "nor-this" in its path\n')
  assert.equal(status, 2)
  assert.equal(stdout, '')
})
