import type { FileHandle } from 'node:fs/promises'
import { readFile, rename, writeFile } from 'node:fs/promises'
import { diskError, GrapevineError, reasonOf } from '../errors.js'
import type { Logger } from '../runtime.js'
import type { BodyRef } from '../wire/body.js'
import { Bitmap } from './bitmap.js'
import { blobStopped } from './errors.js'
import { FILE_MODE, openForWriting, readAt, removeFile, writeAt } from './files.js'
import type { NodeCache } from './node-cache.js'
import { decodePartialState, encodePartialState } from './partial-state.js'
import type { BlobPaths } from './paths.js'
import type { NodeAddress, TreeLayout } from './tree.js'
import { isChunkFor, TreeShape } from './tree.js'
import { TreeReader } from './tree-reader.js'

/** New chunks after which the bitmap is written again: 16 MiB that a power cut makes us hash once more. */
export const CHECKPOINT_CHUNKS = 64

export interface PartialDeps {
  readonly paths: BlobPaths
  readonly layout: TreeLayout
  readonly cache: NodeCache
  readonly logger: Logger
}

/**
 * An unfinished blob: its bytes at their final places in a file that grows with them (nothing is preallocated), its tree
 * beside it, and a bitmap of chunks known to be verified and durable. After a crash chunks the bitmap does not list are
 * hashed again instead of fetched again, and without a sound bitmap all of them are.
 */
export class PartialBlob {
  readonly ref: BodyRef
  readonly shape: TreeShape
  readonly #deps: PartialDeps
  readonly #data: FileHandle
  /** Only a blob of more than one chunk has one. */
  readonly #treeFile: FileHandle | undefined
  readonly #tree: TreeReader
  readonly #chunks: Bitmap
  readonly #nodes = new Set<string>()
  #sinceCheckpoint = 0
  #checkpoint: Promise<void> | undefined
  #closed: Promise<void> | undefined
  /** Set when a sync failed: what the kernel then holds may never reach the disk, so nothing here is to be trusted. */
  #poisoned = false

  private constructor(ref: BodyRef, deps: PartialDeps, data: FileHandle, treeFile: FileHandle | undefined) {
    this.ref = ref
    this.shape = new TreeShape(ref.size, deps.layout)
    this.#deps = deps
    this.#data = data
    this.#treeFile = treeFile
    this.#chunks = new Bitmap(this.shape.chunks)
    this.#tree = new TreeReader(ref, this.shape, ({ offset, length }) => readAt(treeFile!, offset, length), deps.cache)
  }

