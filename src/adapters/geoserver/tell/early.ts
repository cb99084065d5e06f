/**
 * Of what GeoServer is owed that which may be told while a reload is due, which can take minutes: a changed title must not
 * wait for a new layer. Pure. Rules (tests cite the letters):
 * a. What the reload is for waits.
 * b. What refers to something that only the reload brings waits, as the tile layer of a new layer does: GeoServer would
 *    refuse it, or take a reference that leads nowhere.
 * c. Removals go all or none. They wait when an object that goes comes elsewhere, for with the old place of a renamed
 *    workspace GeoServer removes the tile layers of the new one, and when something that waits has referred to it so far,
 *    for GeoServer would write that anew.
 */
import type { FileFacts, GeoObject } from '../objects.js'
import type { FileChange } from './calls.js'

/** `reload`: paths that only a reload takes over. */
export function tellableNow(changes: readonly FileChange[], reload: ReadonlySet<string>): FileChange[] {
  const due = changes.filter(({ path }) => reload.has(path))
  const coming = new Set(due.flatMap(({ before, after }) => (isSame(before, after) ? [] : idOf(after))))
  const mayGo = changes.filter(
    ({ path, after }) => !reload.has(path) && !idsIn(after?.object).some((id) => coming.has(id))
  )
  const told = new Set(mayGo)
  const used = new Set(changes.flatMap((change) => (told.has(change) ? [] : idsIn(change.before?.object))))
  for (const id of coming) used.add(id)
  const removals = mayGo.filter(({ after }) => after === undefined)
  const isBlocked = removals.some(({ before }) => before?.object !== undefined && used.has(before.object.id))
  return isBlocked ? mayGo.filter(({ after }) => after !== undefined) : mayGo
}

const idOf = (facts: FileFacts | undefined): string[] => (facts?.object === undefined ? [] : [facts.object.id])

const isSame = (before: FileFacts | undefined, after: FileFacts | undefined): boolean =>
  before?.object?.id === after?.object?.id

function idsIn(object: GeoObject | undefined): string[] {
  return object?.references.map(({ id }) => id) ?? []
}
