import { readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { syncDirectory } from '../durable.js'
import { isErrno } from '../errors.js'
import type { BodyRef } from '../wire/body.js'
import { removeFile } from './files.js'
import { type BlobPaths, isBlobHash, partialRefOf } from './paths.js'
import { TreeShape, type TreeLayout } from './tree.js'

const BUCKET = /^[0-9a-f]{2}$/

export interface Catalogue {
  /** Size in bytes of each complete blob, by hash. */
  readonly sizes: Map<string, number>
  /** Blobs whose tree is missing or of the wrong size; not in `sizes`. */
  readonly treeless: BodyRef[]
}

/** What is stored, from names and sizes alone: contents are verified whenever they are read. */
export async function readCatalogue(paths: BlobPaths, layout: TreeLayout): Promise<Catalogue> {
  const catalogue: Catalogue = { sizes: new Map(), treeless: [] }
  for (const bucket of await namesIn(paths.root)) {
    if (!BUCKET.test(bucket)) continue
    const names = new Set(await namesIn(join(paths.root, bucket)))
    for (const hash of names) {
      if (!isBlobHash(hash) || !hash.startsWith(bucket)) continue
      const size = await sizeOf(paths.complete(hash).data)
      if (size === undefined) continue
      const tree = names.has(`${hash}.tree`) ? ((await sizeOf(paths.complete(hash).tree)) ?? 0) : 0
      if (tree === new TreeShape(size, layout).treeBytes) catalogue.sizes.set(hash, size)
      else catalogue.treeless.push({ hash, size })
    }
  }
  return catalogue
}

/**
 * Clears what a crash left behind: half-written bodies, trees without their body, states without their blob. Also syncs
 * every bucket: a rename that was seen but not yet durable before a crash must be before we vouch for it again.
 */
export async function sweep(paths: BlobPaths): Promise<void> {
  await rm(paths.incoming, { recursive: true, force: true })
  for (const bucket of await namesIn(paths.root)) {
    if (!BUCKET.test(bucket)) continue
    const names = new Set(await namesIn(join(paths.root, bucket)))
    for (const name of names) {
      const hash = name.slice(0, 64)
      if (name === `${hash}.tree` && isBlobHash(hash) && !names.has(hash))
        await removeFile(join(paths.root, bucket, name))
    }
    await syncDirectory(join(paths.root, bucket))
  }
}

/** The unfinished blobs that have anything on disk. */
export async function listPartials(paths: BlobPaths): Promise<BodyRef[]> {
  const refs = new Map<string, BodyRef>()
  for (const name of await namesIn(paths.partial)) {
    const ref = partialRefOf(name)
    if (ref !== undefined) refs.set(`${ref.hash}-${ref.size}`, ref)
  }
  return [...refs.values()]
}

async function namesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory)
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return []
    throw error
  }
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    const found = await stat(path)
    return found.isFile() ? found.size : undefined
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined
    throw error
  }
}
