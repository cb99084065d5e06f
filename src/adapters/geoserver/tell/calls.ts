/**
 * What GeoServer is to be told of changed files: for each the cheapest call that was measured to work on 2.26, and a
 * reload only where nothing else does. Pure. Rules (tests cite the numbers):
 * 1. What GeoServer notices by itself is not told: templates, graphics, fonts, the bodies of styles.
 * 2. A changed object is told by a PUT of its own file's bytes: 15-45 ms, no outage, and the file stays as it is.
 * 3. A new style or store is told by a POST, which keeps the id. A POST of any other object makes ids of its own.
 * 4. What is gone is told by a DELETE, of the outermost object that went, in the reverse order of writing.
 * 5. Only a reload takes over other new objects, an id that was replaced in place, a rename, a field that was taken out, and
 *    what no call is known for. It covers the catalog's other calls.
 * 6. Tiles follow what is drawn: those of every layer and group that shows a changed style are dropped, and those of a
 *    layer that got another style. They are dropped last, when GeoServer draws anew.
 * 7. First comes what GeoServer saves with other things, as it knows it, over the file: global.xml, which holds the counter
 *    of all changes, and a tile layer that it knows, which it saves with its layer.
 * 8. Which workspace is the default one is told by name. Its file is a copy of that workspace's, which GeoServer writes
 *    itself whenever it is told of the workspace.
 */
import type { FileKind } from '../file-rules.js'
import type { Inventory } from '../inventory.js'
import { RESOURCE_KINDS, STORE_KINDS, type FileFacts, type GeoObject } from '../objects.js'
import { rankOf } from '../order.js'
import { TILE_LAYER_ROOT, type RestRoot } from './rest-root.js'

/** One file as it was and as it is; undefined: it was not, or is not, there. */
export interface FileChange {
  readonly path: string
  readonly before: FileFacts | undefined
  readonly after: FileFacts | undefined
}

export interface Call {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE'
  /** Below the address of GeoServer, with its query. */
  readonly at: string
  /** The file whose bytes are sent. */
  readonly file?: string
  /** How its root element is called over REST, where that is another name. */
  readonly root?: RestRoot
  /** What is sent where it is no file, and its media type. */
  readonly body?: string
  readonly type?: string
  /** The file that is gone, of a DELETE. */
  readonly gone?: string
  /** What it is about, in words: `layer topp:roads`. */
  readonly about: string
}

export interface Plan {
  /** Paths that only a reload takes over. */
  readonly reload: readonly string[]
  /** Before a reload they are not needed. In order. */
  readonly calls: readonly Call[]
  /** Tile layers to make or remove, after the objects they belong to. */
  readonly tiles: readonly Call[]
  /** Where each object that is there now can be read back: a reload answers with 200 whatever it could not load. */
  readonly objects: readonly Call[]
  /** Settings of all tile layers changed. */
  readonly reloadTiles: boolean
  /** Caches are to be dropped: a coordinate system changed. */
  readonly reset: boolean
  /** Names of layers and groups whose tiles are of another look. */
  readonly truncate: readonly string[]
}

interface Told {
  readonly rank: number
  readonly path: string
  readonly call: Call
}

export function planOf(all: readonly FileChange[], inventory: Inventory): Plan {
  // what came and went before anything was told was never there
  const changes = all.filter(({ before, after }) => before !== undefined || after !== undefined)
  const gone = goneRoots(changes)
  const reload: string[] = []
  const calls: Told[] = []
  const tiles: Told[] = []
  for (const change of changes) {
    const { kind } = classOf(change)
    if (UNTOLD.has(kind) || isBelow(change, gone)) continue
    const call = callOf(change)
    if (call === 'reload') reload.push(change.path)
    else if (call !== undefined)
      if (isFirst(change)) calls.push({ rank: FIRST, path: change.path, call })
      else (kind === 'tile-layer' ? tiles : calls).push({ rank: rankOf(classOf(change)), path: change.path, call })
  }
  return {
    reload: reload.toSorted(),
    calls: inOrder(calls),
    tiles: inOrder(tiles),
    objects: changes.flatMap((change) => readBackOf(change) ?? []),
    reloadTiles: changes.some((change) => classOf(change).kind === 'tile-settings'),
    reset: changes.some((change) => classOf(change).kind === 'projection'),
    truncate: staleTiles(changes, inventory)
  }
}

