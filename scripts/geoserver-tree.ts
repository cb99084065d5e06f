/**
 * Makes a large GeoServer data directory, the same bytes every time, for measurements:
 *
 *   npm run geoserver-tree -- DIR [--workspaces 1008] [--stores 2011] [--layers 16025] [--styles 200]
 *
 * The counts are those of the largest fleet we know of. All objects refer to each other as real ones do; nothing dangles.
 */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'

export interface TreeSize {
  readonly workspaces: number
  readonly stores: number
  readonly layers: number
  readonly styles: number
}

export const LARGE: TreeSize = { workspaces: 1_008, stores: 2_011, layers: 16_025, styles: 200 }

const CREATED = '2024-03-05 14:42:21.78 UTC'

/** Writes the directory; returns how many files it has. `root` must be empty or missing. */
export function writeLargeTree(root: string, size: TreeSize): number {
  let files = 0
  const put = (path: string, text: string): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
    files++
  }
  for (const [path, text] of globalFiles()) put(path, text)
  for (let at = 0; at < size.styles; at++) for (const [path, text] of styleFiles(at)) put(path, text)
  for (let at = 0; at < size.workspaces; at++) for (const [path, text] of workspaceFiles(at)) put(path, text)
  for (let at = 0; at < size.stores; at++) put(`${storeFolder(at, size)}/datastore.xml`, storeXml(at, size))
  for (let at = 0; at < size.layers; at++) for (const [path, text] of layerFiles(at, size)) put(path, text)
  return files
}

type File = readonly [path: string, text: string]

const name = (kind: string, at: number): string => `${kind}_${String(at).padStart(5, '0')}`
const id = (kind: string, at: number): string =>
  `${kind}Impl-4e44a927:${(0x1719c449104 + at).toString(16)}:-${at.toString(16)}`
const storeFolder = (at: number, size: TreeSize): string =>
  `workspaces/${name('ws', at % size.workspaces)}/${name('store', at)}`

function globalFiles(): File[] {
  const service = (word: string): File => [
    `${word}.xml`,
    `<${word}>\n  <id>${word.toUpperCase()}InfoImpl-1</id>\n  <enabled>true</enabled>\n  <name>${word.toUpperCase()}</name>\n</${word}>\n`
  ]
  return [
    [
      'global.xml',
      '<global>\n  <settings>\n    <id>SettingsInfoImpl-1</id>\n    <charset>UTF-8</charset>\n    <numDecimals>8</numDecimals>\n  </settings>\n  <updateSequence>82311</updateSequence>\n</global>\n'
    ],
    ['logging.xml', '<logging>\n  <level>DEFAULT_LOGGING</level>\n  <stdOutLogging>true</stdOutLogging>\n</logging>\n'],
    ...['wms', 'wfs', 'wcs', 'wmts'].map(service)
  ]
}

function styleFiles(at: number): File[] {
  const style = name('style', at)
  return [
    [
      `styles/${style}.xml`,
      `<style>\n  <id>${id('StyleInfo', at)}</id>\n  <name>${style}</name>\n  <format>sld</format>\n  <languageVersion>\n    <version>1.0.0</version>\n  </languageVersion>\n  <filename>${style}.sld</filename>\n</style>\n`
    ],
    [
      `styles/${style}.sld`,
      `<?xml version="1.0" encoding="UTF-8"?>\n<StyledLayerDescriptor version="1.0.0" xmlns="http://www.opengis.net/sld">\n  <NamedLayer>\n    <Name>${style}</Name>\n    <UserStyle>\n      <FeatureTypeStyle>\n        <Rule>\n          <LineSymbolizer/>\n        </Rule>\n      </FeatureTypeStyle>\n    </UserStyle>\n  </NamedLayer>\n</StyledLayerDescriptor>\n`
    ]
  ]
}

function workspaceFiles(at: number): File[] {
  const workspace = name('ws', at)
  const xml = `<workspace>\n  <id>${id('WorkspaceInfo', at)}</id>\n  <name>${workspace}</name>\n  <isolated>false</isolated>\n  <dateCreated>${CREATED}</dateCreated>\n</workspace>\n`
  const files: File[] = [
    [`workspaces/${workspace}/workspace.xml`, xml],
    [
      `workspaces/${workspace}/namespace.xml`,
      `<namespace>\n  <id>${id('NamespaceInfo', at)}</id>\n  <prefix>${workspace}</prefix>\n  <uri>http://example.org/${workspace}</uri>\n</namespace>\n`
    ]
  ]
  return at === 0 ? [...files, ['workspaces/default.xml', xml]] : files
}

