/** Remembers, until it is here, what the issuer of an invitation held when it let this node in (see replica/behind.ts). */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { reasonOf } from '../errors.js'
import type { Replica } from '../replica/index.js'
import type { Logger } from '../runtime.js'
import { MAX_SEQ, type VectorEntry } from '../wire/index.js'
import { readJson, writePrivate } from './home.js'

export const ISSUER_FILE = 'issuer-held.json'
const SHAPE = z.object({
  version: z.literal(1),
  held: z.array(
    z.object({
      log: z.string().regex(/^[0-9a-f]{32}$/),
      seq: z.int().min(1).max(MAX_SEQ),
      head: z.string().regex(/^[0-9a-f]{16}$/)
    })
  )
})

/** Durable when it resolves; takes the place of what an earlier issuer said. */
export async function noteIssuer(home: string, held: readonly VectorEntry[]): Promise<void> {
  await writePrivate(join(home, ISSUER_FILE), `${JSON.stringify({ version: 1, held })}\n`)
}

/** What that is; undefined when all of it is here. Throws `store-damaged`. */
export async function readIssuer(home: string): Promise<readonly VectorEntry[] | undefined> {
  return (await readJson(join(home, ISSUER_FILE), SHAPE))?.held
}

/** Keeps a newcomer from writing before it has what its issuer had. Throws `store-damaged` when that cannot be read. */
export async function holdNewcomer(home: string, replica: Replica, logger: Logger): Promise<void> {
  const held = await readIssuer(home)
  if (held === undefined) return
  replica.behind.expect(held, () => {
    rm(join(home, ISSUER_FILE), { force: true }).catch((error: unknown) =>
      // then the next start finds once more that all of it is here
      logger.debug('What the issuer had could not be forgotten.', { reason: reasonOf(error) })
    )
  })
}
