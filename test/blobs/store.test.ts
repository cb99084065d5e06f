import assert from 'node:assert/strict'
import { readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import test, { type TestContext } from 'node:test'
import { Bitmap } from '../../src/blobs/bitmap.js'
import { BlobStore, type BlobStoreEvent } from '../../src/blobs/index.js'
import { encodePartialState } from '../../src/blobs/partial-state.js'
import { GrapevineError, type ErrorCode } from '../../src/errors.js'
import { silentLogger } from '../../src/runtime.js'
import { BLOB_CHUNK_BYTES, bodyRefOf, MAX_BODY_BYTES, type BodyRef } from '../../src/wire/index.js'
import { bytesOf, collect, once, temporaryDirectory, TINY } from './world.js'

async function openStore(directory: string, options: { readOnly?: boolean; tiny?: boolean } = {}): Promise<BlobStore> {
  const layout = options.tiny === true ? { layout: TINY } : {}
  const store = new BlobStore({ logger: silentLogger }, { directory, readOnly: options.readOnly ?? false, ...layout })
  await store.open()
  return store
}

async function freshStore(
  t: TestContext,
  options: { tiny?: boolean } = {}
): Promise<{ store: BlobStore; directory: string }> {
  const directory = join(await temporaryDirectory(t), 'blobs')
  return { store: await openStore(directory, options), directory }
}

function hasCode(code: ErrorCode): (error: unknown) => boolean {
  return (error) => error instanceof GrapevineError && error.code === code && error.next.length > 0
}

function fileOf(directory: string, ref: BodyRef): string {
  return join(directory, ref.hash.slice(0, 2), ref.hash)
}

async function flip(path: string, at: number): Promise<void> {
  const bytes = await readFile(path)
  bytes[at]! ^= 1
  await writeFile(path, bytes)
}

for (const size of [0, 1, BLOB_CHUNK_BYTES - 1, BLOB_CHUNK_BYTES, BLOB_CHUNK_BYTES + 1, 3 * BLOB_CHUNK_BYTES + 7]) {
  test(`a body of ${size} bytes is stored under its content id and read back, also after a restart`, async (t) => {
    const { store, directory } = await freshStore(t)
    const body = bytesOf(size)
    const ref = await store.put(once(body.subarray(0, 100), body.subarray(100)))
    assert.deepEqual(ref, bodyRefOf(body))
    assert.ok((await collect(store.read(ref))).equals(body))
    const again = await openStore(directory)
    assert.equal(again.has(ref.hash), true)
    assert.equal(again.sizeOf(ref.hash), size)
    assert.ok((await collect(again.read(ref))).equals(body))
  })
}

test('a body that arrives in single bytes is stored like one that arrives at once', async (t) => {
  const { store } = await freshStore(t, { tiny: true })
  const body = bytesOf(333)
  const whole = await store.put(once(body))
  for (let round = 0; round < 2; round++) store.nextRound()
  assert.equal(await store.letGo(whole.hash), 333)
  assert.deepEqual(await store.put(once(...Array.from(body, (_, at) => body.subarray(at, at + 1)))), whole)
  assert.ok((await collect(store.read(whole))).equals(body))
})

test('directories and files are open to nobody else', async (t) => {
  const { store, directory } = await freshStore(t, { tiny: true })
  const ref = await store.put(once(bytesOf(100)))
  for (const path of [directory, join(directory, 'partial'), join(directory, ref.hash.slice(0, 2))]) {
    assert.equal((await stat(path)).mode & 0o777, 0o700, path)
  }
  for (const path of [fileOf(directory, ref), `${fileOf(directory, ref)}.tree`]) {
    assert.equal((await stat(path)).mode & 0o777, 0o600, path)
  }
})

test('the same body is stored once, however often and concurrently it is put', async (t) => {
  const { store, directory } = await freshStore(t)
  const added: BlobStoreEvent[] = []
  store.on((event) => added.push(event))
  const body = bytesOf(BLOB_CHUNK_BYTES + 5)
  const refs = await Promise.all(Array.from({ length: 5 }, () => store.put(once(body))))
  assert.equal(new Set(refs.map(({ hash }) => hash)).size, 1)
  assert.deepEqual(added, [{ type: 'added', ref: refs[0] }])
  assert.deepEqual(store.stats(), { blobs: 1, bytes: body.length })
  assert.deepEqual(await readdir(join(directory, 'incoming')), [])
})

test('a source that fails passes its error on and leaves nothing behind', async (t) => {
  const { store, directory } = await freshStore(t)
  async function* failing(): AsyncGenerator<Uint8Array> {
    yield bytesOf(BLOB_CHUNK_BYTES)
    throw new Error('the file changed')
  }
  await assert.rejects(store.put(failing()), /the file changed/)
  assert.deepEqual(await readdir(join(directory, 'incoming')), [])
  assert.equal(store.stats().blobs, 0)
})

test('a body at the limit is stored, one past it is too large and leaves nothing behind', async (t) => {
  const { store, directory } = await freshStore(t)
  assert.equal((await store.put(once(bytesOf(1_000)), 1_000)).size, 1_000)
  await assert.rejects(store.put(once(bytesOf(1_001)), 1_000), hasCode('too-large'))
  assert.deepEqual(await readdir(join(directory, 'incoming')), [])
})

test('a declared size past the largest body is refused before a file is made', async (t) => {
  const { store, directory } = await freshStore(t)
  const { hash } = bodyRefOf(bytesOf(10))
  await assert.rejects(store.openPartial({ hash, size: MAX_BODY_BYTES + 1 }), hasCode('too-large'))
  assert.deepEqual(await readdir(join(directory, 'partial')), [])
})

test('an unfinished blob of the largest size takes no room on disk before bytes arrive', async (t) => {
  const { store, directory } = await freshStore(t)
  const partial = await store.openPartial({ hash: bodyRefOf(bytesOf(10)).hash, size: MAX_BODY_BYTES })
  for (const name of await readdir(join(directory, 'partial'))) {
    assert.equal((await stat(join(directory, 'partial', name))).size, 0)
  }
  await partial!.close()
})

test('reading what is not here, or is here in another size, says that it is missing', async (t) => {
  const { store } = await freshStore(t)
  const ref = await store.put(once(bytesOf(1_000)))
  await assert.rejects(collect(store.read({ ...ref, size: 999 })), hasCode('blob-missing'))
  await assert.rejects(collect(store.read(bodyRefOf(bytesOf(5)))), hasCode('blob-missing'))
  assert.equal(store.has(ref.hash), true)
})

test('chunks and tree nodes are handed out one by one, and those that cannot exist are refused', async (t) => {
  const { store } = await freshStore(t, { tiny: true })
  const body = bytesOf(16 * 5 + 3)
  const ref = await store.put(once(body))
  const two = Buffer.alloc(16 + 3)
  await store.chunks(ref, 4, two)
  assert.deepEqual(two, body.subarray(64))
  assert.equal((await store.treeNode(ref, { level: 0, index: 1 })).length, 2 * 32)
  assert.equal((await store.treeNode(ref, { level: 1, index: 0 })).length, 2 * 32)
  await assert.rejects(store.chunks(ref, 6, Buffer.alloc(16)), hasCode('message-malformed'))
  await assert.rejects(store.treeNode(ref, { level: 2, index: 0 }), hasCode('message-malformed'))
})

test('a flipped bit is found on reading: nothing wrong is yielded and the blob is no longer held', async (t) => {
  const { store, directory } = await freshStore(t)
  const body = bytesOf(2 * BLOB_CHUNK_BYTES + 9)
  const ref = await store.put(once(body))
  const events: BlobStoreEvent[] = []
  store.on((event) => events.push(event))
  await flip(fileOf(directory, ref), BLOB_CHUNK_BYTES + 3)
  const seen: Uint8Array[] = []
  await assert.rejects(async () => {
    for await (const bytes of store.read(ref)) seen.push(bytes)
  }, hasCode('blob-damaged'))
  assert.ok(Buffer.concat(seen).equals(body.subarray(0, BLOB_CHUNK_BYTES)))
  assert.equal(store.has(ref.hash), false)
  assert.deepEqual(events, [{ type: 'damaged', ref }])
  assert.deepEqual(store.stats(), { blobs: 0, bytes: 0 })
})

test('of a damaged blob the sound chunks are kept for the repair', async (t) => {
  const { store, directory } = await freshStore(t, { tiny: true })
  const ref = await store.put(once(bytesOf(16 * 20)))
  await flip(fileOf(directory, ref), 16 * 7)
  await assert.rejects(collect(store.read(ref)), hasCode('blob-damaged'))
  const partial = await store.openPartial(ref)
  const missing = Array.from({ length: 20 }, (_, index) => index).filter((index) => !partial!.chunks.has(index))
  assert.deepEqual(missing, [7])
  await partial!.close()
})

test('an old bitmap of a blob that was damaged later does not vouch for its chunks', async (t) => {
  const { store, directory } = await freshStore(t, { tiny: true })
  const ref = await store.put(once(bytesOf(16 * 20)))
  const all = new Bitmap(20)
  for (let index = 0; index < 20; index += 1) all.set(index)
  await writeFile(join(directory, 'partial', `${ref.hash}-${ref.size}.state`), encodePartialState(ref, all))
  await flip(fileOf(directory, ref), 16 * 7)
  await assert.rejects(collect(store.read(ref)), hasCode('blob-damaged'))
  const partial = await store.openPartial(ref)
  assert.equal(partial!.chunks.has(7), false)
  await partial!.close()
})

test('a truncated, an emptied, a lengthened and a deleted file are damage too', async (t) => {
  const { store, directory } = await freshStore(t)
  const harm = [
    (path: string) => truncate(path, 10),
    (path: string) => truncate(path, 0),
    (path: string) => truncate(path, BLOB_CHUNK_BYTES + 2),
    (path: string) => rm(path)
  ]
  for (const [seed, damage] of harm.entries()) {
    const ref = await store.put(once(bytesOf(BLOB_CHUNK_BYTES + 1, seed + 1)))
    await damage(fileOf(directory, ref))
    await assert.rejects(collect(store.read(ref)), hasCode('blob-damaged'))
    assert.equal(store.has(ref.hash), false)
  }
})

test('a damaged tree is found before any hash of it is believed', async (t) => {
  const { store, directory } = await freshStore(t, { tiny: true })
  const ref = await store.put(once(bytesOf(400)))
  const again = await openStore(directory, { tiny: true })
  await flip(`${fileOf(directory, ref)}.tree`, 40)
  await assert.rejects(again.chunks(ref, 1, Buffer.alloc(16)), hasCode('blob-damaged'))
  // the bytes are sound, so the tree is made again and the blob stays
  assert.ok((await collect(again.read(ref))).equals(bytesOf(400)))
})

test('a damaged tree over damaged bytes is not made again: the blob is no longer held', async (t) => {
  const { store, directory } = await freshStore(t, { tiny: true })
  const ref = await store.put(once(bytesOf(400)))
  const again = await openStore(directory, { tiny: true })
  await flip(`${fileOf(directory, ref)}.tree`, 40)
  await flip(fileOf(directory, ref), 200)
  await assert.rejects(again.chunks(ref, 1, Buffer.alloc(16)), hasCode('blob-damaged'))
  assert.equal(again.has(ref.hash), false)
})

test('a lost tree is made again from the bytes at opening', async (t) => {
  const { store, directory } = await freshStore(t, { tiny: true })
  const body = bytesOf(400)
  const ref = await store.put(once(body))
  await rm(`${fileOf(directory, ref)}.tree`)
  const again = await openStore(directory, { tiny: true })
  assert.ok((await collect(again.read(ref))).equals(body))
})

test('a blob that lost its tree and is wrong too is not held after opening', async (t) => {
  const { store, directory } = await freshStore(t, { tiny: true })
  const ref = await store.put(once(bytesOf(400)))
  await rm(`${fileOf(directory, ref)}.tree`)
  await flip(fileOf(directory, ref), 200)
  const again = await openStore(directory, { tiny: true })
  assert.equal(again.has(ref.hash), false)
  assert.deepEqual(again.stats(), { blobs: 0, bytes: 0 })
  assert.deepEqual(await again.partials(), [ref])
})

test('opening clears what a crash left: half-written bodies and trees without a body', async (t) => {
  const { store, directory } = await freshStore(t, { tiny: true })
  const ref = await store.put(once(bytesOf(400)))
  await writeFile(join(directory, 'incoming', '1-1'), 'half')
  await rm(fileOf(directory, ref))
  await openStore(directory, { tiny: true })
  assert.deepEqual(await readdir(join(directory, 'incoming')), [])
  assert.deepEqual(await readdir(join(directory, ref.hash.slice(0, 2))), [])
})

test('a store that is only read changes nothing on disk, not even when it finds damage', async (t) => {
  const { store, directory } = await freshStore(t)
  const ref = await store.put(once(bytesOf(1_000)))
  await writeFile(join(directory, 'incoming', '1-1'), 'half')
  const reader = await openStore(directory, { readOnly: true })
  assert.ok((await collect(reader.read(ref))).equals(bytesOf(1_000)))
  await flip(fileOf(directory, ref), 3)
  await assert.rejects(collect(reader.read(ref)), hasCode('blob-damaged'))
  assert.equal((await stat(fileOf(directory, ref))).size, 1_000)
  assert.deepEqual(await readdir(join(directory, 'incoming')), ['1-1'])
  await assert.rejects(reader.put(once(bytesOf(5))), hasCode('internal'))
  const nowhere = await openStore(join(directory, 'not-there'), { readOnly: true })
  assert.deepEqual(nowhere.stats(), { blobs: 0, bytes: 0 })
})

test('listing names every blob with its size', async (t) => {
  const { store } = await freshStore(t)
  const refs = [await store.put(once(bytesOf(10))), await store.put(once(bytesOf(20)))]
  const listed: BodyRef[] = []
  for await (const ref of store.list()) listed.push(ref)
  assert.deepEqual(listed, refs)
})

test('a check of a sound blob passes whatever size is asked about; a cut one fails it and is set aside', async (t) => {
  const { store, directory } = await freshStore(t)
  const ref = await store.put(once(bytesOf(1_000)))
  assert.equal(await store.check({ ...ref, size: 5 }), true)
  await truncate(fileOf(directory, ref), 900)
  const again = await openStore(directory)
  assert.equal(again.sizeOf(ref.hash), 900)
  assert.equal(await again.check(ref), false)
  assert.equal(again.has(ref.hash), false)
  assert.deepEqual(await again.partials(), [ref])
})

test('a store that is closed says so', async (t) => {
  const { store } = await freshStore(t)
  const ref = await store.put(once(bytesOf(5)))
  await store.close()
  await assert.rejects(collect(store.read(ref)), hasCode('stopped'))
  await assert.rejects(store.put(once(bytesOf(5))), hasCode('stopped'))
})

test('a full disk gives its typed error, leaves nothing behind and does not hurt what is stored', async (t) => {
  const directory = await temporaryDirectory(t)
  const small = join(directory, 'small')
  mkdirSync(small)
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'none', small]).status !== 0)
    return t.skip('needs the right to mount')
  try {
    const store = await openStore(join(small, 'blobs'))
    const ref = await store.put(once(bytesOf(2 * BLOB_CHUNK_BYTES)))
    await assert.rejects(
      store.put(once(bytesOf(BLOB_CHUNK_BYTES), bytesOf(BLOB_CHUNK_BYTES, 2), bytesOf(BLOB_CHUNK_BYTES, 3))),
      hasCode('disk-full')
    )
    assert.deepEqual(await readdir(join(small, 'blobs', 'incoming')), [])
    assert.ok((await collect(store.read(ref))).equals(bytesOf(2 * BLOB_CHUNK_BYTES)))
    assert.equal((await store.put(once(bytesOf(1_000)))).size, 1_000)
  } finally {
    spawnSync('umount', ['-l', small])
  }
})

