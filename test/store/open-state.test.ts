import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { cp, mkdir, readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { LevelStore, destroyStore, openStore, probeStore, storeState } from '../../src/store/index.js'
import { bytes } from '../contract/store.js'
import { temporaryDirectory } from './temporary.js'

const MARKER = 'open-state.json'

describe('how the last use of an index ended', () => {
  let directory: Awaited<ReturnType<typeof temporaryDirectory>>
  let count = 0
  const fresh = (): string => join(directory.path, `index-${(count += 1)}`)
  before(async () => (directory = await temporaryDirectory()))
  after(() => directory.remove())

  /** The files of a process that was killed: a copy taken while the store is open. */
  async function killedStore(rows = 1): Promise<string> {
    const path = fresh()
    const copy = fresh()
    const store = await LevelStore.open(path)
    await store.write(new Map(Array.from({ length: rows }, (_, at) => [`row/${at}`, Buffer.alloc(200, at)])))
    await cp(path, copy, { recursive: true })
    await store.close()
    return copy
  }

  async function closedStore(rows = 1): Promise<string> {
    const path = fresh()
    const store = await LevelStore.open(path, { writeBufferBytes: 256 * 1024 })
    for (let at = 0; at < rows; at += 1_000) {
      const part = Array.from({ length: Math.min(1_000, rows - at) }, (_, n) => at + n)
      await store.write(new Map(part.map((n) => [`row/${n}`, randomBytes(200)])))
    }
    await store.close()
    return path
  }

  async function editMarker(path: string, edit: (marker: Record<string, unknown>) => void): Promise<void> {
    const marker = JSON.parse(await readFile(join(path, MARKER), 'utf8')) as Record<string, unknown>
    edit(marker)
    await writeFile(join(path, MARKER), JSON.stringify(marker))
  }

  /** All of them: one may be left of a compaction that the close broke off, and then nothing is ever read from it. */
  async function tablesOf(path: string): Promise<string[]> {
    const names = (await readdir(path)).filter((name) => name.endsWith('.ldb'))
    assert.notDeepEqual(names, [])
    return names.map((name) => join(path, name))
  }

  async function fileOf(path: string, pattern: RegExp): Promise<string> {
    const found: { name: string; size: number }[] = []
    for (const name of await readdir(path)) {
      if (pattern.test(name)) found.push({ name, size: (await stat(join(path, name))).size })
    }
    const largest = found.sort((a, b) => b.size - a.size)[0]
    assert.ok(largest, `no file like ${pattern} in ${path}`)
    return join(path, largest.name)
  }

  async function flip(file: string, at: number, length = 1): Promise<void> {
    const content = await readFile(file)
    for (let n = 0; n < length; n++) content[at + n]! ^= 0xff
    await writeFile(file, content)
  }

  test('a new store and one closed properly are clean', async () => {
    const path = fresh()
    assert.equal(await storeState(path), 'missing')
    const store = await LevelStore.open(path)
    assert.equal(store.openState, 'clean')
    assert.equal(await storeState(path), 'killed')
    await store.close()
    assert.equal(await storeState(path), 'clean')
  })

  test('a directory without files counts as missing', async () => {
    const path = fresh()
    await mkdir(path)
    assert.equal(await storeState(path), 'missing')
    assert.equal(await probeStore(path), 'missing')
  })

  test('a store left open within this boot was killed, and has all that was written', async () => {
    const store = await LevelStore.open(await killedStore())
    assert.equal(store.openState, 'killed')
    assert.ok(store.get('row/0'))
    await store.close()
  })

  test('a store left open in another boot, or in an unknown one, lost power', async () => {
    const other = await killedStore()
    await editMarker(other, (marker) => (marker['boot'] = 'another boot'))
    assert.equal(await storeState(other), 'power-lost')
    const unknown = await killedStore()
    await editMarker(unknown, (marker) => delete marker['boot'])
    assert.equal(await storeState(unknown), 'power-lost')
    const torn = await killedStore()
    await writeFile(join(torn, MARKER), '')
    assert.equal(await storeState(torn), 'power-lost')
  })

  test('lost power is found again when the process dies before the index is rebuilt', async () => {
    const path = await killedStore()
    await editMarker(path, (marker) => (marker['boot'] = 'another boot'))
    const store = await LevelStore.open(path)
    assert.equal(store.openState, 'power-lost')
    assert.equal(await storeState(path), 'power-lost')
    await store.close()
    assert.equal(await storeState(path), 'clean')
  })

  test('a store whose process was killed while it made the database opens as a new one', async () => {
    for (const made of [[], ['LOG', 'LOCK'], ['MANIFEST-000001'], ['MANIFEST-000001', '000001.dbtmp']]) {
      const path = fresh()
      const store = await LevelStore.open(path)
      await store.write(new Map([['row', bytes(1)]]))
      const marker = await readFile(join(path, MARKER), 'utf8')
      await store.close()
      await destroyStore(path)
      await mkdir(path)
      await writeFile(join(path, MARKER), marker)
      for (const name of made) await writeFile(join(path, name), '')
      const opened = await openStore(path)
      assert.notEqual(opened.found, 'kept', made.join())
      assert.equal(opened.store.get('row'), undefined)
      await opened.store.close()
      assert.equal(await storeState(path), 'clean')
    }
  })

  test('what lost power is dropped, unless every write of it was durable', async () => {
    for (const everyWriteDurable of [false, true]) {
      const path = await killedStore()
      await editMarker(path, (marker) => (marker['boot'] = 'another boot'))
      const { store, found } = await openStore(path, { everyWriteDurable })
      assert.equal(found, everyWriteDurable ? 'kept' : 'dropped')
      assert.equal(store.get('row/0') !== undefined, everyWriteDurable)
      await store.close()
    }
  })

  test('a flipped byte in the manifest of a closed store is damage', async () => {
    const path = await closedStore()
    await flip(await fileOf(path, /^MANIFEST-/), 20)
    assert.equal(await storeState(path), 'damaged')
    await assert.rejects(LevelStore.open(path), { code: 'store-damaged' })
    assert.equal(await probeStore(path), 'damaged')
  })

  test('a data file of a closed store that is gone or cut short is damage', async () => {
    const path = await closedStore()
    await truncate(await fileOf(path, /\.log$/), 0)
    assert.equal(await storeState(path), 'damaged')
  })

  test('a closed store of which any byte has changed is damage: rows could seem never written', async () => {
    const rows = 12_000
    const closed = await closedStore(rows)
    for (const part of [0.01, 0.5, 0.9, 0.99]) {
      const path = fresh()
      await cp(closed, path, { recursive: true })
      for (const file of await tablesOf(path)) await flip(file, Math.floor((await stat(file)).size * part))
      assert.equal(await storeState(path), 'damaged', `at ${part}`)
    }
    const path = fresh()
    await cp(closed, path, { recursive: true })
    await flip(await fileOf(path, /\.log$/), 100)
    assert.equal(await storeState(path), 'damaged', 'in what was written last')
  })

  test('a probe finds an intact store ok and leaves its state as it was', async () => {
    const killed = await killedStore(50)
    assert.equal(await probeStore(killed), 'ok')
    assert.equal(await storeState(killed), 'killed')
    const closed = await closedStore()
    assert.equal(await probeStore(closed), 'ok')
    assert.equal(await storeState(closed), 'clean')
  })

  test('a probe of a store in use is refused as locked', async () => {
    const path = fresh()
    const store = await LevelStore.open(path)
    await assert.rejects(probeStore(path), { code: 'home-locked' })
    await assert.rejects(destroyStore(path), { code: 'home-locked' })
    assert.equal(store.get('a'), undefined)
    await store.close()
  })

  test('a probe survives tables whose blocks are garbage, zeros or cut off, and says damaged', async () => {
    const damages: ((file: string, size: number) => Promise<void>)[] = [
      (file, size) => flip(file, Math.floor(size / 2), 3),
      async (file, size) => {
        const content = await readFile(file)
        await writeFile(file, content.fill(0, Math.floor(size / 4), Math.floor(size / 2)))
      },
      // LevelDB aborts its process over a block of zeros where the data was not compressible, like this.
      async (file, size) => {
        const content = await readFile(file)
        await writeFile(file, content.fill(0, 0, Math.floor(size / 2)))
      },
      (file, size) => truncate(file, Math.floor(size / 2)),
      async (file, size) => writeFile(file, Buffer.alloc(size))
    ]
    for (const [n, damage] of damages.entries()) {
      const path = await closedStore(12_000)
      await editMarker(path, (marker) => (marker['open'] = true))
      for (const file of await tablesOf(path)) await damage(file, (await stat(file)).size)
      assert.equal(await probeStore(path), 'damaged', `damage ${n}`)
    }
  })

  test('opening the index keeps what is sound and drops what is not, and says which', async () => {
    const path = fresh()
    const first = await openStore(path)
    assert.equal(first.found, 'new')
    await first.store.write(new Map([['a', bytes(1)]]))
    await first.store.close()
    const second = await openStore(path)
    assert.equal(second.found, 'kept')
    assert.deepEqual(second.store.get('a'), bytes(1))
    await second.store.close()

    const killed = await openStore(await killedStore())
    assert.equal(killed.found, 'kept')
    await killed.store.close()

    const lost = await killedStore()
    await editMarker(lost, (marker) => (marker['boot'] = 'another boot'))
    const dropped = await openStore(lost)
    assert.deepEqual([dropped.found, dropped.reason], ['dropped', 'power-lost'])
    assert.equal(dropped.store.get('row/0'), undefined)
    await dropped.store.close()

    const flipped = await closedStore()
    await flip(await fileOf(flipped, /^MANIFEST-/), 20)
    const rebuilt = await openStore(flipped)
    assert.deepEqual([rebuilt.found, rebuilt.reason], ['dropped', 'damaged'])
    await rebuilt.store.close()
  })

  test('a killed store that is damaged is dropped without opening it here', async () => {
    const path = await closedStore(12_000)
    const boot = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim()
    await editMarker(path, (marker) => Object.assign(marker, { open: true, boot }))
    for (const file of await tablesOf(path)) await writeFile(file, Buffer.alloc((await stat(file)).size))
    const opened = await openStore(path)
    assert.deepEqual([opened.found, opened.reason], ['dropped', 'damaged'])
    await opened.store.close()
  })

  test('an index in use is never dropped, whatever its marker says', async () => {
    const path = fresh()
    const store = await LevelStore.open(path)
    await store.write(new Map([['a', bytes(1)]]))
    await editMarker(path, (marker) => (marker['boot'] = 'another boot'))
    await assert.rejects(openStore(path), { code: 'home-locked' })
    assert.deepEqual(store.get('a'), bytes(1))
    await store.write(new Map([['a', bytes(2)]]), { durable: true })
    await store.close()
  })

  test('destroying removes the directory, and one that is missing is no error', async () => {
    const path = await closedStore()
    await destroyStore(path)
    assert.equal(await storeState(path), 'missing')
    await assert.rejects(stat(path), { code: 'ENOENT' })
    await destroyStore(path)
  })
})
