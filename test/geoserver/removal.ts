/** What DELETE does, in the order in which GeoServer was seen to do it. */
import { readdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { CatalogObject } from './catalog.js'
import { layerOf, resourcesOf } from './edit.js'
import type { GeoServer } from './geoserver.js'
import { isResource, isStore, KINDS, STORE_KINDS } from './kinds.js'
import { RestError } from './rest-error.js'
import { childText } from './xml.js'

export interface RemovalOptions {
  readonly recurse: boolean
  /** Of a style: its body goes too, or rather becomes a `.bak`. */
  readonly purge: boolean
}

export async function remove(server: GeoServer, object: CatalogObject, options: RemovalOptions): Promise<void> {
  const { kind } = object
  if (kind === 'workspace' || kind === 'namespace') return removeWorkspace(server, object, options)
  if (isStore(kind)) return removeStore(server, object, options)
  if (isResource(kind)) return removeResource(server, object, options)
  if (kind === 'layer' && options.recurse) return removeResource(server, resourceOf(server, object), options)
  if (kind === 'style' && options.purge) await purge(server, object)
  await forget(server, object)
  if (kind === 'layer' || kind === 'layergroup') await server.tiles.remove(object.id)
}

async function removeWorkspace(server: GeoServer, object: CatalogObject, options: RemovalOptions): Promise<void> {
  const { name } = object
  const inside = server.catalog.all().filter(({ workspace }) => workspace === name)
  if (inside.length > 0) needsRecurse(object, options)
  const stores = STORE_KINDS.flatMap((kind) => server.catalog.list(kind, name))
  for (const store of stores) await removeStore(server, store, options)
  for (const rest of inside.filter(({ kind }) => kind === 'style' || kind === 'layergroup'))
    await remove(server, rest, options)
  await forget(server, server.catalog.find('workspace', null, name)!)
  await forget(server, server.catalog.find('namespace', null, name)!)
  await server.files.remove(dirname(object.file))
  if (server.catalog.defaultWorkspace === name)
    server.catalog.defaultWorkspace = server.catalog.list('workspace')[0]?.name ?? null
}

async function removeStore(server: GeoServer, store: CatalogObject, options: RemovalOptions): Promise<void> {
  const resources = resourcesOf(server, store)
  if (resources.length > 0) needsRecurse(store, options)
  for (const resource of resources) await removeResource(server, resource, options)
  await forget(server, store)
  await server.files.remove(dirname(store.file))
}

/** layer.xml, templates, featuretype.xml, the folder, the tile layer. */
async function removeResource(server: GeoServer, resource: CatalogObject, options: RemovalOptions): Promise<void> {
  const layer = layerOf(server, resource)
  if (layer !== undefined) {
    needsRecurse(resource, options)
    await forget(server, layer)
  }
  const folder = dirname(resource.file)
  const names = await readdir(server.files.at(folder)).catch(() => [])
  for (const name of names.filter((each) => each.endsWith('.ftl'))) await server.files.remove(`${folder}/${name}`)
  await forget(server, resource)
  await server.files.remove(folder)
  if (layer === undefined) return
  await server.tiles.remove(layer.id)
  await server.global.changed()
}

/** The body of the style stays behind as a copy that nobody asked for. */
async function purge(server: GeoServer, style: CatalogObject): Promise<void> {
  const body = `${dirname(style.file)}/${childText(style.doc, 'filename') ?? ''}`
  await server.files.rename(body, `${body}.bak`).catch(() => {
    server.journal.line('WARN', `there is no ${body} to purge`)
  })
  server.noticed.forget(body)
}

async function forget(server: GeoServer, object: CatalogObject): Promise<void> {
  server.catalog.remove(object)
  await server.files.remove(object.file)
  await server.global.changed()
}

function resourceOf(server: GeoServer, layer: CatalogObject): CatalogObject {
  const folder = dirname(layer.file)
  const found = server.catalog.all().find(({ kind, file }) => isResource(kind) && dirname(file) === folder)
  if (found === undefined) throw new RestError(404, `No resource of layer ${layer.name}`)
  return found
}

function needsRecurse(object: CatalogObject, { recurse }: RemovalOptions): void {
  if (!recurse) throw new RestError(403, `${KINDS[object.kind].word} not empty: use recurse=true`)
}
