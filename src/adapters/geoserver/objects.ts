/**
 * What one file says: the object it holds, under which id and name, and what that refers to. Pure functions over a path
 * and bytes; what it refers to is looked up in `inventory.ts`.
 */
import { fieldsAtDefault } from './defaults.js'
import type { FileKind } from './file-rules.js'
import type { FileClass } from './classify.js'
import { formOf, isSecretName, type PasswordForm } from './password-forms.js'
import { spotsIn } from './spots.js'
import { checkXml, childOf, readXml, textOf, type XmlElement, type XmlProblem } from './xml.js'

/** What a reference is for: the element it stands in, or `style-body` and `tile-layer` for the two by file and by name. */
export type ReferenceRole =
  | 'workspace'
  | 'namespace'
  | 'store'
  | 'resource'
  | 'default-style'
  | 'style'
  | 'published'
  | 'group-style'
  | 'root-layer'
  | 'tile-layer'

/** A reference by id. */
export interface Reference {
  readonly role: ReferenceRole
  readonly id: string
}

export interface GeoObject {
  readonly kind: FileKind
  /** Its own id; empty when it has none, which GeoServer does not load. */
  readonly id: string
  readonly name: string
  readonly references: readonly Reference[]
  /** Names of its fields, each once, without the dates that GeoServer sets. */
  readonly fields?: readonly string[]
  /** Those of them that stand at GeoServer's own default; absent: none. */
  readonly atDefault?: readonly string[]
  /** Places of ordered lists that are empty on purpose: a group's layer that is drawn with its default style. */
  readonly holes: number
  /** The path of the file with the style's body; for styles alone. */
  readonly body?: string
  /** How the password in a store is written; absent when it has none. Never the password itself. */
  readonly password?: PasswordForm
  /** The prefix of a namespace. */
  readonly prefix?: string
  /** What a store is read with, as GeoServer calls it, or how a style's body is written; absent where the file does not say. */
  readonly format?: string
}

/** What was found at a path. */
export interface FileFacts {
  readonly path: string
  readonly class: FileClass
  /** Content id of what was read; absent where that is not known, or nothing is read. */
  readonly hash?: string
  readonly object?: GeoObject
  readonly problem?: FileProblem
  /** Paths of the graphics of this directory that the body of a style draws with; absent where there are none. */
  readonly graphics?: readonly string[]
}

export interface FileProblem {
  readonly word: XmlProblem['word'] | 'wrong-root' | 'no-id' | 'no-name' | 'unreadable'
  /** Continues the sentence "the file ...". */
  readonly reason: string
}

/** Kinds that hold one object of the catalog, and the name of their root element. */
export const OBJECT_ROOTS: Readonly<Partial<Record<FileKind, string>>> = {
  workspace: 'workspace',
  'default-workspace': 'workspace',
  namespace: 'namespace',
  datastore: 'dataStore',
  coveragestore: 'coverageStore',
  wmsstore: 'wmsStore',
  wmtsstore: 'wmtsStore',
  featuretype: 'featureType',
  coverage: 'coverage',
  wmslayer: 'wmsLayer',
  wmtslayer: 'wmtsLayer',
  layer: 'layer',
  style: 'style',
  layergroup: 'layerGroup',
  'tile-layer': 'GeoServerTileLayer',
  settings: 'settings'
}

export const STORE_KINDS: ReadonlySet<FileKind> = new Set(['datastore', 'coveragestore', 'wmsstore', 'wmtsstore'])
export const RESOURCE_KINDS: ReadonlySet<FileKind> = new Set(['featuretype', 'coverage', 'wmslayer', 'wmtslayer'])
/** What has an id that others refer to and that nobody else may have. */
export const IDENTIFIED_KINDS: ReadonlySet<FileKind> = new Set([
  'workspace',
  'namespace',
  ...STORE_KINDS,
  ...RESOURCE_KINDS,
  'layer',
  'style',
  'layergroup'
])

