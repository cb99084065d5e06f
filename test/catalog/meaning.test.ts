import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { emptyEntry, type Tuple } from '../../src/catalog/entry.js'
import { BODY, EXEC, meaningOf, PLACE } from '../../src/catalog/view.js'

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
const meaning = (tuples: readonly Tuple[]): unknown => meaningOf({ ...emptyEntry(), tuples }, authorOf)

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
