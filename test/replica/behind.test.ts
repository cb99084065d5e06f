/** A newcomer's changes wait until it has what its issuer had: bounded in number and time, and in order. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { appliedOf, Behind, MAX_WAIT_MS, MAX_WAITING_CHANGES } from '../../src/replica/behind.js'
import { HandClock, Lab, type LabNode } from './lab.js'

const LOG = 'ab'.repeat(16)
const HEAD = 'cd'.repeat(8)

class Rig {
  readonly clock = new HandClock()
  readonly happened: string[] = []
  applied = 0
  readonly behind = new Behind({
    log: { get: (log) => (log === LOG ? ({ applied: this.applied } as never) : undefined) },
    clock: this.clock,
    hold: (error) => void this.happened.push(`${error.code} ${String(error.facts.logs)}`),
    release: () => void this.happened.push('released')
  })

  expect(...logs: string[]): void {
    this.behind.expect(
      logs.map((log) => ({ log, seq: 5, head: HEAD })),
      () => void this.happened.push('caught up')
    )
  }
}

test('what is there already holds nothing up, and what is missing does to its last record', () => {
  const rig = new Rig()
  rig.applied = 5
  rig.expect(LOG)
  assert.deepEqual(rig.happened.splice(0), ['released', 'caught up'])
  assert.equal(rig.behind.wait(), undefined)
  rig.applied = 4
  rig.expect(LOG)
  assert.deepEqual(rig.happened.splice(0), ['catching-up 1'])
  rig.applied = 5
  rig.behind.applied()
  assert.deepEqual(rig.happened.splice(0), ['released', 'caught up'])
  rig.behind.applied()
  assert.deepEqual(rig.happened, [], 'it is over once')
})

test('how many logs more is to come of is said again as they come', () => {
  const rig = new Rig()
  rig.expect(LOG, 'ef'.repeat(16))
  rig.applied = 5
  rig.behind.applied()
  assert.deepEqual(rig.happened, ['catching-up 2', 'catching-up 1'])
})

test('changes go on in the order they came in when all is here, and one more than may wait does not', async () => {
  const rig = new Rig()
  rig.expect(LOG)
  const order: number[] = []
  const waiting = Array.from({ length: MAX_WAITING_CHANGES }, (_, at) => rig.behind.wait()!.then(() => order.push(at)))
  assert.equal(rig.behind.wait(), undefined)
  rig.applied = 5
  rig.behind.applied()
  await Promise.all(waiting)
  assert.deepEqual(
    order,
    order.map((_, at) => at)
  )
})

test('a change waits for so long and no longer, and not when the node stops', async () => {
  const rig = new Rig()
  rig.expect(LOG)
  let over = false
  const waited = rig.behind.wait()!.then(() => (over = true))
  rig.clock.advance(MAX_WAIT_MS - 1)
  await new Promise((resolve) => setImmediate(resolve))
  assert.equal(over, false)
  rig.clock.advance(1)
  await waited
  const stopped = rig.behind.wait()!
  rig.behind.stop()
  await stopped
})

test('a change of a newcomer is written once it has what its issuer had, and refused when that does not come', async () => {
  const lab = new Lab()
  const [a, b] = (await lab.nodes(2)) as [LabNode, LabNode]
  await a.put('one', 'of a')
  b.replica.behind.expect(appliedOf(a.replica.log), () => undefined)
  assert.deepEqual(
    b.replica.failures.map(({ code }) => code),
    ['catching-up']
  )
  const late = assert.rejects(b.put('too', 'early'), { code: 'catching-up' })
  b.clock.advance(MAX_WAIT_MS)
  await late
  const waiting = b.put('two', 'of b')
  await b.pull(a)
  await waiting
  assert.deepEqual(await b.tree(), ['one=of a', 'two=of b'])
  const ending = assert.rejects(
    async () => {
      b.replica.behind.expect([{ log: LOG, seq: 1, head: HEAD }], () => undefined)
      const refused = b.put('three', 'of b')
      await b.replica.stop()
      await refused
    },
    { code: 'catching-up' }
  )
  await ending
})
