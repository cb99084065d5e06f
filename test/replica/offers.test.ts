/** Records wait for each author apart: who writes without end neither delays the others nor takes their room. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nodeIdOf } from '../../src/identity/index.js'
import { Intake } from '../../src/replica/intake.js'
import {
  AHEAD_RECORDS,
  AUTHOR_RECORDS,
  Offers,
  SHARED_SLICE_RECORDS,
  SLICE_BYTES,
  SLICE_RECORDS,
  type Offer
} from '../../src/replica/offers.js'
import { MAX_PARKED_BYTES, MAX_PARKED_RECORDS, Parked } from '../../src/replica/parked.js'
import { MAX_REST_MS, REST_FACTOR } from '../../src/replica/pauses.js'
import { Turns } from '../../src/replica/turns.js'
import type { SignedRecord } from '../../src/wire/index.js'
import { HandClock } from '../net/hand-clock.js'

const key = (name: number): Uint8Array => new Uint8Array(32).fill(name)
const proven = Promise.resolve(new Set<string>())

function records(author: number, count: number, bytes = 200): SignedRecord[] {
  return Array.from(
    { length: count },
    (_, at) => ({ bytes: new Uint8Array(bytes), body: { author: key(author), seq: at + 1 } }) as unknown as SignedRecord
  )
}

interface Rig {
  readonly clock: HandClock
  readonly turns: Turns
  readonly offers: Offers
  readonly slices: Offer[][]
  readonly told: string[]
  /** Up to which seq others wait for records of which author. */
  readonly awaited: Map<number, number>
}

function rig({ sliceMs = 0 } = {}): Rig {
  const clock = new HandClock()
  const turns = new Turns()
  const slices: Offer[][] = []
  const told: string[] = []
  const awaited = new Map<number, number>()
  const offers = new Offers({
    clock,
    turns,
    take: (slice) => (slices.push([...slice]), clock.spend(sliceMs), Promise.resolve()),
    awaited: ({ body }) => (awaited.get(body.author[0]!) ?? Infinity) <= body.seq,
    throttled: (author, state) => told.push(`${author} ${state?.reason}`)
  })
  return { clock, turns, offers, slices, told, awaited }
}

const sizes = (slice: readonly Offer[]): string[] =>
  slice.map((offer) => `${offer.records[0]!.body.author[0]}:${offer.records.length}`)

async function idle({ turns, offers }: Rig): Promise<void> {
  while (offers.bytes > 0) await turns.idle()
  await turns.idle()
}

test('one author is taken in slices of the limit, in order', async () => {
  const made = rig()
  made.offers.add('p', records(1, SLICE_RECORDS + 1), proven)
  await idle(made)
  assert.deepEqual(made.slices.map(sizes), [[`1:${SLICE_RECORDS}`], ['1:1']])
  assert.deepEqual(
    made.slices.flat().flatMap((offer) => offer.records.map(({ body }) => body.seq)),
    Array.from({ length: SLICE_RECORDS + 1 }, (_, at) => at + 1)
  )
})

test('a slice ends with its bytes, and one record goes whatever its size', async () => {
  const made = rig()
  made.offers.add('p', records(1, 3, SLICE_BYTES / 2), proven)
  made.offers.add('p', records(2, 2, SLICE_BYTES * 2), proven)
  await idle(made)
  assert.deepEqual(made.slices.map(sizes), [['1:2'], ['2:1'], ['1:1', '2:1']])
  assert.equal(made.offers.bytes, 0)
})

test('every author has its part of a slice, and who comes late is not behind all of another', async () => {
  const made = rig()
  made.offers.add('p', records(1, 1_000), proven)
  made.offers.add('q', records(1, 1_000), proven)
  made.offers.add('p', [...records(2, 1), ...records(3, 2)], proven)
  const { turns, offers, slices } = made
  await turns.idle()
  assert.deepEqual(sizes(slices[0]!), ['1:42', '2:1', '3:2'])
  let between = -1
  void turns.take(async () => void (between = slices.length))
  await idle(made)
  assert.ok(between > 0 && between < slices.length / 2, 'our own writing has its turn in between')
  offers.add('p', [...Array.from({ length: 9 }, (_, at) => records(at + 1, 20)).flat()], proven)
  const before = slices.length
  await idle(made)
  assert.deepEqual(
    slices.slice(before).map((slice) => slice.length),
    [8, 8, 2]
  )
  assert.equal(slices[before + 1]![0]!.records[0]!.body.author[0], 9, 'who had no turn comes first')
})

