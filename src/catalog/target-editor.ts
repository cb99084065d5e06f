/**
 * Changes a target made, on a draft. They go by the entries the target knows and not by paths, because the catalog may
 * have moved on: a directory that was renamed elsewhere meanwhile still takes what was put into it here.
 */
import type { BodyRef } from '../wire/index.js'
import type { Draft, Seen } from './draft.js'
import { ROOT_ID } from './ids.js'
import { checkPath, PathEditor, type PathEdit } from './paths.js'
import type { CatalogReader, Entry } from './reader.js'

/** Where something lies in a target: the first `depth` names of the path lead to `anchor`, an entry the target knows. */
export interface TargetPlace {
  readonly path: string
  readonly anchor: string
  readonly depth: number
}

export type TargetThing =
  { readonly kind: 'dir' } | { readonly kind: 'file'; readonly body: BodyRef; readonly exec: boolean }

export class TargetEditor {
  readonly #draft: Draft
  readonly #reader: CatalogReader
  readonly #paths: PathEditor
  readonly #heldAt: (id: string) => string | undefined

  /** `heldAt` is the path at which the target holds an entry; what is new elsewhere in the target is another entry. */
  constructor(draft: Draft, reader: CatalogReader, heldAt: (id: string) => string | undefined) {
    this.#draft = draft
    this.#reader = reader.over(draft.stage)
    this.#paths = new PathEditor(draft, reader)
    this.#heldAt = heldAt
  }

  /** Something new in the target. What the catalog has there of the same kind is the same entry; else names conflict. */
  add({ path, anchor, depth }: TargetPlace, what: TargetThing): PathEdit {
    checkPath(path)
    const names = path.split('/')
    return this.#addIn(this.#makeAbove(anchor, names, depth), names, names.length - 1, what)
  }

  #addIn(parent: string, names: readonly string[], depth: number, what: TargetThing): PathEdit {
    const found = this.#claimant(parent, names, depth, what.kind)
    if (found === undefined) return { id: this.#draft.create(parent, names[depth]!, what), changed: true }
    if (what.kind === 'file') return this.#paths.setFile(found, what.body, { exec: what.exec, seen: new Set() })
    if (found.meaning.alive) return { id: found.id, changed: false }
    // a directory that only its children keep alive is written again
    this.#draft.create(found.parent, found.name, { kind: 'dir', id: found.id })
    return { id: found.id, changed: true }
  }

  /** The directory that holds the last name, with those on the way made where they are missing. */
  #makeAbove(anchor: string, names: readonly string[], from: number): string {
    let at = anchor
    for (let depth = from; depth < names.length - 1; depth++) at = this.#addIn(at, names, depth, { kind: 'dir' }).id
    return at
  }

  /** A changed file: only what changed in the target is written, and only what it had `seen` is replaced. */
  change(id: string, what: { body?: BodyRef; exec?: boolean }, seen: Seen): PathEdit {
    const found = this.#reader.entry(id)
    if (found === undefined) return { id, changed: false }
    return this.#paths.setFile(found, what.body, { seen, ...(what.exec === undefined ? {} : { exec: what.exec }) })
  }

  /** Something moved in the target; whatever claims the name there already, two entries of one name are a conflict. */
  move(id: string, place: TargetPlace, seen: Seen): PathEdit {
    checkPath(place.path)
    const names = place.path.split('/')
    const { at, depth } = this.#placeFor(id, place, names)
    this.#draft.move(id, this.#makeAbove(at, names, depth), names.at(-1)!, { seen })
    return { id, changed: true }
  }

  /** What holds the place, but not from within the entry, where another node may have put it: then by path, or the root. */
  #placeFor(id: string, { anchor, depth }: TargetPlace, names: readonly string[]): { at: string; depth: number } {
    for (const start of [
      { at: anchor, depth },
      { at: ROOT_ID, depth: 0 }
    ]) {
      const known = this.#follow(start, names)
      if (!this.#isWithin(known.at, id)) return known
    }
    return { at: ROOT_ID, depth: names.length - 1 }
  }

  /** As far towards the last name as there are directories. */
  #follow(start: { at: string; depth: number }, names: readonly string[]): { at: string; depth: number } {
    let { at, depth } = start
    for (; depth < names.length - 1; depth++) {
      const found = this.#claimant(at, names, depth, 'dir')
      if (found === undefined) break
      at = found.id
    }
    return { at, depth }
  }

  /** The entry of this kind that shows under a name, or claims it without showing there. */
  #claimant(parent: string, names: readonly string[], depth: number, kind: 'file' | 'dir'): Entry | undefined {
    const name = names[depth]!
    const path = names.slice(0, depth + 1).join('/')
    const shown = this.#reader.child(parent, name)
    const claimants = shown === undefined ? [] : [shown, ...this.#reader.atName(parent, name)]
    return claimants.find(
      (entry) => this.#reader.isDirectory(entry) === (kind === 'dir') && (this.#heldAt(entry.id) ?? path) === path
    )
  }

  #isWithin(at: string, id: string): boolean {
    for (
      let above: string | undefined = at;
      above !== undefined && above !== ROOT_ID;
      above = this.#reader.entry(above)?.parent
    )
      if (above === id) return true
    return false
  }
}
