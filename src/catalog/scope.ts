/**
 * Whether what a record writes stays within the paths its author may write to. Judged by where entries are in the record's
 * own past, so that every node comes to the same verdict whatever it received first.
 *
 * Rules (tests cite the numbers):
 * 1. An entry that is edited is at a path within the scope: one of its paths, or below one, name by name.
 * 2. A place that is written is within it too; and so is the one a tombstone keeps, for an edit may bring it back.
 * 3. Where a move says that the entry came from is where it was: that is what counts when moves make a cycle.
 * 4. Directories above the scope may be made as they are born from their path, and hold nothing else; nothing is done to one that is there.
 * 5. What is at no path (its places make a cycle, or something above was never written) is in no scope.
 */
import { GrapevineError } from '../errors.js'
import { entryIdOfPath, ROOT_ID } from './ids.js'
import { PLACE, readPlace, TOMBSTONE, type Place } from './view.js'
import type { EditUpdate, Value } from './update.js'

export interface Whereabouts {
  readonly parent: string
  readonly name: string
}

/** Where an entry is in the past that is judged by: `null` when it is nowhere, undefined when it was never written. */
export type PlaceInPast = (id: string) => Whereabouts | null | undefined

/** Deeper paths cannot exist in a file system. */
const MAX_DEPTH = 2_048

/** Whether a member with this scope may write at `path`; a directory above the scope may be made. */
export function mayWriteAt(scope: readonly string[] | undefined, path: string, kind: 'file' | 'dir'): boolean {
  return scope === undefined || isWithinScope(scope, path) || (kind === 'dir' && isAboveScope(scope, path))
}

function isWithinScope(scope: readonly string[], path: string): boolean {
  return scope.some((each) => path === each || path.startsWith(`${each}/`))
}

function isAboveScope(scope: readonly string[], path: string): boolean {
  return scope.some((each) => each.startsWith(`${path}/`))
}

/** Entries whose places are needed to judge these edits; those above them are too. */
export function namedBy(edits: ReadonlyArray<{ entry: string; update: EditUpdate }>): Set<string> {
  return new Set(edits.flatMap(({ entry, update }) => [entry, ...placesIn(update).map((place) => place.parent)]))
}

/** The edits of one record, in their order. */
export class ScopeCheck {
  readonly #scope: readonly string[]
  readonly #past: PlaceInPast
  /** What this record has written so far. */
  readonly #written = new Map<string, Whereabouts>()

  constructor(scope: readonly string[], past: PlaceInPast) {
    this.#scope = scope
    this.#past = past
  }

  /** Throws `out-of-scope`. The fields of `update` have been checked. */
  check(entry: string, update: EditUpdate): void {
    const before = this.#at(entry)
    if (before !== undefined) this.#checkPath(this.#pathOf(entry))
    const places = placesIn(update)
    if (before === undefined && places.length === 0) throw outOfScope(this.#scope, undefined)
    for (const place of places) this.#checkPlace(entry, before, place, update)
    const last = places.at(-1)
    if (last !== undefined) this.#written.set(entry, { parent: last.parent, name: last.name })
  }

  #checkPlace(entry: string, before: Whereabouts | null | undefined, place: Place, update: EditUpdate): void {
    const { from, parent, name } = place
    // of itself below itself it would be said that it is at no path, once that is written
    const above = this.#pathOf(parent, entry)
    const path = above === undefined ? undefined : join(above, name)
    const isNewDirectoryAbove =
      before === undefined &&
      path !== undefined &&
      isAboveScope(this.#scope, path) &&
      entry === entryIdOfPath(parent, name, 'dir', 0) &&
      update.tuples.every(([field]) => field === PLACE)
    if (!isNewDirectoryAbove) this.#checkPath(path)
    if (from !== null && (from.parent !== before?.parent || from.name !== before.name))
      throw outOfScope(this.#scope, path)
  }

  #checkPath(path: string | undefined): void {
    if (path === undefined || !isWithinScope(this.#scope, path)) throw outOfScope(this.#scope, path)
  }

  #at(id: string): Whereabouts | null | undefined {
    return this.#written.get(id) ?? this.#past(id)
  }

  /** `''` for the root; undefined when it is at no path, or below `notBelow`. */
  #pathOf(id: string, notBelow?: string): string | undefined {
    const names: string[] = []
    for (let at = id; at !== ROOT_ID;) {
      const place = at === notBelow ? undefined : this.#at(at)
      if (place === undefined || place === null || names.length > MAX_DEPTH) return undefined
      names.push(place.name)
      at = place.parent
    }
    return names.toReversed().join('/')
  }
}

function placesIn({ tuples }: EditUpdate): Place[] {
  return tuples.flatMap(([field, value]) => {
    const place = field === TOMBSTONE ? (value as Record<string, Value>)[PLACE] : field === PLACE ? value : undefined
    return place === undefined ? [] : [readPlace(place)]
  })
}

const join = (above: string, name: string): string => (above === '' ? name : `${above}/${name}`)

function outOfScope(scope: readonly string[], path: string | undefined): GrapevineError {
  const where = path === undefined ? 'something that is at no path' : JSON.stringify(path)
  return new GrapevineError('out-of-scope', `this member may write below ${scope.join(', ')} and not to ${where}`, {
    next: 'make the change on a node that may write there; see "grapevine peers"',
    facts: path === undefined ? {} : { path }
  })
}
