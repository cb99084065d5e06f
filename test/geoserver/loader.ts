/** Reads a data directory in the loader's order, with its habits: what does not fit is left out with a line in the log. */
import type { Dirent } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Catalog, type CatalogObject } from './catalog.js'
import type { Journal } from './journal.js'
import type { Keystore } from './keystore.js'
import { isStore, KINDS, nameElement, referencesOf, RESOURCE_OF, STORE_KINDS, type Kind } from './kinds.js'
import { at, BrokenXml, childText, elementsOf, parseXml, textOf, type Xml } from './xml.js'

/** Folders of a workspace that are no stores. */
const RESERVED = new Set(['styles', 'layergroups'])

export class Loader {
  readonly #root: string
  readonly #journal: Journal
  readonly #keystore: Keystore
  readonly #catalog = new Catalog()

  constructor(root: string, journal: Journal, keystore: Keystore) {
    this.#root = root
    this.#journal = journal
    this.#keystore = keystore
  }

  /** Global styles; workspace by workspace; global groups. Never throws over what it finds. */
  async load(): Promise<Catalog> {
    await this.#folder('styles', 'style', null)
    const fallback = await this.#read('workspaces/default.xml')
    for (const { name } of await this.#directories('workspaces')) await this.#workspace(`workspaces/${name}`)
    await this.#folder('layergroups', 'layergroup', null)
    this.#lookForDangling()
    const name = fallback && childText(fallback, 'name')
    const first = this.#catalog.list('workspace')[0]?.name ?? null
    this.#catalog.defaultWorkspace =
      name !== undefined && this.#catalog.find('workspace', null, name) !== undefined ? name : first
    return this.#catalog
  }

  async #workspace(folder: string): Promise<void> {
    const workspace = await this.#read(`${folder}/workspace.xml`)
    const namespace = await this.#read(`${folder}/namespace.xml`)
    if (workspace === undefined || namespace === undefined) {
      this.#journal.line('SEVERE', `Ignoring workspace directory ${folder}: workspace.xml and namespace.xml are needed`)
      return
    }
    const { name } = this.#add('workspace', null, `${folder}/workspace.xml`, workspace)
    this.#add('namespace', null, `${folder}/namespace.xml`, namespace)
    await this.#folder(`${folder}/styles`, 'style', name)
    for (const { name: store } of await this.#directories(folder))
      if (!RESERVED.has(store)) await this.#store(`${folder}/${store}`, name)
    await this.#folder(`${folder}/layergroups`, 'layergroup', name)
  }

  async #store(folder: string, workspace: string): Promise<void> {
    for (const kind of STORE_KINDS) {
      const file = `${folder}/${kind}.xml`
      const doc = await this.#read(file)
      if (doc === undefined) continue
      const name = childText(doc, 'name') ?? folder
      if (!this.#isWhole(kind, doc) || !this.#canDecrypt(doc)) {
        this.#journal.line('WARN', `Failed to load ${KINDS[kind].word} '${name}'`)
        return
      }
      this.#add(kind, workspace, file, doc)
      for (const { name: layer } of await this.#directories(folder))
        await this.#resource(RESOURCE_OF[kind], `${folder}/${layer}`)
    }
  }

  async #resource(kind: Kind, folder: string): Promise<void> {
    const resource = await this.#read(`${folder}/${kind}.xml`)
    const layer = await this.#read(`${folder}/layer.xml`)
    if (resource === undefined || layer === undefined) {
      this.#journal.line('WARN', `Ignoring ${KINDS[kind].word} directory ${folder}`)
      return
    }
    if (!this.#isWhole(kind, resource)) {
      this.#journal.line('WARN', `Failed to load resource ${folder}`)
      return
    }
    const namespace = this.#catalog.resolve(referencesOf(kind, resource).find(({ to }) => to.includes('namespace'))!)!
    const { id, name } = this.#add(kind, namespace.name, `${folder}/${kind}.xml`, resource)
    if (textOfId(layer, 'resource') !== id) {
      this.#journal.line('WARN', `Failed to load layer ${folder}`)
      return
    }
    // the layer has its resource's name, whatever stands in its file
    this.#add('layer', namespace.name, `${folder}/layer.xml`, layer, name)
  }

  async #folder(folder: string, kind: Kind, workspace: string | null): Promise<void> {
    for (const { name } of await this.#list(folder)) {
      if (!name.endsWith('.xml')) continue
      const file = `${folder}/${name}`
      const doc = await this.#read(file)
      if (doc?.name === KINDS[kind].root) this.#add(kind, workspace, file, doc)
    }
  }

  /** A layer may have a style of a workspace that is loaded later, so this is looked at when all are there. */
  #lookForDangling(): void {
    for (const { kind, doc, name } of [...this.#catalog.list('layer'), ...this.#catalog.list('layergroup')])
      if (referencesOf(kind, doc).some((reference) => this.#catalog.resolve(reference) === undefined))
        this.#journal.line('WARN', `${KINDS[kind].word} ${name} refers to something that is not there`)
  }

  #add(kind: Kind, workspace: string | null, file: string, doc: Xml, name?: string): CatalogObject {
    const own = name ?? childText(doc, nameElement(kind)) ?? ''
    const object = { kind, id: childText(doc, 'id') ?? '', name: own, workspace, file, doc }
    this.#catalog.add(object)
    return object
  }

  /** Whether what it cannot be without is there. */
  #isWhole(kind: Kind, doc: Xml): boolean {
    const references = referencesOf(kind, doc)
    const needed = isStore(kind) ? 1 : 2
    return references.length >= needed && references.every((each) => this.#catalog.resolve(each) !== undefined)
  }

  #canDecrypt(store: Xml): boolean {
    try {
      for (const entry of passwordsOf(store)) this.#keystore.decrypt(textOf(entry))
      return true
    } catch {
      return false
    }
  }

  async #read(file: string): Promise<Xml | undefined> {
    let text: string
    try {
      text = await readFile(join(this.#root, file), 'utf8')
    } catch {
      return undefined
    }
    try {
      return parseXml(text)
    } catch (error) {
      if (!(error instanceof BrokenXml)) throw error
      this.#journal.line('WARN', `Failed to load resource ${file}: ${error.message}`)
      return undefined
    }
  }

  async #directories(folder: string): Promise<Dirent[]> {
    return (await this.#list(folder)).filter((entry) => entry.isDirectory())
  }

  async #list(folder: string): Promise<Dirent[]> {
    try {
      const entries = await readdir(join(this.#root, folder), { withFileTypes: true })
      return entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))
    } catch {
      return []
    }
  }
}

function textOfId(doc: Xml, name: string): string | undefined {
  const node = at(doc, name)
  return node && childText(node, 'id')
}

/** The `passwd` entries of a store's connection parameters. */
export function passwordsOf(store: Xml): Xml[] {
  return elementsOf(at(store, 'connectionParameters') ?? store).filter(
    ({ name, attributes }) => name === 'entry' && attributes['key'] === 'passwd'
  )
}
