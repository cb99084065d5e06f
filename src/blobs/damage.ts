/** What is done about blobs that are found damaged. */
import { rename } from 'node:fs/promises'
import { syncDirectory } from '../durable.js'
import type { BodyRef } from '../wire/body.js'
import { openForReading, removeFile } from './files.js'
import { hashFile, writeTree } from './incoming.js'
import { removePartial } from './partial.js'
import type { BlobPaths } from './paths.js'
import type { TreeLayout } from './tree.js'

/** Makes a damaged blob an unfinished one, without a state file: when it is opened, each of its chunks is checked. */
export async function moveAside(paths: BlobPaths, ref: BodyRef): Promise<void> {
  const from = paths.complete(ref.hash)
  const to = paths.unfinished(ref)
  // An old state file would vouch for chunks that are now damaged.
  await removePartial(paths, ref)
  // The tree may be what is missing; then it is fetched again.
  await rename(from.tree, to.tree).catch(() => undefined)
  await rename(from.data, to.data)
}

/** Makes the tree of a blob again that lost it; false when the bytes are wrong too. */
export async function restoreTree(paths: BlobPaths, layout: TreeLayout, ref: BodyRef): Promise<boolean> {
  const files = paths.complete(ref.hash)
  const file = await openForReading(files.data)
  const found = await hashFile(file, layout).finally(() => file.close())
  if (found.ref.hash !== ref.hash) return false
  if (found.tree.length > 0) await writeTree(files.tree, found.tree)
  else await removeFile(files.tree)
  await syncDirectory(paths.directory(ref.hash))
  return true
}
