/** Logs of which this home holds another branch than a peer: noted in the home, for `grapevine reidentify`. */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { readJsonOr, writePrivate } from './home.js'

const PARTED_FILE = 'parted.json'
const PARTED_SHAPE = z.object({ logs: z.array(z.string()) })

export async function readParted(home: string): Promise<ReadonlySet<string>> {
  // damaged it says nothing: the next vector of a peer tells it again
  const file = await readJsonOr(join(home, PARTED_FILE), PARTED_SHAPE, undefined)
  return new Set(file?.logs)
}

export async function noteParted(home: string, log: string, parted: boolean): Promise<void> {
  const logs = new Set(await readParted(home))
  if (logs.has(log) === parted) return
  if (parted) logs.add(log)
  else logs.delete(log)
  await writePrivate(join(home, PARTED_FILE), `${JSON.stringify({ version: 1, logs: [...logs] })}\n`)
}

export async function forgetParted(home: string): Promise<void> {
  await rm(join(home, PARTED_FILE), { force: true })
}
