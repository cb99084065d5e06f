/** The index when the calls it makes fail. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import { Level } from 'level'
import { LevelStore, openStore } from '../../src/store/index.js'
import { bootId, markOpen, storeState } from '../../src/store/open-state.js'
import { probeStore } from '../../src/store/probe.js'
import { bytes } from '../contract/store.js'
import { withFaults } from '../faults/files.js'
import { withMethod } from '../faults/methods.js'
import { temporaryDirectory } from './temporary.js'

async function place(t: TestContext): Promise<string> {
  const directory = await temporaryDirectory()
  t.after(() => directory.remove())
  return join(directory.path, 'index')
}

/** An index with one row, closed. */
async function closed(t: TestContext): Promise<string> {
  const path = await place(t)
  const { store } = await openStore(path)
  await store.write(new Map([['a', bytes(1)]]), { durable: true })
  await store.close()
  return path
}

const level = Level.prototype as unknown as Record<string, (...args: unknown[]) => unknown>
const fails = (message: string) => () => () => Promise.reject(new Error(message))

describe('an index whose files cannot be read', () => {
  test('is not opened, and not dropped either', async (t) => {
    const path = await closed(t)
    await withFaults({ op: 'readdir', path }, async () => {
      await assert.rejects(openStore(path), { code: 'store-failed' })
      await assert.rejects(probeStore(path), { code: 'store-failed' })
    })
    const { store, found } = await openStore(path)
    assert.equal(found, 'kept')
    assert.deepEqual(store.get('a'), bytes(1))
    await store.close()
  })

  test('fails a reading of many rows with an error of ours', async (t) => {
    const path = await closed(t)
    const { store } = await openStore(path)
    await withMethod(level, 'getMany', fails('IO error: x'), () =>
      assert.rejects(store.getMany(['a']), { code: 'store-failed' })
    )
    assert.deepEqual(await store.getMany(['a']), [bytes(1)])
    await store.close()
    await assert.rejects(store.getMany(['a']), { code: 'stopped' })
  })

  test('fails a listing with an error of ours', async (t) => {
    const path = await closed(t)
    const { store } = await openStore(path)
    const listing = async (): Promise<void> => {
      for await (const _ of store.iterate({ gte: '', lt: 'z' }));
    }
    const broken = { nextv: () => Promise.reject(new Error('IO error: x')), close: () => Promise.resolve() }
    await withMethod(
      level,
      'iterator',
      () => () => broken,
      () => assert.rejects(listing(), { code: 'store-failed' })
    )
    await listing()
    await store.close()
  })
})

describe('an index whose marker cannot be written', () => {
  test('is not opened, because nothing would tell how its use ended', async (t) => {
    const path = await closed(t)
    await withFaults({ op: 'create', path: 'open-state.json' }, () =>
      assert.rejects(openStore(path), { code: 'store-failed' })
    )
    assert.equal(await storeState(path), 'clean')
  })

  test('says so when it is closed, and is looked over at the next start', async (t) => {
    const path = await closed(t)
    const { store } = await openStore(path)
    await withFaults({ op: 'sync', path }, () => assert.rejects(store.close(), { code: 'store-failed' }))
    assert.equal(await storeState(path), 'killed')
  })

  test('is used all the same where directories cannot be synced', async (t) => {
    const path = await closed(t)
    const { store } = await withFaults({ op: 'sync', path: 'index$', code: 'EINVAL' }, () => openStore(path))
    await store.close()
  })
})

test('where the boot has no id, an index in use counts as one that lost power', async (t) => {
  const path = await closed(t)
  await markOpen(path, 'clean')
  assert.equal(await storeState(path), 'killed')
  await withFaults({ op: 'readFileSync', path: 'boot_id' }, async () => {
    assert.equal(bootId(), undefined)
    assert.equal(await storeState(path), 'power-lost')
  })
})

test('why an index cannot be opened is told even when what is half open cannot be closed', async (t) => {
  const path = await closed(t)
  await withMethod(level, 'open', fails('IO error: the reason'), () =>
    withMethod(level, 'close', fails('another'), () => assert.rejects(LevelStore.open(path), /the reason/))
  )
})

test('an index that is closed while it is being reopened in vain closes', async (t) => {
  const path = await closed(t)
  const { store } = await openStore(path)
  const full = { put: () => full, del: () => full, write: () => Promise.reject(new Error('IO error: full')) }
  await withMethod(
    level,
    'batch',
    () => () => full,
    () => assert.rejects(store.write(new Map([['b', bytes(2)]])), { code: 'store-failed' })
  )
  await withFaults({ op: 'statfs', path }, async () => {
    const reopened = assert.rejects(store.reopen(), { code: 'store-failed' })
    await store.close()
    await reopened
  })
})
