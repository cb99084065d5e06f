import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { keyPairOf, nodeIdOf, publicKeyOf, verify, verifyAsync } from '../../src/identity/index.js'

const pair = keyPairOf(new Uint8Array(32).fill(7))
const bytes = Buffer.from('what is signed')

test('a signature holds for its key and its bytes, and for nothing else', async () => {
  const signature = pair.sign(bytes)
  assert.equal(verify(pair.publicKey, bytes, signature), true)
  assert.equal(await verifyAsync(pair.publicKey, bytes, signature), true)
  const other = keyPairOf(new Uint8Array(32).fill(8)).publicKey
  const changed = Uint8Array.from(signature)
  changed[3] = changed[3]! ^ 1
  for (const [key, text, sig] of [
    [other, bytes, signature],
    [pair.publicKey, Buffer.from('something else'), signature],
    [pair.publicKey, bytes, changed],
    [pair.publicKey, bytes, signature.subarray(1)],
    [new Uint8Array(31), bytes, signature],
    [new Uint8Array(), bytes, new Uint8Array()]
  ] as const) {
    assert.equal(verify(key, text, sig), false)
    assert.equal(await verifyAsync(key, text, sig), false)
  }
})

test('the same seed gives the same key', () => {
  assert.deepEqual(keyPairOf(pair.seed).publicKey, pair.publicKey)
  assert.equal(pair.publicKey.length, 32)
})

test('a node id is the peer id of its key, and leads back to it', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (key) => {
      const node = nodeIdOf(key)
      assert.match(node, /^12D3KooW/)
      assert.deepEqual(publicKeyOf(node), key)
    }),
    { seed: 20_260_104, numRuns: 100 }
  )
})

test('what is no node id leads to no key and throws nothing', () => {
  const node = nodeIdOf(pair.publicKey)
  for (const wrong of [
    '',
    'x',
    '12D3KooW',
    `${node}1`,
    node.slice(1),
    node.replace(/.$/, '0'),
    'QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG',
    '1'.repeat(10_000),
    '\u0000'
  ]) {
    assert.equal(publicKeyOf(wrong), undefined, wrong.slice(0, 60))
  }
})
