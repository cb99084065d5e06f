import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { NodeCache } from '../../src/blobs/node-cache.js'
import { TreeReader } from '../../src/blobs/tree-reader.js'
import { BLOB_LAYOUT, isChunkFor, TreeBuilder, TreeShape, type TreeLayout } from '../../src/blobs/tree.js'
import {
  BLOB_CHUNK_BYTES,
  BLOB_TREE_FANOUT,
  bodyRefOf,
  chunkCount,
  MAX_BODY_BYTES,
  treeLevels,
  type BodyRef
} from '../../src/wire/index.js'
import { bytesOf, TINY } from './world.js'

function build(body: Uint8Array, layout: TreeLayout): { ref: BodyRef; tree: Buffer } {
  const builder = new TreeBuilder(layout)
  for (let at = 0; at === 0 || at < body.length; at += layout.chunkBytes)
    builder.add(body.subarray(at, at + layout.chunkBytes))
  return builder.finish()
}

function readerOver(ref: BodyRef, tree: Uint8Array, layout: TreeLayout): TreeReader {
  const stored = async ({ offset, length }: { offset: number; length: number }) =>
    tree.subarray(offset, offset + length)
  return new TreeReader(ref, new TreeShape(ref.size, layout), stored, new NodeCache())
}

for (const size of [0, 1, BLOB_CHUNK_BYTES - 1, BLOB_CHUNK_BYTES, BLOB_CHUNK_BYTES + 1, 3 * BLOB_CHUNK_BYTES]) {
  test(`a body of ${size} bytes gets the same id from the tree builder as from the wire`, () => {
    const body = bytesOf(size)
    const { ref, tree } = build(body, BLOB_LAYOUT)
    assert.deepEqual(ref, bodyRefOf(body))
    assert.equal(tree.length, new TreeShape(size).treeBytes)
    assert.equal(new TreeShape(size).chunks, chunkCount(size))
  })
}

test('the geometry of a tree agrees with the levels of the wire up to the largest body', () => {
  for (const chunks of [2, BLOB_TREE_FANOUT, BLOB_TREE_FANOUT + 1, 3 * BLOB_TREE_FANOUT]) {
    const levels = treeLevels(new Uint8Array(32 * chunks))
    const shape = new TreeShape(chunks * BLOB_CHUNK_BYTES)
    assert.equal(shape.height, levels.length)
    assert.equal(
      shape.treeBytes,
      levels.reduce((sum, level) => sum + level.length, 0)
    )
  }
  const largest = new TreeShape(MAX_BODY_BYTES)
  assert.equal(largest.height, 2)
  assert.equal(largest.nodes(0), 512)
  assert.deepEqual(largest.top, { level: 1, index: 0 })
})

test('a shape has exactly the chunks and nodes that cover the body', () => {
  const shape = new TreeShape(16 * 4 * 4 + 1, TINY)
  assert.equal(shape.chunks, 17)
  assert.equal(shape.height, 3)
  assert.deepEqual(
    [0, 1, 2, 3].map((level) => shape.nodes(level)),
    [5, 2, 1, 0]
  )
  assert.deepEqual(shape.chunkSpan(16), { offset: 256, length: 1 })
  assert.equal(shape.hasChunk(16) && !shape.hasChunk(17) && !shape.hasChunk(-1), true)
  assert.equal(shape.hasNode({ level: 0, index: 4 }) && !shape.hasNode({ level: 0, index: 5 }), true)
  assert.equal(shape.hasNode({ level: 3, index: 0 }), false)
})

test('every chunk hash of an honest tree is found and right, whatever the size', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: 1_500 }), fc.integer({ min: 2, max: 5 }), async (size, fanout) => {
      const layout = { chunkBytes: 16, fanout }
      const body = bytesOf(size)
      const { ref, tree } = build(body, layout)
      const reader = readerOver(ref, tree, layout)
      const shape = new TreeShape(size, layout)
      for (let index = 0; index < shape.chunks; index += 1) {
        const { offset, length } = shape.chunkSpan(index)
        const hash = await reader.chunkHash(index)
        assert.ok(hash !== undefined && isChunkFor(hash, body.subarray(offset, offset + length)))
      }
    }),
    { numRuns: 150 }
  )
})

test('a tree with any flipped bit never yields a hash that differs from the honest one', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 17, max: 1_500 }),
      fc.nat(),
      fc.integer({ min: 0, max: 7 }),
      async (size, where, bit) => {
        const { ref, tree } = build(bytesOf(size), TINY)
        const damaged = Buffer.from(tree)
        damaged[where % damaged.length]! ^= 1 << bit
        const [honest, reader] = [readerOver(ref, tree, TINY), readerOver(ref, damaged, TINY)]
        let refused = 0
        for (let index = 0; index < new TreeShape(size, TINY).chunks; index += 1) {
          const hash = await reader.chunkHash(index)
          if (hash === undefined) refused += 1
          else assert.deepEqual(hash, await honest.chunkHash(index))
        }
        assert.ok(refused > 0)
      }
    ),
    { numRuns: 200 }
  )
})

test('a tree does not fit a reference with another size', async () => {
  const { ref, tree } = build(bytesOf(400), TINY)
  for (const size of [399, 401, 385]) {
    assert.equal(await readerOver({ ...ref, size }, tree, TINY).chunkHash(0), undefined)
  }
})

test('the node cache keeps the most recently used nodes within its bytes', () => {
  const cache = new NodeCache(64)
  const ref = { hash: 'a', size: 1 }
  cache.put(ref, { level: 0, index: 0 }, new Uint8Array(32))
  cache.put(ref, { level: 0, index: 1 }, new Uint8Array(32))
  assert.ok(cache.get(ref, { level: 0, index: 0 }))
  cache.put(ref, { level: 0, index: 2 }, new Uint8Array(32))
  assert.equal(cache.get(ref, { level: 0, index: 1 }), undefined)
  assert.ok(cache.get(ref, { level: 0, index: 0 }) && cache.get(ref, { level: 0, index: 2 }))
  assert.equal(cache.get({ ...ref, size: 2 }, { level: 0, index: 0 }), undefined)
  assert.equal(cache.bytes, 64)
  cache.put(ref, { level: 1, index: 0 }, new Uint8Array(65))
  assert.equal(cache.get(ref, { level: 1, index: 0 }), undefined)
})
