/** What one member may make a node do, and that it alone waits when it wants more. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Logger } from '../src/runtime.js'
import { seldom } from '../src/runtime.js'
import { Allowances, Bucket, Shares, THROTTLED_AFTER_MS, THROTTLED_UNTIL_MS, type Throttled } from '../src/share.js'
import { HandClock } from './net/hand-clock.js'

const RATES = { bytes: { perSecond: 1_000, burst: 5_000 }, work: { perSecond: 500, burst: 2_000 } }

function shares(): { clock: HandClock; all: Shares; changes: Array<[string, Throttled | undefined]> } {
  const clock = new HandClock()
  const changes: Array<[string, Throttled | undefined]> = []
  const all = new Shares({ clock, changed: (member, state) => changes.push([member, state]) }, RATES)
  return { clock, all, changes }
}

/** Whether a promise is settled once all that can happen now has happened. */
async function settled(promise: Promise<unknown>): Promise<boolean> {
  let done = false
  void promise.then(() => (done = true))
  await new Promise((resolve) => setImmediate(resolve))
  return done
}

test('a bucket gives its burst at once, one more is debt, and the debt ends at its rate', () => {
  const clock = new HandClock()
  const bucket = new Bucket(clock, { perSecond: 10, burst: 5 })
  bucket.take(4)
  assert.equal(bucket.debtMs(), 0, 'one is left')
  bucket.take(1)
  assert.equal(bucket.debtMs(), 1, 'nothing is left')
  bucket.take(10)
  assert.equal(bucket.debtMs(), 1_000)
  clock.spend(1_000)
  assert.equal(bucket.debtMs(), 1)
  clock.spend(1)
  assert.equal(bucket.debtMs(), 0)
  assert.equal(bucket.full, false)
  clock.spend(60_000)
  assert.equal(bucket.full, true)
  bucket.take(6)
  assert.equal(bucket.debtMs(), 100, 'rest does not gather more than the burst')
})

test('a member within its share does not wait, one beyond it does, and no other', async () => {
  const { clock, all, changes } = shares()
  all.of('loud').take('bytes', 4_999)
  assert.ok(await settled(all.of('loud').turn()))
  all.of('loud').take('bytes', 1_001)
  const waiting = all.of('loud').turn()
  assert.ok(!(await settled(waiting)))
  assert.ok(all.of('loud').over)
  assert.ok(!all.of('quiet').over)
  assert.ok(await settled(all.of('quiet').turn()))
  await clock.pass(1_000)
  assert.ok(!(await settled(waiting)))
  await clock.pass(10)
  assert.ok(await settled(waiting))
  assert.deepEqual(
    changes.map(([member, state]) => [member, state?.reason]),
    [['loud', 'bytes']]
  )
})

test('the time that work takes is counted, and whoever keeps us busy lets others run', async () => {
  const { clock, all } = shares()
  const share = all.of('busy')
  assert.equal(
    share.working('work', () => (clock.spend(1), 'done')),
    'done'
  )
  await share.turn()
  assert.equal(clock.pauses, 0)
  assert.throws(() => share.working('work', () => (clock.spend(4_000), assert.fail('bad'))), /bad/)
  await share.rest()
  assert.equal(clock.pauses, 4, 'what others do takes several turns')
  await share.rest()
  assert.equal(clock.pauses, 4)
  assert.ok(share.over, 'what fails has taken its time too')
  const waiting = share.turn()
  await clock.pass(4_001)
  assert.ok(await settled(waiting))
})

test('of many who wait for a turn of one member one goes on, and the rest let others run again', async () => {
  const { clock, all } = shares()
  clock.pause = () => new Promise((resolve) => setImmediate(resolve))
  const share = all.of('busy')
  let loops = 0
  let on = true
  const count = (): void => {
    loops += 1
    if (on) setImmediate(count)
  }
  count()
  const went: number[] = []
  clock.spend(2)
  await Promise.all(
    Array.from({ length: 5 }, async () => {
      await share.rest()
      went.push(loops)
      clock.spend(2)
    })
  )
  on = false
  for (const [at, loop] of went.entries()) assert.ok(loop > (went[at - 1] ?? 0), `at ${went.join(', ')}`)
})

