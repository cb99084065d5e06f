/** What every store does, whatever it is made of. Run with each implementation. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { prefixRange, type Store } from '../../src/store/index.js'
import { MAX_KEY_BYTES } from '../../src/store/keys.js'

export interface StoreUnderTest {
  readonly store: Store
  /** Closes the store and removes what it left. */
  dispose(): Promise<void>
}

export const bytes = (...values: number[]): Uint8Array => new Uint8Array(values)

async function rowsOf(store: Store, range: Parameters<Store['iterate']>[0]): Promise<[string, number[]][]> {
  const rows: [string, number[]][] = []
  for await (const [key, value] of store.iterate(range)) rows.push([key, [...value]])
  return rows
}

async function keysOf(store: Store, range: Parameters<Store['iterate']>[0]): Promise<string[]> {
  return (await rowsOf(store, range)).map(([key]) => key)
}

const fill = (store: Store, ...keys: string[]): Promise<void> =>
  store.write(new Map(keys.map((key, at) => [key, bytes(at)])))

export function storeContract(name: string, create: () => Promise<StoreUnderTest>): void {
  describe(`the store contract, ${name}`, () => {
    let made: StoreUnderTest
    let store: Store
    before(async () => {
      made = await create()
      store = made.store
    })
    after(() => made.dispose())

    test('a value that was never written is undefined', () => {
      assert.equal(store.get('none/such'), undefined)
      assert.equal(store.get('x'.repeat(MAX_KEY_BYTES * 2)), undefined)
    })

    test('many values are read in the order of their keys, what is not there among them', async () => {
      await store.write(
        new Map([
          ['several/a', bytes(1)],
          ['several/漢', bytes(2)],
          ['several/empty', bytes()]
        ])
      )
      const keys = [
        'several/漢',
        'several/none',
        'several/a',
        'x'.repeat(MAX_KEY_BYTES * 2),
        'several/a',
        'several/empty'
      ]
      assert.deepEqual(await store.getMany(keys), [bytes(2), undefined, bytes(1), undefined, bytes(1), bytes()])
      assert.deepEqual(await store.getMany([]), [])
    })

    test('a written value reads back as a plain byte array, an empty one too', async () => {
      await store.write(
        new Map([
          ['plain/a', bytes(1, 2, 255)],
          ['plain/empty', bytes()]
        ])
      )
      assert.deepEqual(store.get('plain/a'), bytes(1, 2, 255))
      assert.deepEqual(store.get('plain/empty'), bytes())
    })

    test('null deletes, and deleting what is not there is no error', async () => {
      await store.write(new Map([['gone/a', bytes(1)]]))
      await store.write(
        new Map([
          ['gone/a', null],
          ['gone/never', null]
        ])
      )
      assert.equal(store.get('gone/a'), undefined)
      assert.deepEqual(await keysOf(store, prefixRange('gone/')), [])
    })

    test('a write is not visible before its promise is fulfilled', async () => {
      const written = store.write(new Map([['late/a', bytes(1)]]))
      assert.equal(store.get('late/a'), undefined)
      await written
      assert.deepEqual(store.get('late/a'), bytes(1))
    })

    test('changing the batch or its bytes after the call changes nothing', async () => {
      const value = bytes(7)
      const batch = new Map<string, Uint8Array | null>([['own/a', value]])
      const written = store.write(batch)
      value[0] = 9
      batch.set('own/b', bytes(1))
      await written
      assert.deepEqual(await rowsOf(store, prefixRange('own/')), [['own/a', [7]]])
    })

    test('concurrent writes are applied in call order', async () => {
      await Promise.all(
        Array.from({ length: 200 }, (_, at) =>
          store.write(new Map([['order/a', bytes(at)]]), { durable: at % 50 === 0 })
        )
      )
      assert.deepEqual(store.get('order/a'), bytes(199))
    })

    test('a durable write of nothing is accepted', async () => {
      await store.write(new Map(), { durable: true })
      await store.write(new Map())
    })

    test('rows come in the order of their UTF-8 bytes, within gte and lt', async () => {
      const keys = ['sort/', 'sort/a', 'sort/b', 'sort/é', 'sort/漢', 'sort/\ufffd', 'sort/😀', 'sort/😀x']
      await fill(store, ...keys.toReversed())
      await fill(store, 'sort', 'sort0')
      assert.deepEqual(await keysOf(store, prefixRange('sort/')), keys)
      assert.deepEqual(await keysOf(store, { gte: 'sort/a', lt: 'sort/é' }), ['sort/a', 'sort/b'])
    })

    test('reverse starts at the end, and limit counts from where it starts', async () => {
      await fill(store, 'turn/a', 'turn/b', 'turn/c')
      const range = prefixRange('turn/')
      assert.deepEqual(await keysOf(store, { ...range, reverse: true }), ['turn/c', 'turn/b', 'turn/a'])
      assert.deepEqual(await keysOf(store, { ...range, reverse: true, limit: 1 }), ['turn/c'])
      assert.deepEqual(await keysOf(store, { ...range, limit: 2 }), ['turn/a', 'turn/b'])
      assert.deepEqual(await keysOf(store, { ...range, limit: 0 }), [])
    })

    test('an empty or inverted range has no rows', async () => {
      assert.deepEqual(await keysOf(store, { gte: 'b', lt: 'a' }), [])
      assert.deepEqual(await keysOf(store, { gte: 'turn/a', lt: 'turn/a' }), [])
    })

    test('the whole range shows what was written and nothing of the store itself', async () => {
      await store.write(
        new Map([
          ['!mark', bytes(1)],
          ['~last', bytes(1)]
        ])
      )
      const keys = await keysOf(store, { gte: '', lt: '\u{10ffff}' })
      assert.ok(keys.includes('!mark') && keys.includes('~last'))
      assert.deepEqual(
        keys.filter((key) => key.startsWith('!store/')),
        []
      )
      assert.deepEqual(await keysOf(store, { gte: '', lt: '\u{10ffff}', limit: 1 }), ['!mark'])
    })

    test('an iteration shows the rows of its start, whatever is written meanwhile', async () => {
      await fill(store, 'still/a', 'still/b', 'still/c')
      const seen: string[] = []
      for await (const [key, value] of store.iterate(prefixRange('still/'))) {
        seen.push(`${key}=${value[0]}`)
        await store.write(
          new Map([
            ['still/b', bytes(99)],
            ['still/c', null],
            ['still/d', bytes(1)]
          ])
        )
      }
      assert.deepEqual(seen, ['still/a=0', 'still/b=1', 'still/c=2'])
    })

    test('an iteration may be left early', async () => {
      await fill(store, 'early/a', 'early/b')
      for await (const [key] of store.iterate(prefixRange('early/'))) {
        assert.equal(key, 'early/a')
        break
      }
      await store.write(new Map([['early/a', null]]))
      assert.deepEqual(await keysOf(store, prefixRange('early/')), ['early/b'])
    })

    test('an iteration over thousands of rows shows each once', async () => {
      const keys = Array.from({ length: 2_500 }, (_, at) => `many/${String(at).padStart(5, '0')}`)
      await fill(store, ...keys)
      assert.deepEqual(await keysOf(store, prefixRange('many/')), keys)
    })

    test('keys of every length up to the limit are told apart', async () => {
      const ends = ['漢', '😀', 'e']
      const lengths = [60, 61, 62, 63, 64, 65, 126, 127, 128, 129, 130, 4_000, MAX_KEY_BYTES - 4]
      const keys = lengths.flatMap((length) => ends.map((end) => 'k'.repeat(length) + end))
      await fill(store, ...keys)
      for (const [at, key] of keys.entries()) assert.deepEqual(store.get(key), bytes(at), `key ${at}`)
      assert.equal(store.get('k'.repeat(63)), undefined)
    })

    test('a key of the greatest length is taken and one byte more is refused, whole batch and all', async () => {
      const longest = 'é' + 'k'.repeat(MAX_KEY_BYTES - 2)
      await store.write(new Map([[longest, bytes(3)]]))
      assert.deepEqual(store.get(longest), bytes(3))
      await assert.rejects(
        store.write(
          new Map([
            ['whole/a', bytes(1)],
            [longest + 'k', bytes(1)]
          ])
        ),
        TypeError
      )
      assert.equal(store.get('whole/a'), undefined)
    })

    test('keys of the store itself, empty ones and broken Unicode are refused', async () => {
      for (const key of ['!store/version', '', 'a\ud800b']) {
        await assert.rejects(store.write(new Map([[key, bytes(1)]])), TypeError)
      }
    })

    test('closing twice is fine, and then nothing works any more', async () => {
      const other = await create()
      await other.store.write(new Map([['a', bytes(1)]]))
      await other.store.close()
      await other.store.close()
      assert.throws(() => other.store.get('a'), { code: 'stopped' })
      await assert.rejects(other.store.write(new Map([['a', bytes(2)]])), { code: 'stopped' })
      await assert.rejects(keysOf(other.store, prefixRange('a')), { code: 'stopped' })
      await other.dispose()
    })
  })
}
