/**
 * Which directory was shared, kept in the home: neither an empty mount point in its place nor another directory is taken
 * for everything deleted.
 */
import { join } from 'node:path'
import { z } from 'zod'
import type { RootIdentity } from '../adapters/index.js'
import { reasonOf } from '../errors.js'
import type { Logger } from '../runtime.js'
import { readJson, writePrivate } from './home.js'

const ROOT_FILE = 'root-identity.json'
const ROOT_SHAPE = z.object({ dir: z.string(), root: z.object({ dev: z.string(), ino: z.string() }) })

/** Undefined when another directory was shared before, none was, or that cannot be read. */
export async function readRoot(home: string, dir: string, logger: Logger): Promise<RootIdentity | undefined> {
  try {
    const file = await readJson(join(home, ROOT_FILE), ROOT_SHAPE)
    return file?.dir === dir ? file.root : undefined
  } catch (error) {
    logger.warn('Which directory was shared before cannot be read; the present one is taken.', {
      reason: reasonOf(error)
    })
    return undefined
  }
}

export async function writeRoot(home: string, dir: string, root: RootIdentity): Promise<void> {
  await writePrivate(join(home, ROOT_FILE), `${JSON.stringify({ dir, root })}\n`)
}
