/**
 * What needs a plugin that not every GeoServer has. A GeoServer without it takes such a store or style and answers well to
 * every call, but draws nothing with it: measured on 2.26.2, so what is lacking must be asked for by itself. Types that are
 * not in the table are either of every GeoServer or unknown to us; of those nothing is said.
 */
import type { FileKind } from './file-rules.js'
import type { Inventory } from './inventory.js'
import type { FileFacts } from './objects.js'

interface PluginRule {
  readonly kinds: readonly FileKind[]
  /** The type of a store, or the format of a style, as GeoServer writes it. */
  readonly format: RegExp
  /** The program library without which it cannot be read. */
  readonly module: string
  /** What people download: `geoserver-VERSION-PLUGIN-plugin.zip`. */
  readonly plugin: string
}

const rule = (kind: FileKind, format: RegExp, module: string, plugin: string): PluginRule => ({
  kinds: [kind],
  format,
  module,
  plugin
})

export const PLUGIN_RULES: readonly PluginRule[] = [
  rule('style', /^css$/i, 'gs-css', 'css'),
  rule('style', /^ya?ml$|^ysld$/i, 'gs-ysld', 'ysld'),
  rule('style', /^mbstyle$/i, 'gs-mbstyle', 'mbstyle'),
  rule('datastore', /^MongoDB$/, 'gt-mongodb', 'mongodb'),
  rule('datastore', /^Oracle NG\b/, 'gt-jdbc-oracle', 'oracle'),
  rule('datastore', /^Microsoft SQL Server\b/, 'gt-jdbc-sqlserver', 'sqlserver'),
  rule('datastore', /^MySQL\b/, 'gt-jdbc-mysql', 'mysql'),
  rule('datastore', /^DB2 NG\b/, 'gt-jdbc-db2', 'db2'),
  rule('datastore', /^H2\b/, 'gt-jdbc-h2', 'h2'),
  rule('datastore', /^Application Schema DataAccess$/, 'gt-app-schema', 'app-schema'),
  rule('coveragestore', /^NetCDF$/, 'gt-netcdf', 'netcdf'),
  rule('coveragestore', /^GRIB$/, 'gt-grib', 'grib'),
  rule('coveragestore', /^ImagePyramid$/, 'gt-imagepyramid', 'pyramid'),
  rule('coveragestore', /^ImageMosaicJDBC$/, 'gt-imagemosaic-jdbc', 'imagemosaic-jdbc'),
  rule(
    'coveragestore',
    /^(?:ECW|MrSID|DTED|ERDASImg|EHdr|ENVIHdr|NITF|RPFTOC|JP2ECW|JP2MrSID|JP2KAK)$/,
    'gt-imageio-ext-gdal',
    'gdal'
  )
]

/** A plugin that a GeoServer lacks, and what in its directory needs it. */
export interface Lack {
  readonly plugin: string
  /** Objects that need it. */
  readonly objects: number
  /** The first of them, in words and in the order of their paths; at most `MAX_NAMED`. */
  readonly about: readonly string[]
}

/** Objects that are named of each plugin. */
export const MAX_NAMED = 5

/**
 * What in the directory a GeoServer with these modules cannot use, in the order of the table. Asked every few seconds, so it
 * goes by the formats there are and not by the files.
 */
export function lacksOf(inventory: Inventory, modules: ReadonlySet<string>): Lack[] {
  const missing = PLUGIN_RULES.filter(({ module }) => !modules.has(module))
  const found = new Map<PluginRule, Array<ReadonlySet<string>>>()
  for (const kind of new Set(missing.flatMap(({ kinds }) => kinds)))
    for (const [format, paths] of inventory.formats(kind)) {
      const need = missing.find((each) => each.kinds.includes(kind) && each.format.test(format))
      if (need !== undefined) found.set(need, [...(found.get(need) ?? []), paths])
    }
  return missing.flatMap((need) => {
    const sets = found.get(need) ?? []
    const objects = sets.reduce((sum, { size }) => sum + size, 0)
    const about = firstOf(sets, MAX_NAMED).map((path) => aboutOf(inventory.files.get(path)!))
    return objects === 0 ? [] : [{ plugin: need.plugin, objects, about }]
  })
}

/** The first of all those paths in their order, without putting the others in order. */
function firstOf(sets: ReadonlyArray<ReadonlySet<string>>, count: number): string[] {
  const first: string[] = []
  for (const paths of sets)
    for (const path of paths) {
      if (first.length === count && path >= first.at(-1)!) continue
      const place = first.findIndex((other) => path < other)
      first.splice(place < 0 ? first.length : place, 0, path)
      first.length = Math.min(first.length, count)
    }
  return first
}

/** In words: `style coast:line (css)`. */
function aboutOf({ path, class: { kind }, object }: FileFacts): string {
  const workspace = path.startsWith('workspaces/') ? `${path.split('/')[1]}:` : ''
  return `${kind === 'style' ? 'style' : 'store'} ${workspace}${object!.name} (${object!.format})`
}
