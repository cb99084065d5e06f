/** Whom a node asks what the members have become, and when. */
import '../../src/polyfill.js'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { WayBack } from '../../src/net/index.js'
import { AT_ONCE, LOST_MS, MAX_PAUSE_MS, Returning, SHUT_OUT_MS } from '../../src/node/returning.js'
import { silentLogger } from '../../src/runtime.js'
import { HandClock } from '../net/hand-clock.js'

const way = (name: string, isUrgent: boolean): WayBack => ({ node: undefined, addresses: [name], isUrgent })

function rig(ways: WayBack[]) {
  const clock = new HandClock()
  const asked: string[] = []
  const returning = new Returning({
    clock,
    logger: silentLogger,
    ways: () => ways,
    // nobody has anything to tell
    ask: async function* ({ addresses }) {
      asked.push(addresses[0]!)
      yield { records: [] }
    },
    take: () => Promise.resolve(false)
  })
  returning.start()
  const pass = async (ms: number): Promise<void> => {
    for (let at = 0; at < ms; at += 1_000) await clock.pass(1_000)
  }
  return { asked, pass, returning }
}

test('who is shut out asks soon, and then more and more seldom', async () => {
  const { asked, pass } = rig([way('a', true)])
  await pass(SHUT_OUT_MS)
  assert.equal(asked.length, 0)
  await pass(1_000)
  assert.equal(asked.length, 1)
  await pass(2 * SHUT_OUT_MS - 2_000)
  assert.equal(asked.length, 1)
  await pass(3_000)
  assert.equal(asked.length, 2)
  await pass(20 * MAX_PAUSE_MS)
  const before = asked.length
  await pass(10 * MAX_PAUSE_MS)
  assert.ok(asked.length - before >= 9 && asked.length - before <= 11, `${asked.length - before} in ten pauses`)
})

test('where somebody is not connected is asked seldom, and that delays nobody who is shut out', async () => {
  const ways = [way('stopped', false)]
  const { asked, pass } = rig(ways)
  await pass(LOST_MS)
  assert.equal(asked.length, 0)
  await pass(2_000)
  assert.deepEqual(asked, ['stopped'])
  await pass(20 * MAX_PAUSE_MS)
  asked.length = 0
  ways.push(way('refuses', true))
  await pass(SHUT_OUT_MS + 2_000)
  assert.ok(asked.includes('refuses'))
})

test('of many ways some are tried at a time, all of them in turn', async () => {
  const { asked, pass } = rig(Array.from({ length: AT_ONCE + 1 }, (_, at) => way(`${at}`, true)))
  await pass(SHUT_OUT_MS + 1_000)
  assert.deepEqual(
    asked,
    Array.from({ length: AT_ONCE }, (_, at) => `${at}`)
  )
  await pass(2 * SHUT_OUT_MS + 1_000)
  assert.deepEqual(asked.slice(AT_ONCE, AT_ONCE + 2), [`${AT_ONCE}`, '0'])
})

test('after the end nobody is asked', async () => {
  const { asked, pass, returning } = rig([way('a', true)])
  returning.stop()
  await pass(MAX_PAUSE_MS)
  assert.deepEqual(asked, [])
})
