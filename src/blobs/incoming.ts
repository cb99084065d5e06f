import type { FileHandle } from 'node:fs/promises'
import { diskError } from '../errors.js'
import type { BodyRef } from '../wire/body.js'
import { blobTooLarge } from './errors.js'
import { openForWriting, writeAt } from './files.js'
import type { BlobFiles } from './paths.js'
import type { TreeLayout } from './tree.js'
import { TreeBuilder } from './tree.js'

/**
 * Streams a body into a temporary file while hashing it, and its tree beside it; both are synced when it resolves.
 * Throws `too-large` past `limit` bytes, `disk-full`, `store-failed`, and whatever the source throws, as it is.
 */
export async function writeIncoming(
  source: AsyncIterable<Uint8Array>,
  files: BlobFiles,
  layout: TreeLayout,
  limit: number
): Promise<BodyRef> {
  const data = await onDisk(() => openForWriting(files.data))
  try {
    const builder = new TreeBuilder(layout)
    let size = 0
    for await (const chunk of chunksOf(source, layout.chunkBytes, limit)) {
      builder.add(chunk)
      await onDisk(() => writeAt(data, size, chunk))
      size += chunk.length
    }
    await onDisk(() => data.sync())
    const { ref, tree } = builder.finish()
    if (tree.length > 0) await writeTree(files.tree, tree)
    return ref
  } finally {
    await data.close()
  }
}

/** Writes a `.tree` file and syncs it. Throws `disk-full`, `store-failed`. */
export async function writeTree(path: string, tree: Uint8Array): Promise<void> {
  await onDisk(async () => {
    const file = await openForWriting(path)
    try {
      await file.truncate(0)
      await writeAt(file, 0, tree)
      await file.sync()
    } finally {
      await file.close()
    }
  })
}

/** The tree of a body that lies in a file, and the id it has. Memory: one chunk and 32 bytes a chunk. */
export async function hashFile(file: FileHandle, layout: TreeLayout): Promise<{ ref: BodyRef; tree: Buffer }> {
  const builder = new TreeBuilder(layout)
  const stream = file.createReadStream({ start: 0, autoClose: false, highWaterMark: layout.chunkBytes })
  for await (const chunk of chunksOf(stream, layout.chunkBytes, Number.MAX_SAFE_INTEGER)) builder.add(chunk)
  return builder.finish()
}

/**
 * Cuts pieces of any size into whole chunks; the last may be shorter, and an empty body is one empty chunk. Each chunk is
 * valid only until the next is asked for: one buffer is used for all.
 */
async function* chunksOf(
  source: AsyncIterable<Uint8Array>,
  chunkBytes: number,
  limit: number
): AsyncGenerator<Uint8Array> {
  const buffer = Buffer.allocUnsafeSlow(chunkBytes)
  let filled = 0
  let total = 0
  for await (const piece of source) {
    total += piece.length
    if (total > limit) throw blobTooLarge(limit)
    for (let at = 0; at < piece.length;) {
      const take = Math.min(chunkBytes - filled, piece.length - at)
      buffer.set(piece.subarray(at, at + take), filled)
      at += take
      filled += take
      if (filled < chunkBytes) continue
      yield buffer
      filled = 0
    }
  }
  if (filled > 0 || total === 0) yield buffer.subarray(0, filled)
}

async function onDisk<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw diskError(error, 'store-failed', 'a blob could not be stored')
  }
}
