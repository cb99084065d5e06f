/**
 * Whether a home goes on with the life it led, or begins another one: restored from a backup, copied, given another key,
 * left with a log that is older than its index, or away until a checkpoint took the place of what it wrote on. Another life never writes where an earlier one may have written.
 *
 * A copy is recognised by a file whose inode and time of last change no copy can keep: `life` is written once and never
 * touched, `life.json` says what they were. Snapshots of whole disks keep both; peers tell those apart (OwnHistory).
 */
import { rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { diskError, isErrno } from '../errors.js'
import { readJsonOr, writePrivate } from './home.js'

/** Why a home does not simply go on. */
export type NewLife = (typeof REASONS)[number]
const REASONS = ['restored', 'copied', 'reidentified', 'log-shortened', 'left-behind'] as const

const LIFE_FILE = 'life'
const STAMP_FILE = 'life.json'
const NEW_LIFE_FILE = 'new-life.json'

const NEW_LIFE_SHAPE = z.object({ why: z.enum(REASONS) })
/** `epochs`: those that began in this very home since it was last copied or restored. */
const STAMP_SHAPE = z.object({
  version: z.literal(1),
  inode: z.string(),
  changedNs: z.string(),
  epochs: z.array(z.string()).optional()
})
type Stamp = z.output<typeof STAMP_SHAPE>

/** Says durably that whoever opens this home next begins another life. */
export async function markNewLife(home: string, why: NewLife): Promise<void> {
  await writePrivate(
    join(home, NEW_LIFE_FILE),
    `${JSON.stringify({ version: 1, why, at: new Date().toISOString() })}\n`
  )
}

/** Undefined when the home goes on, or never lived before. */
export async function newLifeOf(home: string): Promise<NewLife | undefined> {
  // what cannot be read leaves no doubt that something happened
  const marked = await readJsonOr(join(home, NEW_LIFE_FILE), NEW_LIFE_SHAPE, { why: 'copied' })
  if (marked !== undefined) return marked.why
  const { lived, goesOn } = await readStamp(home)
  return lived && goesOn === undefined ? 'copied' : undefined
}

/** The other life has begun durably, or this is the first: from now on the home goes on. */
export async function lifeBegan(home: string, epoch?: string): Promise<void> {
  await noteEpoch(home, epoch)
  await rm(join(home, NEW_LIFE_FILE), { force: true })
}

/** This epoch began here: no copy of this home made before ever writes under it. */
export async function noteEpoch(home: string, epoch?: string): Promise<void> {
  const { goesOn } = await readStamp(home)
  if (goesOn === undefined)
    await writePrivate(join(home, LIFE_FILE), 'Copies of this file are told from it by their inode; see life.json.\n')
  if (goesOn === undefined || epoch !== undefined) {
    const epochs = [...(goesOn?.epochs ?? []), ...(epoch === undefined ? [] : [epoch])]
    await writePrivate(join(home, STAMP_FILE), `${JSON.stringify({ ...(await stampOf(home)), epochs })}\n`)
  }
}

export async function epochsBegunHere(home: string): Promise<ReadonlySet<string>> {
  return new Set((await readStamp(home)).goesOn?.epochs)
}

const UNREADABLE: Stamp = { version: 1, inode: '', changedNs: '' }

/** Whether somebody lived here, and the stamp when it is of this very home and no copy of it. */
async function readStamp(home: string): Promise<{ lived: boolean; goesOn?: Stamp }> {
  const stamp = await readJsonOr(join(home, STAMP_FILE), STAMP_SHAPE, UNREADABLE)
  const now = await stampOf(home)
  const same = stamp !== undefined && now?.inode === stamp.inode && now.changedNs === stamp.changedNs
  return { lived: stamp !== undefined, ...(same ? { goesOn: stamp } : {}) }
}

async function stampOf(home: string): Promise<Stamp | undefined> {
  try {
    const { ino, ctimeNs } = await stat(join(home, LIFE_FILE), { bigint: true })
    return { version: 1, inode: String(ino), changedNs: String(ctimeNs) }
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined
    throw diskError(error, 'store-failed', `${join(home, LIFE_FILE)} cannot be looked at`)
  }
}
