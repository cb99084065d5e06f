import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type TestContext } from 'node:test'
import { BlobServer, BlobStore } from '../../src/blobs/index.js'
import { GrapevineError } from '../../src/errors.js'
import { silentLogger } from '../../src/runtime.js'
import { systemClock } from '../../src/runtime-node.js'
import { type BlobRequest, decodeBlobAnswer, encodeBlobRequest, type BlobAnswer } from '../../src/wire/blob-messages.js'
import { bytesOf, once, temporaryDirectory, TINY } from './world.js'

async function serving(
  t: TestContext
): Promise<{ store: BlobStore; directory: string; ask: (request: BlobRequest) => Promise<BlobAnswer> }> {
  const directory = await temporaryDirectory(t)
  const store = new BlobStore({ logger: silentLogger }, { directory, layout: TINY })
  await store.open()
  const server = new BlobServer({ store, clock: systemClock })
  return {
    store,
    directory,
    ask: async (request) => decodeBlobAnswer(await server.answer('peer', encodeBlobRequest(request)))
  }
}

test('the server answers with nodes, chunks and sizes of what is stored', async (t) => {
  const { store, ask } = await serving(t)
  const body = bytesOf(16 * 6)
  const ref = await store.put(once(body))
  const chunk = await ask({ t: 'chunk', ...ref, index: 2 })
  assert.ok(chunk.t === 'bytes' && Buffer.from(chunk.bytes).equals(body.subarray(32, 48)))
  const node = await ask({ t: 'node', ...ref, level: 0, index: 1 })
  assert.ok(node.t === 'bytes' && node.bytes.length === 64)
  const absent = 'ff'.repeat(32)
  assert.deepEqual(await ask({ t: 'have', hashes: [absent, ref.hash] }), { t: 'sizes', sizes: [null, body.length] })
})

test('what is not here, or is here in another size, is absent', async (t) => {
  const { store, ask } = await serving(t)
  const ref = await store.put(once(bytesOf(100)))
  assert.deepEqual(await ask({ t: 'chunk', hash: 'ff'.repeat(32), size: 100, index: 0 }), { t: 'absent' })
  assert.deepEqual(await ask({ t: 'chunk', ...ref, size: 99, index: 0 }), { t: 'absent' })
  assert.deepEqual(await ask({ t: 'node', ...ref, size: 101, level: 0, index: 0 }), { t: 'absent' })
})

test('a part that a body of that size cannot have is refused with a typed error', async (t) => {
  const { store, ask } = await serving(t)
  const ref = await store.put(once(bytesOf(100)))
  const isMalformed = (error: unknown): boolean => error instanceof GrapevineError && error.code === 'message-malformed'
  await assert.rejects(ask({ t: 'chunk', ...ref, index: 7 }), isMalformed)
  await assert.rejects(ask({ t: 'node', ...ref, level: 0, index: 2 }), isMalformed)
  await assert.rejects(
    new BlobServer({ store, clock: systemClock }).answer('peer', new Uint8Array([0xa0])),
    isMalformed
  )
})

test('a blob that turns out damaged is absent and wrong bytes are never sent', async (t) => {
  const { store, directory, ask } = await serving(t)
  const ref = await store.put(once(bytesOf(100)))
  const path = join(directory, ref.hash.slice(0, 2), ref.hash)
  const bytes = await readFile(path)
  bytes[20]! ^= 1
  await writeFile(path, bytes)
  assert.equal((await ask({ t: 'chunk', ...ref, index: 0 })).t, 'bytes')
  assert.deepEqual(await ask({ t: 'chunk', ...ref, index: 1 }), { t: 'absent' })
  assert.deepEqual(await ask({ t: 'have', hashes: [ref.hash] }), { t: 'sizes', sizes: [null] })
})

test('reads are bounded in all, and a peer with too many waiting is refused without hurting another', async () => {
  let running = 0
  let most = 0
  const gates: Array<() => void> = []
  const store = {
    layout: TINY,
    sizeOf: () => 100,
    treeNode: async () => new Uint8Array(0),
    chunks: async () => {
      most = Math.max(most, ++running)
      await new Promise<void>((resolve) => gates.push(resolve))
      running -= 1
    }
  }
  const server = new BlobServer({ store, clock: systemClock }, { maxConcurrentReads: 2, maxWaitingPerPeer: 3 })
  const frame = (index: number): Uint8Array =>
    encodeBlobRequest({ t: 'chunk', hash: 'ff'.repeat(32), size: 100, index })
  const accepted = [1, 2, 3].map((index) => server.answer('greedy', frame(index)))
  await assert.rejects(
    server.answer('greedy', frame(4)),
    (error) => error instanceof GrapevineError && error.code === 'peer-refused'
  )
  accepted.push(server.answer('other', frame(5)))
  while (gates.length > 0 || running > 0) {
    gates.shift()?.()
    await new Promise((resolve) => setImmediate(resolve))
  }
  assert.equal((await Promise.all(accepted)).length, 4)
  assert.equal(most, 2)
  const late = server.answer('greedy', frame(6))
  await new Promise((resolve) => setImmediate(resolve))
  gates.shift()!()
  assert.equal(decodeBlobAnswer(await late).t, 'bytes')
})
