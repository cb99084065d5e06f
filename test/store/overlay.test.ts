import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MemoryStore, Overlay, type Store } from '../../src/store/index.js'
import { bytes } from '../contract/store.js'

/** A store whose writes wait until the test lets them pass or fail. */
class HeldStore extends MemoryStore {
  readonly held: { pass(): void; fail(error: Error): void }[] = []

  override async write(batch: ReadonlyMap<string, Uint8Array | null>, options?: { durable?: boolean }): Promise<void> {
    await new Promise<void>((pass, fail) => this.held.push({ pass, fail }))
    await super.write(batch, options)
  }
}

async function withRow(store: Store): Promise<void> {
  await store.write(new Map([['stored', bytes(1)]]))
}

/** Lets everything that is ready run. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

test('a read sees pending puts and deletes before the store', async () => {
  const store = new MemoryStore()
  await withRow(store)
  const overlay = new Overlay({ store })
  assert.deepEqual(overlay.get('stored'), bytes(1))
  overlay.put('new', bytes(2))
  overlay.delete('stored')
  assert.deepEqual(overlay.get('new'), bytes(2))
  assert.equal(overlay.get('stored'), undefined)
  assert.equal(overlay.get('never'), undefined)
  assert.equal(overlay.size, 2)
  assert.deepEqual(store.get('stored'), bytes(1))
})

test('flushing writes puts and deletes, and the overlay is empty again', async () => {
  const store = new MemoryStore()
  await withRow(store)
  const overlay = new Overlay({ store })
  overlay.put('new', bytes(2))
  overlay.delete('stored')
  await overlay.flush({ durable: true })
  assert.equal(overlay.size, 0)
  assert.deepEqual(store.get('new'), bytes(2))
  assert.equal(store.get('stored'), undefined)
})

test('what is being written stays readable, under what was put since', async () => {
  const store = new HeldStore()
  const overlay = new Overlay({ store })
  overlay.put('a', bytes(1))
  overlay.put('b', bytes(1))
  overlay.delete('c')
  const flushed = overlay.flush()
  await settle()
  overlay.put('b', bytes(2))
  assert.equal(overlay.size, 1)
  assert.deepEqual(overlay.get('a'), bytes(1))
  assert.deepEqual(overlay.get('b'), bytes(2))
  assert.equal(overlay.get('c'), undefined)
  store.held.shift()!.pass()
  await flushed
  assert.deepEqual(overlay.get('a'), bytes(1))
  assert.deepEqual(overlay.get('b'), bytes(2))
})

test('a failed flush keeps every change pending, and newer ones win', async () => {
  const store = new HeldStore()
  const overlay = new Overlay({ store })
  overlay.put('a', bytes(1))
  overlay.put('b', bytes(1))
  const flushed = overlay.flush()
  await settle()
  overlay.put('b', bytes(2))
  overlay.delete('c')
  store.held.shift()!.fail(new Error('no space'))
  await assert.rejects(flushed, /no space/)
  assert.equal(overlay.size, 3)
  assert.deepEqual(overlay.get('a'), bytes(1))
  assert.deepEqual(overlay.get('b'), bytes(2))
  const again = overlay.flush()
  await settle()
  store.held.shift()!.pass()
  await again
  assert.deepEqual(store.get('a'), bytes(1))
  assert.deepEqual(store.get('b'), bytes(2))
})

test('flushes wait for each other, and one after a failed one still runs', async () => {
  const store = new HeldStore()
  const overlay = new Overlay({ store })
  overlay.put('a', bytes(1))
  const first = overlay.flush()
  await settle()
  overlay.put('a', bytes(2))
  const second = overlay.flush()
  await settle()
  assert.equal(store.held.length, 1)
  store.held.shift()!.fail(new Error('no space'))
  await assert.rejects(first, /no space/)
  await settle()
  store.held.shift()!.pass()
  await second
  assert.deepEqual(store.get('a'), bytes(2))
})

test('a batch taken by hand is readable until it is committed', async () => {
  const store = new MemoryStore()
  const overlay = new Overlay({ store })
  overlay.put('a', bytes(1))
  const batch = overlay.take()
  assert.deepEqual([...batch.keys()], ['a'])
  assert.equal(overlay.size, 0)
  assert.deepEqual(overlay.get('a'), bytes(1))
  assert.throws(() => overlay.take(), TypeError)
  await store.write(batch)
  overlay.commit()
  assert.deepEqual(overlay.get('a'), bytes(1))
})

test('a batch taken by hand and restored is pending again', () => {
  const overlay = new Overlay({ store: new MemoryStore() })
  overlay.put('a', bytes(1))
  overlay.take()
  overlay.restore()
  overlay.restore()
  assert.equal(overlay.size, 1)
  assert.deepEqual([...overlay.take().keys()], ['a'])
})
