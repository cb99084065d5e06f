/** The tile layers of GeoWebCache: gwc-layers/, which is noticed by time, and the tiles, which grow stale. */
import { statSync } from 'node:fs'
import { readdir, readFile, stat } from 'node:fs/promises'
import { qualified, type CatalogObject } from './catalog.js'
import type { Files } from './files.js'
import type { Journal } from './journal.js'
import { at, BrokenXml, childText, element, parseXml, setText, writeXml, type Xml } from './xml.js'

const FOLDER = 'gwc-layers'

interface TileLayer {
  doc: Xml
  mtimeMs: number
}

export class TileLayers {
  readonly #files: Files
  readonly #journal: Journal
  readonly #layers = new Map<string, TileLayer>()
  /** What was drawn for a layer when its tiles were made. */
  readonly #tiles = new Map<string, string>()

  constructor(files: Files, journal: Journal) {
    this.#files = files
    this.#journal = journal
  }

  /** Reads all files anew. */
  async load(): Promise<void> {
    this.#layers.clear()
    await this.notice()
  }

  /** The look of every 10 s: new files, files with a newer time, and files that are gone. */
  async notice(): Promise<void> {
    const names = await readdir(this.#files.at(FOLDER)).catch(() => [])
    const files = names.filter((name) => name.endsWith('.xml')).map((name) => `${FOLDER}/${name}`)
    const there = new Set(files)
    for (const known of this.#layers.keys()) if (!there.has(known)) this.#layers.delete(known)
    for (const file of files) await this.#noticeOne(file)
  }

  async #noticeOne(file: string): Promise<void> {
    // at once, because there may be thousands and this is done all the time
    const found = statSync(this.#files.at(file), { throwIfNoEntry: false })
    const known = this.#layers.get(file)
    if (found === undefined || (known !== undefined && found.mtimeMs <= known.mtimeMs)) return
    try {
      const doc = parseXml(await readFile(this.#files.at(file), 'utf8'))
      this.#layers.set(file, { doc, mtimeMs: found.mtimeMs })
    } catch (error) {
      if (!(error instanceof BrokenXml)) throw error
      this.#journal.line('WARN', `Failed to load tile layer ${file}: ${error.message}`)
    }
  }

  get names(): string[] {
    return [...this.#layers.values()].map(({ doc }) => childText(doc, 'name') ?? '').toSorted()
  }

  find(name: string): Xml | undefined {
    return [...this.#layers.values()].find(({ doc }) => childText(doc, 'name') === name)?.doc
  }

  /** A new layer or group gets a tile layer. */
  create(object: CatalogObject): Promise<void> {
    const doc = element('GeoServerTileLayer', element('id', object.id), element('enabled', 'true'))
    return this.save(object, doc)
  }

  /** Whatever is sent, the default style of the layer is filled in where there is a filter of styles. */
  async save(object: CatalogObject, doc: Xml, defaultStyle?: string): Promise<void> {
    setText(doc, 'id', object.id)
    setText(doc, 'name', qualified(object))
    const filter = at(doc, 'parameterFilters', 'styleParameterFilter')
    if (filter !== undefined && defaultStyle !== undefined) setText(filter, 'defaultStyle', defaultStyle)
    const file = fileOf(object.id)
    await this.#files.saveTileLayer(file, writeXml(doc))
    const { mtimeMs } = await stat(this.#files.at(file))
    this.#layers.set(file, { doc, mtimeMs })
  }

  /** Written again when its layer is, as it is known; what grids it has is filled in when nobody said. */
  async rewrite(object: CatalogObject, defaultStyle?: string): Promise<void> {
    const known = this.#layers.get(fileOf(object.id))
    if (known === undefined) return
    if (at(known.doc, 'gridSubsets') === undefined) {
      const subset = element('gridSubset', element('gridSetName', 'EPSG:4326'), element('extent'))
      known.doc.content.push(element('gridSubsets', subset))
    }
    await this.save(object, known.doc, defaultStyle)
  }

  async remove(id: string): Promise<void> {
    this.#layers.delete(fileOf(id))
    await this.#files.remove(fileOf(id))
  }

  truncate(name: string): void {
    this.#journal.truncated.push(name)
    this.#tiles.delete(name)
  }

  /** A tile as it was made the first time since the layer's tiles were dropped. */
  async tile(name: string, draw: () => Promise<string>): Promise<string> {
    const made = this.#tiles.get(name) ?? (await draw())
    this.#tiles.set(name, made)
    return made
  }
}

/** The colons of an id are underscores in the name of its file. */
const fileOf = (id: string): string => `${FOLDER}/${id.replaceAll(':', '_')}.xml`