/** Where GeoServer keeps the tile layer of the layer or group with this id: nothing but its file's name leads there. */
export function tileLayerPath(id: string): string {
  return `gwc-layers/${id.replaceAll(':', '_')}.xml`
}

/** Files whose bytes are looked at. All others say what they are by their path alone. */
export function isRead(path: string, { kind }: FileClass): boolean {
  if (kind === 'log' || kind === 'cache' || kind === 'scratch' || kind === 'backup' || kind === 'data') return false
  return /\.(xml|sld)$/i.test(path)
}

/** What a file holds. Never throws. */
export function readFacts(path: string, fileClass: FileClass, bytes: Uint8Array): FileFacts {
  const known = { path, class: fileClass }
  if (!isRead(path, fileClass)) return known
  const wanted = OBJECT_ROOTS[fileClass.kind]
  if (wanted === undefined) {
    const checked = checkXml(bytes)
    if (!checked.ok) return { ...known, problem: checked.problem }
    const graphics = fileClass.kind === 'style-body' ? graphicsIn(path, bytes) : []
    return graphics.length === 0 ? known : { ...known, graphics }
  }
  const read = readXml(bytes)
  if (!read.ok) return { ...known, problem: read.problem }
  const { root } = read.value
  if (!isRootOf(fileClass.kind, root.name)) {
    const reason = `holds <${root.name.slice(0, 40)}> where <${wanted}> belongs`
    return { ...known, problem: { word: 'wrong-root', reason } }
  }
  const object = objectOf(path, fileClass.kind, root)
  const problem = missing(object)
  return problem === null ? { ...known, object } : { ...known, object, problem }
}

/** Whether a document of this kind may have this root; XStream writes the class where a version has no short name for it. */
export function isRootOf(kind: FileKind, name: string): boolean {
  const wanted = OBJECT_ROOTS[kind]
  if (wanted === undefined || name === wanted) return true
  return name.endsWith('Impl') && name.toLowerCase().includes(wanted.toLowerCase())
}

function missing({ kind, id, name }: GeoObject): FileProblem | null {
  // each GeoServer gives settings an id of its own
  if (id === '' && kind !== 'settings') return { word: 'no-id', reason: 'has no id' }
  const named = kind !== 'namespace' && kind !== 'settings'
  return named && name === '' ? { word: 'no-name', reason: 'has no name' } : null
}

const DATES: ReadonlySet<string> = new Set(['dateCreated', 'dateModified'])

function objectOf(path: string, kind: FileKind, root: XmlElement): GeoObject {
  const prefix = kind === 'namespace' ? textOf(root, 'prefix') : undefined
  const { references, holes } = referencesOf(kind, root)
  const password = STORE_KINDS.has(kind) ? passwordForm(root) : undefined
  const body = kind === 'style' ? bodyPath(path, root) : undefined
  const format = formatOf(kind, root)
  const atDefault = fieldsAtDefault(kind, root)
  return {
    kind,
    id: textOf(root, 'id') ?? '',
    name: textOf(root, 'name') ?? prefix ?? '',
    references,
    fields: [...new Set(root.children.map((child) => child.name))].filter((field) => !DATES.has(field)),
    ...(atDefault.length > 0 && { atDefault }),
    holes,
    ...(body === undefined ? {} : { body }),
    ...(password === undefined ? {} : { password }),
    ...(prefix === undefined ? {} : { prefix }),
    ...(format === undefined ? {} : { format })
  }
}

/** A style says it in words or, from older versions, only by the name of its body. */
function formatOf(kind: FileKind, root: XmlElement): string | undefined {
  if (STORE_KINDS.has(kind)) return textOf(root, 'type')
  if (kind !== 'style') return undefined
  return textOf(root, 'format') ?? /\.([^./]+)$/.exec(textOf(root, 'filename') ?? '')?.[1]
}

