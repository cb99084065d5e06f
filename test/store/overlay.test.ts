import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MemoryStore, Overlay, type HeldRow, type Store } from '../../src/store/index.js'
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

/** A row that counts how often it was made into bytes. */
class CountedRow {
  readonly weight = 1
  readonly value: number
  encoded = 0

  constructor(value: number) {
    this.value = value
  }

  static read(this: void, row: Uint8Array): CountedRow {
    return new CountedRow(row[0]!)
  }

  bytes(): Uint8Array {
    this.encoded += 1
    return bytes(this.value)
  }
}

test('a row put as what it means is read as it is, and made into bytes once, when it is written', async () => {
  const store = new MemoryStore()
  const overlay = new Overlay({ store })
  const overtaken = new CountedRow(1)
  const row = new CountedRow(2)
  overlay.put('a', overtaken)
  overlay.put('a', row)
  assert.equal(overlay.row('a', CountedRow.read), row)
  await overlay.flush()
  assert.equal(overlay.row('a', CountedRow.read), row)
  assert.deepEqual(store.get('a'), bytes(2))
  assert.deepEqual([overtaken.encoded, row.encoded], [0, 1])
  assert.deepEqual(overlay.get('a'), bytes(2))
})

test('a row of the store is made into what it means once, and anew when it was put as bytes', async () => {
  const store = new MemoryStore()
  await withRow(store)
  const overlay = new Overlay({ store })
  const row = overlay.row('stored', CountedRow.read)
  assert.equal(row?.value, 1)
  assert.equal(overlay.row('stored', CountedRow.read), row)
  assert.deepEqual(overlay.get('stored'), bytes(1))
  overlay.put('stored', bytes(7))
  assert.equal(overlay.row('stored', CountedRow.read)?.value, 7)
  assert.deepEqual(overlay.get('stored'), bytes(7))
  overlay.delete('stored')
  assert.equal(overlay.row('stored', CountedRow.read), undefined)
  assert.equal(overlay.row('never', CountedRow.read), undefined)
})

test('a row that fails to become bytes leaves everything pending', () => {
  const overlay = new Overlay({ store: new MemoryStore() })
  overlay.put('a', bytes(1))
  overlay.put('b', {
    weight: 1,
    bytes: () => {
      throw new RangeError('not today')
    }
  })
  assert.throws(() => overlay.take(), /not today/)
  overlay.put('b', bytes(2))
  assert.deepEqual(
    [...overlay.take()],
    [
      ['a', bytes(1)],
      ['b', bytes(2)]
    ]
  )
})

test('rows in flight that failed are made into bytes again, and what overtook them wins', async () => {
  const store = new HeldStore()
  const overlay = new Overlay({ store })
  const first = new CountedRow(1)
  overlay.put('a', first)
  overlay.put('b', new CountedRow(1))
  const flushed = overlay.flush()
  await settle()
  overlay.put('b', new CountedRow(2))
  store.held[0]!.fail(new Error('no'))
  await assert.rejects(flushed)
  assert.equal(overlay.row('a', CountedRow.read), first)
  assert.deepEqual(
    [...overlay.take()],
    [
      ['a', bytes(1)],
      ['b', bytes(2)]
    ]
  )
})

/** A row that means its bytes. */
class Plain implements HeldRow {
  constructor(readonly value: Uint8Array) {}
  readonly weight = 0

  bytes(): Uint8Array {
    return this.value
  }
}
const plain = (value: Uint8Array): Plain => new Plain(value)

test('a row that was read by range is at hand afterwards', async () => {
  const store = new MemoryStore()
  await withRow(store)
  const overlay = new Overlay({ store })
  const row = plain(bytes(1))
  overlay.keep('stored', row, overlay.committed)
  assert.equal(
    overlay.row('stored', () => assert.fail('it is read once more')),
    row
  )
})

test('a row that was read by range before another batch was written is not kept', async () => {
  const store = new MemoryStore()
  await withRow(store)
  const overlay = new Overlay({ store })
  const { committed } = overlay
  overlay.put('other', bytes(3))
  await overlay.flush()
  overlay.keep('stored', plain(bytes(9)), committed)
  assert.deepEqual(overlay.get('stored'), bytes(1))
})

