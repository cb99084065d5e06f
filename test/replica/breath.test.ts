/** Long work lets others run, and not more often than it must. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Breath } from '../../src/replica/breath.js'

test('work is interrupted when it has held on for long, and then not again at once', async () => {
  let now = 0
  let pauses = 0
  const clock = { monotonic: () => now, pause: () => ((pauses += 1), Promise.resolve()) }
  now = 100
  const breath = new Breath(clock)
  await breath.draw()
  now = 103.9
  await breath.draw()
  assert.equal(pauses, 0)
  now = 104
  await breath.draw()
  await breath.draw()
  assert.equal(pauses, 1)
  now = 108
  await breath.draw()
  assert.equal(pauses, 2)
})
