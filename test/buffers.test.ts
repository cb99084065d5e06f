import assert from 'node:assert/strict'
import { test } from 'node:test'
import { giveBack, LARGE_BYTES, lend, release, roomFor, wasRead } from '../src/buffers.js'

test('memory that is given back is freed, whichever part of it is shown, and once', () => {
  const room = roomFor(LARGE_BYTES)
  const part = room.subarray(10, 20)
  assert.equal(room.length, LARGE_BYTES)
  giveBack(part)
  assert.deepEqual([room.length, part.length], [0, 0])
  giveBack(part)
})

test('what is lent is freed when the last byte was read, in whatever pieces', () => {
  const room = roomFor(LARGE_BYTES)
  lend(room)
  lend(room.subarray(0, 5))
  giveBack(room)
  wasRead(room.subarray(5))
  wasRead(room.subarray(0, 5))
  assert.equal(room.length, LARGE_BYTES)
  wasRead(room.subarray(0, 5))
  assert.equal(room.length, 0)
})

test('what is read and still wanted stays', () => {
  const room = roomFor(LARGE_BYTES)
  wasRead(room)
  lend(room)
  wasRead(room)
  assert.equal(room.length, LARGE_BYTES)
})

test('memory of others is left alone, and so is what is small', () => {
  const others = new Uint8Array(LARGE_BYTES)
  const small = roomFor(LARGE_BYTES - 1)
  for (const room of [others, small]) {
    lend(room)
    wasRead(room)
    giveBack(room)
    assert.ok(room.length > 0)
  }
  assert.deepEqual(small, new Uint8Array(LARGE_BYTES - 1))
})

test('a view of all of its memory can be released, one of a part of it cannot', () => {
  const whole = new Uint8Array(LARGE_BYTES)
  for (const part of [whole.subarray(1), whole.subarray(0, -1)]) release(part)
  assert.equal(whole.length, LARGE_BYTES)
  release(whole)
  assert.equal(whole.length, 0)
  const small = new Uint8Array(LARGE_BYTES - 1)
  release(small)
  assert.equal(small.length, LARGE_BYTES - 1)
})