function storeXml(at: number, size: TreeSize): string {
  const entries: Array<[string, string]> = [
    ['host', 'db.example.org'],
    ['port', '5432'],
    ['database', name('db', at)],
    ['schema', 'public'],
    ['user', 'reader'],
    ['passwd', '${DB_PASSWORD}'],
    ['dbtype', 'postgis'],
    ['max connections', '10'],
    ['Expose primary keys', 'false']
  ]
  const parameters = entries.map(([key, value]) => `    <entry key="${key}">${value}</entry>\n`).join('')
  return `<dataStore>\n  <id>${id('DataStoreInfo', at)}</id>\n  <name>${name('store', at)}</name>\n  <type>PostGIS</type>\n  <enabled>true</enabled>\n  <workspace>\n    <id>${id('WorkspaceInfo', at % size.workspaces)}</id>\n  </workspace>\n  <connectionParameters>\n${parameters}  </connectionParameters>\n  <__default>false</__default>\n  <dateCreated>${CREATED}</dateCreated>\n</dataStore>\n`
}

function layerFiles(at: number, size: TreeSize): File[] {
  const store = at % size.stores
  const workspace = store % size.workspaces
  const layer = name('layer', at)
  const folder = `${storeFolder(store, size)}/${layer}`
  const box = `    <minx>${-180 + (at % 300)}.0</minx>\n    <maxx>${-179 + (at % 300)}.0</maxx>\n    <miny>-45.0</miny>\n    <maxy>-44.0</maxy>\n`
  return [
    [
      `${folder}/featuretype.xml`,
      `<featureType>\n  <id>${id('FeatureTypeInfo', at)}</id>\n  <name>${layer}</name>\n  <nativeName>${layer}</nativeName>\n  <namespace>\n    <id>${id('NamespaceInfo', workspace)}</id>\n  </namespace>\n  <title>Layer ${at}</title>\n  <abstract>The ${at}th layer of a large directory</abstract>\n  <keywords>\n    <string>features</string>\n    <string>${layer}</string>\n  </keywords>\n  <srs>EPSG:4326</srs>\n  <nativeBoundingBox>\n${box}  </nativeBoundingBox>\n  <latLonBoundingBox>\n${box}  </latLonBoundingBox>\n  <projectionPolicy>FORCE_DECLARED</projectionPolicy>\n  <enabled>true</enabled>\n  <store class="dataStore">\n    <id>${id('DataStoreInfo', store)}</id>\n  </store>\n  <maxFeatures>0</maxFeatures>\n  <numDecimals>0</numDecimals>\n</featureType>\n`
    ],
    [
      `${folder}/layer.xml`,
      `<layer>\n  <name>${layer}</name>\n  <id>${id('LayerInfo', at)}</id>\n  <type>VECTOR</type>\n  <defaultStyle>\n    <id>${id('StyleInfo', at % size.styles)}</id>\n  </defaultStyle>\n  <resource class="featureType">\n    <id>${id('FeatureTypeInfo', at)}</id>\n  </resource>\n  <attribution>\n    <logoWidth>0</logoWidth>\n    <logoHeight>0</logoHeight>\n  </attribution>\n  <dateCreated>${CREATED}</dateCreated>\n</layer>\n`
    ],
    [
      `gwc-layers/${id('LayerInfo', at).replaceAll(':', '_')}.xml`,
      `<GeoServerTileLayer>\n  <id>${id('LayerInfo', at)}</id>\n  <enabled>true</enabled>\n  <name>${name('ws', workspace)}:${layer}</name>\n  <mimeFormats>\n    <string>image/png</string>\n  </mimeFormats>\n  <gutter>0</gutter>\n</GeoServerTileLayer>\n`
    ]
  ]
}

if (import.meta.url === `file://${process.argv[1]}`) {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      workspaces: { type: 'string', default: String(LARGE.workspaces) },
      stores: { type: 'string', default: String(LARGE.stores) },
      layers: { type: 'string', default: String(LARGE.layers) },
      styles: { type: 'string', default: String(LARGE.styles) }
    }
  })
  const root = positionals[0]
  if (root === undefined) {
    process.stderr.write(
      'usage: npm run geoserver-tree -- DIR [--workspaces N] [--stores N] [--layers N] [--styles N]\n'
    )
    process.exit(2)
  }
  mkdirSync(root, { recursive: true })
  if (readdirSync(root).length > 0) {
    process.stderr.write(`${root} is not empty\n`)
    process.exit(2)
  }
  const { workspaces, stores, layers, styles } = values
  const files = writeLargeTree(root, {
    workspaces: Number(workspaces),
    stores: Number(stores),
    layers: Number(layers),
    styles: Number(styles)
  })
  process.stdout.write(`${files} files\n`)
}
