/**
 * All objects of a data directory and how they hang together, kept up to date file by file: a change of one file costs
 * what it touches. Knows no file system; `findings.ts` says what is wrong.
 */
import type { FileKind } from './file-rules.js'
import { IDENTIFIED_KINDS, type FileFacts, type GeoObject, type Reference } from './objects.js'

export interface Held {
  readonly path: string
  readonly object: GeoObject
}

export interface Dangling extends Held {
  readonly reference: Reference
}

export class Inventory {
  readonly #files = new Map<string, FileFacts>()
  /** Id -> paths of the objects that have it. More than one is a fault of the directory. */
  readonly #owners = new Map<string, Set<string>>()
  /** Id -> paths of what refers to it. */
  readonly #referrers = new Map<string, Set<string>>()
  /** Path of a style's body -> paths of the styles that name it. */
  readonly #bodies = new Map<string, Set<string>>()
  /** Path of a graphic -> paths of the bodies that draw with it. */
  readonly #graphics = new Map<string, Set<string>>()
  /** Kind -> format -> paths of the styles and stores of that kind written in it. */
  readonly #formats = new Map<FileKind, Map<string, Set<string>>>()
  /** Ids with more than one owner, and ids that are referred to and have none. */
  readonly #shared = new Set<string>()
  readonly #wanted = new Set<string>()
  #references = 0
  #objects = 0

  get files(): ReadonlyMap<string, FileFacts> {
    return this.#files
  }

  /** Objects that have an id of their own: workspaces, namespaces, stores, resources, layers, styles and groups. */
  get objects(): number {
    return this.#objects
  }

  /** References by id of all those objects, and of tile layers and workspace settings. */
  get references(): number {
    return this.#references
  }

  /** Takes a file over, or over again. */
  set(facts: FileFacts): void {
    this.delete(facts.path)
    this.#files.set(facts.path, facts)
    for (const graphic of facts.graphics ?? []) add(this.#graphics, graphic, facts.path)
    const { object } = facts
    if (object === undefined) return
    if (isOwner(object)) {
      this.#objects++
      add(this.#owners, object.id, facts.path)
      this.#look(object.id)
    }
    this.#references += object.references.length
    if (object.body !== undefined) add(this.#bodies, object.body, facts.path)
    if (object.format !== undefined) add(this.#ofKind(facts.class.kind), object.format, facts.path)
    for (const { id } of object.references) {
      add(this.#referrers, id, facts.path)
      this.#look(id)
    }
  }

  delete(path: string): void {
    const before = this.#files.get(path)
    if (before === undefined) return
    this.#files.delete(path)
    for (const graphic of before.graphics ?? []) remove(this.#graphics, graphic, path)
    const { object } = before
    if (object === undefined) return
    if (isOwner(object)) {
      this.#objects--
      remove(this.#owners, object.id, path)
      this.#look(object.id)
    }
    this.#references -= object.references.length
    if (object.body !== undefined) remove(this.#bodies, object.body, path)
    if (object.format !== undefined) remove(this.#ofKind(before.class.kind), object.format, path)
    for (const { id } of object.references) {
      remove(this.#referrers, id, path)
      this.#look(id)
    }
  }

  /** The object under an id; the first in the order of paths when several claim it. */
  byId(id: string): Held | undefined {
    const path = [...(this.#owners.get(id) ?? [])].toSorted()[0]
    return path === undefined ? undefined : { path, object: this.#files.get(path)!.object! }
  }

  /** Paths of the objects under an id. */
  owners(id: string): readonly string[] {
    return [...(this.#owners.get(id) ?? [])]
  }

  /** Paths of what refers to an id. */
  referrers(id: string): readonly string[] {
    return [...(this.#referrers.get(id) ?? [])]
  }

  /** The styles that draw by the file at a path. */
  stylesWith(body: string): Held[] {
    return [...(this.#bodies.get(body) ?? [])].map((path) => ({ path, object: this.#files.get(path)!.object! }))
  }

  /** Paths of what refers to the file at a path: styles to their body, bodies to graphics. */
  usersOf(path: string): readonly string[] {
    return [...(this.#bodies.get(path) ?? []), ...(this.#graphics.get(path) ?? [])]
  }

  /** Formats that styles or stores of a kind are written in, with the paths of those. */
  formats(kind: FileKind): ReadonlyMap<string, ReadonlySet<string>> {
    return this.#ofKind(kind)
  }

  /** References to ids that no object has, in the order of paths. */
  dangling(): Dangling[] {
    const found = [...this.#wanted].flatMap((id) =>
      this.referrers(id).flatMap((path): Dangling[] => {
        const object = this.#files.get(path)!.object!
        const all = object.references.filter((reference) => reference.id === id)
        return all.map((reference) => ({ path, object, reference }))
      })
    )
    return found.toSorted((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0))
  }

  /** Styles whose body is not there, with its path. */
  unmetBodies(): Array<{ path: string; body: string }> {
    return [...this.#bodies].flatMap(([body, paths]) =>
      this.#files.has(body) ? [] : [...paths].map((path) => ({ path, body }))
    )
  }

  /** Ids that several objects claim, with their paths. */
  duplicates(): Array<{ id: string; paths: string[] }> {
    return [...this.#shared].toSorted().map((id) => ({ id, paths: [...this.#owners.get(id)!].toSorted() }))
  }

  #ofKind(kind: FileKind): Map<string, Set<string>> {
    let formats = this.#formats.get(kind)
    if (formats === undefined) this.#formats.set(kind, (formats = new Map<string, Set<string>>()))
    return formats
  }

  #look(id: string): void {
    const owners = this.#owners.get(id)?.size ?? 0
    put(this.#shared, id, owners > 1)
    put(this.#wanted, id, owners === 0 && this.#referrers.has(id))
  }
}

/** Whether the id is its own: the default workspace's file is a copy, and a tile layer has the id of its layer. */
export function isOwner({ kind, id }: GeoObject): boolean {
  return id !== '' && IDENTIFIED_KINDS.has(kind)
}

function add(sets: Map<string, Set<string>>, key: string, value: string): void {
  const set = sets.get(key)
  if (set === undefined) sets.set(key, new Set([value]))
  else set.add(value)
}

function remove(sets: Map<string, Set<string>>, key: string, value: string): void {
  const set = sets.get(key)
  set?.delete(value)
  if (set?.size === 0) sets.delete(key)
}

function put(set: Set<string>, key: string, is: boolean): void {
  if (is) set.add(key)
  else set.delete(key)
}
