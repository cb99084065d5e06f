import assert from 'node:assert/strict'
import { readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type TestContext } from 'node:test'
import { Bitmap } from '../../src/blobs/bitmap.js'
import { BlobStore } from '../../src/blobs/index.js'
import { CHECKPOINT_CHUNKS, type PartialBlob } from '../../src/blobs/partial.js'
import { decodePartialState, encodePartialState } from '../../src/blobs/partial-state.js'
import { TreeBuilder, TreeShape } from '../../src/blobs/tree.js'
import { GrapevineError } from '../../src/errors.js'
import { silentLogger } from '../../src/runtime.js'
import type { BodyRef } from '../../src/wire/index.js'
import { bytesOf, collect, temporaryDirectory, TINY } from './world.js'

/** 30 chunks: 30 hashes in 8 leaves, 8 hashes in 2 nodes, and the top. */
const SIZE = 30 * 16 - 5

function blob(size = SIZE): { body: Buffer; ref: BodyRef; tree: Buffer; shape: TreeShape } {
  const body = bytesOf(size)
  const builder = new TreeBuilder(TINY)
  for (let at = 0; at < size; at += 16) builder.add(body.subarray(at, at + 16))
  return { body, ...builder.finish(), shape: new TreeShape(size, TINY) }
}

async function storeIn(directory: string): Promise<BlobStore> {
  const store = new BlobStore({ logger: silentLogger }, { directory, layout: TINY })
  await store.open()
  return store
}

async function putTree(partial: PartialBlob, tree: Buffer): Promise<number[]> {
  const adopted: number[] = []
  for (let level = partial.shape.height - 1; level >= 0; level -= 1) {
    for (let index = 0; index < partial.shape.nodes(level); index += 1) {
      const { offset, length } = partial.shape.nodeSpan({ level, index })
      const found = await partial.putNode({ level, index }, tree.subarray(offset, offset + length))
      assert.ok(found !== undefined)
      adopted.push(...found)
    }
  }
  return adopted
}

async function putChunks(partial: PartialBlob, body: Buffer, chunks: readonly number[]): Promise<void> {
  for (const index of chunks) {
    const { offset, length } = partial.shape.chunkSpan(index)
    assert.equal(await partial.putChunks(index, body.subarray(offset, offset + length)), 1)
  }
}

function here(partial: PartialBlob): number[] {
  return Array.from({ length: partial.shape.chunks }, (_, index) => index).filter((index) => partial.chunks.has(index))
}

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index)
}

/** A blob of which the tree and the first chunks were written and closed (`kept`), or left as by kill -9. */
async function begun(
  t: TestContext,
  chunks: number[],
  close: boolean
): Promise<{ directory: string; data: string; tree: string; state: string }> {
  const directory = await temporaryDirectory(t)
  const { body, ref, tree } = blob()
  const partial = (await (await storeIn(directory)).openPartial(ref))!
  t.after(() => partial.close())
  await putTree(partial, tree)
  await putChunks(partial, body, chunks)
  if (close) await partial.close()
  const base = join(directory, 'partial', `${ref.hash}-${ref.size}`)
  return { directory, data: `${base}.data`, tree: `${base}.tree`, state: `${base}.state` }
}

async function reopened(t: TestContext, directory: string): Promise<PartialBlob> {
  const partial = (await (await storeIn(directory)).openPartial(blob().ref))!
  t.after(() => partial.close())
  return partial
}

test('a blob put together from its parts becomes complete and leaves nothing unfinished', async (t) => {
  const directory = await temporaryDirectory(t)
  const store = await storeIn(directory)
  const { body, ref, tree } = blob()
  const partial = (await store.openPartial(ref))!
  await putTree(partial, tree)
  await putChunks(partial, body, upTo(30).reverse())
  assert.equal(partial.have, SIZE)
  await store.completePartial(partial)
  assert.ok((await collect(store.read(ref))).equals(body))
  assert.deepEqual(await readdir(join(directory, 'partial')), [])
  assert.equal(await store.openPartial(ref), undefined)
})

test('wrong nodes and chunks are refused and not written', async (t) => {
  const { directory, data } = await begun(t, [], true)
  const { body, tree, ref } = blob()
  const partial = await reopened(t, directory)
  assert.equal(await partial.putChunks(0, body.subarray(16, 32)), 0)
  assert.equal(await partial.putChunks(0, body.subarray(0, 15)), 0)
  assert.equal((await stat(data)).size, 0)
  const fresh = (await (await storeIn(await temporaryDirectory(t))).openPartial(ref))!
  const top = fresh.shape.nodeSpan(fresh.shape.top)
  const wrong = Buffer.from(tree.subarray(top.offset, top.offset + top.length))
  wrong[0]! ^= 1
  assert.equal(await fresh.putNode(fresh.shape.top, wrong), undefined)
  assert.equal(await fresh.putNode({ level: 0, index: 0 }, tree.subarray(0, 128)), undefined, 'its parent is not here')
  await fresh.close()
})

test('a chunk whose tree node is not here cannot be put', async (t) => {
  const { ref, body } = blob()
  const partial = (await (await storeIn(await temporaryDirectory(t))).openPartial(ref))!
  await assert.rejects(
    partial.putChunks(0, body.subarray(0, 16)),
    (error) => error instanceof GrapevineError && error.code === 'store-damaged'
  )
  await partial.close()
})

test('a blob that is not all here cannot be completed', async (t) => {
  const directory = await temporaryDirectory(t)
  const store = await storeIn(directory)
  const { ref } = blob()
  const partial = (await store.openPartial(ref))!
  await assert.rejects(store.completePartial(partial))
  assert.equal(store.has(ref.hash), false)
  await partial.close()
})

