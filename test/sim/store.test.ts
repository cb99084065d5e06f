import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SeededRandom } from './random.js'
import { keysNamed, verifyOnce } from './signatures.js'
import { SimStore } from './store.js'

const row = (value: number): Uint8Array => Uint8Array.of(value)
const shown = async (store: SimStore): Promise<Array<[string, number]>> =>
  [...(await store.backup())].map(([key, value]) => [key, value![0]!])

test('a power cut takes some of the newest batches, whole ones, and none that was asked to be durable', async () => {
  const left = new Set<number>()
  for (let seed = 1; seed <= 30; seed++) {
    const store = new SimStore()
    await store.write(new Map([['a', row(1)]]), { durable: true })
    for (let at = 2; at <= 4; at++)
      await store.write(
        new Map([
          ['a', row(at)],
          [`b${at}`, row(at)]
        ])
      )
    await store.powerCut(new SeededRandom(seed))
    const rows = await shown(store)
    const newest = rows[0]![1]
    left.add(newest)
    assert.deepEqual(
      rows.slice(1).map(([key]) => key),
      ['b2', 'b3', 'b4'].slice(0, newest - 1)
    )
  }
  assert.deepEqual([...left].sort(), [1, 2, 3, 4])
})

test('a full store refuses and keeps what it has; a dead process can write nothing', async () => {
  const store = new SimStore()
  await store.write(new Map([['a', row(1)]]))
  store.full = true
  await assert.rejects(store.write(new Map([['a', row(2)]])), { code: 'disk-full' })
  store.full = false
  const mounted = store.mount()
  store.kill()
  await assert.rejects(mounted.write(new Map([['a', row(3)]])), /is dead/)
  assert.deepEqual(await shown(store), [['a', 1]])
})

test('a verdict that is remembered holds for that key, these bytes and that signature alone', () => {
  const keys = keysNamed('a signer')
  const other = keysNamed('another')
  const bytes = Uint8Array.of(1, 2, 3)
  const signature = keys.sign(bytes)
  assert.equal(verifyOnce(keys.publicKey, bytes, signature), true)
  assert.equal(verifyOnce(keys.publicKey, bytes, signature), true)
  assert.equal(verifyOnce(other.publicKey, bytes, signature), false)
  assert.equal(verifyOnce(keys.publicKey, Uint8Array.of(1, 2, 4), signature), false)
  assert.equal(verifyOnce(keys.publicKey, bytes, other.sign(bytes)), false)
})
