/** What POST and PUT do: to memory first, then memory over what lies on the disk. */
import type { CatalogObject } from './catalog.js'
import { has, merged, resolveReferences } from './documents.js'
import type { GeoServer } from './geoserver.js'
import { dateOf } from './ids.js'
import {
  isResource,
  isStore,
  KINDS,
  nameElement,
  referencesOf,
  RESOURCE_OF,
  type Kind,
  type StoreKind
} from './kinds.js'
import { renameObject } from './rename.js'
import { RestError } from './rest-error.js'
import { childText, element, removeChild, setText, type Xml } from './xml.js'

/** What GeoServer answers when the name is taken. */
const TAKEN_STATUS: Partial<Record<Kind, RestError['status']>> = { workspace: 409, namespace: 409, style: 403 }

export interface Place {
  readonly kind: Kind
  readonly workspace: string | null
  /** The store of a resource. */
  readonly store?: CatalogObject
}

export async function create(server: GeoServer, place: Place, body: Xml): Promise<CatalogObject> {
  const { kind, workspace } = place
  const name = childText(body, nameElement(kind)) ?? ''
  if (name === '') throw new RestError(400, `a ${KINDS[kind].word} needs a name`)
  if (server.catalog.find(kind, workspace, name) !== undefined)
    throw new RestError(TAKEN_STATUS[kind] ?? 500, `${KINDS[kind].word} '${name}' already exists`)
  if (kind === 'workspace' || kind === 'namespace') return createWorkspace(server, kind, name, body)
  const doc = decrypted(server, kind, body)
  refer(server, place, doc)
  resolveReferences(kind, doc, server.catalog, workspace)
  const object = await add(server, place, name, doc)
  if (isResource(kind)) await createLayer(server, object)
  if (kind === 'layergroup') await server.tiles.create(object)
  return object
}

/** Whichever of the two is posted, the other is made with it and gets an id of its own. */
async function createWorkspace(server: GeoServer, kind: Kind, name: string, body: Xml): Promise<CatalogObject> {
  const other = kind === 'workspace' ? 'namespace' : 'workspace'
  const uri = element('uri', `http://${name}`)
  const partner =
    other === 'workspace' ? element(other, element('name', name)) : element(other, element('prefix', name), uri)
  const object = await add(server, { kind, workspace: null }, name, body)
  await add(server, { kind: other, workspace: null }, name, partner)
  if (server.catalog.defaultWorkspace === null) await setDefaultWorkspace(server, name)
  return object
}

/** The file of the default workspace is a full copy of its workspace.xml. */
export async function setDefaultWorkspace(server: GeoServer, name: string): Promise<void> {
  const workspace = server.catalog.find('workspace', null, name)
  if (workspace === undefined) throw new RestError(404, `No such workspace: '${name}' found`)
  server.catalog.defaultWorkspace = name
  await server.files.save('workspaces/default.xml', server.textOnDisk(workspace))
}

/** A layer of its own id; the tile layer follows. */
async function createLayer(server: GeoServer, resource: CatalogObject): Promise<void> {
  const { workspace, name, kind } = resource
  const doc = element('layer', element('name', name))
  doc.content.push(element('type', kind === 'coverage' ? 'RASTER' : 'VECTOR'))
  const style = server.catalog.list('style', null)[0]
  if (style !== undefined) doc.content.push(element('defaultStyle', element('id', style.id)))
  const reference = element('resource', element('id', resource.id))
  reference.attributes['class'] = KINDS[kind].root
  doc.content.push(reference)
  const layer = await add(server, { kind: 'layer', workspace }, name, doc, resource.file)
  await server.tiles.create(layer)
  await server.global.changed()
}

async function add(
  server: GeoServer,
  { kind, workspace, store }: Place,
  name: string,
  doc: Xml,
  beside?: string
): Promise<CatalogObject> {
  const id = childText(doc, 'id') ?? server.ids.make(KINDS[kind].idPrefix)
  removeChild(doc, 'id')
  doc.content.unshift(element('id', id))
  if (!has(doc, 'dateCreated')) setText(doc, 'dateCreated', dateOf(server.clock.now()))
  const file = beside === undefined ? fileOf(kind, workspace, name, store) : beside.replace(/[^/]+$/, `${kind}.xml`)
  const object = { kind, id, name, workspace, file, doc }
  server.catalog.add(object)
  await save(server, object)
  return object
}

