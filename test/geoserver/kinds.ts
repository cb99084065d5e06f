/** The kinds of object in a catalog: how their files, elements, ids and places in the REST tree are called. */
import { at, childOf, elementsOf, type Xml } from './xml.js'

export const STORE_KINDS = ['datastore', 'coveragestore', 'wmsstore', 'wmtsstore'] as const
export const RESOURCE_KINDS = ['featuretype', 'coverage', 'wmslayer', 'wmtslayer'] as const
export type StoreKind = (typeof STORE_KINDS)[number]
export type ResourceKind = (typeof RESOURCE_KINDS)[number]
export type Kind = 'workspace' | 'namespace' | StoreKind | ResourceKind | 'layer' | 'style' | 'layergroup'

export interface KindFacts {
  /** The root element of its file and of a request's body. */
  readonly root: string
  readonly idPrefix: string
  /** The element that lists objects of this kind in an answer. */
  readonly list: string
  /** How GeoServer's messages call it. */
  readonly word: string
}

export const KINDS: Readonly<Record<Kind, KindFacts>> = {
  workspace: { root: 'workspace', idPrefix: 'WorkspaceInfoImpl', list: 'workspaces', word: 'workspace' },
  namespace: { root: 'namespace', idPrefix: 'NamespaceInfoImpl', list: 'namespaces', word: 'namespace' },
  datastore: { root: 'dataStore', idPrefix: 'DataStoreInfoImpl', list: 'dataStores', word: 'data store' },
  coveragestore: {
    root: 'coverageStore',
    idPrefix: 'CoverageStoreInfoImpl',
    list: 'coverageStores',
    word: 'coverage store'
  },
  wmsstore: { root: 'wmsStore', idPrefix: 'WMSStoreInfoImpl', list: 'wmsStores', word: 'wms store' },
  wmtsstore: { root: 'wmtsStore', idPrefix: 'WMTSStoreInfoImpl', list: 'wmtsStores', word: 'wmts store' },
  featuretype: { root: 'featureType', idPrefix: 'FeatureTypeInfoImpl', list: 'featureTypes', word: 'feature type' },
  coverage: { root: 'coverage', idPrefix: 'CoverageInfoImpl', list: 'coverages', word: 'coverage' },
  wmslayer: { root: 'wmsLayer', idPrefix: 'WMSLayerInfoImpl', list: 'wmsLayers', word: 'wms layer' },
  wmtslayer: { root: 'wmtsLayer', idPrefix: 'WMTSLayerInfoImpl', list: 'wmtsLayers', word: 'wmts layer' },
  layer: { root: 'layer', idPrefix: 'LayerInfoImpl', list: 'layers', word: 'layer' },
  style: { root: 'style', idPrefix: 'StyleInfoImpl', list: 'styles', word: 'style' },
  layergroup: { root: 'layerGroup', idPrefix: 'LayerGroupInfoImpl', list: 'layerGroups', word: 'layer group' }
}

/** Which resources a store holds. */
export const RESOURCE_OF: Readonly<Record<StoreKind, ResourceKind>> = {
  datastore: 'featuretype',
  coveragestore: 'coverage',
  wmsstore: 'wmslayer',
  wmtsstore: 'wmtslayer'
}

export const isStore = (kind: Kind): kind is StoreKind => (STORE_KINDS as readonly Kind[]).includes(kind)
export const isResource = (kind: Kind): kind is ResourceKind => (RESOURCE_KINDS as readonly Kind[]).includes(kind)

/** Where an object's name stands: a namespace has a prefix. */
export const nameElement = (kind: Kind): string => (kind === 'namespace' ? 'prefix' : 'name')

export interface Reference {
  /** The element that holds `<id>` or, in a request, `<name>`. */
  readonly node: Xml
  readonly to: readonly Kind[]
}

/** All references of an object, in the order of its document, without the holes of a layer group. */
export function referencesOf(kind: Kind, doc: Xml): Reference[] {
  return candidates(kind, doc).filter(({ node }) => elementsOf(node).length > 0)
}

function candidates(kind: Kind, doc: Xml): Reference[] {
  const one = (name: string, ...to: Kind[]): Reference[] => {
    const node = childOf(doc, name)
    return node === undefined ? [] : [{ node, to }]
  }
  const each = (list: string, ...to: Kind[]): Reference[] =>
    elementsOf(at(doc, list) ?? { name: list, attributes: {}, content: [] }).map((node) => ({ node, to }))
  if (isResource(kind)) return [...one('namespace', 'namespace'), ...one('store', ...STORE_KINDS)]
  if (isStore(kind) || kind === 'style') return one('workspace', 'workspace')
  if (kind === 'layer')
    return [...one('defaultStyle', 'style'), ...each('styles', 'style'), ...one('resource', ...RESOURCE_KINDS)]
  if (kind === 'layergroup')
    return [
      ...one('workspace', 'workspace'),
      ...each('publishables', 'layer', 'layergroup'),
      ...each('styles', 'style'),
      ...one('rootLayer', 'layer'),
      ...one('rootLayerStyle', 'style')
    ]
  return []
}
