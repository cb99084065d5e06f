import assert from 'node:assert/strict'
import { test } from 'node:test'
import { once } from '../../src/node/once.js'

const bytes: Uint8Array = Uint8Array.of(1, 2, 3)

test('bytes read in one piece come once', async () => {
  const body = once(bytes)
  const parts: Uint8Array[] = []
  for await (const part of body) parts.push(part)
  assert.deepEqual(parts, [bytes])
  for await (const part of body) parts.push(part)
  assert.equal(parts.length, 1)
})

test('whoever breaks off before the first piece gets none later', async () => {
  const iterator = once(bytes)[Symbol.asyncIterator]()
  assert.equal((await iterator.return?.())?.done, true)
  assert.equal((await iterator.next()).done, true)
})
