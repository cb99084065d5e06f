/** What several nodes ask for at about the same time is read once. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LARGE_BYTES, roomFor, wasRead } from '../../src/buffers.js'
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
      return { frame: roomFor(length), bytes }
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

test('memory is given back when a part is kept no more and everybody who asked for it has read it', async () => {
  const { clock, ask } = rig()
  const [first, same] = await Promise.all([ask('a', LARGE_BYTES), ask('a', LARGE_BYTES)])
  const { frame } = await ask('a', LARGE_BYTES)
  assert.ok(first!.frame === frame && same!.frame === frame)
  wasRead(frame)
  wasRead(frame.subarray(0, 10))
  wasRead(frame.subarray(10))
  await clock.pass(KEPT_MS)
  assert.equal(frame.length, LARGE_BYTES, 'one of three has not read it')
  wasRead(frame)
  assert.equal(frame.length, 0)
})

test('a part that goes at once because others need the room is not taken from whoever waits for it', async () => {
  const { ask } = rig()
  const all = await Promise.all(['a', 'b', 'c', 'd'].map((name) => ask(name, KEPT_BYTES)))
  for (const { frame } of all) assert.equal(frame.length, KEPT_BYTES)
  for (const { frame } of all) wasRead(frame)
  assert.deepEqual(
    all.map(({ frame }) => frame.length),
    [0, 0, 0, KEPT_BYTES],
    'the last is still kept'
  )
})
