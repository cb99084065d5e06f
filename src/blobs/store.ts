import { chmod, rename } from 'node:fs/promises'
import { syncDirectory } from '../durable.js'
import { diskError, GrapevineError, reasonOf } from '../errors.js'
import type { Logger } from '../runtime.js'
import type { BodyRef } from '../wire/body.js'
import { MAX_BODY_BYTES } from '../wire/limits.js'
import { listPartials, readCatalogue, sweep } from './catalogue.js'
import { CompleteBlob } from './complete.js'
import { moveAside, restoreTree } from './damage.js'
import { blobMissing, blobStopped, blobTooLarge, noSuchPart } from './errors.js'
import { DIRECTORY_MODE, ensureDirectory, removeFile } from './files.js'
import { writeIncoming } from './incoming.js'
import { KeyedLock } from './lock.js'
import { NodeCache } from './node-cache.js'
import { PartialBlob, removePartial } from './partial.js'
import { type BlobFiles, BlobPaths } from './paths.js'
import { BLOB_LAYOUT, type NodeAddress, type TreeLayout } from './tree.js'

/** `added`: the blob is complete and durable. `damaged`: it was found wrong on disk and is no longer held. */
export type BlobStoreEvent = { readonly type: 'added' | 'damaged'; readonly ref: BodyRef }

export interface BlobStoreOptions {
  /** `<home>/blobs`. */
  readonly directory: string
  /** Looks, but changes nothing on disk: for a home whose daemon may be running or stopped. */
  readonly readOnly?: boolean
  readonly layout?: TreeLayout
}

/**
 * Content-addressed bodies on disk. Nothing wrong is ever handed out: every read is checked against the content id, and
 * what no longer matches is set aside as an unfinished blob, so that only its damaged chunks need to be fetched again.
 * All methods but `has`, `sizeOf`, `stats` and `on` may throw `store-failed` and, when they write, `disk-full`.
 */
export class BlobStore {
  readonly #logger: Logger
  readonly #paths: BlobPaths
  readonly #layout: TreeLayout
  readonly #readOnly: boolean
  readonly #cache = new NodeCache()
  readonly #locks = new KeyedLock()
  readonly #listeners = new Set<(event: BlobStoreEvent) => void>()
  #sizes = new Map<string, number>()
  /** Hashes of blobs that `check` read in this life; it is asked only about references with another size. */
  readonly #sound = new Set<string>()
  /** In which round a blob was stored or asked for last; of earlier rounds only those that are not over yet. */
  readonly #touched = new Map<string, number>()
  #round = 0
  #gone = { count: 0, bytes: 0 }
  #bytes = 0
  #serial = 0
  #open = false

  constructor(deps: { logger: Logger }, options: BlobStoreOptions) {
    this.#logger = deps.logger
    this.#paths = new BlobPaths(options.directory)
    this.#layout = options.layout ?? BLOB_LAYOUT
    this.#readOnly = options.readOnly ?? false
  }

