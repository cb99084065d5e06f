/** What can happen to the bytes of a file at rest. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

export const HARMS = ['flip', 'zero', 'cut-tail', 'cut-half', 'delete'] as const
export type Harm = (typeof HARMS)[number]

export interface Case {
  /** Relative to the home. */
  readonly file: string
  readonly harm: Harm
  /** Where, 0 to 1, for those harms that have a place; of a cut tail, how much of half the file. */
  readonly place: number
  readonly alone: boolean
}

const ZERO_BYTES = 4_096
const WITHOUT_PLACE: ReadonlySet<Harm> = new Set(['cut-half', 'delete'])

/** The bytes after the harm; undefined: the file is gone. */
export function harmed(bytes: Buffer, { harm, place }: Pick<Case, 'harm' | 'place'>): Buffer | undefined {
  const size = bytes.length
  const at = Math.min(Math.floor(size * place), Math.max(0, size - 1))
  const after = Buffer.from(bytes)
  switch (harm) {
    case 'delete':
      return undefined
    case 'flip':
      if (size > 0) after[at]! ^= 1 << (Math.floor(place * 8) % 8)
      return after
    case 'zero':
      return after.fill(0, at, Math.min(size, at + ZERO_BYTES))
    case 'cut-tail':
      return after.subarray(0, Math.max(0, size - 1 - Math.floor((size / 2) * place)))
    case 'cut-half':
      return after.subarray(0, Math.floor(size / 2))
  }
}

/**
 * Every file with every harm, at so many places where a harm has one. Of cases that leave the same bytes one is kept, and
 * none that changes nothing (zeros over zeros).
 */
export function casesOf(home: string, files: readonly string[], alone: boolean, places: number): Case[] {
  return files.flatMap((file) => {
    const bytes = readFileSync(join(home, file))
    const seen = new Set([digestOf(bytes)])
    return HARMS.flatMap((harm) => {
      const count = WITHOUT_PLACE.has(harm) ? 1 : Math.min(places, bytes.length)
      const all = Array.from({ length: count }, (_, at): Case => ({ file, harm, place: (at + 0.5) / count, alone }))
      return all.filter((what) => {
        const digest = digestOf(harmed(bytes, what))
        return !seen.has(digest) && seen.add(digest)
      })
    })
  })
}

function digestOf(bytes: Buffer | undefined): string {
  return bytes === undefined ? 'gone' : createHash('sha256').update(bytes).digest('hex')
}
