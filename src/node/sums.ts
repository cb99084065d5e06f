/** Checksums of the few files that say who a node is, so that a flipped bit is not taken for another key or cluster. */
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { readIfThere } from './read-file.js'

export const SUMS_FILE = 'home.sums'

/** Name -> hashes its content may have: two while a file is being replaced. */
export type Sums = ReadonlyMap<string, readonly string[]>

/** Undefined when there are none, or when the list itself is damaged: then it says nothing. */
export async function readSums(home: string): Promise<Sums | undefined> {
  const bytes = await readIfThere(join(home, SUMS_FILE))
  const [check, text = ''] = bytes?.toString('utf8').split('\n', 2) ?? []
  if (bytes === undefined || check !== hashOf(Buffer.from(text))) return undefined
  return new Map(Object.entries(JSON.parse(text) as Record<string, string[]>))
}

export function encodeSums(sums: Sums): string {
  const text = JSON.stringify(Object.fromEntries(sums))
  return `${hashOf(Buffer.from(text))}\n${text}\n`
}

/** The present hashes of those of `names` that are there. */
export async function sumsOf(home: string, names: readonly string[]): Promise<Map<string, string[]>> {
  const sums = new Map<string, string[]>()
  for (const name of names) {
    const bytes = await readIfThere(join(home, name))
    if (bytes !== undefined) sums.set(name, [hashOf(bytes)])
  }
  return sums
}

/** The first file that is not what the list says; a file the list does not name may be anything. */
export async function firstDamaged(home: string, sums: Sums): Promise<string | undefined> {
  for (const [name, hashes] of sums) {
    const bytes = await readIfThere(join(home, name))
    if (bytes === undefined || !hashes.includes(hashOf(bytes))) return name
  }
  return undefined
}

export function hashOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
