/**
 * The hash tree over a body's chunks: where each node and chunk lies, how a tree is built, how its parts are checked.
 * Pure. The hashes are those of wire/body.ts (SPEC.md, "Bodies"); only the tests use another layout than the default.
 */
import type { BodyRef } from '../wire/body.js'
import { sha256, treeNodeHash, treeRootHash } from '../wire/body.js'
import { BLOB_CHUNK_BYTES, BLOB_TREE_FANOUT } from '../wire/limits.js'

export const HASH_BYTES = 32

/** `chunkBytes` bytes a chunk, `fanout` hashes a node. Small ones make deep trees over small test bodies. */
export interface TreeLayout {
  readonly chunkBytes: number
  readonly fanout: number
}

export const BLOB_LAYOUT: TreeLayout = { chunkBytes: BLOB_CHUNK_BYTES, fanout: BLOB_TREE_FANOUT }

/** A node is a group of up to `fanout` hashes of one level; level 0 holds the hashes of the chunks. */
export interface NodeAddress {
  readonly level: number
  readonly index: number
}

/** A stretch of a file, in bytes. */
export interface Span {
  readonly offset: number
  readonly length: number
}

/** The geometry that follows from a size alone. A body of one chunk has no tree (`height` 0): its id is its SHA-256. */
export class TreeShape {
  readonly chunks: number
  readonly height: number
  /** Bytes of all levels one after the other, lowest first: the content of a `.tree` file. */
  readonly treeBytes: number
  readonly #size: number
  readonly #layout: TreeLayout
  /** Hashes in each level. */
  readonly #counts: number[] = []
  readonly #offsets: number[] = []

  constructor(size: number, layout: TreeLayout = BLOB_LAYOUT) {
    this.#size = size
    this.#layout = layout
    this.chunks = Math.max(1, Math.ceil(size / layout.chunkBytes))
    let offset = 0
    for (let count = this.chunks; this.chunks > 1; count = Math.ceil(count / layout.fanout)) {
      this.#counts.push(count)
      this.#offsets.push(offset)
      offset += count * HASH_BYTES
      if (count <= layout.fanout) break
    }
    this.height = this.#counts.length
    this.treeBytes = offset
  }

  /** Nodes in a level; 0 for a level that does not exist. */
  nodes(level: number): number {
    return Math.ceil((this.#counts[level] ?? 0) / this.#layout.fanout)
  }

  hasNode({ level, index }: NodeAddress): boolean {
    return level >= 0 && index >= 0 && index < this.nodes(level)
  }

  hasChunk(index: number): boolean {
    return index >= 0 && index < this.chunks
  }

  /** The one node of the highest level; only for a body that has a tree. */
  get top(): NodeAddress {
    return { level: this.height - 1, index: 0 }
  }

  /** Where a chunk lies in the body. */
  chunkSpan(index: number): Span {
    return this.chunksSpan(index, 1)
  }

  /** Where chunks that follow one another lie in the body; fewer where it ends. */
  chunksSpan(index: number, count: number): Span {
    const offset = index * this.#layout.chunkBytes
    return { offset, length: Math.min(count * this.#layout.chunkBytes, this.#size - offset) }
  }

  /** Where a node lies in the `.tree` file. */
  nodeSpan({ level, index }: NodeAddress): Span {
    const first = index * this.#layout.fanout
    const hashes = Math.min(this.#layout.fanout, this.#counts[level]! - first)
    return { offset: this.#offsets[level]! + first * HASH_BYTES, length: hashes * HASH_BYTES }
  }

  /** The node that holds the hash of this one, and at which byte in it; undefined for the top. */
  parentOf({ level, index }: NodeAddress): { node: NodeAddress; at: number } | undefined {
    return level + 1 < this.height ? this.#holder(level + 1, index) : undefined
  }

  /** The node that holds the hash of a chunk, and at which byte in it. */
  leafOf(chunk: number): { node: NodeAddress; at: number } {
    return this.#holder(0, chunk)
  }

  /** The chunks whose hashes a node of level 0 holds: [from, to). */
  chunksOf(leaf: number): { from: number; to: number } {
    const from = leaf * this.#layout.fanout
    return { from, to: Math.min(this.chunks, from + this.#layout.fanout) }
  }

  #holder(level: number, child: number): { node: NodeAddress; at: number } {
    const { fanout } = this.#layout
    return { node: { level, index: Math.floor(child / fanout) }, at: (child % fanout) * HASH_BYTES }
  }
}

/** Whether `bytes` are what the id names as the top of its tree. */
export function isTopOf(ref: BodyRef, bytes: Uint8Array): boolean {
  return treeRootHash(ref.size, bytes).toString('hex') === ref.hash
}

export function isNodeFor(hash: Uint8Array, bytes: Uint8Array): boolean {
  return treeNodeHash(bytes).equals(hash)
}

export function isChunkFor(hash: Uint8Array, bytes: Uint8Array): boolean {
  return sha256(bytes).equals(hash)
}

/** Builds id and tree of a body handed in chunk by chunk. Memory: 32 bytes a chunk, 128 KiB for 1 GiB. */
export class TreeBuilder {
  readonly #layout: TreeLayout
  readonly #hashes: Buffer[] = []
  #size = 0

  constructor(layout: TreeLayout = BLOB_LAYOUT) {
    this.#layout = layout
  }

  /** Every chunk but the last must be whole; an empty body is one empty chunk. */
  add(chunk: Uint8Array): void {
    this.#hashes.push(sha256(chunk))
    this.#size += chunk.length
  }

  /** `tree` is the content of the `.tree` file, empty for a body of one chunk. */
  finish(): { ref: BodyRef; tree: Buffer } {
    if (this.#hashes.length === 1) {
      return { ref: { hash: this.#hashes[0]!.toString('hex'), size: this.#size }, tree: Buffer.alloc(0) }
    }
    const levels = levelsOver(Buffer.concat(this.#hashes), this.#layout.fanout)
    const hash = treeRootHash(this.#size, levels.at(-1)!).toString('hex')
    return { ref: { hash, size: this.#size }, tree: Buffer.concat(levels) }
  }
}

/** As `treeLevels` of wire/body.ts, for any fanout. */
function levelsOver(chunkHashes: Buffer, fanout: number): Buffer[] {
  const levels = [chunkHashes]
  const group = fanout * HASH_BYTES
  for (let top = chunkHashes; top.length > group;) {
    const nodes: Buffer[] = []
    for (let at = 0; at < top.length; at += group) nodes.push(treeNodeHash(top.subarray(at, at + group)))
    top = Buffer.concat(nodes)
    levels.push(top)
  }
  return levels
}