test('after closing, everything that was here is here again', async (t) => {
  const { directory } = await begun(t, [0, 1, 2, 7, 29], true)
  const partial = await reopened(t, directory)
  assert.deepEqual(here(partial), [0, 1, 2, 7, 29])
  assert.equal(partial.have, 4 * 16 + 11)
  assert.equal(partial.hasNode(partial.shape.top) && partial.hasNode({ level: 0, index: 7 }), true)
})

test('after kill -9 with no bitmap ever written, everything that was here is found by its hashes', async (t) => {
  const { directory, state } = await begun(t, [0, 1, 2, 7], false)
  await assert.rejects(stat(state))
  assert.deepEqual(here(await reopened(t, directory)), [0, 1, 2, 7])
})

test('a bitmap is written after a set number of chunks, not before', async (t) => {
  const directory = await temporaryDirectory(t)
  const { body, ref, tree } = blob(16 * (CHECKPOINT_CHUNKS + 1))
  const partial = (await (await storeIn(directory)).openPartial(ref))!
  const state = join(directory, 'partial', `${ref.hash}-${ref.size}.state`)
  await putTree(partial, tree)
  await putChunks(partial, body, upTo(CHECKPOINT_CHUNKS - 1))
  await assert.rejects(stat(state))
  await putChunks(partial, body, [CHECKPOINT_CHUNKS - 1])
  const listed = decodePartialState(ref, partial.shape.chunks, await readFile(state))
  assert.equal(listed?.count, CHECKPOINT_CHUNKS)
  await partial.close()
})

for (const [what, harm] of Object.entries({
  'has a flipped bit': async (state: string) => {
    const bytes = await readFile(state)
    // The mark of chunk 5, which is not here.
    bytes[20]! ^= 0x20
    await writeFile(state, bytes)
  },
  'is cut short': (state: string) => truncate(state, 10),
  'is empty': (state: string) => truncate(state, 0),
  'belongs to another blob': async (state: string) =>
    writeFile(state, encodePartialState(blob(SIZE - 1).ref, fullBitmap(10)))
})) {
  test(`a bitmap that ${what} is not believed; the chunks are hashed again`, async (t) => {
    const { directory, state } = await begun(t, [0, 1, 2, 9], true)
    await harm(state)
    assert.deepEqual(here(await reopened(t, directory)), [0, 1, 2, 9])
  })
}

function fullBitmap(length: number): Bitmap {
  const map = new Bitmap(length)
  for (let index = 0; index < length; index += 1) map.set(index)
  return map
}

test('without a sound bitmap a chunk that went bad on disk is missing, and only that one', async (t) => {
  const { directory, data, state } = await begun(t, upTo(10), true)
  const bytes = await readFile(data)
  bytes[16 * 4]! ^= 1
  await writeFile(data, bytes)
  await truncate(state, 3)
  assert.deepEqual(here(await reopened(t, directory)), [0, 1, 2, 3, 5, 6, 7, 8, 9])
})

test('a bitmap that lists more than the file can hold is not believed', async (t) => {
  const { directory, data } = await begun(t, upTo(10), true)
  await truncate(data, 16 * 3)
  assert.deepEqual(here(await reopened(t, directory)), [0, 1, 2])
})

test('a file that is longer than the blob is cut to its size', async (t) => {
  const { directory, data } = await begun(t, [0], true)
  await truncate(data, SIZE + 100)
  assert.deepEqual(here(await reopened(t, directory)), [0])
  assert.equal((await stat(data)).size, SIZE)
})

test('tree nodes that went bad are missing; when they are put again the chunks under them are found on disk', async (t) => {
  const { directory, tree: path, state } = await begun(t, upTo(12), true)
  const bytes = await readFile(path)
  bytes[4 * 32]! ^= 1
  await writeFile(path, bytes)
  await truncate(state, 0)
  const partial = await reopened(t, directory)
  assert.equal(partial.hasNode({ level: 0, index: 1 }), false)
  assert.deepEqual(here(partial), [0, 1, 2, 3, 8, 9, 10, 11])
  const { tree } = blob()
  assert.deepEqual(await partial.putNode({ level: 0, index: 1 }, tree.subarray(128, 256)), [4, 5, 6, 7])
})

test('closing without keeping deletes the files, and later writes are refused', async (t) => {
  const { directory } = await begun(t, [0], true)
  const partial = await reopened(t, directory)
  await partial.close({ keep: false })
  assert.deepEqual(await readdir(join(directory, 'partial')), [])
  await assert.rejects(
    partial.putChunks(1, blob().body.subarray(16, 32)),
    (error) => error instanceof GrapevineError && error.code === 'stopped'
  )
})

test('opening can be ended while chunks are being hashed', async (t) => {
  const { directory } = await begun(t, upTo(10), false)
  const store = await storeIn(directory)
  await assert.rejects(
    store.openPartial(blob().ref, AbortSignal.abort()),
    (error) => error instanceof GrapevineError && error.code === 'stopped'
  )
})

test('a bitmap counts its marks and refuses bytes that cannot be its own', () => {
  const map = new Bitmap(10)
  for (const index of [0, 9, 9, 10, -1]) map.set(index)
  assert.equal(map.count, 2)
  assert.deepEqual(Bitmap.from(map.toBytes(), 10)?.toBytes(), map.toBytes())
  assert.equal(Bitmap.from(new Uint8Array([0, 0b100]), 10), undefined)
  assert.equal(Bitmap.from(new Uint8Array(3), 10), undefined)
  assert.deepEqual([map.has(0), map.has(5), map.has(9), map.full], [true, false, true, false])
  const copy = map.copy()
  copy.set(5)
  assert.deepEqual([copy.count, map.count], [3, 2])
})