/** Which elements of an object refer to others, and how they lie in it. */
const REFERRING: ReadonlyArray<readonly [path: readonly string[], role: ReferenceRole]> = [
  [['workspace'], 'workspace'],
  [['namespace'], 'namespace'],
  [['store'], 'store'],
  [['resource'], 'resource'],
  [['defaultStyle'], 'default-style'],
  [['styles', 'style'], 'style'],
  [['publishables', 'published'], 'published'],
  [['layers', 'layer'], 'published'],
  [['rootLayer'], 'root-layer'],
  [['rootLayerStyle'], 'group-style'],
  [['layerGroupStyles', 'layerGroupStyle', 'layers', 'published'], 'published'],
  [['layerGroupStyles', 'layerGroupStyle', 'styles', 'style'], 'group-style']
]

function referencesOf(kind: FileKind, root: XmlElement): { references: Reference[]; holes: number } {
  if (kind === 'tile-layer') {
    const id = textOf(root, 'id')
    return { references: id === undefined ? [] : [{ role: 'tile-layer', id }], holes: 0 }
  }
  const references: Reference[] = []
  let holes = 0
  for (const [path, role] of REFERRING) {
    for (const element of elementsAt(root, path)) {
      const id = textOf(element, 'id')
      if (id !== undefined)
        references.push({ role: kind === 'layergroup' && role === 'style' ? 'group-style' : role, id })
      else if (path.length > 1 && element.children.length === 0) holes++
    }
  }
  return { references, holes }
}

function elementsAt(root: XmlElement, path: readonly string[]): XmlElement[] {
  let at: XmlElement[] = [root]
  for (const name of path) at = at.flatMap((element) => element.children.filter((child) => child.name === name))
  return at
}

/** A style names its body by a file name relative to its own directory. */
function bodyPath(path: string, root: XmlElement): string | undefined {
  const name = textOf(root, 'filename')
  return name === undefined ? undefined : path.slice(0, path.lastIndexOf('/') + 1) + name
}

/** Graphics of one body that are looked at. */
export const MAX_GRAPHICS = 1_000
const HREF = /\bhref\s*=\s*(?:"([^"<]{1,1024})"|'([^'<]{1,1024})')/g

/**
 * What a body in SLD names by a path relative to its own directory. Addresses, fonts and names that are made up while
 * drawing are nobody's files.
 */
function graphicsIn(path: string, bytes: Uint8Array): string[] {
  const directory = path.slice(0, path.lastIndexOf('/') + 1)
  const found = new Set<string>()
  for (const [, double, single] of Buffer.from(bytes).toString().matchAll(HREF)) {
    const name = (double ?? single)!.replace(/[?#].*$/s, '')
    if (name === '' || /^[a-z][a-z0-9+.-]*:|^\/|\$\{|%|&|\\|(^|\/)\.{1,2}(\/|$)|\/\//i.test(name)) continue
    found.add(directory + name)
    if (found.size >= MAX_GRAPHICS) break
  }
  return [...found]
}

/** The elements of a store that hold a password and nothing else. */
export function passwordElements(root: XmlElement): XmlElement[] {
  // a cascaded server's password is an element of its own
  return valueElements(root).filter((element) => isSecretName(element.attributes['key'] ?? element.name))
}

/** The elements of a store that hold one text: its parameters and metadata, and those below the root. */
export function valueElements(root: XmlElement): XmlElement[] {
  const entries = ['connectionParameters', 'metadata'].flatMap((name) => childOf(root, name)?.children ?? [])
  return [...entries.filter(({ name }) => name === 'entry'), ...root.children].filter(
    ({ children, text }) => children.length === 0 && text.trim() !== ''
  )
}

/** The form that says most about how the store's passwords are kept: a plain one is worth knowing of. */
function passwordForm(root: XmlElement): PasswordForm | undefined {
  const whole = passwordElements(root)
  const forms = [
    ...whole
      .map(({ text }) => text.trim())
      .filter((text) => text !== '' && text !== 'plain:')
      .map(formOf),
    ...valueElements(root)
      .filter((element) => !whole.includes(element))
      .flatMap(({ text }) => spotsIn(text).map(({ form }) => form))
  ]
  return (['plain', 'encrypted', 'reference', 'parameter'] as const).find((form) => forms.includes(form))
}
