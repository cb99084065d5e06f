/** A process at rest gives back what a burst made it take, and only then. */
import '../../src/polyfill.js'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  AGAIN_MS,
  IdleMemory,
  LEAST_BYTES,
  LOOK_MS,
  MAX_COLLECTION_MS,
  MAX_PATIENCE_MS,
  PATIENCE_MS,
  processMemory,
  REST_SHARE,
  WORTH_BYTES
} from '../../src/node/idle-memory.js'
import { HandClock } from '../net/hand-clock.js'

const LIVE = 10 * 1024 * 1024
const SLOW_MS = MAX_COLLECTION_MS + 1

function rig({ heap = LIVE + WORTH_BYTES, collectionMs = 30, gives = WORTH_BYTES } = {}) {
  const clock = new HandClock()
  const state = { cpuMs: 0, heap, collections: 0, collectionMs }
  const idle = new IdleMemory({
    clock,
    logger: { debug: () => undefined },
    memory: {
      cpuMs: () => state.cpuMs,
      heapBytes: () => state.heap,
      collect: () => {
        state.collections += 1
        state.heap = Math.max(LIVE, state.heap - gives)
        clock.spend(state.collectionMs)
      }
    }
  })
  idle.start()
  return { clock, state, idle }
}

test('the heap of a process at rest is collected as long as that gives back much, and again when it has grown', async () => {
  const { clock, state } = rig({ heap: LIVE + WORTH_BYTES, gives: LEAST_BYTES })
  await clock.pass(LOOK_MS - 1)
  assert.equal(state.collections, 0)
  await clock.pass(1)
  assert.equal(state.collections, 1)
  await clock.pass(20 * AGAIN_MS)
  assert.equal(state.collections, WORTH_BYTES / LEAST_BYTES + 1, 'the last one gave back nothing')
  state.heap = LIVE + WORTH_BYTES - 1
  await clock.pass(10 * LOOK_MS)
  assert.equal(state.collections, WORTH_BYTES / LEAST_BYTES + 1, 'one byte less than is worth it')
  state.heap += 1
  await clock.pass(2 * LOOK_MS)
  assert.ok(state.collections > WORTH_BYTES / LEAST_BYTES + 1)
  const little = rig({ gives: LEAST_BYTES - 1 })
  await little.clock.pass(LOOK_MS + 2 * AGAIN_MS)
  assert.equal(little.state.collections, 1, 'one byte less than is much')
})

test('a process that is busy is left alone until it rests', async () => {
  const { clock, state } = rig()
  for (let look = 0; look < 3; look++) {
    state.cpuMs += LOOK_MS * REST_SHARE + 1
    await clock.pass(LOOK_MS)
  }
  assert.equal(state.collections, 0)
  state.cpuMs += LOOK_MS * REST_SHARE
  await clock.pass(LOOK_MS)
  assert.equal(state.collections, 1)
})

test('after a collection that took too long the next one waits, each time longer until one is quick', async () => {
  const quick = rig({ collectionMs: MAX_COLLECTION_MS })
  await quick.clock.pass(LOOK_MS + 2 * AGAIN_MS)
  assert.equal(quick.state.collections, 2)

  const { clock, state } = rig({ collectionMs: SLOW_MS, gives: 0 })
  await clock.pass(LOOK_MS)
  assert.equal(state.collections, 1)
  let patienceMs = PATIENCE_MS
  for (let slow = 2; slow < 10; slow++) {
    await clock.pass(SLOW_MS + patienceMs + LOOK_MS - 1)
    assert.equal(state.collections, slow - 1)
    await clock.pass(1)
    assert.equal(state.collections, slow)
    patienceMs = Math.min(MAX_PATIENCE_MS, 2 * patienceMs)
  }
  assert.equal(patienceMs, MAX_PATIENCE_MS)
})

test('a slow collection after a quick one waits no longer than the first', async () => {
  const { clock, state } = rig({ gives: 0, collectionMs: SLOW_MS })
  await clock.pass(LOOK_MS)
  state.collectionMs = 30
  await clock.pass(SLOW_MS + PATIENCE_MS + LOOK_MS)
  assert.equal(state.collections, 2)
  state.heap += WORTH_BYTES
  state.collectionMs = SLOW_MS
  await clock.pass(30 + LOOK_MS)
  assert.equal(state.collections, 3)
  await clock.pass(SLOW_MS + PATIENCE_MS + LOOK_MS)
  assert.equal(state.collections, 4)
})

test('after the end nothing is collected', async () => {
  const { clock, state, idle } = rig()
  idle.stop()
  await clock.pass(10 * LOOK_MS)
  assert.equal(state.collections, 0)
})

test('the collector of this very process gives the heap back', () => {
  const memory = processMemory()
  assert.ok(memory.cpuMs() > 0)
  let much: unknown[] | undefined = Array.from({ length: 500_000 }, (_, at) => ({ at }))
  const before = memory.heapBytes()
  assert.equal(much.length, 500_000)
  much = undefined
  memory.collect()
  memory.collect()
  assert.ok(memory.heapBytes() < before - 8 * 1024 * 1024, `${before} bytes before, ${memory.heapBytes()} after`)
})