  /** Finds out what is here. May be called twice. */
  async open(): Promise<void> {
    if (this.#open) return
    try {
      if (!this.#readOnly) await this.#prepare()
      const { sizes, treeless } = await readCatalogue(this.#paths, this.#layout)
      this.#sizes = sizes
      this.#bytes = [...sizes.values()].reduce((sum, size) => sum + size, 0)
      this.#open = true
      if (!this.#readOnly) for (const ref of treeless) await this.#restoreTree(ref)
    } catch (error) {
      throw diskError(error, 'store-failed', 'the blob store could not be opened', { directory: this.#paths.root })
    }
  }

  /** Waits for what is being written; unfinished blobs are closed by who opened them. May be called twice. */
  async close(): Promise<void> {
    this.#open = false
    await this.#locks.idle()
  }

  on(listener: (event: BlobStoreEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  get layout(): TreeLayout {
    return this.#layout
  }

  /** Whether a complete blob of this hash is here (it may still turn out damaged when it is read). */
  has(hash: string): boolean {
    return this.sizeOf(hash) !== undefined
  }

  /** Its size in bytes; undefined when it is not here. */
  sizeOf(hash: string): number | undefined {
    const size = this.#sizes.get(hash)
    // whoever is told that it is here goes by that for a while
    if (size !== undefined) this.#touched.set(hash, this.#round)
    return size
  }

  /**
   * Begins another round, and says which blobs nobody has stored or asked for in the one that ends. Rounds give them their
   * age: no clock is needed for it.
   */
  nextRound(): string[] {
    const idle: string[] = []
    for (const hash of this.#sizes.keys()) {
      if (this.#touched.get(hash) === this.#round) continue
      this.#touched.delete(hash)
      idle.push(hash)
    }
    this.#round += 1
    return idle
  }

  /** Forgets a blob that nobody has stored or asked for since `nextRound` named it; returns its bytes, 0 when it stays. */
  async letGo(hash: string): Promise<number> {
    this.#mustWrite()
    return await this.#locks.run(hash, async () => {
      const size = this.#sizes.get(hash)
      if (size === undefined || this.#touched.has(hash)) return 0
      await this.#delete(hash)
      this.#gone = { count: this.#gone.count + 1, bytes: this.#gone.bytes + size }
      return size
    })
  }

  /** What `letGo` took away in this life. */
  get gone(): { count: number; bytes: number } {
    return this.#gone
  }

  stats(): { blobs: number; bytes: number } {
    return { blobs: this.#sizes.size, bytes: this.#bytes }
  }

  async *list(): AsyncIterable<BodyRef> {
    for (const [hash, size] of this.#sizes) yield { hash, size }
  }

  /**
   * Stores a body; it is durable when this resolves. Errors of the source pass through as they are, and nothing is left
   * behind. Throws `too-large` past `limit` bytes.
   */
  async put(source: AsyncIterable<Uint8Array>, limit = MAX_BODY_BYTES): Promise<BodyRef> {
    this.#mustWrite()
    this.#serial += 1
    const files = this.#paths.temporary(`${process.pid}-${this.#serial}`)
    try {
      const ref = await writeIncoming(source, files, this.#layout, Math.min(limit, MAX_BODY_BYTES))
      await this.#locks.run(ref.hash, () => this.#publish(ref, files))
      return ref
    } finally {
      await removeFile(files.data)
      await removeFile(files.tree)
    }
  }

  /** The bytes of a blob, a verified chunk at a time. Throws `blob-missing`, `blob-damaged`. */
  async *read(ref: BodyRef): AsyncGenerator<Uint8Array> {
    const blob = await this.#openComplete(ref)
    try {
      for (let index = 0; index < blob.shape.chunks; index += 1) {
        const bytes = await this.#watchingDamage(ref, () => blob.chunk(index))
        if (bytes.length > 0) yield bytes
      }
    } finally {
      await blob.close()
    }
  }

  /**
   * Fills `into`, which has the length of whole chunks, with verified ones from this one on. Throws `blob-missing`,
   * `blob-damaged`, `message-malformed` for chunks it cannot have.
   */
  chunks(ref: BodyRef, from: number, into: Uint8Array): Promise<void> {
    return this.#using(ref, (blob) => {
      if (!blob.shape.hasChunk(from)) throw noSuchPart(ref, { chunk: from })
      return blob.chunks(from, into)
    })
  }

  /** The hashes of one verified tree node. Throws as `chunks`. */
  treeNode(ref: BodyRef, address: NodeAddress): Promise<Uint8Array> {
    return this.#using(ref, (blob) => {
      if (!blob.shape.hasNode(address)) throw noSuchPart(ref, { level: address.level, index: address.index })
      return blob.node(address)
    })
  }

  /**
   * Reads all of what is stored under this hash; false when it is damaged (it is then no longer held, and its sound chunks
   * serve to make `ref` whole again) or not here. What was found sound is not read again for the same question.
   */
  async check(ref: BodyRef): Promise<boolean> {
    const size = this.sizeOf(ref.hash)
    if (size === undefined) return false
    if (this.#sound.has(ref.hash)) return true
    try {
      await readWhole(await this.#files({ hash: ref.hash, size }))
      this.#sound.add(ref.hash)
      return true
    } catch (error) {
      if (!isCode(error, 'blob-damaged')) throw error
      if (await this.#mendTree(ref, error)) return await this.check(ref)
      await this.#setAside(ref, reasonOf(error))
      return false
    }
  }

  /** The tree goes last: what a crash leaves of it without the bytes is swept away with the next start. */
  async #delete(hash: string): Promise<void> {
    this.#forget(hash)
    const { data, tree } = this.#paths.complete(hash)
    await this.#onDisk(async () => {
      await removeFile(data)
      await removeFile(tree)
    })
  }

  /**
   * Opens the unfinished blob of a reference, with all of it that an earlier life left; undefined when it is complete
   * already. One user at a time. Throws `too-large` before anything is allocated for a size beyond the limit.
   */
  async openPartial(ref: BodyRef, signal?: AbortSignal): Promise<PartialBlob | undefined> {
    this.#mustWrite()
    if (ref.size > MAX_BODY_BYTES) throw blobTooLarge(MAX_BODY_BYTES)
    const deps = { paths: this.#paths, layout: this.#layout, cache: this.#cache, logger: this.#logger }
    return await this.#locks.run(ref.hash, async () =>
      this.has(ref.hash) ? undefined : await PartialBlob.open(ref, deps, signal)
    )
  }

  /** Turns an unfinished blob whose chunks are all here into a complete one; durable when it resolves. */
  async completePartial(partial: PartialBlob): Promise<void> {
    this.#mustWrite()
    await this.#locks.run(partial.ref.hash, async () => {
      if (this.has(partial.ref.hash)) return await partial.close({ keep: false })
      await partial.settle()
      await this.#publish(partial.ref, this.#paths.unfinished(partial.ref))
      await partial.close()
    })
  }

  /** References of everything unfinished on disk, wanted or not. */
  partials(): Promise<BodyRef[]> {
    return this.#onDisk(() => listPartials(this.#paths))
  }

  /** Deletes what is left of an unfinished blob that nobody has open. */
  async removePartial(ref: BodyRef): Promise<void> {
    this.#mustWrite()
    await this.#locks.run(ref.hash, () => this.#onDisk(() => removePartial(this.#paths, ref)))
  }

  async #prepare(): Promise<void> {
    await ensureDirectory(this.#paths.root)
    await chmod(this.#paths.root, DIRECTORY_MODE)
    await sweep(this.#paths)
    await ensureDirectory(this.#paths.partial)
    await ensureDirectory(this.#paths.incoming)
  }

  /** Moves synced files to their final names. The tree goes first, so that a body is never there without it for long. */
  async #publish(ref: BodyRef, files: BlobFiles): Promise<void> {
    if (this.has(ref.hash)) return
    const target = this.#paths.complete(ref.hash)
    await this.#onDisk(async () => {
      await ensureDirectory(this.#paths.directory(ref.hash))
      if (ref.size > this.#layout.chunkBytes) await rename(files.tree, target.tree)
      await rename(files.data, target.data)
      await syncDirectory(this.#paths.directory(ref.hash))
      await removePartial(this.#paths, ref)
    })
    this.#remember(ref)
    this.#tell({ type: 'added', ref })
  }

  async #using<T>(ref: BodyRef, work: (blob: CompleteBlob) => Promise<T>): Promise<T> {
    const blob = await this.#openComplete(ref)
    try {
      return await this.#watchingDamage(ref, async () => await work(blob))
    } finally {
      await blob.close()
    }
  }

  async #openComplete(ref: BodyRef): Promise<CompleteBlob> {
    if (!this.#open) throw blobStopped()
    const size = this.sizeOf(ref.hash)
    if (size === undefined) throw blobMissing(ref)
    if (size !== ref.size) throw blobMissing(ref, `is here with ${size} bytes, not the ${ref.size} that were asked for`)
    return await this.#watchingDamage(ref, () => this.#files(ref))
  }

  #files(ref: BodyRef): Promise<CompleteBlob> {
    return CompleteBlob.open(ref, this.#paths.complete(ref.hash), this.#layout, this.#cache)
  }

  async #watchingDamage<T>(ref: BodyRef, work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      if (isCode(error, 'blob-damaged') && !(await this.#mendTree(ref, error)))
        await this.#setAside(ref, reasonOf(error))
      throw error
    }
  }

  /** A damaged tree over sound bytes is made again; whoever ran into it asks once more. */
  async #mendTree(ref: BodyRef, error: unknown): Promise<boolean> {
    if (this.#readOnly || !(error instanceof GrapevineError) || error.facts.part !== 'tree') return false
    return await this.#locks.run(ref.hash, async () => {
      const mended = await restoreTree(this.#paths, this.#layout, ref).catch(() => false)
      if (mended) this.#logger.warn('the tree of a blob was damaged and was made again', { hash: ref.hash })
      return mended
    })
  }

  /** Takes a damaged blob out of the store; what is sound of it is found again when it is fetched. */
  async #setAside(ref: BodyRef, reason: string): Promise<void> {
    await this.#locks.run(ref.hash, async () => {
      if (!this.#forget(ref.hash)) return
      this.#logger.error('a blob is damaged on disk', { hash: ref.hash, size: ref.size, reason })
      if (!this.#readOnly) {
        await moveAside(this.#paths, ref).catch((error: unknown) => {
          this.#logger.warn('a damaged blob could not be set aside', { hash: ref.hash, reason: reasonOf(error) })
        })
      }
      this.#tell({ type: 'damaged', ref })
    })
  }

  async #restoreTree(ref: BodyRef): Promise<void> {
    this.#remember(ref)
    if (await restoreTree(this.#paths, this.#layout, ref)) {
      this.#logger.warn('the tree of a blob was missing and was made again', { hash: ref.hash })
    } else {
      await this.#setAside(ref, 'it has lost its tree and no longer matches its hash')
    }
  }

  #remember(ref: BodyRef): void {
    this.#sizes.set(ref.hash, ref.size)
    this.#touched.set(ref.hash, this.#round)
    this.#bytes += ref.size
  }

  #forget(hash: string): boolean {
    const size = this.#sizes.get(hash)
    if (size === undefined) return false
    this.#bytes -= size
    this.#sound.delete(hash)
    this.#touched.delete(hash)
    return this.#sizes.delete(hash)
  }

  #tell(event: BlobStoreEvent): void {
    for (const listener of this.#listeners) listener(event)
  }

  #mustWrite(): void {
    if (!this.#open) throw blobStopped()
    if (this.#readOnly)
      throw new GrapevineError('internal', 'a blob store that is only read was written to', { next: 'report this' })
  }

  async #onDisk<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      throw diskError(error, 'store-failed', 'the blob store failed', { directory: this.#paths.root })
    }
  }
}

async function readWhole(blob: CompleteBlob): Promise<void> {
  try {
    for (let index = 0; index < blob.shape.chunks; index += 1) await blob.chunk(index)
  } finally {
    await blob.close()
  }
}

function isCode(error: unknown, ...codes: string[]): boolean {
  return error instanceof GrapevineError && codes.includes(error.code)
}
