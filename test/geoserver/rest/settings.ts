/** Settings over REST: a nested element that is sent in part replaces the whole one. */
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import type { Context, Hono } from 'hono'
import { bodyOf, merged } from '../documents.js'
import type { GeoServer } from '../geoserver.js'
import { RestError } from '../rest-error.js'
import { childOf, element, parseXml, removeChild, setText, writeXml, type Xml } from '../xml.js'
import { nameIn, text, xml } from './answers.js'

export function addSettings(app: Hono, server: GeoServer): void {
  on(app, 'GET', '/rest/settings', (c) => xml(c, writeXml(server.global.doc)))
  on(app, 'PUT', '/rest/settings', (c) => putGlobal(server, c))
  const w = '/rest/workspaces/:w/settings'
  addFile(app, server, w, 'settings', (c) => `workspaces/${workspaceIn(server, c)}/settings.xml`)
  on(app, 'POST', w, (c) => put(server, c, `workspaces/${workspaceIn(server, c)}/settings.xml`, 'settings'))
  for (const service of ['wms', 'wfs', 'wcs', 'wmts']) {
    const local = `/rest/services/${service}/workspaces/:w/settings`
    on(app, 'GET', `/rest/services/${service}/settings`, (c) => get(server, c, `${service}.xml`))
    on(app, 'PUT', `/rest/services/${service}/settings`, (c) => put(server, c, `${service}.xml`, service))
    addFile(app, server, local, service, (c) => `workspaces/${workspaceIn(server, c)}/${service}.xml`)
  }
}

function addFile(app: Hono, server: GeoServer, at: string, root: string, fileOf: (c: Context) => string): void {
  on(app, 'GET', at, (c) => get(server, c, fileOf(c)))
  on(app, 'PUT', at, (c) => put(server, c, fileOf(c), root))
  on(app, 'DELETE', at, (c) => remove(server, c, fileOf(c)))
}

/** An address may name its format. */
function on(app: Hono, method: string, at: string, answer: (c: Context) => Response | Promise<Response>): void {
  app.on(method, [at, `${at}.xml`], answer)
}

/** The counter is the node's own, whatever is sent. */
async function putGlobal(server: GeoServer, c: Context): Promise<Response> {
  const sent = bodyOf(await c.req.text(), 'global')
  removeChild(sent, 'updateSequence')
  server.global.doc = merged(server.global.doc, sent)
  countNothing(server.global.doc)
  addWhatIsAsked(server.global.doc)
  await server.global.changed()
  return text(c, '')
}

async function get(server: GeoServer, c: Context, file: string): Promise<Response> {
  if (!existsSync(server.files.at(file))) throw new RestError(404, `there is no ${file}`)
  return xml(c, await readFile(server.files.at(file), 'utf8'))
}

async function put(server: GeoServer, c: Context, file: string, root: string): Promise<Response> {
  const sent = bodyOf(await c.req.text(), root)
  const known = existsSync(server.files.at(file))
    ? parseXml(await readFile(server.files.at(file), 'utf8'))
    : element(root)
  const doc = merged(known, sent)
  // measured: whatever id it is told, and whatever lies there, it writes the one that it has
  if (root !== 'settings') setText(doc, 'id', server.serviceId(file))
  await server.files.save(file, writeXml(doc))
  await server.global.changed()
  return text(c, '')
}

async function remove(server: GeoServer, c: Context, file: string): Promise<Response> {
  await server.files.remove(file)
  await server.global.changed()
  return text(c, '')
}

function workspaceIn(server: GeoServer, c: Context): string {
  const name = nameIn(c, 'w')
  if (server.catalog.find('workspace', null, name) === undefined)
    throw new RestError(404, `No such workspace: '${name}' found`)
  return name
}

/** Counts that a nested element comes without. */
const COUNTS: Readonly<Record<string, readonly string[]>> = {
  jai: ['tilePriority', 'tileThreads'],
  coverageAccess: ['maxPoolSize', 'corePoolSize', 'keepAliveTime']
}

/** What a nested element is sent without is nothing from then on, and not what GeoServer begins with: measured. */
function countNothing(doc: Xml): void {
  for (const [name, counts] of Object.entries(COUNTS)) {
    const parent = childOf(doc, name)
    for (const count of parent === undefined ? [] : counts)
      if (childOf(parent!, count) === undefined) setText(parent!, count, '0')
  }
}

/** Fields that it asks for its own default while it has none, and then has it: measured, and read in its code. */
const ASKED: Readonly<Record<string, string>> = { resourceErrorHandling: 'SKIP_MISCONFIGURED_LAYERS' }

function addWhatIsAsked(doc: Xml): void {
  for (const [name, value] of Object.entries(ASKED)) if (childOf(doc, name) === undefined) setText(doc, name, value)
}