test('an author that stored more than its share is waited for, by name, and no other', async () => {
  const { clock, offers, told } = rig()
  const many = records(1, AUTHOR_RECORDS.burst - 1)
  offers.stored(many)
  assert.equal(offers.restMs('01'.repeat(32)), 0)
  offers.stored(records(1, AUTHOR_RECORDS.perSecond + 1))
  assert.ok(offers.over(many[0]!))
  assert.ok(!offers.over(records(2, 1)[0]!))
  assert.equal(offers.restMs(''), 0, 'of whom nothing is known there is nothing to count')
  assert.equal(offers.restMs('02'.repeat(32)), 0)
  assert.equal(offers.restMs('01'.repeat(32)), 1_000)
  await clock.pass(900)
  assert.equal(offers.restMs('01'.repeat(32)), 100)
  await clock.pass(200)
  assert.equal(offers.restMs('01'.repeat(32)), 0)
  const name = nodeIdOf(key(1))
  assert.deepEqual(told, [`${name} records`])
  assert.deepEqual(
    [...offers.throttled()].map(([node, { reason }]) => [node, reason]),
    [[name, 'records']]
  )
})

test('an author of whom much waits to be judged is not asked for more meanwhile, and no other is kept waiting', async () => {
  const made = rig()
  const { offers } = made
  offers.add('p', records(1, AHEAD_RECORDS - 1), proven)
  assert.equal(offers.restMs('01'.repeat(32)), 0)
  offers.add('p', records(1, 1), proven)
  assert.ok(offers.restMs('01'.repeat(32)) > 0)
  assert.equal(offers.restMs('02'.repeat(32)), 0)
  await idle(made)
  assert.equal(offers.restMs('01'.repeat(32)), 0)
})

test('while others have something to do, who fills the queue pauses after each slice, and they do not', async () => {
  const made = rig({ sliceMs: 50 })
  const { clock, offers, slices, turns } = made
  offers.add('p', records(1, 2 * SLICE_RECORDS), proven)
  await turns.idle()
  await turns.idle()
  assert.deepEqual(slices.map(sizes), [[`1:${SLICE_RECORDS}`], [`1:${SLICE_RECORDS}`]], 'alone it does not pause')
  void turns.take(async () => undefined)
  offers.add('p', records(1, 2 * SHARED_SLICE_RECORDS + 1), proven)
  await turns.idle()
  assert.deepEqual(slices.slice(2).map(sizes), [[`1:${SHARED_SLICE_RECORDS}`]])
  offers.add('p', records(2, 1), proven)
  await turns.idle()
  assert.deepEqual(slices.slice(3).map(sizes), [['2:1']], 'the other does not wait for the pause to end')
  offers.add('p', records(2, 1), proven)
  await turns.idle()
  assert.deepEqual(slices.slice(4).map(sizes), [['2:1']], 'nor does it pause itself')
  let idle = false
  void offers.idle().then(() => (idle = true))
  await clock.pass(REST_FACTOR * 50 - 2 * 50 - 1)
  assert.equal(slices.length, 5, 'so many times as long as its slice took')
  assert.ok(!idle)
  await clock.pass(1)
  assert.deepEqual(slices.slice(5).map(sizes), [[`1:${SHARED_SLICE_RECORDS + 1}`]], 'the others are quiet by now')
  assert.ok(idle)
  assert.equal(offers.bytes, 0)
})

test('who is alone does not pause, also when it was up to date a moment ago', async () => {
  const made = rig({ sliceMs: 50 })
  made.offers.add('p', records(1, 1), proven)
  await idle(made)
  made.offers.add('p', records(1, SLICE_RECORDS + 1), proven)
  await idle(made)
  assert.deepEqual(made.slices.map(sizes), [['1:1'], [`1:${SLICE_RECORDS}`], ['1:1']])
})

test('two that fill their queues both pause for a third, and not for each other', async () => {
  const { clock, offers, slices, turns } = rig({ sliceMs: 50 })
  offers.add('p', [...records(1, 4 * SLICE_RECORDS), ...records(2, 4 * SLICE_RECORDS)], proven)
  while (slices.length < 2) await turns.idle()
  const half = SLICE_RECORDS / 2
  assert.deepEqual(sizes(slices[0]!), [`1:${half}`, `2:${half}`])
  assert.deepEqual(sizes(slices[1]!), [`1:${half}`, `2:${half}`], 'without a pause')
  offers.add('p', records(3, 1), proven)
  await clock.pass(0)
  const part = SHARED_SLICE_RECORDS / 2
  assert.deepEqual(sizes(slices.at(-2)!).slice(-1), ['3:1'])
  assert.deepEqual(sizes(slices.at(-1)!), [`1:${part}`, `2:${part}`], 'each had its part of a shared slice')
  const count = slices.length
  await clock.pass(REST_FACTOR * 50 - 1)
  assert.equal(slices.length, count)
  await clock.pass(1)
  assert.ok(slices.length > count)
})

test('the pause of one for whose records others wait ends once those lie here, and no sooner', async () => {
  const { clock, offers, slices, turns, awaited } = rig({ sliceMs: 50 })
  void turns.take(async () => undefined)
  offers.add('p', records(1, SHARED_SLICE_RECORDS + 10), proven)
  await turns.idle()
  awaited.set(1, SHARED_SLICE_RECORDS + 11)
  offers.add('p', records(2, 1), proven)
  await turns.idle()
  assert.equal(slices.length, 2, 'what has not come yet hurries nobody')
  awaited.set(1, SHARED_SLICE_RECORDS + 10)
  offers.add('p', records(2, 1), proven)
  await turns.idle()
  assert.deepEqual(slices.slice(2).map(sizes), [['1:10', '2:1']])
  awaited.clear()
  offers.add('p', records(1, SHARED_SLICE_RECORDS + 1), proven)
  await turns.idle()
  assert.equal(slices.length, 4)
  await clock.pass(REST_FACTOR * 50 - 1)
  assert.equal(slices.length, 4, 'the end of the pause that was ended does not end the next one')
  await clock.pass(1)
  assert.equal(slices.length, 5)
})

