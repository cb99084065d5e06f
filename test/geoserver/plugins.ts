/**
 * What a GeoServer of another version or without a plugin does, as 2.26.2 did: it takes everything, answers well to every
 * call, and draws nothing that needs the plugin. What it does not know it drops at its next save.
 */
import { dirname } from 'node:path'
import type { CatalogObject } from './catalog.js'
import type { GeoServer } from './geoserver.js'
import { isStore } from './kinds.js'
import { childOf, childText, element, elementsOf, setText, type Xml } from './xml.js'

const VERSION = '2.26.2'

/** The library of each plugin that a stand-in may lack, and what is read with it. */
const PLUGINS: Readonly<Record<string, { module: string; format: string }>> = {
  css: { module: 'gs-css', format: 'css' },
  mongodb: { module: 'gt-mongodb', format: 'MongoDB' },
  netcdf: { module: 'gt-netcdf', format: 'NetCDF' }
}
/** Some of the libraries of every GeoServer, with the version of GeoTools where that is theirs. */
const CORE = ['gs-main-V', 'gs-gwc-V', 'gs-wcs1_0-V', 'gt-main-32.2', 'gt-jdbc-postgis-32.2', 'gt-xsd-gml3-32.2']

/** What saves of another version differ in. */
export interface Dialect {
  /** Elements that this version does not know, wherever they stand. */
  readonly drops?: readonly string[]
  /** Fields with their text that it writes into every object which does not have them. */
  readonly adds?: Readonly<Record<string, string>>
}

export function versionOf({ options }: GeoServer): string {
  return options.version ?? VERSION
}

/** Names of the libraries that are there, with their versions. */
export function modulesOf(server: GeoServer): string[] {
  const there = Object.entries(PLUGINS).filter(([plugin]) => !lacks(server, plugin))
  const version = versionOf(server)
  return [...CORE.map((name) => name.replace('V', version)), ...there.map(([, { module }]) => `${module}-${version}`)]
}

/** Whether the plugin for this type of store or format of style is not there. */
export function lacksFor(server: GeoServer, format: string | undefined): boolean {
  return Object.entries(PLUGINS).some(([plugin, each]) => each.format === format && lacks(server, plugin))
}

const lacks = ({ options }: GeoServer, plugin: string): boolean => options.lacks?.includes(plugin) ?? false

/** At a start, and only then, a data store that cannot be opened is switched off, in memory. */
export function switchOffWhatCannotBeOpened(server: GeoServer): void {
  for (const { kind, name, doc } of server.catalog.all()) {
    if (kind !== 'datastore' || !lacksFor(server, childText(doc, 'type'))) continue
    server.journal.line('WARN', `Error connecting to '${name}'. Disabling.`)
    setText(doc, 'enabled', 'false')
  }
}

/** The store that a layer is in. */
export function storeOf(server: GeoServer, layer: CatalogObject): CatalogObject | undefined {
  const folder = dirname(dirname(layer.file))
  return server.catalog.all().find(({ kind, file }) => isStore(kind) && dirname(file) === folder)
}

/** A document as this version writes it: a copy. */
export function inDialect(doc: Xml, { drops = [], adds = {} }: Dialect): Xml {
  const copy = structuredClone(doc)
  drop(copy, drops)
  for (const [name, text] of Object.entries(adds))
    if (childOf(copy, name) === undefined) copy.content.push(element(name, text))
  return copy
}

function drop(node: Xml, names: readonly string[]): void {
  node.content = node.content.filter((part) => typeof part === 'string' || !names.includes(part.name))
  for (const child of elementsOf(node)) drop(child, names)
}
