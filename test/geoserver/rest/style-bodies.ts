/** The bodies of styles over REST: with `?raw=true` as sent, otherwise encoded anew. */
import { dirname } from 'node:path'
import type { Context, Hono } from 'hono'
import type { CatalogObject } from '../catalog.js'
import { create } from '../edit.js'
import type { GeoServer } from '../geoserver.js'
import { lacksFor } from '../plugins.js'
import { RestError } from '../rest-error.js'
import { BrokenXml, childText, element, parseXml, writeXml } from '../xml.js'
import { nameIn, text } from './answers.js'

const BODY_TYPE = /^application\/vnd\.ogc\.(sld|se)\+xml|^application\/vnd\.geoserver\.geocss\+css/
const DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>'

/** Before the handlers of objects: they take what is not a body. */
export function addStyleBodies(app: Hono, server: GeoServer): void {
  for (const path of ['/rest/styles', '/rest/workspaces/:w/styles']) {
    app.post(path, async (c, next) => (isBody(c) ? post(server, c) : next()))
    app.put(`${path}/:name`, async (c, next) => (isBody(c) ? put(server, c) : next()))
    app.get(`${path}/:name`, async (c, next) => (wantsBody(c) ? get(server, c) : next()))
  }
}

const isBody = (c: Context): boolean => BODY_TYPE.test(c.req.header('content-type') ?? '')
const wantsBody = (c: Context): boolean =>
  /\.(sld|css)$/.test(c.req.param('name') ?? '') || BODY_TYPE.test(c.req.header('accept') ?? '')

async function put(server: GeoServer, c: Context): Promise<Response> {
  const style = find(server, c)
  const file = bodyFile(style)
  const content = encoded(await c.req.text(), c.req.query('raw') === 'true', file)
  await server.files.save(file, content)
  server.noticed.forget(file)
  await server.global.changed()
  return text(c, '')
}

/** Makes the style and its body at once. */
async function post(server: GeoServer, c: Context): Promise<Response> {
  const name = c.req.query('name') ?? ''
  const workspace = c.req.param('w') ?? null
  const filename = `${name}.${(c.req.header('content-type') ?? '').includes('css') ? 'css' : 'sld'}`
  const content = encoded(await c.req.text(), c.req.query('raw') === 'true', filename)
  const doc = element('style', element('name', name), element('filename', filename))
  const style = await create(server, { kind: 'style', workspace }, doc)
  await server.files.save(bodyFile(style), content)
  return text(c, name, 201)
}

async function get(server: GeoServer, c: Context): Promise<Response> {
  const style = find(server, c)
  const format = childText(style.doc, 'format')
  if (lacksFor(server, format)) throw new RestError(500, `No such style handler: format = ${format}`)
  const content = await server.noticed.read(bodyFile(style))
  if (content === undefined) throw new RestError(404, 'the style has no body')
  return c.body(new Uint8Array(content), 200, { 'content-type': 'application/vnd.ogc.sld+xml' })
}

function encoded(sent: string, raw: boolean, file: string): string {
  if (sent.trim() === '') throw new RestError(400, 'the body of the style is empty')
  if (raw || !file.endsWith('.sld')) return sent
  try {
    return DECLARATION + writeXml(parseXml(sent))
  } catch (error) {
    if (error instanceof BrokenXml) throw new RestError(400, `Invalid style: ${error.message}`)
    throw error
  }
}

function find(server: GeoServer, c: Context): CatalogObject {
  const name = nameIn(c, 'name').replace(/\.(sld|css)$/, '')
  const found = server.catalog.find('style', c.req.param('w') ?? null, name)
  if (found === undefined) throw new RestError(404, `No such style: ${name}`)
  return found
}

const bodyFile = (style: CatalogObject): string => `${dirname(style.file)}/${childText(style.doc, 'filename') ?? ''}`
