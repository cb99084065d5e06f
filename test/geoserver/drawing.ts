/** What a GeoServer would draw a layer with, or how it fails to: the content it believes in, not what lies on the disk. */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { dirname, normalize } from 'node:path'
import { qualified, type CatalogObject } from './catalog.js'
import type { GeoServer } from './geoserver.js'
import { referencesOf } from './kinds.js'
import { lacksFor, storeOf } from './plugins.js'
import { BrokenXml, childOf, childText, elementsOf, at, parseXml } from './xml.js'

export interface Drawn {
  readonly layer: string
  readonly style: string
  /** SHA-256 of the style's body as it is believed to be, hexadecimal. */
  readonly body: string
  /** SHA-256 of each graphic the body names; null for one that is not there. */
  readonly graphics: Readonly<Record<string, string | null>>
  /** SHA-256 of each template that would be used, by its name. */
  readonly templates: Readonly<Record<string, string>>
}

/** A map that cannot be drawn: 500 for an exception, 200 for a report of one, as the protocol has it. */
export class MapFailure extends Error {
  readonly status: 200 | 500
  readonly code: string

  constructor(status: 200 | 500, code: string, message: string) {
    super(message)
    this.status = status
    this.code = code
  }
}

const TEMPLATES = ['title', 'description', 'header', 'content', 'footer', 'time', 'height']

/** Draws a layer or a group. Throws `MapFailure`. */
export async function draw(server: GeoServer, name: string, styleName = ''): Promise<Drawn[]> {
  if (server.reloading) throw new MapFailure(500, 'NoApplicableCode', 'java.lang.NullPointerException')
  const group = server.catalog.findQualified('layergroup', name)
  const layer = server.catalog.findQualified('layer', name)
  if (layer !== undefined) return [await drawLayer(server, layer, styleOf(server, layer, styleName))]
  if (group !== undefined) return drawGroup(server, group)
  throw new MapFailure(200, 'LayerNotDefined', `Could not find layer ${name}`)
}

function styleOf(server: GeoServer, layer: CatalogObject, name: string): CatalogObject | undefined {
  if (name !== '') return findStyle(server, layer.workspace, name)
  const reference = referencesOf('layer', layer.doc).find(({ node }) => node.name === 'defaultStyle')
  return reference && server.catalog.resolve(reference)
}

function findStyle(server: GeoServer, workspace: string | null, name: string): CatalogObject | undefined {
  const cut = name.indexOf(':')
  if (cut > 0) return server.catalog.find('style', name.slice(0, cut), name.slice(cut + 1))
  return server.catalog.find('style', workspace, name) ?? server.catalog.find('style', null, name)
}

/** Each member with the style at its place in the list; a hole means its own default. */
async function drawGroup(server: GeoServer, group: CatalogObject): Promise<Drawn[]> {
  const members = elementsOf(at(group.doc, 'publishables') ?? childOf(group.doc, 'layers') ?? group.doc)
  const styles = elementsOf(at(group.doc, 'styles') ?? group.doc)
  const drawn: Drawn[] = []
  for (const [place, node] of members.entries()) {
    const member = server.catalog.resolve({ node, to: ['layer', 'layergroup'] })
    if (member === undefined) throw new MapFailure(500, 'NoApplicableCode', 'java.lang.NullPointerException')
    const style = styles[place]
    const given = style && childOf(style, 'id') ? server.catalog.resolve({ node: style, to: ['style'] }) : undefined
    if (member.kind === 'layergroup') drawn.push(...(await drawGroup(server, member)))
    else drawn.push(await drawLayer(server, member, given ?? styleOf(server, member, '')))
  }
  return drawn
}

async function drawLayer(server: GeoServer, layer: CatalogObject, style: CatalogObject | undefined): Promise<Drawn> {
  const name = qualified(layer)
  if (style === undefined) throw new MapFailure(200, 'StyleNotDefined', `No style of layer ${name} is there`)
  mustHavePlugins(server, layer, style)
  const folder = dirname(style.file)
  const file = `${folder}/${childText(style.doc, 'filename') ?? ''}`
  const body = await server.noticed.read(file)
  if (body === undefined) throw new MapFailure(500, 'NoApplicableCode', `No such resource: ${file}`)
  if (file.endsWith('.sld')) mustParse(file, body)
  const graphics: Record<string, string | null> = {}
  for (const graphic of graphicsOf(body.toString())) {
    const found = await server.noticed.read(normalize(`${folder}/${graphic}`))
    graphics[graphic] = found === undefined ? null : hash(found)
  }
  const templates = await templatesOf(server, dirname(layer.file))
  return { layer: name, style: qualified(style), body: hash(body), graphics, templates }
}

/** Measured in these words. */
function mustHavePlugins(server: GeoServer, layer: CatalogObject, style: CatalogObject): void {
  const store = storeOf(server, layer)
  if (store !== undefined && childText(store.doc, 'enabled') === 'false')
    throw new MapFailure(200, 'LayerNotDefined', `Could not find layer ${qualified(layer)}`)
  const type = store && childText(store.doc, 'type')
  const isRaster = store?.kind === 'coveragestore'
  if (lacksFor(server, type))
    throw new MapFailure(
      200,
      'NoApplicableCode',
      isRaster
        ? `Could not find the raster plugin for format ${type}`
        : `Failed to find the datastore factory for ${store!.name}, did you forget to install the store extension jar?`
    )
  const format = childText(style.doc, 'format')
  if (lacksFor(server, format))
    throw new MapFailure(200, 'NoApplicableCode', `No such style handler: format = ${format}`)
}

function mustParse(file: string, body: Buffer): void {
  try {
    parseXml(body.toString())
  } catch (error) {
    if (error instanceof BrokenXml) throw new MapFailure(500, 'NoApplicableCode', `${file}: ${error.message}`)
    throw error
  }
}

/** Graphics that a style's body names by a path; those of the web and fonts are no files of it. */
function graphicsOf(body: string): string[] {
  const named = [...body.matchAll(/xlink:href="([^"]+)"|url\(["']?([^"')]+)["']?\)/g)]
  const paths = named.map(([, attribute, function_]) => (attribute ?? function_!).replace(/[?#].*$/, ''))
  return [...new Set(paths.filter((path) => !/^[a-z]+:/i.test(path)))]
}

/** Templates are read anew for each request: the nearest one on the way up counts. */
async function templatesOf(server: GeoServer, folder: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {}
  const way: string[] = ['templates']
  for (let above = folder; above !== '.'; above = dirname(above)) way.splice(-1, 0, above)
  for (const name of TEMPLATES)
    for (const place of way) {
      const content = await readFile(server.files.at(`${place}/${name}.ftl`)).catch(() => undefined)
      if (content === undefined) continue
      found[name] = hash(content)
      break
    }
  return found
}

const hash = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
