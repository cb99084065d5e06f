/** Moves a file to where another may lie already: then both contents are there, as a conflict, and nothing is lost. */
import { ROOT_ID, type CatalogReader, type Draft, type Entry } from '../catalog/index.js'
import type { BodyRef } from '../wire/index.js'

/** False when there is no directory for it. */
export function relocate(draft: Draft, reader: CatalogReader, entry: Entry, path: string, body: BodyRef): boolean {
  const cut = path.lastIndexOf('/')
  const parent = cut < 0 ? ROOT_ID : reader.resolve(path.slice(0, cut))?.id
  const there = reader.resolve(path)
  if (parent === undefined) return false
  if (there === undefined) {
    draft.move(entry.id, parent, path.slice(cut + 1))
    draft.set(entry.id, { body })
    return true
  }
  if (there.bodies.every((other) => other.body.hash !== body.hash)) draft.set(there.id, { body }, new Set())
  draft.remove(entry.id)
  return true
}
