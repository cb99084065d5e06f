/** An entry that somebody wrote to under thousands of client ids: each step costs what the entry holds, not its square. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compactIfLong, inspectDoc, MAX_MERGED_CLIENTS } from '../../src/catalog/doc.js'
import {
  applyUpdate,
  decodeEntry,
  emptyEntry,
  encodeEntry,
  entryHash,
  type ClientRow,
  type EntryState,
  type Tuple
} from '../../src/catalog/entry.js'
import { EntryRow } from '../../src/catalog/entry-row.js'
import { frozenDoc } from '../../src/catalog/frozen.js'
import { NO_ROWS } from '../../src/catalog/rows.js'
import { Stage } from '../../src/catalog/stage.js'
import { encodeUpdate, type EditUpdate } from '../../src/catalog/update.js'

/** Sixteen times as many may cost so many times as much; the square would be 256. */
const TIMES_MORE = 16
const MAX_TIMES_AS_LONG = 60

const logOf = (at: number): string => at.toString(16).padStart(32, '0')

/** Two values each under so many client ids, none of which saw the others. */
function crowded(clients: number): EntryState {
  const rows: ClientRow[] = []
  const tuples: Tuple[] = []
  for (let at = 1; at <= clients; at++) {
    const row = { client: at * 7_919, log: logOf(at), clock: 2 }
    const tuple = { client: row.client, log: row.log, seq: 1, time: 5 }
    rows.push(row)
    tuples.push({ ...tuple, clock: 0, field: 'custom', value: at })
    tuples.push({ ...tuple, clock: 1, field: 'exec', value: at % 2 === 0 })
  }
  return { ...emptyEntry(), clients: rows, tuples }
}

/** Processor time, ms: the least of some runs, for others use the machine too. */
function cost(work: () => unknown): number {
  const times = [1, 2, 3].map(() => {
    const before = process.cpuUsage()
    work()
    const { user, system } = process.cpuUsage(before)
    return (user + system) / 1_000
  })
  return Math.min(...times)
}

function growsWith(what: string, few: () => unknown, many: () => unknown): void {
  few()
  const [small, large] = [cost(few), cost(many)]
  assert.ok(large < MAX_TIMES_AS_LONG * Math.max(small, 0.5), `${what}: ${small} ms, and ${large} ms for many`)
}

const FEW = 2_000
const few = crowded(FEW)
const many = crowded(TIMES_MORE * FEW)

test('writing, reading and hashing an entry grow with the client ids it was written under', () => {
  growsWith(
    'writing',
    () => encodeEntry(few),
    () => encodeEntry(many)
  )
  const [fewBytes, manyBytes] = [encodeEntry(few), encodeEntry(many)]
  assert.deepEqual(decodeEntry(fewBytes), few)
  growsWith(
    'reading',
    () => decodeEntry(fewBytes),
    () => decodeEntry(manyBytes)
  )
  growsWith(
    'hashing',
    () => entryHash('ab'.repeat(16), few),
    () => entryHash('ab'.repeat(16), many)
  )
  growsWith(
    'making its doc for a checkpoint',
    () => frozenDoc(few),
    () => frozenDoc(many)
  )
})

test('ending thousands of values at once grows with their number', () => {
  const ending = (state: EntryState, count: number): void => {
    const deletes = state.clients
      .slice(0, count)
      .toReversed()
      .map(({ client }) => ({ client, clock: 0, length: 2 }))
    const update: EditUpdate = { client: 1, clock: 0, tuples: [], deletes }
    const copy = { ...state, clients: [...state.clients], doc: [] }
    const context = { log: logOf(0), seq: 1, time: 5, client: 1, knows: () => true }
    applyUpdate(copy, update, context, encodeUpdate(update))
    assert.equal(copy.tuples.length, state.tuples.length - 2 * count)
  }
  growsWith(
    'ending',
    () => ending(few, FEW / 4),
    () => ending(many, (TIMES_MORE * FEW) / 4)
  )
})

test('what an entry means is made out once for as long as its values are the same', () => {
  let asked = 0
  const authorOf = (log: string): string => {
    asked += 1
    return log
  }
  const stage = new Stage({ ...NO_ROWS, entry: (id) => new EntryRow(id, few, authorOf) }, authorOf)
  const cell = stage.cell('ab'.repeat(16))
  const first = cell.meaning
  const before = asked
  assert.ok(before > FEW)
  assert.equal(cell.meaning, first)
  assert.ok(cell.placement !== undefined)
  assert.equal(asked, before)
  // another list of values means something else
  cell.state.tuples = cell.state.tuples.slice(2)
  assert.notEqual(cell.meaning.conflicts[0]!.tuples.length, first.conflicts[0]!.tuples.length)
})

test('the doc of a crowded entry holds what the entry holds, however often it is written from that', () => {
  const state = emptyEntry()
  const write = (at: number, deletes: EditUpdate['deletes'] = []): void => {
    const client = at * 7_919
    const clock = state.clients.find((row) => row.client === client)?.clock ?? 0
    const seq = clock + 1
    const tuples = [['custom', at, 5, seq]] as const
    const update: EditUpdate = { client, clock, tuples, deletes }
    const context = { log: logOf(at), seq, time: 5, client, knows: () => true }
    applyUpdate(state, update, context, encodeUpdate(update))
    compactIfLong(state)
  }
  for (let at = 1; at <= 2 * MAX_MERGED_CLIENTS; at++) write(at)
  for (let at = 1; at <= 100; at++) write(at, [{ client: (at + 200) * 7_919, clock: 0, length: 1 }])
  const doc = inspectDoc(state)
  const said = state.tuples.map(({ client, clock, field, value, time, seq }) => ({
    client,
    clock,
    content: [field, value, time, seq]
  }))
  const order = (a: { client: number; clock: number }, b: { client: number; clock: number }): number =>
    a.client - b.client || a.clock - b.clock
  assert.deepEqual(doc.tuples.toSorted(order), said.toSorted(order))
  assert.equal(doc.pending, false)
  assert.deepEqual(doc.stateVector, new Map(state.clients.map(({ client, clock }) => [client, clock])))
  assert.ok(state.doc.length < MAX_MERGED_CLIENTS, 'it was written anew')
})
