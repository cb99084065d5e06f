/**
 * Changes a target made, on a draft. They go by the entries the target knows and not by paths, because the catalog may
 * have moved on: a directory that was renamed elsewhere meanwhile still takes what was put into it here.
 */
import type { BodyRef } from '../wire/index.js'
import type { Draft, Seen } from './draft.js'
import { ROOT_ID } from './ids.js'
import { checkPath, PathEditor, type PathEdit } from './paths.js'
import type { CatalogReader, Entry } from './reader.js'

/** Where something lies in a target: names below an entry that is at hand, or below the root. */
export interface TargetPlace {
  readonly path: string
  readonly anchor: string
  readonly names: readonly string[]
}

export type TargetThing =
  { readonly kind: 'dir' } | { readonly kind: 'file'; readonly body: BodyRef; readonly exec: boolean }

export class TargetEditor {
  readonly #draft: Draft
  readonly #reader: CatalogReader
  readonly #paths: PathEditor
  readonly #held: (id: string) => boolean

  /** `held`: the target holds this entry already, wherever; then nothing new in the target can be it. */
  constructor(draft: Draft, reader: CatalogReader, held: (id: string) => boolean) {
    this.#draft = draft
    this.#reader = reader.over(draft.stage)
    this.#paths = new PathEditor(draft, reader)
    this.#held = held
  }

  /** Something new in the target. What the catalog has there of the same kind is the same entry; else names conflict. */
  add(place: TargetPlace, what: TargetThing): PathEdit {
    checkPath(place.path)
    return this.#addIn(this.#makeAbove(place.anchor, place.names.slice(0, -1)), place.names.at(-1)!, what)
  }

  #addIn(parent: string, name: string, what: TargetThing): PathEdit {
    const found = this.#claimant(parent, name, what.kind)
    if (found === undefined) return { id: this.#draft.create(parent, name, what), changed: true }
    if (what.kind === 'file') return this.#paths.setFile(found, what.body, { exec: what.exec, seen: new Set() })
    if (found.meaning.alive) return { id: found.id, changed: false }
    // a directory that only its children keep alive is written again
    this.#draft.create(found.parent, found.name, { kind: 'dir', id: found.id })
    return { id: found.id, changed: true }
  }

  #makeAbove(anchor: string, names: readonly string[]): string {
    return names.reduce((above, name) => this.#addIn(above, name, { kind: 'dir' }).id, anchor)
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
    const { at, missing } = this.#placeFor(id, place)
    this.#draft.move(id, this.#makeAbove(at, missing), place.names.at(-1)!, { seen })
    return { id, changed: true }
  }

  /** What holds the place, but not from within the entry, where another node may have put it: then by path, or the root. */
  #placeFor(id: string, { anchor, names, path }: TargetPlace): { at: string; missing: readonly string[] } {
    for (const [from, whole] of [
      [anchor, names],
      [ROOT_ID, path.split('/')]
    ] as const) {
      const above = whole.slice(0, -1)
      const known = this.#follow(from, above)
      const at = known.at(-1) ?? from
      if (!this.#isWithin(at, id)) return { at, missing: above.slice(known.length) }
    }
    return { at: ROOT_ID, missing: [] }
  }

  /** Ids of the directories of these names, each below the one before, as far as there are any. */
  #follow(from: string, names: readonly string[]): string[] {
    const ids: string[] = []
    for (const name of names) {
      const found = this.#claimant(ids.at(-1) ?? from, name, 'dir')
      if (found === undefined) break
      ids.push(found.id)
    }
    return ids
  }

  /** The entry of this kind that shows under a name, or claims it without showing there. */
  #claimant(parent: string, name: string, kind: 'file' | 'dir'): Entry | undefined {
    const shown = this.#reader.child(parent, name)
    const claimants = shown === undefined ? [] : [shown, ...this.#reader.atName(parent, name)]
    return claimants.find((entry) => this.#reader.isDirectory(entry) === (kind === 'dir') && !this.#held(entry.id))
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
