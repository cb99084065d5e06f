/** Long work lets others run, and not more often than it must. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Breath, breathing } from '../../src/replica/breath.js'

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

test('work in steps lets others run between two of them, and comes to what it comes to', async () => {
  let now = 0
  const happened: string[] = []
  const clock = { monotonic: () => now, pause: () => (happened.push('pause'), Promise.resolve()) }
  function* steps(): Generator<void, number> {
    for (let step = 0; step < 4; step++) {
      happened.push(`step ${step}`)
      now += 2
      yield
    }
    return 7
  }
  assert.equal(await breathing(steps(), clock), 7)
  assert.deepEqual(happened, ['step 0', 'step 1', 'pause', 'step 2', 'step 3', 'pause'])
})