test('a round names what nobody stored or asked for in it, and what is asked for afterwards is not let go', async (t) => {
  const { store, directory } = await freshStore(t)
  const refs: BodyRef[] = []
  for (const size of [10, 11, BLOB_CHUNK_BYTES + 1]) refs.push(await store.put(once(bytesOf(size))))
  const [one, two, large] = refs as [BodyRef, BodyRef, BodyRef]
  assert.deepEqual(store.nextRound(), [], 'all of it is new')
  assert.equal(store.has(one.hash), true)
  assert.deepEqual(store.nextRound().toSorted(), [two.hash, large.hash].toSorted())
  // stored once more it is as good as new, though nothing is written
  await store.put(once(bytesOf(11)))
  assert.deepEqual([await store.letGo(two.hash), await store.letGo(large.hash)], [0, large.size])
  assert.deepEqual([await store.letGo(large.hash), await store.letGo('ab'.repeat(32))], [0, 0])
  assert.deepEqual(
    [store.stats(), store.gone],
    [
      { blobs: 2, bytes: 21 },
      { count: 1, bytes: large.size }
    ]
  )
  const names = await readdir(join(directory, large.hash.slice(0, 2)))
  assert.deepEqual(
    names.filter((name) => name.startsWith(large.hash)),
    []
  )
  const again = await openStore(directory)
  assert.deepEqual(again.nextRound().toSorted(), [one.hash, two.hash].toSorted(), 'of a life before nothing is young')
})