test('a turn waits for the buckets it is about, and not for others', async () => {
  const { clock, all } = shares()
  const share = all.of('talkative')
  share.take('work', 3_000)
  assert.ok(await settled(share.turn(['bytes'])))
  const waiting = share.turn(['bytes', 'work'])
  assert.ok(!(await settled(waiting)))
  await clock.pass(2_001)
  assert.ok(await settled(waiting))
})

test("an allowance is each one's own, and is forgotten when there are too many to remember", () => {
  const clock = new HandClock()
  const all = new Allowances(clock, { perSecond: 1, burst: 2 }, 3)
  const used = (name: string): boolean[] => Array.from({ length: 3 }, () => all.may(name, 1))
  assert.deepEqual(used('a'), [true, true, false])
  assert.deepEqual(used('b'), [true, true, false])
  assert.ok(all.may('c', 1))
  assert.ok(!all.may('a', 1), 'three are remembered')
  assert.ok(all.may('d', 1))
  assert.ok(all.may('a', 1), 'a fourth makes all forgotten')
  clock.spend(3_000)
  assert.deepEqual(used('a'), [true, true, false])
})

test('being slowed is told once, with its reason, and once that it is over', async () => {
  const { clock, all, changes } = shares()
  const share = all.of('slow')
  share.slowed('answers', THROTTLED_AFTER_MS - 1)
  assert.equal(share.throttled, undefined, 'a hiccup')
  share.slowed('answers', 1)
  share.slowed('bytes', 5_000)
  assert.deepEqual(changes, [['slow', { reason: 'answers', since: 0 }]])
  assert.deepEqual([...all.throttled()], changes)
  assert.equal(share.idle, false)
  await clock.pass(5_000 + THROTTLED_UNTIL_MS - 1)
  assert.equal(changes.length, 1)
  await clock.pass(1)
  assert.deepEqual(changes[1], ['slow', undefined])
  assert.equal(all.throttled().size, 0)
  share.slowed('bytes', THROTTLED_AFTER_MS)
  assert.equal(changes.length, 3, 'and again when it happens again')
  all.stop()
  await clock.pass(60_000)
  assert.equal(changes.length, 3, 'nothing is told after the end')
})

test('waits that lie far apart are no slowing', () => {
  const { clock, all, changes } = shares()
  for (let at = 0; at < 5; at++) {
    all.of('rare').slowed('bytes', THROTTLED_AFTER_MS / 2)
    clock.spend(THROTTLED_UNTIL_MS + THROTTLED_AFTER_MS)
  }
  assert.deepEqual(changes, [])
})

test('of many members those with nothing to remember are forgotten, and the ones in debt are not', () => {
  const { all } = shares()
  all.of('in debt').take('bytes', 1_000_000)
  for (let at = 0; at < 5_000; at++) all.of(`passer-by ${at}`)
  assert.ok(all.of('in debt').over)
  const { all: crowd } = shares()
  for (let at = 0; at < 5_000; at++) crowd.of(`debtor ${at}`).take('bytes', 1_000_000)
  assert.ok(!crowd.of('debtor 0').over, 'when all are in debt the first makes room')
  assert.ok(crowd.of('debtor 4999').over)
})

test('the same warning is written at once and then seldom, with how often it was left out', () => {
  const clock = new HandClock()
  const lines: unknown[] = []
  const at =
    (level: string): Logger['warn'] =>
    (message, facts) =>
      void lines.push([level, message, facts])
  const logger = seldom({ debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }, clock)
  for (let time = 0; time < 1_000; time++) logger.warn('a guess', { time })
  logger.warn('another')
  clock.spend(10_000)
  logger.warn('a guess', { time: 'later' })
  for (const level of ['debug', 'info', 'error'] as const) for (let time = 0; time < 2; time++) logger[level](level)
  assert.deepEqual(lines, [
    ['warn', 'a guess', { time: 0 }],
    ['warn', 'another', {}],
    ['warn', 'a guess', { time: 'later', times: 999 }],
    ...['debug', 'info', 'error'].flatMap((level) => Array.from({ length: 2 }, () => [level, level, undefined]))
  ])
  for (let word = 0; word < 256; word++) logger.warn(`word ${word}`)
  lines.length = 0
  logger.warn('a guess')
  assert.equal(lines.length, 1, 'a flood of different words makes the first ones new')
})
