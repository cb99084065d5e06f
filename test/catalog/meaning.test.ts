import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { emptyEntry, type Tuple } from '../../src/catalog/entry.js'
import { BODY, EXEC, meaningOf, PLACE, TOMBSTONE, type EntryMeaning, type Meant } from '../../src/catalog/view.js'

const VALUES = {
  [PLACE]: [new Uint8Array(16).fill(1), 'name', null],
  [BODY]: [new Uint8Array(32).fill(2), 7],
  [EXEC]: true
}
const authorOf = (log: string): string => log
const tuple = (field: keyof typeof VALUES, time: number, log: string): Tuple => ({
  client: 1,
  clock: 0,
  log,
  seq: 1,
  field,
  value: VALUES[field]!,
  time
})
/** As others see it: not what is kept of it to go on from. */
const seen = ({ summary: _summary, ...rest }: EntryMeaning): unknown => ({
  ...rest,
  conflicts: rest.conflicts.map(({ field, tuples }) => ({ field, tuples }))
})
const meaning = (tuples: readonly Tuple[]): unknown => seen(meaningOf({ ...emptyEntry(), tuples }, authorOf))

test('an entry of known fields means what it does beside a field nobody knows', () => {
  const fields = fc.uniqueArray(fc.constantFrom(PLACE, BODY, EXEC), { minLength: 1 })
  const stamps = fc.array(fc.tuple(fc.integer({ min: 1, max: 3 }), fc.constantFrom('a', 'b')), {
    minLength: 3,
    maxLength: 3
  })
  fc.assert(
    fc.property(fields, stamps, (names, times) => {
      const tuples = names.map((field, at) => tuple(field, ...times[at]!))
      // older than all others, so that nothing else depends on it
      const unknown = { ...tuple(EXEC, 0, 'a'), field: 'colour', value: 'red' }
      assert.deepEqual(meaning(tuples), meaning([...tuples, unknown]))
    })
  )
})

test('of nothing at all is made nothing that lives', () => {
  const none = { place: undefined, placeStamp: undefined, body: undefined, newest: undefined }
  assert.deepEqual(meaning([]), { ...none, alive: false, exec: false, conflicts: [], editDelete: false })
})

test('an entry means the same whether its values are looked at together or as they come and go', () => {
  const value = fc.oneof(
    fc.record({
      field: fc.constantFrom(PLACE, BODY, EXEC),
      value: fc.constant(undefined)
    }),
    fc.record({ field: fc.constant(PLACE), value: fc.constant([new Uint8Array(16), 'elsewhere', null]) }),
    fc.record({ field: fc.constant(EXEC), value: fc.boolean() }),
    fc.record({ field: fc.constantFrom('colour', 'shape'), value: fc.constantFrom('red', 'round') }),
    fc.record({ field: fc.constant(TOMBSTONE), value: fc.constant({ [EXEC]: true }) })
  )
  const step = fc.record({
    added: fc.array(fc.tuple(value, fc.integer({ min: 1, max: 3 }), fc.constantFrom('a', 'b', 'c')), { maxLength: 3 }),
    // which of those there were go
    gone: fc.array(fc.nat({ max: 5 }), { maxLength: 1 })
  })
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 8 }), (steps) => {
      let before: Meant | undefined
      let tuples: readonly Tuple[] = []
      let seq = 0
      for (const { added, gone } of steps) {
        const kept = tuples.filter((_, at) => !gone.includes(at))
        const fresh = added.map(([said, time, log]) => {
          const known = said.value ?? VALUES[said.field as keyof typeof VALUES]!
          return { ...tuple(EXEC, time, log), seq: ++seq, field: said.field, value: known as Tuple['value'] }
        })
        tuples = [...kept, ...fresh]
        before = { tuples, meaning: meaningOf({ tuples }, authorOf, before) }
        assert.deepEqual(seen(before.meaning), meaning(tuples))
      }
    }),
    { numRuns: 500 }
  )
})

test('two deletions that saw different things are of one mind', () => {
  const deleted = (log: string, kept: Tuple['value']): Tuple => ({
    ...tuple(EXEC, 1, log),
    field: TOMBSTONE,
    value: kept
  })
  const { conflicts, alive } = meaningOf({ tuples: [deleted('a', { [EXEC]: true }), deleted('b', {})] }, authorOf)
  assert.deepEqual({ conflicts, alive }, { conflicts: [], alive: false })
})
