/** What is known about the contents of a data directory, as they travel: objects, their ids, and how two edits go together. */
import type { Contents, Identity, NamedObject } from '../contract.js'
import { Classifier, type FileClass } from './classify.js'
import type { FileKind } from './file-rules.js'
import { mergedDocument } from './merge.js'
import { IDENTIFIED_KINDS, tileLayerPath } from './objects.js'
import { edited } from './splice.js'
import { outward, type Place } from './travel.js'
import { escaped, readXml, textOf, type XmlElement } from './xml.js'

/** `rules`: the operator's, as the adapter is given them. Throws `config-invalid`. */
export function geoServerContents(rules: readonly string[]): Contents {
  return contentsOf(new Classifier(rules))
}

export function contentsOf(classifier: Classifier): Contents {
  const placeOf = (path: string): Place | null => classifier.placeOf(path)
  return {
    objectAt: (path, bytes) => objectAt(path, classifier.classify(path), bytes),
    knows: (path) => placeOf(path) !== null,
    merge: (path, base, a, b) => {
      const place = placeOf(path)
      return place === null ? null : mergedDocument(place, base, a, b)
    },
    identity: (path, bytes) => {
      const place = placeOf(path)
      return place === null ? null : identityOf(place, bytes)
    },
    withIds: (path, bytes, ids) => {
      const place = placeOf(path)
      return place === null ? null : withIds(place, bytes, ids)
    }
  }
}

/** Kinds whose objects people speak of, and which name of the path is theirs, from the end. */
const NAMED: Readonly<Partial<Record<FileKind, 'file' | 'folder'>>> = {
  workspace: 'folder',
  namespace: 'folder',
  datastore: 'folder',
  coveragestore: 'folder',
  wmsstore: 'folder',
  wmtsstore: 'folder',
  featuretype: 'folder',
  coverage: 'folder',
  wmslayer: 'folder',
  wmtslayer: 'folder',
  layer: 'folder',
  style: 'file',
  layergroup: 'file',
  'tile-layer': 'file'
}

function objectAt(
  path: string,
  { kind, workspace }: FileClass,
  bytes: () => Uint8Array | undefined
): NamedObject | null {
  const where = NAMED[kind]
  if (where === undefined) return null
  const names = path.split('/')
  if (kind === 'tile-layer') return { kind, name: tileLayerName(bytes()) ?? names.at(-1)!.replace(/\.xml$/, '') }
  const own = where === 'folder' ? names.at(-2)! : names.at(-1)!.replace(/\.xml$/, '')
  const within = workspace !== null && kind !== 'workspace' && kind !== 'namespace'
  return { kind, name: within ? `${workspace}:${own}` : own }
}

/** A tile layer's file is named after an id; its name is in it. */
function tileLayerName(bytes: Uint8Array | undefined): string | undefined {
  const read = bytes === undefined ? undefined : readXml(bytes)
  return read?.ok ? textOf(read.value.root, 'name') : undefined
}

function identityOf({ kind }: Place, bytes: Uint8Array): Identity | null {
  const read = readXml(bytes)
  if (!read.ok) return null
  const { root } = read.value
  const own = IDENTIFIED_KINDS.has(kind) ? (textOf(root, 'id') ?? null) : null
  return { own, named: [...new Set(idElements(root).map(({ text }) => text.trim()))] }
}

/** In a data directory every id, an object's own or one it refers to, stands in an element of this name. */
function idElements(element: XmlElement): XmlElement[] {
  const below = element.children.flatMap(idElements)
  return element.name === 'id' && element.children.length === 0 && element.text.trim() !== ''
    ? [element, ...below]
    : below
}

function withIds(
  place: Place,
  bytes: Uint8Array,
  ids: ReadonlyMap<string, string>
): { path: string; bytes: Uint8Array } | null {
  const read = readXml(bytes)
  if (!read.ok) return null
  const { text, root } = read.value
  const edits = idElements(root).flatMap(({ text: id, innerStart, innerEnd }) => {
    const other = ids.get(id.trim())
    return other === undefined ? [] : [{ start: innerStart, end: innerEnd, text: escaped(other) }]
  })
  if (edits.length === 0) return { path: place.path, bytes }
  const made = outward(place, Buffer.from(edited(text, edits)))
  return made.ok ? { path: pathOf(place, made.value.bytes), bytes: made.value.bytes } : null
}

/** A tile layer is found by its layer's id alone: its file is named after it. */
function pathOf({ path, kind }: Place, bytes: Uint8Array): string {
  const read = readXml(bytes)
  const id = kind === 'tile-layer' && read.ok ? textOf(read.value.root, 'id') : undefined
  return id === undefined ? path : tileLayerPath(id)
}