/** Where a new object goes: the folder has its name. */
function fileOf(kind: Kind, workspace: string | null, name: string, store?: CatalogObject): string {
  const above = workspace === null ? '' : `workspaces/${workspace}/`
  if (kind === 'workspace' || kind === 'namespace') return `workspaces/${name}/${kind}.xml`
  if (kind === 'style') return `${above}styles/${name}.xml`
  if (kind === 'layergroup') return `${above}layergroups/${name}.xml`
  if (store !== undefined) return `${store.file.replace(/[^/]+$/, name)}/${kind}.xml`
  return `${above}${name}/${kind}.xml`
}

/** What the address says counts, whatever the body says. */
function refer(server: GeoServer, { kind, workspace, store }: Place, doc: Xml): void {
  const owner = workspace === null ? undefined : server.catalog.find('workspace', null, workspace)
  if ((isStore(kind) || kind === 'style' || kind === 'layergroup') && owner !== undefined)
    replace(doc, element('workspace', element('id', owner.id)))
  if (store === undefined) return
  const namespace = server.catalog.find('namespace', null, workspace!)!
  replace(doc, element('namespace', element('id', namespace.id)))
  const reference = element('store', element('id', store.id))
  reference.attributes['class'] = KINDS[store.kind].root
  replace(doc, reference)
}

function replace(doc: Xml, node: Xml): void {
  removeChild(doc, node.name)
  doc.content.push(node)
}

/** A password of another node's keystore is refused. */
function decrypted(server: GeoServer, kind: Kind, body: Xml): Xml {
  if (!isStore(kind)) return body
  try {
    return server.withPasswords(body, (hidden) => server.keystore.decrypt(hidden))
  } catch {
    throw new RestError(500, 'could not decrypt the password of the store')
  }
}

/** Merges what was sent into memory and writes memory, so that an edit of the file in between is lost. */
export async function update(server: GeoServer, object: CatalogObject, body: Xml): Promise<void> {
  if (server.options.isDeaf?.() === true) return save(server, object)
  const { kind, workspace } = object
  const sent = decrypted(server, kind, body)
  resolveReferences(kind, sent, server.catalog, workspace)
  const name = childText(sent, nameElement(kind))
  // a layer is named by its resource
  if (kind === 'layer' && name !== undefined) setText(sent, 'name', object.name)
  object.doc = merged(object.doc, sent)
  if (!has(sent, 'dateModified')) setText(object.doc, 'dateModified', dateOf(server.clock.now()))
  if (name !== undefined && name !== object.name && kind !== 'layer') await renameObject(server, object, name)
  await save(server, object)
  if (kind === 'layer' || kind === 'layergroup') {
    await server.pause(server.options.tilesAfterMs ?? 0)
    await server.tiles.rewrite(object, defaultStyleOf(server, object))
  }
  if (kind === 'workspace' && server.catalog.defaultWorkspace === object.name)
    await setDefaultWorkspace(server, object.name)
}

/** The name of what a layer is drawn with; undefined for a group. */
export function defaultStyleOf(server: GeoServer, { kind, doc }: CatalogObject): string | undefined {
  const reference = referencesOf(kind, doc).find(({ node }) => node.name === 'defaultStyle')
  return reference && server.catalog.resolve(reference)?.name
}

export async function save(server: GeoServer, object: CatalogObject): Promise<void> {
  await server.files.save(object.file, server.textOnDisk(object))
  await server.global.changed()
}

/** The layer of a resource, which lies beside it. */
export function layerOf(server: GeoServer, resource: CatalogObject): CatalogObject | undefined {
  return server.catalog.find('layer', resource.workspace, resource.name)
}

/** Resources of a store: their files lie below its own. */
export function resourcesOf(server: GeoServer, store: CatalogObject): CatalogObject[] {
  const below = store.file.replace(/[^/]+$/, '')
  const kind = RESOURCE_OF[store.kind as StoreKind]
  return server.catalog.list(kind, store.workspace).filter(({ file }) => file.startsWith(below))
}