/** Before everything else. */
const FIRST = -1

/** Rule 7. A tile layer that is renamed is known under its new name only after its layer. */
function isFirst(change: FileChange): boolean {
  const { before, after } = change
  if (classOf(change).kind === 'global') return true
  return after?.class.kind === 'tile-layer' && before?.object !== undefined && before.object.name === after.object?.name
}

/** Rule 1, and what no GeoServer reads while it runs. Rules 5 and 6 see to some of them. */
const UNTOLD: ReadonlySet<FileKind> = new Set<FileKind>([
  'template',
  'graphic',
  'style-body',
  'tile-settings',
  'projection',
  'security',
  'palette',
  'layout',
  'website',
  'extension',
  'data',
  'node',
  'log',
  'cache',
  'scratch',
  'backup',
  'other'
])

const classOf = ({ before, after }: FileChange): FileFacts['class'] => (after ?? before)!.class

/** What is removed goes first and from the outside in: whoever refers goes before what is referred to. */
function inOrder(told: readonly Told[]): Call[] {
  const byPath = (a: Told, b: Told): number => (a.path < b.path ? -1 : 1)
  const removals = told
    .filter(({ call }) => call.method === 'DELETE')
    .toSorted((a, b) => b.rank - a.rank || byPath(a, b))
  const rest = told.filter(({ call }) => call.method !== 'DELETE').toSorted((a, b) => a.rank - b.rank || byPath(a, b))
  return [...removals, ...rest].map(({ call }) => call)
}

/** Directories whose own object is gone: what went with them needs no word. */
function goneRoots(changes: readonly FileChange[]): string[] {
  return changes
    .filter(
      ({ before, after }) => after === undefined && before?.object !== undefined && isContainer(before.class.kind)
    )
    .map(({ path }) => path.slice(0, path.lastIndexOf('/') + 1))
}

const isContainer = (kind: FileKind): boolean => kind === 'workspace' || STORE_KINDS.has(kind)

function isBelow({ path, before, after }: FileChange, gone: readonly string[]): boolean {
  if (after !== undefined) return false
  const own = isContainer(before!.class.kind) ? path.slice(0, path.lastIndexOf('/') + 1) : undefined
  return gone.some((root) => root !== own && path.startsWith(root))
}

function callOf({ path, before, after }: FileChange): Call | 'reload' | undefined {
  const { kind } = (after ?? before)!.class
  const was = before?.object
  const is = after?.object
  if (NAMELESS.has(kind)) return after === undefined ? withdrawn(path, before!.class) : settingsCall(path, after.class)
  if (is === undefined) return was === undefined ? undefined : removed(path, kind, was)
  if (kind === 'tile-layer')
    return { ...put(`/gwc/rest/layers/${segment(is.name)}.xml`, path, kind, is.name), root: TILE_LAYER_ROOT }
  if (kind === 'default-workspace') return defaultCall(path, was, is)
  if (was === undefined) return created(path, kind, is)
  if (was.id !== is.id || was.name !== is.name || lackedFields(was, is).length > 0) return 'reload'
  const at = addressOf(path, kind, is)
  return at === undefined ? 'reload' : put(at, path, kind, nameOf(path, kind, is))
}

/** Rule 8. */
function defaultCall(path: string, was: GeoObject | undefined, is: GeoObject): Call | undefined {
  if (was?.name === is.name) return undefined
  return { method: 'PUT', at: '/rest/workspaces/default', file: path, about: `default workspace ${is.name}` }
}