test('what a crash leaves of a blob that is let go is swept away, and it is stored anew', async (t) => {
  const { store, directory } = await freshStore(t)
  const body = bytesOf(BLOB_CHUNK_BYTES + 1)
  const ref = await store.put(once(body))
  // the bytes go first
  await rm(fileOf(directory, ref))
  const again = await openStore(directory)
  assert.equal(again.has(ref.hash), false)
  assert.deepEqual(await readdir(join(directory, ref.hash.slice(0, 2))), [])
  assert.deepEqual(await again.put(once(body)), ref)
  assert.ok((await collect(again.read(ref))).equals(body))
})

test('a blob that is being fetched is none that could be let go, and a complete one is new', async (t) => {
  const { store } = await freshStore(t, { tiny: true })
  const body = bytesOf(16)
  const { store: other } = await freshStore(t, { tiny: true })
  const ref = await other.put(once(body))
  const partial = (await store.openPartial(ref))!
  assert.deepEqual(store.nextRound(), [])
  assert.equal(await partial.putChunks(0, body), 1)
  assert.deepEqual(store.nextRound(), [])
  await store.completePartial(partial)
  assert.deepEqual(store.nextRound(), [])
  assert.equal(await store.letGo(ref.hash), 0)
  assert.deepEqual(store.nextRound(), [ref.hash])
  assert.equal(await store.letGo(ref.hash), ref.size)
})