test('the pause after a slow slice is as many times longer, up to a limit', async () => {
  const most = Math.floor(MAX_REST_MS / REST_FACTOR)
  for (const [sliceMs, pause] of [
    [most, REST_FACTOR * most],
    [most + 1, MAX_REST_MS]
  ] as const) {
    const { clock, offers, slices, turns } = rig({ sliceMs })
    void turns.take(async () => undefined)
    offers.add('p', records(1, SHARED_SLICE_RECORDS + 1), proven)
    await turns.idle()
    assert.deepEqual(slices.map(sizes), [[`1:${SHARED_SLICE_RECORDS}`]])
    await clock.pass(pause - 1)
    assert.equal(slices.length, 1, `after a slice of ${sliceMs} ms`)
    await clock.pass(1)
    assert.equal(slices.length, 2)
  }
})

test('after the end nothing is taken, not even what waits', async () => {
  const made = rig()
  made.offers.add('p', records(1, 1_000), proven)
  made.offers.stop()
  made.offers.add('p', records(1, 1), proven)
  await made.turns.idle()
  assert.deepEqual(made.slices, [])
})

interface FakeHead {
  log: string
  author: Uint8Array
  seq: number
  applied: number
}

test('what waits of an author is bounded in records and bytes, and counted anew when it goes on', () => {
  const heads: FakeHead[] = [
    { log: 'a', author: key(1), seq: MAX_PARKED_RECORDS - 1, applied: 0 },
    { log: 'b', author: key(2), seq: 10, applied: 10 }
  ]
  let looked = 0
  const log = { logs: () => heads.values(), row: () => (looked++, { at: { length: 100 } }) }
  const parked = new Parked(log as unknown as ConstructorParameters<typeof Parked>[0])
  assert.deepEqual([...parked.full()], [])
  heads.push({ log: 'c', author: key(1), seq: 1, applied: 0 })
  assert.deepEqual([...parked.full()], ['01'.repeat(32)])
  assert.equal(looked, MAX_PARKED_RECORDS, 'each is looked up once')
  heads[0]!.applied = heads[0]!.seq
  assert.deepEqual([...parked.full()], [])
  heads[1]!.seq = 12
  const heavy = { logs: () => heads.values(), row: () => ({ at: { length: MAX_PARKED_BYTES / 2 } }) }
  const bytes = new Parked(heavy as unknown as ConstructorParameters<typeof Parked>[0])
  assert.deepEqual([...bytes.full()], ['02'.repeat(32)])
  heads[1]!.applied = 11
  assert.deepEqual([...bytes.full()], [])
})

test('who has filled its room is refused what would have to wait, and nothing else', () => {
  const full: FakeHead = { log: 'a', author: key(1), seq: MAX_PARKED_RECORDS, applied: 0 }
  const log = {
    logs: () => [full].values(),
    row: () => ({ at: { length: 1 } }),
    get: (id: string) => (id === 'a' ? full : undefined),
    continues: () => 'next',
    missing: ({ body }: SignedRecord) => body.deps[0]
  }
  const intake = new Intake({
    cluster: '',
    log,
    members: { wasAdmitted: () => true }
  } as unknown as ConstructorParameters<typeof Intake>[0])
  const record = (id: string, author: number, deps: object[]): SignedRecord =>
    ({
      log: id,
      id,
      bytes: new Uint8Array(100),
      body: { author: key(author), space: 'catalog', seq: MAX_PARKED_RECORDS + 1, deps }
    }) as unknown as SignedRecord
  const all = [record('a', 1, []), record('b', 1, [{}]), record('c', 1, []), record('d', 2, [{}])]
  const proofs = new Set(all.map(({ id }) => id + '\0'.repeat(64)))
  const { accepted, refused } = intake.judge(all, proofs)
  assert.deepEqual(
    refused.map((each) => `${each.record.id} ${each.why}`),
    ['a parked', 'b parked']
  )
  assert.deepEqual(
    accepted.map(({ id }) => id),
    ['c', 'd']
  )
})

test('who waits for the end of it all gets it without a pause: a process that joins has nothing else to keep it alive', async () => {
  const made = rig({ sliceMs: 10 })
  for (let round = 0; round < 3; round++) {
    made.offers.add('p', records(2, 1), proven)
    made.offers.add('p', records(1, 2 * SLICE_RECORDS), proven)
    if (round === 1) await made.turns.idle()
    await made.offers.through()
    assert.equal(made.offers.bytes, 0)
  }
})