/** Where an object that is there can be read. */
export function readBackOf({ path, after }: FileChange): Call | undefined {
  const at = after?.object === undefined ? undefined : addressOf(path, after.class.kind, after.object)
  if (at === undefined) return undefined
  return { method: 'GET', at, file: path, about: aboutOf(path, after!.class.kind, after!.object!) }
}

/** A PUT leaves a field as it is that is not sent, which is well where it stood at GeoServer's own default. */
export function lackedFields(
  { fields: were = [], atDefault = [] }: GeoObject,
  { fields: are = [] }: GeoObject
): string[] {
  return were.filter((field) => !are.includes(field) && !atDefault.includes(field))
}

/** Rule 3. */
function created(path: string, kind: FileKind, object: GeoObject): Call | 'reload' {
  const at = kind === 'style' || STORE_KINDS.has(kind) ? addressOf(path, kind, object) : undefined
  if (at === undefined) return 'reload'
  return { method: 'POST', at: at.slice(0, at.lastIndexOf('/')), file: path, about: aboutOf(path, kind, object) }
}

/** Rule 4. */
function removed(path: string, kind: FileKind, object: GeoObject): Call | 'reload' | undefined {
  if (kind === 'namespace') return 'reload'
  if (kind === 'default-workspace') return 'reload'
  const about = aboutOf(path, kind, object)
  if (kind === 'tile-layer')
    return { method: 'DELETE', at: `/gwc/rest/layers/${segment(object.name)}.xml`, gone: path, about }
  const at = addressOf(path, kind, object)
  if (at === undefined) return 'reload'
  return { method: 'DELETE', at: isContainer(kind) ? `${at}?recurse=true` : at, gone: path, about }
}

function put(at: string, file: string, kind: FileKind, name: string): Call {
  return { method: 'PUT', at, file, about: `${WORDS[kind] ?? kind} ${name}` }
}

/** What has one place and no id that matters. */
const NAMELESS: ReadonlySet<FileKind> = new Set<FileKind>(['settings', 'service', 'global', 'logging'])
/** Services whose settings have an address. */
const SERVICES: ReadonlySet<string> = new Set(['wms', 'wfs', 'wcs', 'wmts'])

function settingsAt(path: string, { kind, workspace }: FileFacts['class']): string | undefined {
  if (kind === 'global') return '/rest/settings'
  if (kind === 'logging') return '/rest/logging'
  if (kind === 'settings') return `/rest/workspaces/${segment(workspace!)}/settings`
  const service = path.slice(path.lastIndexOf('/') + 1, -'.xml'.length)
  if (!SERVICES.has(service)) return undefined
  const all = `/rest/services/${service}`
  return workspace === null ? `${all}/settings` : `${all}/workspaces/${segment(workspace)}/settings`
}

function settingsCall(path: string, fileClass: FileFacts['class']): Call | 'reload' {
  const at = settingsAt(path, fileClass)
  return at === undefined ? 'reload' : { method: 'PUT', at, file: path, about: path }
}

/** Settings of one workspace can be taken back; those of all are always there. */
function withdrawn(path: string, fileClass: FileFacts['class']): Call | 'reload' {
  const at = fileClass.workspace === null ? undefined : settingsAt(path, fileClass)
  return at === undefined ? 'reload' : { method: 'DELETE', at, gone: path, about: path }
}

const WORDS: Readonly<Partial<Record<FileKind, string>>> = {
  datastore: 'store',
  coveragestore: 'store',
  wmsstore: 'store',
  wmtsstore: 'store',
  featuretype: 'feature type',
  layergroup: 'layer group',
  'tile-layer': 'tile layer',
  wmslayer: 'cascaded layer',
  wmtslayer: 'cascaded layer',
  style: 'style',
  layer: 'layer',
  workspace: 'workspace',
  namespace: 'namespace',
  coverage: 'coverage'
}

