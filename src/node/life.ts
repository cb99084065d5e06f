/**
 * Whether a home goes on with the life it led, or begins another one: restored from a backup, copied, or given another
 * key. Another life never writes where an earlier one may have written.
 *
 * A copy is recognised by a file whose inode and time of last change no copy can keep: `life` is written once and never
 * touched, `life.json` says what they were. Snapshots of whole disks keep both; peers tell those apart (OwnHistory).
 */
import { rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { diskError, isErrno } from '../errors.js'
import { readJson, writePrivate } from './home.js'

/** Why a home does not simply go on. */
export type NewLife = 'restored' | 'copied' | 'reidentified'

const LIFE_FILE = 'life'
const STAMP_FILE = 'life.json'
const NEW_LIFE_FILE = 'new-life.json'

interface Stamp {
  readonly version: 1
  readonly inode: string
  readonly changedNs: string
}

/** Says durably that whoever opens this home next begins another life. */
export async function markNewLife(home: string, why: NewLife): Promise<void> {
  await writePrivate(join(home, NEW_LIFE_FILE), `${JSON.stringify({ version: 1, why, at: new Date().toISOString() })}\n`)
}

/** Undefined when the home goes on, or never lived before. */
export async function newLifeOf(home: string): Promise<NewLife | undefined> {
  const marked = await readJson<{ why: NewLife }>(join(home, NEW_LIFE_FILE))
  if (marked !== undefined) return marked.why
  const stamp = await readJson<Stamp>(join(home, STAMP_FILE))
  if (stamp === undefined) return undefined
  const now = await stampOf(home)
  return now?.inode === stamp.inode && now.changedNs === stamp.changedNs ? undefined : 'copied'
}

/** The other life has begun durably, or this is the first: from now on the home goes on. */
export async function lifeBegan(home: string): Promise<void> {
  const stamp = await readJson<Stamp>(join(home, STAMP_FILE))
  const now = await stampOf(home)
  if (stamp === undefined || now === undefined || now.inode !== stamp.inode || now.changedNs !== stamp.changedNs) {
    await writePrivate(join(home, LIFE_FILE), 'Copies of this file are told from it by their inode; see life.json.\n')
    await writePrivate(join(home, STAMP_FILE), `${JSON.stringify(await stampOf(home))}\n`)
  }
  await rm(join(home, NEW_LIFE_FILE), { force: true })
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
