/**
 * What lies where in a GeoServer data directory, and what of it belongs to all nodes: one table, each line with its
 * reason. The first line that matches a path decides. The configuration can add lines before these (see `classify.ts`).
 *
 * Patterns: `*` is anything within one name, `**` any number of names, `{a,b}` either; a pattern that ends in `/**` means
 * the directory itself, too.
 */

/** What a file is. */
export type FileKind =
  | 'workspace'
  | 'namespace'
  | 'default-workspace'
  | 'datastore'
  | 'coveragestore'
  | 'wmsstore'
  | 'wmtsstore'
  | 'featuretype'
  | 'coverage'
  | 'wmslayer'
  | 'wmtslayer'
  | 'layer'
  | 'style'
  | 'style-body'
  | 'graphic'
  | 'template'
  | 'layergroup'
  | 'tile-layer'
  | 'tile-settings'
  | 'settings'
  | 'service'
  | 'global'
  | 'logging'
  | 'security'
  | 'projection'
  | 'palette'
  | 'layout'
  | 'website'
  | 'extension'
  | 'data'
  | 'node'
  | 'log'
  | 'cache'
  | 'scratch'
  | 'backup'
  | 'other'

/**
 * Who a file is for. shared: everybody, byte for byte. by-field: everybody, without the fields of `field-rules.ts`, which
 * each node keeps for itself. opt-in: everybody, when the operator says so; until then this node alone. local: this node
 * alone. secret: this node alone, whatever the operator says.
 */
export type Sharing = 'shared' | 'by-field' | 'opt-in' | 'local' | 'secret'

export interface FileRule {
  readonly pattern: string
  readonly kind: FileKind
  readonly sharing: Sharing
  readonly reason: string
}

const rule = (pattern: string, kind: FileKind, sharing: Sharing, reason: string): FileRule => ({
  pattern,
  kind,
  sharing,
  reason
})

const SCRATCH = 'made and removed while something works; it means nothing elsewhere'
const JUNK = 'left by an editor or a desktop'
const KEYSTORE = "locks this node's stored passwords; with another node's master password GeoServer does not start"
const MASTER = 'the master password of this node; bound to its keystore'
const CLUSTERING = 'another way of clustering, set up for each node by design'
const POLICY = "who may do what; no secret, but whether all nodes have the same rules is the operator's to say"
const CATALOG = 'one object of the catalog; the dates in it are set by each GeoServer itself'
const STORE = `${CATALOG}; a password in it stays home`