/** How a list of stores, and of what is in each, is called. */
const COLLECTIONS: Readonly<Partial<Record<FileKind, string>>> = {
  datastore: 'datastores',
  coveragestore: 'coveragestores',
  wmsstore: 'wmsstores',
  wmtsstore: 'wmtsstores',
  featuretype: 'datastores featuretypes',
  coverage: 'coveragestores coverages',
  wmslayer: 'wmsstores wmslayers',
  wmtslayer: 'wmtsstores wmtslayers'
}

/**
 * Where an object has its address; undefined: it has none that is known to work, or a name that none can hold. What ends in
 * a dot and a word would be read as a format, were the format not named.
 */
function addressOf(path: string, kind: FileKind, { name }: GeoObject): string | undefined {
  const names = placeOf(path, kind, name)
  if (names === undefined || !names.every(isNameable)) return undefined
  return `/rest/${names.map(encodeURIComponent).join('/')}.xml`
}

function placeOf(path: string, kind: FileKind, name: string): string[] | undefined {
  const [, workspace = '', store = ''] = path.split('/')
  const above = path.startsWith('workspaces/') ? ['workspaces', workspace] : []
  if (kind === 'workspace') return above
  if (kind === 'namespace') return ['namespaces', workspace]
  if (STORE_KINDS.has(kind)) return [...above, COLLECTIONS[kind]!, name]
  if (RESOURCE_KINDS.has(kind)) {
    const [stores, resources] = COLLECTIONS[kind]!.split(' ') as [string, string]
    return [...above, stores, store, resources, name]
  }
  if (kind === 'layer') return ['layers', `${workspace}:${name}`]
  if (kind === 'style') return [...above, 'styles', name]
  return kind === 'layergroup' ? [...above, 'layergroups', name] : undefined
}

function isNameable(name: string): boolean {
  return name !== '' && name !== '.' && name !== '..' && !/[/\\\p{Cc}\p{Cs}]/u.test(name)
}

function nameOf(path: string, kind: FileKind, { name }: GeoObject): string {
  const isGlobal = !path.startsWith('workspaces/')
  return isGlobal || kind === 'workspace' || kind === 'namespace' ? name : `${path.split('/')[1]}:${name}`
}

/** In words: `layer topp:roads`. */
function aboutOf(path: string, kind: FileKind, object: GeoObject): string {
  return `${WORDS[kind] ?? kind} ${nameOf(path, kind, object)}`
}

function segment(name: string): string {
  return encodeURIComponent(name)
}

/** Rule 6. */
function staleTiles(changes: readonly FileChange[], inventory: Inventory): string[] {
  const names = new Set<string>()
  for (const { path, before, after } of changes) {
    const { kind } = (after ?? before)!.class
    if (kind === 'style-body')
      for (const { object } of inventory.stylesWith(path)) shownWith(object.id, inventory, names)
    if (kind === 'style' && after?.object !== undefined && before !== undefined)
      shownWith(after.object.id, inventory, names)
    if (
      (kind === 'layer' || kind === 'layergroup') &&
      after?.object !== undefined &&
      looksOther(before?.object, after.object)
    )
      names.add(nameOf(path, kind, after.object))
  }
  return [...names].toSorted()
}

/** Names of what shows a style: layers, and groups that name it or show such a layer, however deep. */
function shownWith(id: string, inventory: Inventory, names: Set<string>, seen = new Set<string>()): void {
  if (seen.has(id)) return
  seen.add(id)
  for (const path of inventory.referrers(id)) {
    const { object, class: fileClass } = inventory.files.get(path)!
    if (object === undefined || (fileClass.kind !== 'layer' && fileClass.kind !== 'layergroup')) continue
    names.add(nameOf(path, fileClass.kind, object))
    shownWith(object.id, inventory, names, seen)
  }
}

/** A new one has no tiles yet. */
function looksOther(before: GeoObject | undefined, after: GeoObject): boolean {
  if (before === undefined) return false
  const look = ({ references }: GeoObject): string => references.map(({ role, id }) => `${role} ${id}`).join('\n')
  return look(before) !== look(after)
}
