/**
 * The fields of shared files that each node keeps for itself: one table, each line with its reason. They are taken out
 * before a file travels and put back from the file that is there when one arrives.
 */
import type { FileKind } from './file-rules.js'
import { RESOURCE_KINDS, STORE_KINDS } from './objects.js'

export interface FieldRule {
  readonly kinds: ReadonlySet<FileKind>
  /** Names of elements from below the root. */
  readonly path: readonly string[]
  readonly reason: string
  /**
   * What stands there on a node whose own file has none, where the element around it arrives: what GeoServer begins with. An
   * element that is told without it makes it nothing at all: 0 threads, measured on 2.26.2.
   */
  readonly otherwise?: string
}

const OBJECTS: ReadonlySet<FileKind> = new Set([
  'workspace',
  'default-workspace',
  'namespace',
  ...STORE_KINDS,
  ...RESOURCE_KINDS,
  'layer',
  'style',
  'layergroup',
  'settings',
  'service'
])
const only = (kind: FileKind): ReadonlySet<FileKind> => new Set([kind])

const DATE = 'set by each GeoServer when it saves; alone it is no change'
const COUNTER = 'counts every change and reload on this node; shared it would make a storm of changes'
const ADDRESS = 'the address under which this node is reached'
const THREADS = 'how many threads fit this machine'
const LOCKS = 'how this node and its neighbours on one disk lock'
const PLUGINS = 'what plugins and versions keep; a GeoServer without them drops it, or adds its own, whenever it saves'
const LOG_FILE = 'where this node writes its log'
const OF_LAYER =
  'GeoServer fills it in from what it knows of the layer; shared, nodes that know of another style at different times would overwrite each other without end'
const OWN_ID =
  'each GeoServer makes its own, at the latest at its next reload; nobody refers to it, and shared, nodes would overwrite each other without end'
const PROCESSES = 'how many processes fit this machine'
const RESULTS = 'where this node keeps the results of processes'

export const FIELD_RULES: readonly FieldRule[] = [
  { kinds: OBJECTS, path: ['dateCreated'], reason: DATE },
  { kinds: OBJECTS, path: ['dateModified'], reason: DATE },
  { kinds: only('settings'), path: ['id'], reason: OWN_ID },
  { kinds: only('settings'), path: ['proxyBaseUrl'], reason: ADDRESS },
  { kinds: only('settings'), path: ['workspace', 'dateCreated'], reason: DATE },
  { kinds: only('settings'), path: ['workspace', 'dateModified'], reason: DATE },
  { kinds: only('global'), path: ['updateSequence'], reason: COUNTER },
  { kinds: only('global'), path: ['settings', 'id'], reason: OWN_ID },
  { kinds: only('global'), path: ['settings', 'dateCreated'], reason: DATE },
  { kinds: only('global'), path: ['settings', 'dateModified'], reason: DATE },
  { kinds: only('global'), path: ['settings', 'proxyBaseUrl'], reason: ADDRESS },
  { kinds: only('global'), path: ['jai', 'tileThreads'], reason: THREADS, otherwise: '7' },
  { kinds: only('global'), path: ['jai', 'tilePriority'], reason: THREADS, otherwise: '5' },
  { kinds: only('global'), path: ['coverageAccess', 'corePoolSize'], reason: THREADS, otherwise: '5' },
  { kinds: only('global'), path: ['coverageAccess', 'maxPoolSize'], reason: THREADS, otherwise: '5' },
  { kinds: only('global'), path: ['coverageAccess', 'keepAliveTime'], reason: THREADS, otherwise: '30000' },
  { kinds: only('global'), path: ['coverageAccess', 'queueType'], reason: THREADS, otherwise: 'UNBOUNDED' },
  { kinds: only('global'), path: ['lockProviderName'], reason: LOCKS },
  { kinds: only('global'), path: ['metadata'], reason: PLUGINS },
  { kinds: only('global'), path: ['settings', 'metadata'], reason: PLUGINS },
  { kinds: only('global'), path: ['jai', 'jaiext'], reason: PLUGINS },
  {
    kinds: only('tile-layer'),
    path: ['parameterFilters', 'styleParameterFilter', 'availableStyles'],
    reason: OF_LAYER
  },
  { kinds: only('tile-layer'), path: ['parameterFilters', 'styleParameterFilter', 'defaultStyle'], reason: OF_LAYER },
  { kinds: only('logging'), path: ['location'], reason: LOG_FILE },
  { kinds: only('service'), path: ['id'], reason: OWN_ID },
  { kinds: only('service'), path: ['maxSynchronousProcesses'], reason: PROCESSES },
  { kinds: only('service'), path: ['maxAsynchronousProcesses'], reason: PROCESSES },
  { kinds: only('service'), path: ['storageDirectory'], reason: RESULTS }
]

const BY_KIND = new Map<FileKind, ReadonlyArray<readonly string[]>>()

/** The fields that a file of this kind keeps on its node. */
export function localFields(kind: FileKind): ReadonlyArray<readonly string[]> {
  let paths = BY_KIND.get(kind)
  if (paths === undefined) {
    paths = FIELD_RULES.filter(({ kinds }) => kinds.has(kind)).map(({ path }) => path)
    BY_KIND.set(kind, paths)
  }
  return paths
}

/** Fields of such a file that must stand there, and with which text where this node has none of its own. */
export function fallbacks(kind: FileKind): ReadonlyArray<{ readonly path: readonly string[]; readonly text: string }> {
  return FIELD_RULES.flatMap(({ kinds, path, otherwise }) =>
    otherwise !== undefined && kinds.has(kind) ? [{ path, text: otherwise }] : []
  )
}
