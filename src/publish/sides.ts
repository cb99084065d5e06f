/** The values that a file's content has at once, with their bytes. */
import type { CatalogReader, Entry, Tuple } from '../catalog/index.js'
import { BODY, seenKey } from '../catalog/index.js'
import type { BodySource } from '../adapters/contract.js'
import type { BodyRef } from '../wire/index.js'

/** Larger contents are nobody's objects, and stay a conflict, bytes. */
export const MAX_MERGED_BYTES = 4 * 1024 * 1024
/** Values of one conflict that are looked at; more stay a conflict. */
export const MAX_SIDES = 16

/** One value, and all tuples that say it. */
export interface Side {
  readonly ref: BodyRef
  readonly bytes: Uint8Array
  readonly tuples: readonly Tuple[]
}

export interface ReadBodies {
  has(ref: BodyRef): boolean
  want(ref: BodyRef): void
  readonly source: BodySource
}

/** The live values of an entry's content, without their bytes. */
export function valuesOf(entry: Entry): Array<Omit<Side, 'bytes'>> {
  const tuples = entry.state.tuples.filter(({ field }) => field === BODY)
  const values = new Map<string, { ref: BodyRef; tuples: Tuple[] }>()
  for (const [at, tuple] of tuples.entries()) {
    const ref = entry.bodies[at]!.body
    const value = values.get(ref.hash)
    if (value === undefined) values.set(ref.hash, { ref, tuples: [tuple] })
    else value.tuples.push(tuple)
  }
  return [...values.values()]
}

/** The bytes of all of these; null, and they are asked for, when one is not here; undefined when one is too large. */
export async function bytesOfAll(refs: readonly BodyRef[], bodies: ReadBodies): Promise<Buffer[] | null | undefined> {
  if (refs.some(({ size }) => size > MAX_MERGED_BYTES)) return undefined
  const missing = refs.filter((ref) => !bodies.has(ref))
  for (const ref of missing) bodies.want(ref)
  if (missing.length > 0) return null
  return Promise.all(refs.map(async (ref) => collect(bodies.source(ref))))
}

async function collect(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = []
  for await (const part of source) parts.push(part)
  return Buffer.concat(parts)
}

/** Whether exactly these tuples still are what the content of the entry says. */
export function stillSays(reader: CatalogReader, id: string, tuples: readonly Tuple[]): boolean {
  const now = reader.entry(id)?.state.tuples.filter(({ field }) => field === BODY) ?? []
  const keys = new Set(tuples.map(seenKey))
  return now.length === keys.size && now.every((tuple) => keys.has(seenKey(tuple)))
}
