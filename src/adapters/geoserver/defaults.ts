/**
 * Fields that mean the same whether they are absent or stand at GeoServer's own default: one that has none of them puts the
 * default in at its next save, and every GeoServer would. That is no edit, and files with and without it are equal by meaning.
 * Each line was measured on 2.26.2: told a document of an older version as it was, it wrote this. What follows from how a
 * GeoServer was started (`trailingSlashMatch`) is not here. Pure.
 */
import type { FileKind } from './file-rules.js'
import type { XmlElement } from './xml.js'

interface Default {
  readonly kind: FileKind
  /** The root element, where a kind has several. */
  readonly root?: string
  /** Names of elements from below the root. */
  readonly path: readonly string[]
  readonly text: string
}

const lines = (kind: FileKind, texts: Readonly<Record<string, string>>, root?: string): Default[] =>
  Object.entries(texts).map(([path, text]) => ({
    kind,
    path: path.split('/'),
    text,
    ...(root !== undefined && { root })
  }))

export const DEFAULTS: readonly Default[] = [
  ...lines('global', {
    'settings/showCreatedTimeColumnsInAdminList': 'false',
    'settings/showModifiedTimeColumnsInAdminList': 'false',
    allowStoredQueriesPerWorkspace: 'true',
    resourceErrorHandling: 'SKIP_MISCONFIGURED_LAYERS'
  }),
  ...lines('namespace', { isolated: 'false' }),
  ...lines('datastore', { disableOnConnFailure: 'false' }),
  ...lines('featuretype', {
    advertised: 'true',
    circularArcPresent: 'false',
    encodeMeasures: 'false',
    forcedDecimal: 'false',
    overridingServiceSRS: 'false',
    padWithZeros: 'false',
    serviceConfiguration: 'false',
    simpleConversionEnabled: 'false',
    skipNumberMatched: 'false'
  }),
  ...lines('layer', { opaque: 'false', queryable: 'true' }),
  ...lines('style', { format: 'sld', 'languageVersion/version': '1.0.0' }),
  ...lines(
    'service',
    {
      autoEscapeTemplateValues: 'false',
      bboxForEachCRS: 'false',
      defaultGroupStyleEnabled: 'true',
      maxRequestedDimensionValues: '100',
      remoteStyleMaxRequestTime: '60000',
      remoteStyleTimeout: '30000',
      transformFeatureInfoDisabled: 'false'
    },
    'wms'
  ),
  ...lines(
    'service',
    {
      allowGlobalQueries: 'true',
      getFeatureOutputTypeCheckingEnabled: 'false',
      includeWFSRequestDumpFile: 'false',
      simpleConversionEnabled: 'false'
    },
    'wfs'
  ),
  ...lines(
    'service',
    { defaultDeflateCompressionLevel: '9', maxRequestedDimensionValues: '100', overviewPolicy: 'IGNORE' },
    'wcs'
  )
]

/**
 * A document for comparing by meaning: without what stands at its default, and with the entries of each map in one order, for
 * GeoServer writes them in an order of its own.
 */
export function plainOf(kind: FileKind, root: XmlElement): XmlElement {
  const known = DEFAULTS.filter((each) => each.kind === kind && (each.root ?? root.name) === root.name)
  return inOneOrder(without(root, known))
}

/** Names of the fields below the root that stand at their default as a whole. */
export function fieldsAtDefault(kind: FileKind, root: XmlElement): string[] {
  const left = new Set(plainOf(kind, root).children.map(({ name }) => name))
  return [...new Set(root.children.map(({ name }) => name))].filter((name) => !left.has(name))
}

/** What held nothing but a default goes along. */
function without(element: XmlElement, known: ReadonlyArray<Pick<Default, 'path' | 'text'>>): XmlElement {
  if (known.length === 0) return element
  const children = element.children.flatMap((child): XmlElement[] => {
    const mine = known.filter(({ path }) => path[0] === child.name)
    const own = mine.find(({ path }) => path.length === 1)
    if (own !== undefined) return isBare(child) && child.text.trim() === own.text ? [] : [child]
    const below = without(
      child,
      mine.map(({ path, text }) => ({ path: path.slice(1), text }))
    )
    return isBare(below) && child.children.length > 0 ? [] : [below]
  })
  return { ...element, children }
}

const isBare = ({ children, attributes }: XmlElement): boolean =>
  children.length === 0 && Object.keys(attributes).length === 0

function inOneOrder(element: XmlElement): XmlElement {
  if (element.children.length === 0) return element
  const children = element.children.map(inOneOrder)
  const keys = children.map(({ name, attributes }) => (name === 'entry' ? attributes['key'] : undefined))
  const isMap = !keys.includes(undefined) && new Set(keys).size === keys.length
  if (!isMap) return { ...element, children }
  return { ...element, children: children.toSorted((a, b) => (a.attributes['key']! < b.attributes['key']! ? -1 : 1)) }
}
