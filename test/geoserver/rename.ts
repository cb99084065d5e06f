/** A rename is one rename on the disk: of a folder, with no event for the files in it. */
import type { CatalogObject } from './catalog.js'
import type { GeoServer } from './geoserver.js'
import { isResource, isStore } from './kinds.js'
import { setText } from './xml.js'

/** Renames the object and what lies below it in memory, and its folder or file on the disk. */
export async function renameObject(server: GeoServer, object: CatalogObject, name: string): Promise<void> {
  const { kind, file } = object
  const inFolder = kind === 'workspace' || kind === 'namespace' || isStore(kind) || isResource(kind)
  const from = inFolder ? file.slice(0, file.lastIndexOf('/')) : file
  const to = from.replace(/[^/]+$/, inFolder ? name : `${name}.xml`)
  await server.files.rename(from, to)
  const old = object.name
  for (const each of server.catalog.all())
    if (each.file === from || each.file.startsWith(`${from}/`))
      server.catalog.rename(each, () => (each.file = to + each.file.slice(from.length)))
  if (kind === 'workspace' || kind === 'namespace') await renameWorkspace(server, old, name)
  else server.catalog.rename(object, () => (object.name = name))
  if (isResource(kind)) await renameLayer(server, object, old)
}

/** namespace.xml is written first, then workspace.xml by the caller, and the tile layers get their new names. */
async function renameWorkspace(server: GeoServer, old: string, name: string): Promise<void> {
  for (const each of server.catalog.all()) {
    const own = (each.kind === 'workspace' || each.kind === 'namespace') && each.name === old
    if (own) server.catalog.rename(each, () => (each.name = name))
    else if (each.workspace === old) server.catalog.rename(each, () => (each.workspace = name))
  }
  const pair = [server.catalog.find('namespace', null, name), server.catalog.find('workspace', null, name)]
  for (const one of pair.filter((each) => each !== undefined)) {
    setText(one.doc, one.kind === 'namespace' ? 'prefix' : 'name', name)
    await server.files.save(one.file, server.textOnDisk(one))
  }
  await server.global.changed()
  if (server.catalog.defaultWorkspace === old) server.catalog.defaultWorkspace = name
  const shown = [...server.catalog.list('layer', name), ...server.catalog.list('layergroup', name)]
  for (const each of shown) await server.tiles.rewrite(each)
}

async function renameLayer(server: GeoServer, resource: CatalogObject, old: string): Promise<void> {
  const layer = server.catalog.find('layer', resource.workspace, old)
  if (layer === undefined) return
  server.catalog.rename(layer, () => (layer.name = resource.name))
  setText(layer.doc, 'name', resource.name)
  await server.files.save(layer.file, server.textOnDisk(layer))
  await server.tiles.rewrite(layer)
}
