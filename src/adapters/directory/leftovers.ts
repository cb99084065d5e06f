/** Temporary files: how they are named, and how those of a daemon that died are swept up. */
import { randomBytes } from 'node:crypto'
import { unlink } from 'node:fs/promises'
import { isErrno, reasonOf } from '../../errors.js'
import type { Logger } from '../../runtime.js'
import { mapLimit } from './pool.js'
import { joinPath, type Root } from './root.js'
import { TEMP_PREFIX, type Rules } from './rules.js'
import { decodeName } from './scan.js'

const TEMP_NAME = new RegExp(`^${TEMP_PREFIX.replaceAll('.', '\\.')}[0-9a-f]{24}$`)
const PARALLEL_DIRS = 8

export function tempName(): string {
  return TEMP_PREFIX + randomBytes(12).toString('hex')
}

/** Removes what a crash left behind; only plain files with exactly a name of ours. Returns how many. */
export async function removeLeftovers(root: Root, rules: Rules, logger: Logger): Promise<number> {
  let removed = 0
  const visit = async (path: string): Promise<string[]> => {
    const dir = await root.openDir(path)
    if (dir === null) return []
    try {
      const below: string[] = []
      for (const { name: bytes, kind } of await dir.kinds()) {
        const name = decodeName(bytes)
        if (name === null) continue
        if (kind === 'dir') {
          if (!rules.ignores(joinPath(path, name), 'dir')) below.push(joinPath(path, name))
        } else if (TEMP_NAME.test(name)) {
          await unlink(dir.at(name))
          removed++
        }
      }
      return below
    } finally {
      await dir.close()
    }
  }
  const guarded = (path: string) =>
    visit(path).catch((error: unknown) => {
      // the scan reports what cannot be read; here it only means that a leftover may stay, which is harmless
      if (!isErrno(error, 'ENOENT')) logger.debug('a directory could not be swept', { path, reason: reasonOf(error) })
      return []
    })
  for (let level = ['']; level.length > 0;) level = (await mapLimit(level, PARALLEL_DIRS, guarded)).flat()
  if (removed > 0) logger.info('temporary files of an earlier run were removed', { removed })
  return removed
}
