import type { FileHandle } from 'node:fs/promises'
import { diskError } from '../errors.js'
import type { BodyRef } from '../wire/body.js'
import { blobDamaged } from './errors.js'
import { meansLost, openForReading, readAt, readInto } from './files.js'
import type { NodeCache } from './node-cache.js'
import type { BlobFiles } from './paths.js'
import type { NodeAddress, Span, TreeLayout } from './tree.js'
import { isChunkFor, TreeShape } from './tree.js'
import { TreeReader } from './tree-reader.js'

/** A stored blob opened for reading. Every chunk and node is verified; nothing wrong is ever handed out. */
export class CompleteBlob {
  readonly ref: BodyRef
  readonly shape: TreeShape
  readonly #data: FileHandle
  readonly #treeFile: FileHandle | undefined
  readonly #tree: TreeReader

  private constructor(
    ref: BodyRef,
    shape: TreeShape,
    data: FileHandle,
    treeFile: FileHandle | undefined,
    cache: NodeCache
  ) {
    this.ref = ref
    this.shape = shape
    this.#data = data
    this.#treeFile = treeFile
    this.#tree = new TreeReader(ref, shape, (span) => this.#storedNode(span), cache)
  }

  /** Throws `blob-damaged` when the files are gone or of the wrong size, `store-failed` for passing troubles. */
  static async open(ref: BodyRef, files: BlobFiles, layout: TreeLayout, cache: NodeCache): Promise<CompleteBlob> {
    const shape = new TreeShape(ref.size, layout)
    const data = await openPart(files.data, ref, 'body')
    try {
      const { size } = await data.stat()
      if (size !== ref.size) throw blobDamaged(ref, 'body', { found: size })
      const treeFile = shape.height > 0 ? await openPart(files.tree, ref, 'tree') : undefined
      return new CompleteBlob(ref, shape, data, treeFile, cache)
    } catch (error) {
      await data.close()
      throw error
    }
  }

  /** The bytes of a chunk. Throws `blob-damaged`, `store-failed`. */
  async chunk(index: number): Promise<Uint8Array> {
    const bytes = Buffer.allocUnsafeSlow(this.shape.chunkSpan(index).length)
    await this.chunks(index, bytes)
    return bytes
  }

  /** Fills `into`, which has the length of whole chunks, from this one on. Throws `blob-damaged`, `store-failed`. */
  async chunks(from: number, into: Uint8Array): Promise<void> {
    const { offset } = this.shape.chunkSpan(from)
    const filled = await this.#reading('body', () => readInto(this.#data, offset, into))
    let at = 0
    for (let index = from; index === from || at < into.length; index += 1) {
      const end = at + this.shape.chunkSpan(index).length
      const expected = await this.#tree.chunkHash(index)
      if (expected === undefined) throw blobDamaged(this.ref, 'tree', { chunk: index })
      if (end > filled || !isChunkFor(expected, into.subarray(at, end)))
        throw blobDamaged(this.ref, 'body', { chunk: index })
      at = end
    }
  }

  /** The hashes of a tree node. Throws `blob-damaged`, `store-failed`. */
  async node(address: NodeAddress): Promise<Uint8Array> {
    const bytes = await this.#tree.node(address)
    if (bytes === undefined) throw blobDamaged(this.ref, 'tree', { level: address.level, index: address.index })
    return bytes
  }

  async close(): Promise<void> {
    await this.#data.close().finally(() => this.#treeFile?.close())
  }

  #storedNode({ offset, length }: Span): Promise<Uint8Array> {
    return this.#reading('tree', () => readAt(this.#treeFile!, offset, length))
  }

  async #reading<T>(part: 'body' | 'tree', read: () => Promise<T>): Promise<T> {
    try {
      return await read()
    } catch (error) {
      throw readError(error, this.ref, part)
    }
  }
}

async function openPart(path: string, ref: BodyRef, part: 'body' | 'tree'): Promise<FileHandle> {
  try {
    return await openForReading(path)
  } catch (error) {
    throw readError(error, ref, part)
  }
}

function readError(error: unknown, ref: BodyRef, part: 'body' | 'tree'): Error {
  if (meansLost(error)) return blobDamaged(ref, part, { cause: String(error) })
  return diskError(error, 'store-failed', 'a blob could not be read', { hash: ref.hash })
}
