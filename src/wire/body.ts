/**
 * Content ids. A body of up to one chunk is named by its SHA-256; a larger one by the root of a hash tree over fixed
 * chunks, so that each chunk can be checked before it is used. SPEC.md, "Bodies".
 */
import { createHash, hash as hashOnce } from 'node:crypto'
import { BLOB_CHUNK_BYTES, BLOB_TREE_FANOUT } from './limits.js'

/** `hash` is 64 hex characters, `size` bytes. */
export interface BodyRef {
  readonly hash: string
  readonly size: number
}

export const EMPTY_BODY: BodyRef = { hash: 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855', size: 0 }

const NODE_PREFIX = Buffer.from('grapevine/node/1\0')
const ROOT_PREFIX = Buffer.from('grapevine/tree/1\0')

export function sha256(bytes: Uint8Array): Buffer {
  // `hash` is the quick one-shot call of newer Nodes
  return typeof hashOnce === 'function'
    ? hashOnce('sha256', bytes, 'buffer')
    : createHash('sha256').update(bytes).digest()
}

/** The same as 64 hex. */
export function sha256Hex(bytes: Uint8Array): string {
  return typeof hashOnce === 'function' ? hashOnce('sha256', bytes, 'hex') : sha256(bytes).toString('hex')
}

/** Hash of an inner node over its children's hashes. */
export function treeNodeHash(children: Uint8Array): Buffer {
  return createHash('sha256').update(NODE_PREFIX).update(children).digest()
}

/** Root over the top level of a tree; `size` is bound in so that a node cannot pass for a root. */
export function treeRootHash(size: number, top: Uint8Array): Buffer {
  const length = Buffer.alloc(8)
  length.writeBigUInt64BE(BigInt(size))
  return createHash('sha256').update(ROOT_PREFIX).update(length).update(top).digest()
}

/** The levels of a body's tree: [0] the chunk hashes, each higher one the hashes of groups of `BLOB_TREE_FANOUT`. */
export function treeLevels(chunkHashes: Uint8Array): Uint8Array[] {
  const levels = [chunkHashes]
  const group = BLOB_TREE_FANOUT * 32
  for (let top = chunkHashes; top.length > group;) {
    const nodes: Buffer[] = []
    for (let at = 0; at < top.length; at += group) nodes.push(treeNodeHash(top.subarray(at, at + group)))
    top = Buffer.concat(nodes)
    levels.push(top)
  }
  return levels
}

export function chunkCount(size: number): number {
  return Math.max(1, Math.ceil(size / BLOB_CHUNK_BYTES))
}

/** Content id of a body held in memory. */
export function bodyRefOf(bytes: Uint8Array): BodyRef {
  if (bytes.length <= BLOB_CHUNK_BYTES) return { hash: sha256Hex(bytes), size: bytes.length }
  const hasher = new BodyHasher()
  hasher.update(bytes)
  return hasher.finish()
}

/** Content id of a body that arrives in pieces; memory is 32 bytes a chunk. */
export class BodyHasher {
  #chunks: Buffer[] = []
  #current = createHash('sha256')
  #inChunk = 0
  #size = 0

  update(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) {
      const take = Math.min(BLOB_CHUNK_BYTES - this.#inChunk, bytes.length - at)
      this.#current.update(bytes.subarray(at, at + take))
      at += take
      this.#inChunk += take
      this.#size += take
      if (this.#inChunk === BLOB_CHUNK_BYTES) this.#close()
    }
  }

  /** The id; `chunkHashes` is then available. */
  finish(): BodyRef {
    if (this.#inChunk > 0 || this.#chunks.length === 0) this.#close()
    if (this.#chunks.length === 1) return { hash: this.#chunks[0]!.toString('hex'), size: this.#size }
    const top = treeLevels(this.chunkHashes).at(-1)!
    return { hash: treeRootHash(this.#size, top).toString('hex'), size: this.#size }
  }

  get chunkHashes(): Buffer {
    return Buffer.concat(this.#chunks)
  }

  #close(): void {
    this.#chunks.push(this.#current.digest())
    this.#current = createHash('sha256')
    this.#inChunk = 0
  }
}
