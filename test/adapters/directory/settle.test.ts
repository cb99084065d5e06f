import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, test } from 'node:test'
import {
  EVENT_WINDOW_MS,
  MAX_EVENTS,
  MAX_PENDING_PATHS,
  MAX_SETTLE_MS,
  Settler,
  type Look
} from '../../../src/adapters/directory/settle.js'
import type { WatchHint } from '../../../src/adapters/index.js'
import { silentLogger, type Clock } from '../../../src/runtime.js'

/** Time that moves only when told to. */
class TestClock implements Clock {
  time = 0
  #timers = new Set<{ at: number; fn: () => void }>()

  now = () => this.time
  monotonic = () => this.time
  pause = async () => {}
  timer(ms: number, fn: () => void): () => void {
    const timer = { at: this.time + ms, fn }
    this.#timers.add(timer)
    return () => this.#timers.delete(timer)
  }

  /** Moves on in steps of a millisecond, and lets everything that follows from it happen. */
  async advance(ms: number): Promise<void> {
    for (const end = this.time + ms; this.time < end;) {
      this.time++
      for (const timer of [...this.#timers]) {
        if (timer.at > this.time) continue
        this.#timers.delete(timer)
        timer.fn()
      }
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
}

describe('settling', () => {
  let clock: TestClock
  let settler: Settler
  let looks: Map<string, Look>
  let hints: Array<{ at: number; hint: WatchHint }>
  let lookedAtAll: number

  beforeEach(() => {
    clock = new TestClock()
    looks = new Map()
    hints = []
    lookedAtAll = 0
    settler = new Settler(
      {
        clock,
        logger: silentLogger,
        look: async (path) => looks.get(path) ?? 'hint',
        lookAtAll: async () => void lookedAtAll++,
        hint: (hint) => hints.push({ at: clock.time, hint })
      },
      { settleMs: 25, emptySettleMs: 1_000 }
    )
  })
  afterEach(() => settler.stop())

  test('hints a path once, settleMs after its last event (rule 1)', async () => {
    settler.note('a')
    await clock.advance(20)
    settler.note('a')
    await clock.advance(24)
    assert.deepEqual(hints, [])
    await clock.advance(100)
    assert.deepEqual(hints, [{ at: 45, hint: { paths: ['a'] } }])
  })

  test('does not let a busy path delay another (rule 1)', async () => {
    settler.note('quiet')
    for (let i = 0; i < 10; i++) {
      settler.note('busy')
      await clock.advance(10)
    }
    assert.deepEqual(hints, [{ at: 25, hint: { paths: ['quiet'] } }])
  })

  test('hints a path that never rests every now and then (rule 1)', async () => {
    while (clock.time < 2 * MAX_SETTLE_MS + 100) {
      settler.note('log')
      await clock.advance(10)
    }
    assert.equal(hints.length, 2)
    assert.ok(hints[0]!.at <= MAX_SETTLE_MS + 25 + 10)
  })

  test('hints what the system reported at once together, however long the process was held up in between', async () => {
    settler.note('old name')
    clock.time += 20
    settler.note('new name')
    await clock.advance(100)
    assert.deepEqual(
      hints.map(({ hint }) => hint),
      [{ paths: ['old name', 'new name'] }]
    )
  })

  test('hints what was reported later by itself', async () => {
    settler.note('a')
    await clock.advance(20)
    settler.note('b')
    await clock.advance(100)
    assert.deepEqual(
      hints.map(({ hint }) => hint),
      [{ paths: ['a'] }, { paths: ['b'] }]
    )
  })

  test('holds an empty file until it is filled (rule 2)', async () => {
    looks.set('a.xml', 'empty')
    settler.note('a.xml')
    await clock.advance(500)
    looks.set('a.xml', 'hint')
    settler.note('a.xml')
    await clock.advance(2_000)
    assert.deepEqual(hints, [{ at: 525, hint: { paths: ['a.xml'] } }])
  })

  test('hints an empty file that stays empty, emptySettleMs after it was first seen (rule 2)', async () => {
    looks.set('a.ftl', 'empty')
    settler.note('a.ftl')
    await clock.advance(500)
    settler.note('a.ftl')
    await clock.advance(524)
    assert.deepEqual(hints, [])
    await clock.advance(2_000)
    assert.deepEqual(hints, [{ at: 1_025, hint: { paths: ['a.ftl'] } }])
  })

  test('brings an empty file that a scan met back later (rule 2)', async () => {
    settler.hold('a')
    settler.hold('a')
    await clock.advance(999)
    assert.deepEqual(hints, [])
    await clock.advance(1_000)
    assert.deepEqual(hints, [{ at: 1_000, hint: { paths: ['a'] } }])
  })

  test('says everything for more paths than it names, and watches everything before (rule 3)', async () => {
    for (let i = 0; i < MAX_PENDING_PATHS; i++) settler.note(`${i}`)
    await clock.advance(100)
    assert.deepEqual(
      hints.map(({ hint }) => ('paths' in hint ? hint.paths.length : 'all')),
      [MAX_PENDING_PATHS]
    )
    for (let i = 0; i <= MAX_PENDING_PATHS; i++) settler.note(`${i}`)
    await clock.advance(100)
    assert.deepEqual(hints[1]?.hint, { all: true })
    assert.equal(lookedAtAll, 1)
  })

  test('says everything when the queue of the kernel may have run over (rule 3)', async () => {
    for (let window = 0; window < 3; window++) {
      for (let i = 0; i < MAX_EVENTS; i++) settler.note('a')
      await clock.advance(EVENT_WINDOW_MS + 1)
    }
    assert.deepEqual(
      hints.map(({ hint }) => hint),
      Array(3).fill({ paths: ['a'] })
    )
    for (let i = 0; i <= MAX_EVENTS; i++) settler.note('a')
    await clock.advance(100)
    assert.deepEqual(hints[3]?.hint, { all: true })
  })

  test('says everything when it is not known where something happened', async () => {
    settler.note('a')
    settler.note('')
    await clock.advance(100)
    assert.deepEqual(hints, [{ at: 25, hint: { all: true } }])
  })

  test('names a directory and not what lies in it', async () => {
    for (const path of ['d/x', 'd', 'd/e/y', 'da']) settler.note(path)
    await clock.advance(100)
    assert.deepEqual(hints[0]?.hint, { paths: ['d', 'da'] })
  })

  test('is silent about what is of no interest, and after it was stopped', async () => {
    looks.set('own', 'nothing')
    settler.note('own')
    await clock.advance(100)
    settler.note('a')
    await settler.stop()
    settler.note('b')
    await clock.advance(100)
    assert.deepEqual(hints, [])
  })
})
