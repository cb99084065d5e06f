/** What a peer claims, and in which order and how often it is asked for. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Claims, IN_VAIN } from '../../src/sync/claims.js'
import { PutOff } from '../../src/sync/put-off.js'

const claim = (seq: number): { seq: number; head: string } => ({ seq, head: '' })

function line(claims: Claims, now = 0): string[] {
  const found: string[] = []
  for (let log = claims.next(now); log !== undefined; log = claims.next(now)) found.push(log)
  return found
}

describe('what a peer claims', () => {
  test('comes in the order in which it was said, what we hold something of first', () => {
    const claims = new Claims()
    claims.set('new', claim(1), 0)
    claims.set('a', claim(5), 3)
    claims.set('newer', claim(1), 0)
    claims.set('b', claim(5), 3)
    claims.set('even', claim(3), 3)
    assert.deepEqual(line(claims), ['a', 'b', 'new', 'newer'])
  })

  test('a log that was strange and is held by now does not stand in the line twice', () => {
    const claims = new Claims()
    claims.set('a', claim(5), 0)
    claims.open('a', 2)
    assert.deepEqual(line(claims), ['a'])
  })

  test('what it failed to serve waits, also when it claims it again, and comes back by itself', () => {
    const claims = new Claims()
    claims.set('a', claim(5), 3)
    claims.failed('a', 3, 1_000, 10)
    claims.set('a', claim(6), 3)
    assert.deepEqual(line(claims), [])
    assert.equal(claims.due(10), 1_010)
    claims.wake(1_009, () => 3)
    assert.deepEqual(line(claims), [])
    claims.wake(1_010, () => 3)
    assert.deepEqual(line(claims), ['a'])
    assert.equal(claims.due(1_010), undefined)
  })

  test('a log we hold nothing of waits twice as long after each time in vain, at most a minute', () => {
    const claims = new Claims()
    claims.set('a', claim(5), 0)
    const waits: number[] = []
    let now = 0
    for (let time = 0; time < 9; time++) {
      claims.failed('a', 0, 1_000, now)
      waits.push(claims.due(now)! - now)
      now = claims.due(now)!
      claims.wake(now, () => 0)
    }
    assert.deepEqual(waits, [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000])
    claims.failed('a', 3, 1_000, now)
    assert.equal(claims.due(now), now + 1_000, 'once something of it is held it is as any other')
  })

  test('when something changed it is asked for at once, and waits as little as at first', () => {
    const claims = new Claims()
    claims.set('a', claim(5), 0)
    for (let time = 0; time < 5; time++) claims.failed('a', 0, 1_000, 0)
    claims.retry(() => 0)
    assert.deepEqual(line(claims), ['a'])
    claims.failed('a', 0, 1_000, 0)
    assert.equal(claims.due(0), 1_000)
  })

  test('so many may be in vain at once and so many each second; what we hold something of goes on', () => {
    const claims = new Claims()
    for (let log = 0; log < IN_VAIN.burst + 100; log++) claims.set(`made up ${log}`, claim(1), 0)
    const vain = (now: number): number => {
      let count = 0
      for (let log = claims.next(now); log !== undefined; log = claims.next(now), count++) {
        claims.failed(log, 0, 1_000_000, now)
      }
      return count
    }
    assert.equal(vain(0), IN_VAIN.burst)
    claims.set('held', claim(2), 1)
    assert.deepEqual(line(claims), ['held'])
    // one may be asked for before there is quite enough for it, and then the next has to wait for that
    const due = claims.due(0)!
    assert.equal(vain(due), 1)
    assert.equal(vain(due), 0)
    const next = claims.due(due)!
    assert.equal(next, 1_000 / IN_VAIN.perSecond)
    assert.equal(vain(next), 0)
    assert.equal(vain(next + 1_000), IN_VAIN.perSecond)
    // when something changed all of them may be asked for again, so many at once
    claims.retry(() => 0)
    assert.equal(vain(next + 1_000), IN_VAIN.burst)
  })

  test('what it said before is forgotten with a new vector, except what is left alone', () => {
    const claims = new Claims()
    claims.set('a', claim(1), 0)
    claims.set('b', claim(2), 1)
    claims.failed('a', 0, 1_000, 0)
    claims.clear()
    assert.equal(claims.size, 0)
    assert.deepEqual(line(claims), [])
    claims.set('a', claim(1), 0)
    assert.deepEqual(line(claims), [])
    claims.wake(1_000, () => 0)
    assert.deepEqual(line(claims), ['a'])
    claims.failed('a', 0, 1_000, 1_000)
    assert.equal(claims.due(1_000), 3_000, 'and how often it was in vain')
  })
})

describe('things put off', () => {
  test('come when they are due, whatever the order in which they were put off', () => {
    const off = new PutOff()
    off.add('long', 5_000, 0)
    off.add('short', 1_000, 100)
    off.add('later', 1_000, 200)
    assert.equal(off.next, 1_100)
    assert.deepEqual(off.due(1_099), [])
    assert.deepEqual(off.due(1_100), ['short'])
    off.add('longest', 9_000, 1_100)
    assert.equal(off.next, 1_200)
    off.add('soon', 50, 1_100)
    assert.deepEqual(off.due(1_150), ['soon'])
    assert.deepEqual(off.due(20_000).toSorted(), ['later', 'long', 'longest'])
    assert.equal(off.next, undefined)
  })

  test('count once: the last word holds', () => {
    const off = new PutOff()
    off.add('a', 1_000, 0)
    off.add('a', 4_000, 0)
    assert.deepEqual(off.due(1_000), [])
    assert.deepEqual(off.due(4_000), ['a'])
    off.add('a', 1_000, 4_000)
    assert.deepEqual(off.all(), ['a'])
    assert.equal(off.has('a'), false)
    assert.deepEqual(off.due(9_000), [])
  })
})
