import { Level } from 'level'
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { MAX_OPEN_TABLES } from '../../src/store/database.js'
import { LevelStore } from '../../src/store/index.js'
import { MAX_JOINED_OPERATIONS } from '../../src/store/write-queue.js'
import { bytes, storeContract } from '../contract/store.js'
import { until } from '../e2e/until.js'
import { temporaryDirectory } from './temporary.js'

storeContract('on LevelDB', async () => {
  const directory = await temporaryDirectory()
  const store = await LevelStore.open(join(directory.path, 'index'))
  return {
    store,
    dispose: async () => {
      await store.close()
      await directory.remove()
    }
  }
})

describe('the store on LevelDB', () => {
  let directory: Awaited<ReturnType<typeof temporaryDirectory>>
  let count = 0
  const fresh = (): string => join(directory.path, `index-${(count += 1)}`)
  before(async () => (directory = await temporaryDirectory()))
  after(() => directory.remove())

  /** Works on the rows of a closed store behind its back. */
  async function behindItsBack(
    path: string,
    work: (database: Level<string, Uint8Array>) => Promise<void>
  ): Promise<void> {
    const database = new Level<string, Uint8Array>(path, { valueEncoding: 'view' })
    await work(database)
    await database.close()
    // What changed the files was us and not the disk, so let the store trust them again.
    const marker = join(path, 'open-state.json')
    await writeFile(
      marker,
      JSON.stringify({ open: true, boot: (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim() })
    )
  }

  test('maps so many tables into memory and no more, however large it grows', async () => {
    const path = fresh()
    // small buffers in the order of their keys are made tables as they are
    const store = await LevelStore.open(path, { writeBufferBytes: 64 * 1024 })
    const written = MAX_OPEN_TABLES * 3
    for (let at = 0; at < written; at++)
      await store.write(new Map([[`row ${String(at).padStart(6, '0')}`, randomBytes(70_000)]]))
    let rows = 0
    for await (const [, row] of store.iterate({ gte: 'row ', lt: 'row ~' })) rows += row.length > 0 ? 1 : 0
    assert.equal(rows, written)
    const tables = (await readdir(path)).filter((name) => name.endsWith('.ldb')).length
    const mapped = (await readFile('/proc/self/maps', 'utf8'))
      .split('\n')
      .filter((line) => line.includes(path) && line.endsWith('.ldb')).length
    assert.ok(tables > MAX_OPEN_TABLES + 10, `${tables} tables`)
    assert.ok(mapped > 0 && mapped <= MAX_OPEN_TABLES, `${mapped} of ${tables} tables are mapped`)
    await store.close()
  })

  test('gives back the room of what was deleted, keeps the rest, and does nothing once it is closed', async () => {
    const path = fresh()
    const rows = Array.from({ length: 500 }, (_, at) => [`row ${at}`, randomBytes(20_000)] as const)
    // what is opened anew has its rows in tables: those in memory alone are not looked at
    for (const batch of [new Map(rows), new Map(rows.slice(1).map(([key]) => [key, null]))]) {
      const earlier = await LevelStore.open(path)
      await earlier.write(batch)
      await earlier.close()
    }
    const store = await LevelStore.open(path)
    const before = (await store.stats()).bytes
    await store.shrink()
    // LevelDB deletes what it has replaced a moment later
    await until('the files are smaller', async () => (await store.stats()).bytes < before / 10)
    assert.deepEqual(Buffer.from(store.get('row 0')!), rows[0]![1])
    await store.close()
    await store.shrink()
  })

  test('what was written is there after closing and opening again', async () => {
    const path = fresh()
    const first = await LevelStore.open(path)
    await first.write(new Map([['a', bytes(1)]]))
    await first.close()
    const second = await LevelStore.open(path)
    assert.deepEqual(second.get('a'), bytes(1))
    await second.close()
  })

  test('its statistics grow with what is written', async () => {
    const store = await LevelStore.open(fresh())
    const before = await store.stats()
    assert.ok(before.files >= 3 && before.bytes > 0)
    await store.write(new Map([['a', Buffer.alloc(100_000, 'a')]]), { durable: true })
    const after = await store.stats()
    assert.ok(after.bytes >= before.bytes + 100_000 && after.memoryBytes >= before.memoryBytes + 100_000)
    await store.close()
  })

  test('a second opening is refused as locked, and the first goes on', async () => {
    const path = fresh()
    const store = await LevelStore.open(path)
    await assert.rejects(LevelStore.open(path), { code: 'home-locked' })
    await store.write(new Map([['a', bytes(1)]]))
    await store.close()
    const again = await LevelStore.open(path)
    assert.equal(again.openState, 'clean')
    await again.close()
  })

  test('a value that changed on disk is reported by its key, by reading and by iterating', async () => {
    const path = fresh()
    const store = await LevelStore.open(path)
    await store.write(
      new Map([
        ['a', bytes(1)],
        ['b', bytes(2, 3)]
      ])
    )
    await store.close()
    await behindItsBack(path, async (database) => {
      const row = (await database.get('b'))!
      row[row.length - 1]! ^= 1
      await database.put('b', row)
    })
    const damaged = await LevelStore.open(path)
    assert.deepEqual(damaged.get('a'), bytes(1))
    assert.throws(() => damaged.get('b'), { code: 'store-damaged', facts: { key: 'b' } })
    const walk = async (): Promise<void> => {
      for await (const _row of damaged.iterate({ gte: 'a', lt: 'z' }));
    }
    await assert.rejects(walk(), { code: 'store-damaged', facts: { key: 'b' } })
    await assert.rejects(damaged.getMany(['a', 'b']), { code: 'store-damaged', facts: { key: 'b' } })
    await damaged.close()
  })

  test('a value that surfaces under another key, or is cut short, is reported', async () => {
    const path = fresh()
    const store = await LevelStore.open(path)
    await store.write(new Map([['a', bytes(1)]]))
    await store.close()
    await behindItsBack(path, async (database) => {
      await database.put('moved', (await database.get('a'))!)
      await database.put('short', bytes(1, 2, 3))
    })
    const damaged = await LevelStore.open(path)
    assert.throws(() => damaged.get('moved'), { code: 'store-damaged' })
    assert.throws(() => damaged.get('short'), { code: 'store-damaged' })
    await damaged.close()
  })

  test('writes that wait when the store is closed are still written', async () => {
    const path = fresh()
    const store = await LevelStore.open(path)
    // More than fits one joined batch, so that some of it has not even begun when closing does.
    const half = (start: number): Map<string, Uint8Array> =>
      new Map(Array.from({ length: MAX_JOINED_OPERATIONS / 2 + 1 }, (_, at) => [`k${start + at}`, bytes(1)]))
    const written = [0, 10_000, 20_000].map((start) => store.write(half(start)))
    await store.close()
    await Promise.all(written)
    const again = await LevelStore.open(path)
    assert.deepEqual(again.get('k20000'), bytes(1))
    await again.close()
  })

  test('a key that ends in a multi-byte character is read whole, whatever key was read first', async () => {
    for (const length of [62, 63, 64, 65]) {
      const store = await LevelStore.open(fresh())
      const key = 'k'.repeat(length) + '漢'
      await store.write(new Map([[key, bytes(length)]]))
      assert.equal(store.get('a'), undefined)
      assert.deepEqual(store.get(key), bytes(length))
      await store.close()
    }
  })

  test('reopening a store that works changes nothing', async () => {
    const store = await LevelStore.open(fresh())
    await store.write(new Map([['a', bytes(1)]]))
    await store.reopen()
    assert.equal(store.failure, undefined)
    assert.deepEqual(store.get('a'), bytes(1))
    await store.close()
    await store.reopen().then(
      () => assert.fail('reopened after close'),
      (error: { code: string }) => assert.equal(error.code, 'stopped')
    )
  })
})