export const FILE_RULES: readonly FileRule[] = [
  rule('**/*.lock', 'scratch', 'local', 'says that a process of this machine is at work'),
  rule('**/*.{tmp,swp,swo}', 'scratch', 'local', SCRATCH),
  rule('**/{.DS_Store,Thumbs.db}', 'scratch', 'local', JUNK),
  rule('**/*~', 'scratch', 'local', JUNK),
  rule('**/.git/**', 'scratch', 'local', 'history that somebody keeps of this directory'),
  rule('**/.git*', 'scratch', 'local', 'history that somebody keeps of this directory'),
  rule(
    '**/*.bak',
    'backup',
    'local',
    'what GeoServer leaves of a purged style or a file it rewrote for a newer version'
  ),

  rule('security/**/*.{jceks,jks,p12,pfx,pem,key}', 'security', 'secret', KEYSTORE),
  rule('security/masterpw/**', 'security', 'secret', MASTER),
  rule('security/masterpw.*', 'security', 'secret', MASTER),
  rule(
    'security/version.properties',
    'security',
    'local',
    'which layout the security folder of this node was brought to'
  ),
  rule(
    'security/{usergroup,role}/**',
    'security',
    'opt-in',
    'users and their password hashes; of use elsewhere only with the same keystore or with digest1: hashes'
  ),
  rule('security/{layers,rest,services}.properties', 'security', 'opt-in', POLICY),
  rule('security/{auth,filter,pwpolicy}/**', 'security', 'opt-in', POLICY),
  rule('security/config.xml', 'security', 'opt-in', POLICY),
  rule('security/**', 'security', 'local', 'of the security folder only what is known to be safe ever leaves a node'),

  rule('logs/**', 'log', 'local', 'logs of this node, and the profiles a version rewrites for itself'),
  rule(
    'gwc/geowebcache.xml',
    'tile-settings',
    'opt-in',
    'grid sets and blob stores; touched at every start, and it names places of this machine'
  ),
  rule('gwc/**', 'cache', 'local', 'rendered tiles of this node'),
  rule('legendsamples/**', 'cache', 'local', 'GeoServer deletes and makes it anew at every start'),
  rule('{temp,tmp,uploads,importer,monitoring,process_tmp_dir}/**', 'scratch', 'local', SCRATCH),
  rule('printing/{temp,tmp}/**', 'scratch', 'local', SCRATCH),
  rule('{cluster,jdbcconfig,jdbcstore,hz-cluster}/**', 'node', 'local', CLUSTERING),
  rule('geofence/**', 'node', 'local', 'name of this instance and how it reaches its rules, with a password'),
  rule('geoserver-environment.properties', 'node', 'local', 'the values that `${NAME}` has on this node'),

  rule('workspaces/default.xml', 'default-workspace', 'by-field', `a full copy of the default workspace; ${CATALOG}`),
  rule('workspaces/*/workspace.xml', 'workspace', 'by-field', CATALOG),
  rule('workspaces/*/namespace.xml', 'namespace', 'by-field', CATALOG),
  rule(
    'workspaces/*/settings.xml',
    'settings',
    'by-field',
    'settings of one workspace; the address is that of this node'
  ),
  rule('workspaces/*/{wms,wfs,wcs,wmts,wps,csw}.xml', 'service', 'by-field', 'a service as one workspace has it'),
  rule('{,workspaces/*/}styles/*.xml', 'style', 'by-field', CATALOG),
  rule(
    '{,workspaces/*/}styles/*.{sld,css,yaml,yml,ysld,mbstyle,json}',
    'style-body',
    'shared',
    'what a style draws; GeoServer notices a newer one within 10 s'
  ),
  rule('**/*.ftl', 'template', 'shared', 'a template; an empty one is legitimate'),
  rule('{,workspaces/*/}styles/**', 'graphic', 'shared', 'a graphic, font or symbol that styles draw with'),
  rule('{,workspaces/*/}layergroups/*.xml', 'layergroup', 'by-field', CATALOG),
  rule('workspaces/*/*/datastore.xml', 'datastore', 'by-field', STORE),
  rule('workspaces/*/*/coveragestore.xml', 'coveragestore', 'by-field', STORE),
  rule('workspaces/*/*/wmsstore.xml', 'wmsstore', 'by-field', STORE),
  rule('workspaces/*/*/wmtsstore.xml', 'wmtsstore', 'by-field', STORE),
  rule(
    'workspaces/*/*/{datastore,coveragestore,wmsstore,wmtsstore}.xml*',
    'backup',
    'local',
    'a copy that somebody keeps of a store; it may hold a password'
  ),
  rule('workspaces/*/*/*/featuretype.xml', 'featuretype', 'by-field', CATALOG),
  rule('workspaces/*/*/*/coverage.xml', 'coverage', 'by-field', CATALOG),
  rule('workspaces/*/*/*/wmslayer.xml', 'wmslayer', 'by-field', CATALOG),
  rule('workspaces/*/*/*/wmtslayer.xml', 'wmtslayer', 'by-field', CATALOG),
  rule('workspaces/*/*/*/layer.xml', 'layer', 'by-field', CATALOG),

  rule(
    'gwc-layers/*.xml',
    'tile-layer',
    'by-field',
    'how one layer or group is cached as tiles; GeoServer writes it anew with each save of its layer'
  ),
  rule('gwc-gs.xml', 'tile-settings', 'shared', 'how layers are cached as tiles by default'),
  rule(
    'global.xml',
    'global',
    'by-field',
    'settings of all; it holds a counter that GeoServer writes at every change, and values of one machine'
  ),
  rule('logging.xml', 'logging', 'by-field', 'what is logged; where to is for each node to say'),
  rule(
    '{wms,wfs,wcs,wmts,wps,csw}.xml',
    'service',
    'by-field',
    'settings of a service; sizes of pools fit one machine'
  ),

  rule('user_projections/**', 'projection', 'shared', 'coordinate systems of our own'),
  rule('palettes/**', 'palette', 'shared', 'palettes for indexed images'),
  rule('layouts/**', 'layout', 'shared', 'where decorations stand on a map'),
  rule('{www,demo}/**', 'website', 'shared', 'files that GeoServer hands out as they are'),
  rule('{csw,wps,wfs,printing}/**', 'extension', 'shared', 'configuration of an extension'),
  rule('{controlflow.properties,filters.xml}', 'extension', 'shared', 'configuration of an extension'),
  rule('templates/**', 'template', 'shared', 'templates of all workspaces'),
  rule('{data,coverages}/**', 'data', 'shared', 'data that stores name as file:data/...'),
  rule('**', 'other', 'shared', 'nothing speaks against sharing it')
]
