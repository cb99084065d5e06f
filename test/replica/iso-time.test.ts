import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isoTime } from '../../src/replica/index.js'

test('a time is written as the date that it is, whatever was written before it', () => {
  const begin = Date.UTC(2026, 10, 23, 23, 59, 58) * 1000
  const times = [
    0,
    1,
    999,
    1_000,
    61_000_000,
    begin,
    begin + 9_999,
    begin + 99_000,
    begin + 2_000_000,
    begin - 1,
    begin
  ]
  const late = Date.UTC(12_000, 1, 29) * 1000
  for (const time of [...times, late, 8.64e18 - 1_000])
    assert.equal(isoTime(time), new Date(Math.floor(time / 1000)).toISOString())
})

test('a time that no date goes to is written as the number that it is', () => {
  for (const time of [8.64e18, Number.POSITIVE_INFINITY, Number.NaN]) assert.equal(isoTime(time), `${time}`)
})
