/** What several nodes ask for at about the same time is read once. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { KEPT_BYTES, KEPT_MS, Served, type Answer } from '../../src/blobs/served.js'
import { HandClock } from '../net/hand-clock.js'

function rig() {
  const clock = new HandClock()
  const served = new Served(clock)
  const made: string[] = []
  const ask = (name: string, length = 100, bytes = length): Promise<Answer> =>
    served.answer(name, async () => {
      made.push(name)
      await Promise.resolve()
      return { frame: new Uint8Array(length), bytes }
    })
  return { clock, served, made, ask }
}

test('a part that several ask for, at once or soon after, is made once', async () => {
  const { made, ask } = rig()
  const [first, second] = await Promise.all([ask('a'), ask('a')])
  assert.equal(first, second)
  assert.equal(await ask('a'), first)
  await ask('b')
  assert.deepEqual(made, ['a', 'b'])
})

test('what is kept is bounded, and what was used longest ago goes first', async () => {
  const { made, ask } = rig()
  const half = KEPT_BYTES / 2
  await ask('a', half)
  await ask('b', half)
  await ask('a', half)
  assert.deepEqual(made, ['a', 'b'], 'at the limit both are kept')
  await ask('c', 1)
  await ask('a', half)
  assert.deepEqual(made, ['a', 'b', 'c'])
  await ask('b', half)
  assert.deepEqual(made, ['a', 'b', 'c', 'b'])
})

test('what is absent is looked for again, and what failed is tried again', async () => {
  const { made, ask, served } = rig()
  await ask('gone', 10, 0)
  await ask('gone', 10, 0)
  assert.deepEqual(made, ['gone', 'gone'])
  const failing = (): Promise<Answer> => Promise.reject(new Error('the disk'))
  await assert.rejects(served.answer('a', failing), /the disk/)
  await ask('a')
  assert.deepEqual(made, ['gone', 'gone', 'a'])
})

test('nothing is kept when nothing was asked for a while', async () => {
  const { clock, made, ask } = rig()
  await ask('a')
  await clock.pass(KEPT_MS - 1)
  await ask('a')
  await clock.pass(KEPT_MS - 1)
  await ask('a')
  assert.deepEqual(made, ['a'])
  await clock.pass(KEPT_MS)
  await ask('a')
  assert.deepEqual(made, ['a', 'a'])
  await ask('b', KEPT_BYTES - 100)
  await ask('a')
  assert.deepEqual(made, ['a', 'a', 'b'], 'what was forgotten takes no room')
})
