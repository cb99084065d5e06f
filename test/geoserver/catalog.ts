/** The catalog in memory: what GeoServer believes, whatever lies on the disk. */
import type { Kind, Reference } from './kinds.js'
import { childText, textOf, childOf, type Xml } from './xml.js'

export interface CatalogObject {
  readonly kind: Kind
  readonly id: string
  name: string
  /** Name of the workspace it belongs to; null for what is global. */
  workspace: string | null
  /** Its file, from the data directory on. */
  file: string
  doc: Xml
}

export class Catalog {
  readonly #objects = new Map<string, CatalogObject>()
  /** A later object with the same id hides the earlier one, which its name still finds. */
  readonly #byId = new Map<string, CatalogObject>()
  defaultWorkspace: string | null = null

  get size(): number {
    return this.#objects.size
  }

  add(object: CatalogObject): void {
    this.#objects.set(keyOf(object), object)
    this.#byId.set(object.id, object)
  }

  remove(object: CatalogObject): void {
    this.#objects.delete(keyOf(object))
    if (this.#byId.get(object.id) === object) this.#byId.delete(object.id)
  }

  /** Changes what an object is found by. */
  rename(object: CatalogObject, change: (object: CatalogObject) => void): void {
    this.remove(object)
    change(object)
    this.add(object)
  }

  byId(id: string, kinds?: readonly Kind[]): CatalogObject | undefined {
    const found = this.#byId.get(id)
    return found !== undefined && (kinds === undefined || kinds.includes(found.kind)) ? found : undefined
  }

  find(kind: Kind, workspace: string | null, name: string): CatalogObject | undefined {
    return this.#objects.get(keyOf({ kind, workspace, name }))
  }

  /** Objects of a kind; of one workspace, of none (null) or all (undefined). */
  list(kind: Kind, workspace?: string | null): CatalogObject[] {
    const all = [...this.#objects.values()]
    return all.filter((object) => object.kind === kind && (workspace === undefined || object.workspace === workspace))
  }

  /** `W:L`, or `L` of the default workspace, else of any. */
  findQualified(kind: 'layer' | 'layergroup', name: string): CatalogObject | undefined {
    const cut = name.indexOf(':')
    if (cut > 0) return this.find(kind, name.slice(0, cut), name.slice(cut + 1))
    return (
      this.find(kind, null, name) ??
      this.find(kind, this.defaultWorkspace, name) ??
      this.list(kind).find((object) => object.name === name)
    )
  }

  /** What a reference points at; undefined when it dangles. A style's name may be that of its workspace or a global one. */
  resolve({ node, to }: Reference, workspace: string | null = null): CatalogObject | undefined {
    const id = childText(node, 'id')
    if (id !== undefined) return this.byId(id, to)
    const name = textOf(childOf(node, 'name') ?? childOf(node, 'prefix')).trim()
    const cut = name.indexOf(':')
    const own = cut > 0 ? name.slice(0, cut) : workspace
    const bare = cut > 0 ? name.slice(cut + 1) : name
    for (const kind of to) {
      const found = this.find(kind, own, bare) ?? this.find(kind, null, bare)
      if (found !== undefined) return found
    }
    return undefined
  }

  all(): CatalogObject[] {
    return [...this.#objects.values()]
  }
}

const keyOf = ({ kind, workspace, name }: Pick<CatalogObject, 'kind' | 'workspace' | 'name'>): string =>
  `${kind}\0${workspace ?? ''}\0${name}`

export const qualified = ({ workspace, name }: Pick<CatalogObject, 'workspace' | 'name'>): string =>
  workspace === null ? name : `${workspace}:${name}`
