/** A small sample of `npm run crash-points`, which numbers every change of files and looks at what a kill there leaves. */
import '../../src/polyfill.js'
import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmSync, truncateSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import { whyNoImages } from './crash-images.js'
import { sweepByKills } from './crash-kills.js'
import { sweep, type SweepOptions, type SweepResult } from './crash-sweep.js'

/** Changes of the script: one of each kind. */
const LENGTH = 10
/** About two of some 800 points. */
const KILLS_STRIDE = 401
/** About ten of them. */
const IMAGES_STRIDE = 81
/** Other points in each run; a failure names its own. */
const OFFSET = Date.now()

test('a daemon killed at any change of its files has all it acknowledged, and whole', async (t) => {
  const place = mkdtempSync(join(tmpdir(), 'gv-crash-'))
  try {
    const result = await sweepByKills({ place, length: LENGTH, stride: KILLS_STRIDE, offset: OFFSET % KILLS_STRIDE })
    t.diagnostic(JSON.stringify({ offset: OFFSET % KILLS_STRIDE, ...result }))
    assert.deepEqual(result.failures, [])
    assert.ok(result.swept > 0)
    assert.equal(result.killed, result.swept)
  } finally {
    rmSync(place, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 })
  }
})

describe('images of what a kill leaves', { skip: whyNoImages() ?? false }, () => {
  test('a daemon recovers from each, also from those of a crash during recovery', async (t) => {
    const result = await sample(t, { stride: IMAGES_STRIDE, offset: OFFSET % IMAGES_STRIDE })
    assert.deepEqual(result.failures, [])
    assert.ok(result.images > 0 && result.secondCrashes > 0, 'nothing was judged')
    assert.equal(result.judgedPoints, result.looked)
  })

  test('an image whose log lacks what was acknowledged is found', async (t) => {
    const spoil: SweepOptions['spoil'] = async (places, image) => {
      // with checkpoints all the time the first segment is gone before the last point
      const log = join(places.pathOf(image), 'home', 'log')
      for (const name of readdirSync(log)) if (name.endsWith('.seg')) truncateSync(join(log, name))
    }
    // the last points: by then much is acknowledged
    const result = await sample(t, { stride: 400, offset: 399, spoil })
    assert.ok(result.failures.length > 0, 'nothing was found')
  })
})

async function sample(t: TestContext, options: Omit<SweepOptions, 'place'>): Promise<SweepResult> {
  const place = mkdtempSync(join(tmpdir(), 'gv-crash-'))
  try {
    const result = await sweep({ place, length: LENGTH, ...options })
    t.diagnostic(JSON.stringify({ offset: options.offset, ...result }))
    return result
  } finally {
    rmSync(place, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 })
  }
}
