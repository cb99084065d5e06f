/** What was added is found, what was not is not, through every growth. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HashSet } from '../../src/replica/checkpoint/hash-set.js'
import { sha256Hex } from '../../src/wire/index.js'

const hashOf = (at: number): string => sha256Hex(Buffer.from(String(at)))

test('everything that was added is found and nothing else, however much it is', () => {
  const set = new HashSet()
  const count = 20_000
  for (let at = 0; at < count; at++) set.add(hashOf(at))
  for (let at = 0; at < count; at += 7) set.add(hashOf(at))
  assert.equal(set.size, count)
  for (let at = 0; at < count; at++) assert.equal(set.has(hashOf(at)), true)
  for (let at = count; at < 2 * count; at++) assert.equal(set.has(hashOf(at)), false)
})

test('hashes that share a place stand beside each other, at the end of the table too', () => {
  const set = new HashSet()
  const alike = ['000003ff00000001', '000007ff00000001', '000003ff00000002', '00000bff00000000']
  for (const hash of alike) {
    assert.equal(set.has(hash), false)
    set.add(hash)
  }
  for (const hash of alike) assert.equal(set.has(hash), true)
  assert.equal(set.has('00000fff00000001'), false)
  assert.equal(set.size, alike.length)
})

test('the one that looks like an empty place counts as there', () => {
  const set = new HashSet()
  assert.equal(set.has('0'.repeat(64)), true)
  set.add('0'.repeat(64))
  assert.equal(set.size, 0)
  assert.equal(set.has(`${'0'.repeat(15)}1`), false)
})
