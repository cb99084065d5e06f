/**
 * `npm run demo`: three daemons on this machine share a small directory shaped like GeoServer's. Files change on
 * different nodes, and each change is shown with the time until it had arrived in the directories of the others.
 * Network: loopback only. Leaves nothing behind.
 */
import '../src/polyfill.js'
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { VerifyView } from '../src/control/target.js'
import { Cluster } from '../test/e2e/cluster.js'
import type { Node } from '../test/e2e/node.js'
import { buildIfNeeded } from './build.mjs'

/** How often the directories of the others are looked at, ms: the error of the times shown. */
const LOOK_EVERY_MS = 2
const GIVE_UP_AFTER_MS = 15_000

interface Change {
  readonly what: string
  /** Index of the node it is made on. */
  readonly on: number
  make(dir: string): void
  /** Whether it has arrived in this directory. */
  arrived(dir: string): boolean
}

const style = (color: string): string =>
  `<StyledLayerDescriptor version="1.0.0"><NamedLayer><Name>roads</Name><UserStyle><FeatureTypeStyle><Rule>
  <LineSymbolizer><Stroke><CssParameter name="stroke">${color}</CssParameter></Stroke></LineSymbolizer>
</Rule></FeatureTypeStyle></UserStyle></NamedLayer></StyledLayerDescriptor>\n`

const layerFiles = (name: string): Record<string, string> => ({
  [`workspaces/topp/shapes/${name}/featuretype.xml`]: `<featureType><id>ft-${name}</id><name>${name}</name><srs>EPSG:4326</srs></featureType>\n`,
  [`workspaces/topp/shapes/${name}/layer.xml`]: `<layer><id>l-${name}</id><name>${name}</name><defaultStyle><name>roads</name></defaultStyle></layer>\n`,
  [`gwc-layers/${name}.xml`]: `<GeoServerTileLayer><id>l-${name}</id><enabled>true</enabled></GeoServerTileLayer>\n`
})

/** What a fresh data directory with one workspace, one store, one layer and one style holds. */
const DATA_DIRECTORY: Readonly<Record<string, string>> = {
  'global.xml': '<global><settings><charset>UTF-8</charset></settings></global>\n',
  'logging.xml': '<logging><level>DEFAULT_LOGGING</level></logging>\n',
  'workspaces/default.xml': '<workspace><id>ws-topp</id><name>topp</name></workspace>\n',
  'workspaces/topp/workspace.xml': '<workspace><id>ws-topp</id><name>topp</name></workspace>\n',
  'workspaces/topp/namespace.xml': '<namespace><prefix>topp</prefix><uri>http://topp.example</uri></namespace>\n',
  'workspaces/topp/shapes/datastore.xml': '<dataStore><id>ds-shapes</id><name>shapes</name></dataStore>\n',
  'styles/roads.xml': '<style><id>s-roads</id><name>roads</name><filename>roads.sld</filename></style>\n',
  'styles/roads.sld': style('#444444'),
  ...layerFiles('roads')
}

function write(dir: string, files: Readonly<Record<string, string | Uint8Array>>): void {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, path)), { recursive: true })
    writeFileSync(join(dir, path), content)
  }
}

function holds(dir: string, files: Readonly<Record<string, string | Uint8Array>>): boolean {
  return Object.entries(files).every(([path, content]) => read(dir, path)?.equals(Buffer.from(content)) === true)
}

/** The bytes of a file, or undefined when there is none (yet). */
function read(dir: string, path: string): Buffer | undefined {
  try {
    return readFileSync(join(dir, path))
  } catch {
    return undefined
  }
}

/** Writes as GeoServer does: a new file beside the old one, then a rename over it. */
function replace(dir: string, path: string, content: string): void {
  writeFileSync(join(dir, `${path}.tmp`), content)
  renameSync(join(dir, `${path}.tmp`), join(dir, path))
}

const orthophoto = Buffer.alloc(3 * 1024 * 1024, 'not quite a TIFF ')
const rivers = layerFiles('rivers')

