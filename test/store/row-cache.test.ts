import assert from 'node:assert/strict'
import { test } from 'node:test'
import { GENERATION_BYTES, MAX_CACHED_BYTES, ROW_OVERHEAD_BYTES, RowCache } from '../../src/store/row-cache.js'

const held = (weight: number): { weight: number; bytes(): Uint8Array } => ({ weight, bytes: () => new Uint8Array(1) })

test('two generations are kept, and no more than they may take in memory', () => {
  const weight = 1_000_000 - ROW_OVERHEAD_BYTES
  const inOne = Math.ceil(GENERATION_BYTES / 1_000_000)
  for (const { rows, oldest } of [
    { rows: 2 * inOne, oldest: true },
    { rows: 2 * inOne + 1, oldest: false }
  ]) {
    const cache = new RowCache()
    for (let at = 0; at < rows; at++) cache.set(`${at}`, held(weight))
    assert.equal(cache.get('0') !== undefined, oldest, `${rows} rows`)
  }
})

test('what is used outlasts its generation', () => {
  const cache = new RowCache()
  cache.set('used', held(1))
  for (let at = 0; at < 40; at++) {
    cache.set(`${at}`, held(1_000_000))
    assert.ok(cache.get('used') !== undefined)
  }
  assert.equal(cache.get('0'), undefined)
})

test('absence is known too, and no longer once there is a row that is not kept', () => {
  const cache = new RowCache()
  cache.set('a', null)
  assert.equal(cache.get('a'), null)
  for (const row of [new Uint8Array(MAX_CACHED_BYTES + 1), new Uint8Array()]) {
    cache.set('a', null)
    cache.set('a', row)
    assert.equal(cache.get('a'), undefined)
  }
  cache.set('a', new Uint8Array(MAX_CACHED_BYTES))
  assert.equal(cache.get('a')?.constructor, Uint8Array)
})

test('a small row that is a part of something large is not kept, for all of that would be', () => {
  const cache = new RowCache()
  cache.set('a', new Uint8Array(8 * 1024).subarray(0, 10))
  assert.ok(cache.get('a') !== undefined)
  cache.set('a', new Uint8Array(8 * 1024 + 1).subarray(0, 10))
  assert.equal(cache.get('a'), undefined)
})

test('of a row that is not kept it is known that it is there, unless it is a mark', () => {
  const cache = new RowCache()
  assert.equal(cache.has('a'), undefined)
  cache.set('a', new Uint8Array(MAX_CACHED_BYTES + 1))
  assert.deepEqual([cache.has('a'), cache.get('a')], [true, undefined])
  cache.set('a', null)
  assert.equal(cache.has('a'), false)
  cache.set('a', new Uint8Array())
  assert.equal(cache.has('a'), undefined)
})
