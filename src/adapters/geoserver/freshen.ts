/** Files on a network file system as its server has them now, not as this machine remembers them. */
import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { mapLimit } from '../directory/pool.js'

const PARALLEL_OPENS = 8

/**
 * Opens and closes these files below `root`: NFS asks its server when a file is opened, and only then for sure. What is no
 * file, or is not there, is left to whoever looks at it next. Never throws.
 */
export async function freshen(root: string, paths: readonly string[]): Promise<void> {
  const flags = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0)
  await mapLimit(paths, PARALLEL_OPENS, (path) =>
    open(join(root, path), flags).then(
      (handle) => handle.close(),
      () => undefined
    )
  )
}