  /** Opens or creates it and finds out what is already here. Throws `disk-full`, `store-failed`, `stopped`. */
  static async open(ref: BodyRef, deps: PartialDeps, signal?: AbortSignal): Promise<PartialBlob> {
    const files = deps.paths.unfinished(ref)
    try {
      const data = await openForWriting(files.data)
      const hasTree = new TreeShape(ref.size, deps.layout).height > 0
      const treeFile = await (hasTree ? openForWriting(files.tree) : undefined)?.catch(async (error: unknown) => {
        await data.close()
        throw error
      })
      const partial = new PartialBlob(ref, deps, data, treeFile)
      await partial.#resume(signal).catch(async (error: unknown) => {
        await partial.#closeFiles()
        throw error
      })
      return partial
    } catch (error) {
      throw diskError(error, 'store-failed', 'an unfinished blob could not be opened', { hash: ref.hash })
    }
  }

  /** Which chunks are verified and written. */
  get chunks(): Bitmap {
    return this.#chunks.copy()
  }

  /** Bytes that are verified and written. */
  get have(): number {
    const last = this.shape.chunks - 1
    const whole = this.#chunks.has(last) ? this.#chunks.count - 1 : this.#chunks.count
    return whole * this.#deps.layout.chunkBytes + (this.#chunks.has(last) ? this.shape.chunkSpan(last).length : 0)
  }

  hasNode(address: NodeAddress): boolean {
    return this.#nodes.has(keyOf(address))
  }

  /**
   * Verifies and writes a tree node whose parent is here. Resolves with the chunks under it that turned out to be on disk
   * already, or undefined when the bytes are wrong. Throws `disk-full`, `store-failed`, `stopped`.
   */
  async putNode(address: NodeAddress, bytes: Uint8Array): Promise<number[] | undefined> {
    if (!(await this.#tree.accepts(address, bytes))) return undefined
    return await this.#onDisk(async () => {
      await writeAt(this.#treeFile!, this.shape.nodeSpan(address).offset, bytes)
      this.#nodes.add(keyOf(address))
      return address.level === 0 ? await this.#adopt(address.index) : []
    })
  }

  /**
   * Verifies and writes chunks that follow one another. Resolves with how many are right: what comes after a wrong one is
   * not looked at. Throws `disk-full`, `store-failed`, `stopped`.
   */
  async putChunks(from: number, bytes: Uint8Array): Promise<number> {
    const { right, length } = await this.#verified(from, bytes)
    if (right === 0) return 0
    await this.#onDisk(() => writeAt(this.#data, this.shape.chunkSpan(from).offset, bytes.subarray(0, length)))
    for (let index = from; index < from + right; index += 1) this.#chunks.set(index)
    this.#sinceCheckpoint += right
    if (this.#sinceCheckpoint >= CHECKPOINT_CHUNKS) await this.checkpoint()
    return right
  }

  async #verified(from: number, bytes: Uint8Array): Promise<{ right: number; length: number }> {
    let length = 0
    for (let index = from; ; index += 1) {
      const end = { right: index - from, length }
      if (index > from && (length === bytes.length || !this.shape.hasChunk(index))) return end
      const expected = await this.#onDisk(() => this.#tree.chunkHash(index))
      if (expected === undefined) throw this.#treeLost(index)
      const chunk = bytes.subarray(length, length + this.shape.chunkSpan(index).length)
      if (!isChunkFor(expected, chunk)) return end
      length += chunk.length
    }
  }

  /** Makes the chunks written so far durable, then the bitmap that lists them. */
  async checkpoint(): Promise<void> {
    this.#checkpoint ??= this.#writeState().finally(() => (this.#checkpoint = undefined))
    await this.#checkpoint
  }

  /** Makes everything durable; only for a blob whose chunks are all here. Afterwards its files may be renamed. */
  async settle(): Promise<void> {
    if (!this.#chunks.full)
      throw new GrapevineError('internal', 'a blob with missing chunks cannot be settled', { next: 'report this' })
    await this.#sync(this.#data)
    if (this.#treeFile !== undefined) await this.#sync(this.#treeFile)
    this.#sinceCheckpoint = 0
  }

  /** Ends the use of it; what is verified is kept for the next opening. Never throws; may be called twice. */
  close(options: { keep: boolean } = { keep: true }): Promise<void> {
    this.#closed ??= this.#close(options.keep)
    return this.#closed
  }

  async #close(keep: boolean): Promise<void> {
    try {
      try {
        await this.#checkpoint?.catch(() => undefined)
        if (keep && !this.#poisoned && this.#sinceCheckpoint > 0) await this.#writeState()
      } finally {
        await this.#closeFiles()
      }
      if (!keep || this.#poisoned) await removePartial(this.#deps.paths, this.ref)
    } catch (error) {
      this.#deps.logger.warn('an unfinished blob was not closed cleanly', {
        hash: this.ref.hash,
        reason: reasonOf(error)
      })
    }
  }

  /** What an earlier life left: tree nodes that prove themselves, chunks the bitmap lists, chunks that hash right. */
  async #resume(signal?: AbortSignal): Promise<void> {
    const { size: found } = await this.#data.stat()
    if (found > this.ref.size) await this.#data.truncate(this.ref.size)
    if (found === 0) return
    for (const chunk of await this.#listedChunks(found)) this.#chunks.set(chunk)
    if (this.shape.height === 0) await this.#adoptChunk(0)
    for (let level = this.shape.height - 1; level >= 0; level -= 1) {
      for (let index = 0; index < this.shape.nodes(level); index += 1) {
        if (signal?.aborted) throw blobStopped()
        if ((await this.#tree.node({ level, index })) === undefined) continue
        this.#nodes.add(keyOf({ level, index }))
        if (level === 0) await this.#adopt(index, signal)
      }
    }
  }

  /** The bitmap of the state file, unless there is any doubt about it. */
  async #listedChunks(found: number): Promise<number[]> {
    const bytes = await readFile(this.#deps.paths.unfinished(this.ref).state).catch(() => undefined)
    const listed = bytes === undefined ? undefined : decodePartialState(this.ref, this.shape.chunks, bytes)
    if (listed === undefined) return []
    const chunks: number[] = []
    for (let index = 0; index < listed.length; index += 1) if (listed.has(index)) chunks.push(index)
    const { offset, length } = this.shape.chunkSpan(chunks.at(-1) ?? 0)
    return offset + length <= found ? chunks : []
  }

  /** Takes the chunks under a leaf that are on disk and right; returns those that were not known before. */
  async #adopt(leaf: number, signal?: AbortSignal): Promise<number[]> {
    const adopted: number[] = []
    const { from, to } = this.shape.chunksOf(leaf)
    const { size: found } = await this.#data.stat()
    for (let index = from; index < to; index += 1) {
      const { offset, length } = this.shape.chunkSpan(index)
      if (offset + length > found) break
      if (signal?.aborted) throw blobStopped()
      if (!this.#chunks.has(index) && (await this.#adoptChunk(index))) adopted.push(index)
    }
    return adopted
  }

  async #adoptChunk(index: number): Promise<boolean> {
    const { offset, length } = this.shape.chunkSpan(index)
    // A sector that cannot be read is a chunk that is not here: writing it anew is what may repair it.
    const bytes = await readAt(this.#data, offset, length).catch(() => Buffer.alloc(0))
    const expected = await this.#tree.chunkHash(index)
    if (expected === undefined || bytes.length !== length || !isChunkFor(expected, bytes)) return false
    this.#chunks.set(index)
    this.#sinceCheckpoint += 1
    return true
  }

  async #writeState(): Promise<void> {
    const chunks = this.#chunks.copy()
    this.#sinceCheckpoint = 0
    await this.#sync(this.#data)
    const { state } = this.#deps.paths.unfinished(this.ref)
    await this.#writing(async () => {
      await writeFile(`${state}.new`, encodePartialState(this.ref, chunks), { mode: FILE_MODE })
      await rename(`${state}.new`, state)
    })
  }

  async #sync(file: FileHandle): Promise<void> {
    await this.#writing(() => file.datasync()).catch((error: unknown) => {
      this.#poisoned = true
      throw error
    })
  }

  #onDisk<T>(work: () => Promise<T>): Promise<T> {
    if (this.#closed !== undefined) return Promise.reject(blobStopped())
    return this.#writing(work)
  }

  async #writing<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      throw diskError(error, 'store-failed', 'an unfinished blob could not be written', { hash: this.ref.hash })
    }
  }

  async #closeFiles(): Promise<void> {
    await this.#data.close().finally(() => this.#treeFile?.close())
  }

  #treeLost(chunk: number): GrapevineError {
    return new GrapevineError('store-damaged', 'the tree of an unfinished blob was damaged on disk', {
      next: 'the daemon fetches it again; check the disk',
      facts: { hash: this.ref.hash, chunk }
    })
  }
}

/** Deletes what is left of an unfinished blob. */
export async function removePartial(paths: BlobPaths, ref: BodyRef): Promise<void> {
  const { data, tree, state } = paths.unfinished(ref)
  for (const path of [data, tree, state, `${state}.new`]) await removeFile(path)
}

function keyOf({ level, index }: NodeAddress): string {
  return `${level}/${index}`
}
