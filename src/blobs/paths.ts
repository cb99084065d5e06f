import { join } from 'node:path'
import { GrapevineError } from '../errors.js'
import type { BodyRef } from '../wire/body.js'

/** Two files of one blob: its bytes, and beside them its tree (only for blobs of more than one chunk). */
export interface BlobFiles {
  readonly data: string
  readonly tree: string
}

const HASH = /^[0-9a-f]{64}$/
const PARTIAL = /^([0-9a-f]{64})-(\d{1,16})\.(data|tree|state|state\.new)$/

export function isBlobHash(text: string): boolean {
  return HASH.test(text)
}

/** The names of everything under the blob directory. Nothing a peer sends becomes a name unless it is a checked hash. */
export class BlobPaths {
  readonly root: string
  readonly partial: string
  /** Files being written by `put`; what is left here from an earlier life is rubbish. */
  readonly incoming: string

  constructor(root: string) {
    this.root = root
    this.partial = join(root, 'partial')
    this.incoming = join(root, 'incoming')
  }

  directory(hash: string): string {
    mustBeHash(hash)
    return join(this.root, hash.slice(0, 2))
  }

  complete(hash: string): BlobFiles {
    const data = join(this.directory(hash), hash)
    return { data, tree: `${data}.tree` }
  }

  /** The size is part of the name: two references may claim different sizes for one hash, and only one can be right. */
  unfinished(ref: BodyRef): BlobFiles & { state: string } {
    mustBeHash(ref.hash)
    const base = join(this.partial, `${ref.hash}-${ref.size}`)
    return { data: `${base}.data`, tree: `${base}.tree`, state: `${base}.state` }
  }

  temporary(name: string): BlobFiles {
    const data = join(this.incoming, name)
    return { data, tree: `${data}.tree` }
  }
}

/** The reference that a file name under `partial/` belongs to. */
export function partialRefOf(name: string): BodyRef | undefined {
  const match = PARTIAL.exec(name)
  return match === null ? undefined : { hash: match[1]!, size: Number(match[2]) }
}

/** Every hash was checked where it entered; this is the last door before the file system. */
function mustBeHash(hash: string): void {
  if (!isBlobHash(hash)) {
    throw new GrapevineError('internal', 'a blob was named by something that is not a hash', { next: 'report this' })
  }
}
