/**
 * Whether GeoServer took what it was told. It answers 200 and writes the file: where that says again what it said before, its
 * own memory was written over what it was told. Pure. Rules (tests cite the numbers):
 * 1. A field that was told otherwise than it was, and is written as it was, was not taken.
 * 2. A field that is written neither as it was nor as it was told is somebody's edit, or GeoServer's own way of writing: then
 *    nothing is said of any, for what lies there may be worth keeping.
 * 3. A date of change that was told and is another now says the same: the object was saved once more, by somebody.
 * 4. A field that is missing on any side is judged elsewhere: what is not sent stays, and what is not known is left out.
 */
import { plainOf } from '../defaults.js'
import { meaningOf, outward, type Place } from '../travel.js'
import { readXml, textOf } from '../xml.js'

/** What a document says: the meaning of each field below its root, by name. */
export interface Sayings {
  readonly fields: ReadonlyMap<string, string>
  readonly date?: string
}

const DATE = 'dateModified'

/** Undefined for what is no such document. */
export function sayingsOf(place: Place, bytes: Uint8Array): Sayings | undefined {
  const [read, made] = [readXml(bytes), outward(place, bytes)]
  const travels = made.ok ? readXml(made.value.bytes) : made
  if (!read.ok || !travels.ok) return undefined
  const fields = new Map<string, string>()
  for (const child of plainOf(place.kind, travels.value.root).children)
    fields.set(child.name, (fields.get(child.name) ?? '') + meaningOf(child))
  const date = textOf(read.value.root, DATE)
  return { fields, ...(date !== undefined && { date }) }
}

/** Names of the fields that it did not take. */
export function notTaken(was: Sayings, told: Sayings, wrote: Sayings): string[] {
  if (told.date !== undefined && told.date !== wrote.date) return []
  const lost: string[] = []
  for (const [name, now] of wrote.fields) {
    const [before, wanted] = [was.fields.get(name), told.fields.get(name)]
    if (now === wanted) continue
    if (before !== undefined && now !== before) return []
    if (before !== undefined && wanted !== undefined) lost.push(name)
  }
  return lost
}
