/** The objects of the catalog over REST: one set of handlers for every kind, found by its address. */
import type { Context, Hono } from 'hono'
import { qualified, type CatalogObject } from '../catalog.js'
import { bodyOf, presented } from '../documents.js'
import { create, resourcesOf, setDefaultWorkspace, update, type Place } from '../edit.js'
import type { GeoServer } from '../geoserver.js'
import { KINDS, RESOURCE_OF, STORE_KINDS, type Kind, type StoreKind } from '../kinds.js'
import { remove } from '../removal.js'
import { RestError } from '../rest-error.js'
import { childText, element, writeXml, type Xml } from '../xml.js'
import { nameIn, text, xml } from './answers.js'

/** Objects below an address, and those there are. */
interface Collection {
  readonly place: Place
  readonly objects: readonly CatalogObject[]
}

export function addObjects(app: Hono, server: GeoServer): void {
  const w = '/rest/workspaces/:w'
  app.put('/rest/workspaces/default', (c) => putDefault(server, c))
  collection(app, server, '/rest/workspaces', () => global(server, 'workspace'))
  collection(app, server, '/rest/namespaces', () => global(server, 'namespace'))
  for (const kind of STORE_KINDS) {
    collection(app, server, `${w}/${kind}s`, (c) => inWorkspace(server, c, kind))
    const resources = `${RESOURCE_OF[kind]}s`
    collection(app, server, `${w}/${kind}s/:s/${resources}`, (c) => inStore(server, c, kind))
    collection(app, server, `${w}/${resources}`, (c) => inWorkspace(server, c, RESOURCE_OF[kind]), { post: false })
  }
  collection(app, server, '/rest/layers', () => all(server, 'layer'), { post: false })
  collection(app, server, `${w}/layers`, (c) => inWorkspace(server, c, 'layer'), { post: false })
  for (const kind of ['style', 'layergroup'] as const) {
    collection(app, server, `/rest/${kind}s`, () => global(server, kind))
    collection(app, server, `${w}/${kind}s`, (c) => inWorkspace(server, c, kind))
  }
}

function collection(
  app: Hono,
  server: GeoServer,
  path: string,
  find: (c: Context) => Collection,
  { post = true } = {}
): void {
  const one = (c: Context): CatalogObject => {
    const { place, objects } = find(c)
    const name = nameIn(c, 'name')
    const found = objects.find((object) => object.name === name || qualified(object) === name)
    if (found === undefined) throw new RestError(404, `No such ${KINDS[place.kind].word}: '${name}' found`)
    return found
  }
  app.get(path, (c) => xml(c, list(find(c))))
  app.post(path, async (c) => {
    if (!post) throw new RestError(405, "Request method 'POST' is not supported")
    const { place } = find(c)
    const body = bodyOf(await c.req.text(), KINDS[place.kind].root)
    if (server.options.isDeaf?.() === true) return text(c, '', 201)
    return text(c, (await create(server, place, body)).name, 201)
  })
  app.get(`${path}/:name`, (c) => xml(c, writeXml(presented(visible(server, one(c)), server.catalog))))
  app.put(`${path}/:name`, async (c) => {
    const object = one(c)
    await update(server, object, bodyOf(await c.req.text(), KINDS[object.kind].root))
    return text(c, '')
  })
  app.delete(`${path}/:name`, async (c) => {
    const { recurse, purge } = c.req.query()
    await remove(server, one(c), { recurse: recurse === 'true', purge: purge === 'true' })
    return text(c, '')
  })
}

/** Passwords are answered encrypted. */
function visible(server: GeoServer, object: CatalogObject): CatalogObject {
  if (!(STORE_KINDS as readonly Kind[]).includes(object.kind)) return object
  return { ...object, doc: server.withPasswords(object.doc, (plain) => server.keystore.encrypt(plain)) }
}

async function putDefault(server: GeoServer, c: Context): Promise<Response> {
  const body: Xml = bodyOf(await c.req.text(), 'workspace')
  await setDefaultWorkspace(server, childText(body, 'name') ?? '')
  await server.global.changed()
  return text(c, '')
}

function global(server: GeoServer, kind: Kind): Collection {
  return { place: { kind, workspace: null }, objects: server.catalog.list(kind, null) }
}

function all(server: GeoServer, kind: Kind): Collection {
  return { place: { kind, workspace: null }, objects: server.catalog.list(kind) }
}

function inWorkspace(server: GeoServer, c: Context, kind: Kind): Collection {
  const workspace = nameIn(c, 'w')
  if (server.catalog.find('workspace', null, workspace) === undefined)
    throw new RestError(404, `No such workspace: '${workspace}' found`)
  return { place: { kind, workspace }, objects: server.catalog.list(kind, workspace) }
}

function inStore(server: GeoServer, c: Context, kind: StoreKind): Collection {
  const { objects, place } = inWorkspace(server, c, kind)
  const name = nameIn(c, 's')
  const store = objects.find((each) => each.name === name)
  if (store === undefined) throw new RestError(404, `No such ${KINDS[kind].word}: '${place.workspace}:${name}' found`)
  return { place: { ...place, kind: RESOURCE_OF[kind], store }, objects: resourcesOf(server, store) }
}

function list({ place, objects }: Collection): string {
  const { list: root, root: each } = KINDS[place.kind]
  const named = (object: CatalogObject): string => (place.workspace === null ? qualified(object) : object.name)
  return writeXml(element(root, ...objects.map((object) => element(each, element('name', named(object))))))
}
