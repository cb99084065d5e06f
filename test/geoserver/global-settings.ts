/** global.xml: settings of all, and the counter for which GeoServer rewrites it on every change. */
import { readFile } from 'node:fs/promises'
import type { Files } from './files.js'
import type { Ids } from './ids.js'
import type { Journal } from './journal.js'
import {
  at,
  BrokenXml,
  childOf,
  childText,
  descendants,
  element,
  elementsOf,
  parseXml,
  setText,
  writeXml,
  type Xml
} from './xml.js'

const FILE = 'global.xml'
/** What a GeoServer without settings begins with. */
const DEFAULTS =
  '<global><settings><charset>UTF-8</charset><numDecimals>8</numDecimals></settings><jai/><updateSequence>0</updateSequence></global>'

export class GlobalSettings {
  readonly #files: Files
  readonly #journal: Journal
  readonly #plugins: readonly string[]
  readonly #ids: Pick<Ids, 'make'>
  /** They come from a file, and not from what it begins with. */
  #isLoaded = false
  doc: Xml = parseXml(DEFAULTS)

  constructor(files: Files, journal: Journal, ids: Pick<Ids, 'make'>, plugins: readonly string[]) {
    this.#ids = ids
    this.#files = files
    this.#journal = journal
    this.#plugins = plugins
  }

  async load(): Promise<void> {
    const found = await readFile(this.#files.at(FILE), 'utf8').catch(() => undefined)
    const text = found ?? DEFAULTS
    this.#isLoaded = found !== undefined
    try {
      this.doc = parseXml(text)
    } catch (error) {
      if (!(error instanceof BrokenXml)) throw error
      this.#journal.line('SEVERE', `Failed to load ${FILE}: ${error.message}`)
      this.doc = parseXml(DEFAULTS)
    }
    this.#journal.counts.updateSequence = this.sequence
  }

  /** Settings that were loaded without an id get one of this GeoServer's making, which is in the file from the next save on. */
  giveId(): void {
    const settings = childOf(this.doc, 'settings')
    if (this.#isLoaded && settings !== undefined && childOf(settings, 'id') === undefined)
      settings.content.unshift(element('id', this.#ids.make('SettingsInfoImpl')))
  }

  get sequence(): number {
    return Number(childText(this.doc, 'updateSequence') ?? 0)
  }

  /** The settings of all workspaces; null when a PUT lost them. */
  get charset(): string | null {
    const settings = childOf(this.doc, 'settings')
    return (settings && childText(settings, 'charset')) ?? null
  }

  /** A change of the catalog: the counter goes up and the file is written. */
  async changed(): Promise<void> {
    this.count(1)
    await this.save()
  }

  count(by: number): void {
    setText(this.doc, 'updateSequence', String(this.sequence + by))
    this.#journal.counts.updateSequence = this.sequence
  }

  async save(): Promise<void> {
    this.#dropWhatIsNotUnderstood()
    this.#journal.counts.globalWrites++
    await this.#files.save(FILE, writeXml(this.doc))
  }

  /** A version without a plugin loses its settings and adds those of its own. */
  #dropWhatIsNotUnderstood(): void {
    const entries = at(this.doc, 'settings', 'metadata', 'map') ?? at(this.doc, 'metadata', 'map')
    if (entries !== undefined && !this.#plugins.includes('cog'))
      entries.content = elementsOf(entries).filter((entry) => !mentions(entry, 'CogSettings'))
    const jai = childOf(this.doc, 'jai')
    if (jai !== undefined && childOf(jai, 'jaiext') === undefined)
      jai.content.push(element('jaiext', element('jaiExtOperations')))
  }
}

function mentions(node: Xml, word: string): boolean {
  return [...descendants(node)].some(
    ({ name, content }) =>
      name.includes(word) || content.some((part) => typeof part === 'string' && part.includes(word))
  )
}
