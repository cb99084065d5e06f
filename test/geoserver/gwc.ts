/** GeoWebCache's own REST. It does not wait for the configuration. */
import type { Context, Hono } from 'hono'
import type { CatalogObject } from './catalog.js'
import { bodyOf } from './documents.js'
import { defaultStyleOf } from './edit.js'
import type { GeoServer } from './geoserver.js'
import { text, xml } from './rest/answers.js'
import { RestError } from './rest-error.js'
import { at, childText, element, removeChild, writeXml, type Xml } from './xml.js'

export function addTileLayers(app: Hono, server: GeoServer): void {
  for (const path of ['/gwc/rest/layers', '/gwc/rest/layers.xml'])
    app.get(path, (c) => {
      const named = server.tiles.names.map((name) => element('layer', element('name', name)))
      return xml(c, writeXml(element('layers', ...named)))
    })
  const one = '/gwc/rest/layers/:name'
  app.get(one, (c) => {
    const doc = server.tiles.find(nameIn(c))
    if (doc === undefined) throw new RestError(404, `Unknown layer: ${nameIn(c)}`)
    return xml(c, writeXml(shown(doc)))
  })
  for (const method of ['PUT', 'POST']) app.on(method, one, (c) => put(server, c))
  app.delete(one, async (c) => {
    await server.tiles.remove(publishedIn(server, c).id)
    return text(c, '')
  })
  app.post('/gwc/rest/reload', (c) => reload(server, c))
  app.post('/gwc/rest/masstruncate', async (c) => {
    const body = bodyOf(await c.req.text(), 'truncateLayer')
    server.tiles.truncate(childText(body, 'layerName') ?? '')
    return text(c, '')
  })
}

/** What a tile layer is called over REST; in its file it is a `GeoServerTileLayer`, which REST does not know. */
const ROOT = 'GeoServerLayer'

/** What it fills in by itself it does not show. */
function shown(doc: Xml): Xml {
  const copy = structuredClone(doc)
  const filter = at(copy, 'parameterFilters', 'styleParameterFilter')
  if (filter !== undefined) for (const name of ['availableStyles', 'defaultStyle']) removeChild(filter, name)
  return { ...copy, name: ROOT }
}

/** Writes the file of the tile layer of a layer or group that is there. */
async function put(server: GeoServer, c: Context): Promise<Response> {
  const sent = await c.req.text()
  const [, root = ''] = /^\s*(?:<\?.*?\?>\s*)?<(\w+)/s.exec(sent) ?? []
  if (root !== ROOT) throw new RestError(500, root)
  const doc = bodyOf(sent, ROOT)
  if (childText(doc, 'name') !== nameIn(c))
    throw new RestError(400, 'There is a mismatch between the name of the  layer in the submission and the URL.')
  const object = published(server, nameIn(c))
  if (object === undefined || object.id !== (childText(doc, 'id') ?? object.id))
    throw new RestError(400, `No GeoServer Layer or LayerGroup exists with id '${childText(doc, 'id') ?? ''}'`)
  await server.tiles.save(object, { ...doc, name: 'GeoServerTileLayer' }, defaultStyleOf(server, object))
  return text(c, 'layer saved')
}

/** Answers a page for people. */
async function reload(server: GeoServer, c: Context): Promise<Response> {
  if (!(await c.req.text()).includes('reload_configuration=1'))
    throw new RestError(400, 'reload_configuration is missing')
  server.journal.counts.tileReloads++
  await server.tiles.load()
  return c.html('<html><body>Configuration reloaded. Read tile layers from the configuration.</body></html>')
}

function publishedIn(server: GeoServer, c: Context): CatalogObject {
  const found = published(server, nameIn(c))
  if (found === undefined) throw new RestError(404, `Unknown layer: ${nameIn(c)}`)
  return found
}

function published(server: GeoServer, name: string): CatalogObject | undefined {
  return server.catalog.findQualified('layer', name) ?? server.catalog.findQualified('layergroup', name)
}

const nameIn = (c: Context): string => (c.req.param('name') ?? '').replace(/\.xml$/, '')
