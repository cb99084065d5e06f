/** Maps: not pictures, but with what a picture would have been drawn. */
import type { Context, Hono } from 'hono'
import { qualified } from './catalog.js'
import { draw, MapFailure } from './drawing.js'
import type { GeoServer } from './geoserver.js'
import { element, writeXml } from './xml.js'

export function addMaps(app: Hono, server: GeoServer): void {
  for (const path of ['/wms', '/ows', '/:workspace/wms', '/:workspace/ows']) app.get(path, (c) => answer(server, c))
  app.get('/gwc/service/wms', (c) => tile(server, c))
}

async function answer(server: GeoServer, c: Context): Promise<Response> {
  const query = parameters(c)
  const request = (query['request'] ?? '').toLowerCase()
  try {
    if (request === 'getmap') return await map(server, c, query)
    if (server.reloading) throw new MapFailure(500, 'NoApplicableCode', 'java.lang.NullPointerException')
    if (server.global.charset === null) throw new MapFailure(500, 'NoApplicableCode', 'Null charset name')
    if (request === 'getfeatureinfo') return c.json(await drawAll(server, c, query))
    return xml(
      c,
      200,
      writeXml(element('WMS_Capabilities', ...layerNames(server).map((name) => element('Name', name))))
    )
  } catch (error) {
    return failure(c, error)
  }
}

async function map(server: GeoServer, c: Context, query: Record<string, string>): Promise<Response> {
  server.journal.counts.maps++
  try {
    return c.json(await drawAll(server, c, query))
  } catch (error) {
    server.journal.counts.failedMaps++
    throw error
  }
}

async function drawAll(server: GeoServer, c: Context, query: Record<string, string>): Promise<{ drawn: unknown[] }> {
  const workspace = c.req.param('workspace')
  const styles = (query['styles'] ?? '').split(',')
  const drawn: unknown[] = []
  for (const [place, name] of (query['layers'] ?? '').split(',').entries()) {
    const full = workspace === undefined || name.includes(':') ? name : `${workspace}:${name}`
    drawn.push(...(await draw(server, full, styles[place])))
  }
  return { drawn }
}

/** From the tile cache: what was drawn when the tile was made. */
async function tile(server: GeoServer, c: Context): Promise<Response> {
  const name = parameters(c)['layers'] ?? ''
  if (server.tiles.find(name) === undefined) return c.text(`Layer ${name} is not known`, 400)
  try {
    const made = await server.tiles.tile(name, async () => JSON.stringify({ drawn: await draw(server, name) }))
    return c.body(made, 200, { 'content-type': 'application/json' })
  } catch (error) {
    return failure(c, error)
  }
}

/** Names of parameters count in any case. */
function parameters(c: Context): Record<string, string> {
  return Object.fromEntries(Object.entries(c.req.query()).map(([name, value]) => [name.toLowerCase(), value]))
}

function layerNames(server: GeoServer): string[] {
  return [...server.catalog.list('layer'), ...server.catalog.list('layergroup')].map(qualified).toSorted()
}

function failure(c: Context, error: unknown): Response {
  if (!(error instanceof MapFailure)) throw error
  const exception = element('ServiceException', error.message)
  exception.attributes['code'] = error.code
  return xml(c, error.status, writeXml(element('ServiceExceptionReport', exception)))
}

function xml(c: Context, status: 200 | 500, body: string): Response {
  return c.body(body, status, { 'content-type': 'text/xml' })
}
