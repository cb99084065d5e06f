/** Logs of which this home holds another branch than a peer: noted in the home, for `grapevine reidentify`. */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { readJson, writePrivate } from './home.js'

const PARTED_FILE = 'parted.json'

export async function readParted(home: string): Promise<ReadonlySet<string>> {
  const file = await readJson<{ logs: string[] }>(join(home, PARTED_FILE))
  return new Set(file?.logs)
}

export async function noteParted(home: string, log: string): Promise<void> {
  const logs = new Set(await readParted(home)).add(log)
  await writePrivate(join(home, PARTED_FILE), `${JSON.stringify({ version: 1, logs: [...logs] })}\n`)
}

export async function forgetParted(home: string): Promise<void> {
  await rm(join(home, PARTED_FILE), { force: true })
}
