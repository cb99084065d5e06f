/**
 * Staged files that could not be removed when they were not wanted any more, because their directory was not in its place:
 * looked for again before the next set. After a restart they are leftovers like any other.
 */
import { unlink } from 'node:fs/promises'
import { isErrno } from '../../errors.js'
import type { Staged } from './journal.js'
import type { Root } from './root.js'

/** So many are looked for again; more than one set leaves behind only where a directory is swapped without end. */
export const MAX_STRAYS = 1_000

export class Strays {
  readonly #staged = new Map<string, Staged>()

  /** Removes a staged file now, or when its directory is back. */
  async remove(root: Root, staged: Staged): Promise<void> {
    if (await isRemoved(root, staged)) this.#staged.delete(staged.temp)
    else if (this.#staged.size < MAX_STRAYS) this.#staged.set(staged.temp, staged)
  }

  async sweep(root: Root): Promise<void> {
    for (const staged of this.#staged.values()) await this.remove(root, staged)
  }
}

async function isRemoved(root: Root, { dir: path, temp }: Staged): Promise<boolean> {
  try {
    const dir = await root.openDir(path)
    if (dir === null) return false
    await unlink(dir.at(temp)).finally(() => dir.close())
    return true
  } catch (error) {
    // put in place, or removed by somebody else
    return isErrno(error, 'ENOENT')
  }
}
