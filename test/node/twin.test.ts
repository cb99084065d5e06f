/** Another process with our key: nothing is written until it was not seen for a while. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TWIN_GONE_MS, TwinWatch } from '../../src/node/twin.js'
import { silentLogger } from '../../src/runtime.js'
import { HandClock } from '../replica/lab.js'

function world(): { watch: TwinWatch; clock: HandClock; said: string[] } {
  const clock = new HandClock()
  const said: string[] = []
  const replica = {
    hold: (why: string) => void said.push(`hold ${why}`),
    release: (why: string) => void said.push(`release ${why}`),
    renewEpoch: () => void said.push('renew')
  }
  return { watch: new TwinWatch({ clock, logger: silentLogger, replica }), clock, said }
}

test('a node whose key another process uses stops writing, and begins another epoch once the other was not seen for long', () => {
  const { watch, clock, said } = world()
  watch.seen()
  assert.deepEqual(said, ['hold twin'])
  clock.advance(TWIN_GONE_MS - 1)
  assert.deepEqual(said, ['hold twin'])
  clock.advance(1)
  assert.deepEqual(said, ['hold twin', 'release twin', 'renew'])
})

test('each time the other is seen the wait begins anew', () => {
  const { watch, clock, said } = world()
  watch.seen()
  clock.advance(TWIN_GONE_MS - 1)
  watch.seen()
  clock.advance(TWIN_GONE_MS - 1)
  assert.ok(!said.includes('renew'))
  clock.advance(1)
  assert.ok(said.includes('renew'))
})

test('a stopped watch says nothing any more', () => {
  const { watch, clock, said } = world()
  watch.seen()
  watch.stop()
  clock.advance(TWIN_GONE_MS * 2)
  assert.deepEqual(said, ['hold twin'])
})