const CHANGES: readonly Change[] = [
  {
    what: 'an admin edits a style',
    on: 0,
    make: (dir) => replace(dir, 'styles/roads.sld', style('#cc0000')),
    arrived: (dir) => holds(dir, { 'styles/roads.sld': style('#cc0000') })
  },
  {
    what: 'another one adds a layer: three files',
    on: 1,
    make: (dir) => write(dir, rivers),
    arrived: (dir) => holds(dir, rivers)
  },
  {
    what: 'the style changes again, elsewhere',
    on: 2,
    make: (dir) => replace(dir, 'styles/roads.sld', style('#0000cc')),
    arrived: (dir) => holds(dir, { 'styles/roads.sld': style('#0000cc') })
  },
  {
    what: 'a raster of 3 MB is uploaded',
    on: 0,
    make: (dir) => write(dir, { 'data/ortho.tif': orthophoto }),
    arrived: (dir) => holds(dir, { 'data/ortho.tif': orthophoto })
  },
  {
    what: 'the workspace is renamed, with all in it',
    on: 1,
    make: (dir) => renameSync(join(dir, 'workspaces/topp'), join(dir, 'workspaces/maps')),
    arrived: (dir) =>
      read(dir, 'workspaces/maps/shapes/roads/layer.xml') !== undefined &&
      read(dir, 'workspaces/topp/workspace.xml') === undefined
  },
  {
    what: 'a layer is deleted',
    on: 2,
    make: (dir) => {
      rmSync(join(dir, 'workspaces/maps/shapes/rivers'), { recursive: true })
      rmSync(join(dir, 'gwc-layers/rivers.xml'))
    },
    arrived: (dir) =>
      read(dir, 'gwc-layers/rivers.xml') === undefined &&
      read(dir, 'workspaces/maps/shapes/rivers/layer.xml') === undefined
  }
]

const say = (line: string): void => void process.stdout.write(`${line}\n`)

async function main(): Promise<void> {
  const cluster = new Cluster()
  try {
    const began = performance.now()
    await cluster.found('north', { before: (dir) => write(dir, DATA_DIRECTORY) })
    await Promise.all(['south', 'east'].map((name) => cluster.join(name)))
    await cluster.connected()
    await arrival(cluster.nodes, (dir) => holds(dir, DATA_DIRECTORY))
    say(`3 daemons run, and hold ${Object.keys(DATA_DIRECTORY).length} files each, after ${seconds(began)} s\n`)
    for (const change of CHANGES) await show(change, cluster.nodes)
    const { equal, nodes } = await cluster.nodes[0]!.json<VerifyView>('verify', '--wait', '10s')
    const all = equal && nodes.filter((node) => node.equal).length === cluster.nodes.length
    say(all ? '\nverify: all three hold the same catalog' : '\nverify: the catalogs differ')
    if (!all) process.exitCode = 1
  } finally {
    await cluster.close()
  }
}

async function show({ what, on, make, arrived }: Change, nodes: readonly Node[]): Promise<void> {
  const writer = nodes[on]!
  const others = nodes.filter((node) => node !== writer)
  const began = performance.now()
  make(writer.dir)
  const times = await arrival(others, arrived, began)
  const cells = others.map((node, at) => `${node.name} ${times[at]!.toFixed(0).padStart(4)} ms`)
  say(`${writer.name.padEnd(5)}  ${what.padEnd(40)}  ${cells.join('  ')}`)
}

/** When it had arrived at each of these, ms since `began`. */
function arrival(
  nodes: readonly Node[],
  arrived: (dir: string) => boolean,
  began = performance.now()
): Promise<number[]> {
  return Promise.all(
    nodes.map(async ({ dir, name }) => {
      while (!arrived(dir)) {
        if (performance.now() - began > GIVE_UP_AFTER_MS) throw new Error(`a change did not arrive on ${name}`)
        await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS))
      }
      return performance.now() - began
    })
  )
}

function seconds(since: number): string {
  return ((performance.now() - since) / 1_000).toFixed(1)
}

if (buildIfNeeded()) await main()
else process.exitCode = 1
