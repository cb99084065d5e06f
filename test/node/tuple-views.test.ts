/** What people see of an entry that somebody wrote to very often: it costs what the entry holds, and keeps nobody. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Views, type ViewDeps } from '../../src/node/views.js'
import { tupleViews } from '../../src/node/tuple-views.js'
import type { Tuple } from '../../src/catalog/index.js'
import { Lab } from '../replica/lab.js'

const MANY = 20_000

test('each value is compared with the others of its field once, and one of each field wins', () => {
  const tuples = Array.from({ length: MANY }, (_, at): Tuple => {
    const log = (at % 7).toString(16).padStart(32, '0')
    return { client: at, clock: 0, log, seq: 1, time: 5, field: at % 2 === 0 ? 'custom' : 'exec', value: at }
  })
  let asked = 0
  const authorOf = (log: string): string => {
    asked += 1
    return log
  }
  const views = tupleViews(tuples, { log: { get: () => undefined } as never, authorOf }, String)
  assert.equal(views.length, MANY)
  assert.deepEqual(
    views
      .filter(({ wins }) => wins)
      .map(({ field }) => field)
      .toSorted(),
    ['custom', 'exec']
  )
  assert.ok(asked < 4 * MANY, `${asked} times it was asked who wrote one`)
})

test('others have their turn while the history of an entry is read', async () => {
  const [node] = await new Lab().nodes(1)
  for (let at = 0; at < 300; at++) await node!.put('often.txt', `${at}`)
  const views = new Views({ replica: node!.replica } as ViewDeps)
  let turns = 0
  let over = false
  const turn = (): void => {
    turns += 1
    if (!over) setImmediate(turn)
  }
  setImmediate(turn)
  const lines = await views.history('often.txt')
  over = true
  assert.equal(lines.length, 300)
  assert.ok(turns > 1, 'nobody had a turn')
})
