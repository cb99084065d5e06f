/** A small sample of `npm run crash-points`, which numbers every change of files and kills a daemon at each. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { sweepByKills } from './crash-kills.js'

/** Changes of the script: one of each kind. */
const LENGTH = 10
/** About eight of some 800 points. */
const STRIDE = 101
/** CPU time of a start, ms: unlike the time on the clock it does not grow with what else the machine does. */
const MAX_START_CPU_MS = 2_000

test('a daemon killed at any change of its files has all it acknowledged, whole, and starts at once', async (t) => {
  const place = mkdtempSync(join(tmpdir(), 'gv-crash-'))
  // other points in each run; a failure names its own
  const offset = Date.now() % STRIDE
  try {
    const result = await sweepByKills({ place, length: LENGTH, stride: STRIDE, offset })
    t.diagnostic(JSON.stringify({ offset, ...result }))
    assert.deepEqual(result.failures, [])
    assert.ok(result.notReached < result.swept, 'no point was reached')
    assert.ok(result.slowestStartCpuMs < MAX_START_CPU_MS, `a start took ${result.slowestStartCpuMs} ms of CPU`)
  } finally {
    rmSync(place, { recursive: true, force: true })
  }
})