test('a row that was read by range takes the place of nothing that is known', async () => {
  const store = new MemoryStore()
  await withRow(store)
  const overlay = new Overlay({ store })
  overlay.put('stored', bytes(2))
  await overlay.flush()
  overlay.keep('stored', plain(bytes(1)), overlay.committed)
  assert.deepEqual(overlay.get('stored'), bytes(2))
  overlay.put('stored', bytes(3))
  overlay.keep('stored', plain(bytes(1)), overlay.committed)
  assert.deepEqual(overlay.get('stored'), bytes(3))
})

const LARGE = new Uint8Array(1_000).fill(7)

/** A store that counts what is asked of it. */
class CountingStore extends HeldStore {
  gets = 0
  readonly fetched: string[] = []

  override get(key: string): Uint8Array | undefined {
    this.gets += 1
    return super.get(key)
  }

  override getMany(keys: readonly string[]): Promise<Array<Uint8Array | undefined>> {
    this.fetched.push(...keys)
    return super.getMany(keys)
  }
}

async function written(overlay: Overlay, store: HeldStore): Promise<void> {
  const flushed = overlay.flush()
  await settle()
  store.held.shift()!.pass()
  await flushed
}

test('whether a row is there is known of what was written, and of what is on its way, without reading it', async () => {
  const store = new CountingStore()
  const overlay = new Overlay({ store })
  overlay.put('large', LARGE)
  const flushed = overlay.flush()
  await settle()
  assert.equal(overlay.has('large'), true)
  overlay.delete('large')
  assert.equal(overlay.has('large'), false)
  store.held.shift()!.pass()
  await flushed
  assert.equal(overlay.has('large'), false)
  overlay.put('large', LARGE)
  await written(overlay, store)
  assert.equal(overlay.has('large'), true)
  overlay.delete('large')
  await written(overlay, store)
  assert.equal(overlay.has('large'), false)
  assert.equal(store.gets, 0)
  assert.equal(overlay.has('never'), false)
  assert.equal(store.gets, 1)
})

test('many rows are read at once, and only those that are not at hand', async () => {
  const store = new CountingStore()
  const overlay = new Overlay({ store })
  overlay.put('stored', LARGE)
  overlay.put('gone', LARGE)
  await written(overlay, store)
  overlay.put('pending', bytes(2))
  overlay.delete('gone')
  overlay.put('row', new CountedRow(3))
  const keys = ['row', 'never', 'stored', 'gone', 'pending']
  assert.deepEqual(await overlay.getMany(keys), [bytes(3), undefined, LARGE, undefined, bytes(2)])
  assert.deepEqual(store.fetched, ['never', 'stored'])
})

const read = (_key: string, row: Uint8Array): CountedRow => CountedRow.read(row)

test('rows that were fetched are at hand as what they mean', async () => {
  const store = new CountingStore()
  const filled = MemoryStore.prototype.write.call(store, new Map([['a', bytes(1)]]))
  await filled
  const overlay = new Overlay({ store })
  overlay.put('b', new CountedRow(2))
  await overlay.prefetch(['a', 'b', 'never'], read)
  assert.deepEqual(store.fetched, ['a', 'never'])
  const row = overlay.row('a', CountedRow.read)
  assert.equal(row?.value, 1)
  assert.equal(overlay.row('a', CountedRow.read), row)
  assert.equal(store.gets, 0)
  await overlay.prefetch(['a', 'b'], read)
  assert.deepEqual(store.fetched, ['a', 'never'])
})

test('a row that was written while it was fetched is not what it was before', async () => {
  const store = new CountingStore()
  await MemoryStore.prototype.write.call(store, new Map([['a', bytes(1)]]))
  const overlay = new Overlay({ store })
  const old = await store.getMany(['a'])
  let fetched = (): void => undefined
  const held = new Promise<void>((resolve) => (fetched = resolve))
  store.getMany = () => held.then(() => old)
  const prefetched = overlay.prefetch(['a'], read)
  overlay.put('a', LARGE)
  await written(overlay, store)
  fetched()
  await prefetched
  assert.deepEqual(overlay.get('a'), LARGE)
})
