/** Each call for a file that fails once under the blob store: no wrong bytes, nothing left open, and it goes on. */
import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { BlobStore } from '../../src/blobs/index.js'
import { CHECKPOINT_CHUNKS, type PartialBlob } from '../../src/blobs/partial.js'
import { TreeBuilder } from '../../src/blobs/tree.js'
import { GrapevineError } from '../../src/errors.js'
import { silentLogger } from '../../src/runtime.js'
import { callsOf, openBelow, withFaults } from '../faults/files.js'
import { withMethod } from '../faults/methods.js'
import { bytesOf, collect, eventsOf, once, SMALL, temporaryDirectory, TINY, until, World } from './world.js'

const CODES = ['EIO', 'ENOENT', 'ENOSPC'] as const
/** Every so many of the calls is tried with one code. */
const STEP = 3
const BODY = bytesOf(7 * 16 + 3)
const TREE = new TreeBuilder(TINY)
for (let at = 0; at < BODY.length; at += 16) TREE.add(BODY.subarray(at, at + 16))
const { ref: REF, tree: NODES } = TREE.finish()

async function storeIn(directory: string): Promise<BlobStore> {
  const store = new BlobStore({ logger: silentLogger }, { directory, layout: TINY })
  await store.open()
  return store
}

async function putTree(partial: PartialBlob): Promise<void> {
  for (let level = partial.shape.height - 1; level >= 0; level -= 1)
    for (let index = 0; index < partial.shape.nodes(level); index += 1) {
      const { offset, length } = partial.shape.nodeSpan({ level, index })
      await partial.putNode({ level, index }, NODES.subarray(offset, offset + length))
    }
}

/** Puts chunks that are not here yet. */
async function putChunks(partial: PartialBlob, to: number): Promise<void> {
  for (let index = 0; index < to; index += 1)
    if (!partial.chunks.has(index)) await partial.putChunks(index, BODY.subarray(index * 16, index * 16 + 16))
}

/** Fetches a blob in two goes, reads it, and puts another one. */
async function everything(directory: string): Promise<void> {
  let store = await storeIn(directory)
  for (const to of [4, 8]) {
    const partial = await store.openPartial(REF)
    if (partial === undefined) break
    try {
      await putTree(partial)
      await putChunks(partial, to)
      if (to === 8) await store.completePartial(partial)
    } finally {
      await partial.close()
    }
  }
  await store.close()
  store = await storeIn(directory)
  try {
    assert.deepEqual(await collect(store.read(REF)), BODY)
    await store.check(REF)
    const other = bytesOf(100, 2)
    assert.deepEqual(await collect(store.read(await store.put(once(other)))), other)
  } finally {
    await store.close()
  }
}

for (const [offset, code] of CODES.entries())
  test(`${code} at any one call serves no wrong bytes and leaves nothing open, and what is missing is fetched`, async (t) => {
    const names = await callsOf(async () => everything(await temporaryDirectory(t)))
    const calls = names.length
    assert.ok(calls > 50)
    for (let skip = 0; skip < calls; skip++) {
      // each file that is opened is tried with each code: what is open beside it must be closed again
      if (skip % STEP !== offset && !/^(open|create) /.test(names[skip]!)) continue
      const directory = await mkdtemp(join(tmpdir(), 'grapevine-blobs-'))
      await withFaults({ path: directory, skip, times: 1, code }, () => everything(directory)).catch((error: unknown) =>
        assert.ok(error instanceof GrapevineError || error instanceof Error, String(error))
      )
      await everything(directory)
      assert.deepEqual(openBelow('grapevine-blobs-'), [], `open after a failure of call ${skip + 1} of ${calls}`)
      await rm(directory, { recursive: true })
    }
  })

test('a chunk that cannot be read back is fetched again', async (t) => {
  const directory = await temporaryDirectory(t)
  const store = await storeIn(directory)
  const partial = (await store.openPartial(REF))!
  await putTree(partial)
  await putChunks(partial, 3)
  await partial.close()
  await rm(join(directory, 'partial'), { recursive: true, force: true }).then(() => mkdir(join(directory, 'partial')))
  const again = (await store.openPartial(REF))!
  await putTree(again)
  await putChunks(again, 3)
  // without the list of chunks each is read
  await withFaults({ op: 'sync', path: 'partial', times: 1 }, () => again.close())
  const last = (await withFaults({ op: 'read', path: 'partial' }, () => store.openPartial(REF)).catch(() =>
    store.openPartial(REF)
  ))!
  await putTree(last)
  await putChunks(last, 8)
  await store.completePartial(last)
  await last.close()
  assert.deepEqual(await collect(store.read(REF)), BODY)
})

test('an unfinished blob that is closed while its checkpoint fails is begun anew', async (t) => {
  const directory = await temporaryDirectory(t)
  const store = await storeIn(directory)
  const partial = (await store.openPartial(REF))!
  await putTree(partial)
  await putChunks(partial, 3)
  assert.ok(CHECKPOINT_CHUNKS > 3)
  await withFaults({ op: 'sync', path: 'partial' }, async () => {
    const checkpoint = assert.rejects(partial.checkpoint(), { code: 'store-failed' })
    await partial.close()
    await checkpoint
  })
  const again = (await store.openPartial(REF))!
  assert.equal(again.chunks.count, 0)
  await again.close()
})

test('a damaged tree over bytes that cannot be read either is set aside', async (t) => {
  const directory = await temporaryDirectory(t)
  const store = await storeIn(directory)
  const ref = await store.put(once(BODY))
  const place = join(directory, ref.hash.slice(0, 2), ref.hash)
  await writeFile(`${place}.tree`, Buffer.alloc(NODES.length)).catch(() => undefined)
  await assert.rejects(
    withFaults({ op: 'open|read', path: `${ref.hash}$`, skip: 3 }, () => collect(store.read(ref))),
    (error: GrapevineError) => ['blob-damaged', 'store-failed'].includes(error.code)
  )
})

test('a blob that cannot be finished, or not be compared, is told and does not stop the fetcher', async (t) => {
  const world = new World(t)
  const [a, b] = [await world.node('a', { layout: SMALL }), await world.node('b', { layout: SMALL })]
  world.connect('a', 'b')
  const ref = await a.store.put(once(bytesOf(300)))
  let refused = 0
  const refuses = () => () => {
    refused += 1
    return Promise.reject(new Error('not now'))
  }
  await withMethod(b.store, 'completePartial', refuses, async () => {
    b.fetcher.want(ref)
    await until('it was refused', () => refused > 0)
  })
  const other = await b.store.put(once(bytesOf(200, 3)))
  await withMethod(b.store, 'check', refuses, async () => {
    b.fetcher.want({ ...other, size: 7 })
    await until('it is told', () => eventsOf(b, 'failed').some((event) => event.ref.hash === other.hash))
  })
})
