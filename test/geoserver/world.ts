/** A stand-in over a small data directory of our own making, with a clock that the test moves. */
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { TestContext } from 'node:test'
import { HandClock } from './clock.js'
import type { WriteStep } from './files.js'
import { startStandIn, type Answer, type StandIn, type StandInOptions } from './server.js'

export type Tree = Record<string, string>

const FEATURE_TYPE = `<featureType>
  <id>Ft-1</id>
  <name>contours</name>
  <namespace>
    <id>Ns-1</id>
  </namespace>
  <title>Contours</title>
  <store class="dataStore">
    <id>Ds-1</id>
  </store>
  <dateModified>2026-01-01 10:00:00.0 UTC</dateModified>
</featureType>`

const LAYER = `<layer>
  <name>contours</name>
  <id>La-1</id>
  <type>VECTOR</type>
  <defaultStyle>
    <id>Style-1</id>
  </defaultStyle>
  <resource class="featureType">
    <id>Ft-1</id>
  </resource>
  <dateModified>2026-01-01 10:00:00.0 UTC</dateModified>
</layer>`

export const SLD =
  '<StyledLayerDescriptor xmlns:xlink="x"><OnlineResource xlink:href="symbols/buoy.svg"/></StyledLayerDescriptor>\n'

/** One workspace with a store, a layer and its tile layer, a style and a group, as GeoServer writes them. */
export function smallTree(): Tree {
  return {
    'global.xml':
      '<global>\n  <settings>\n    <charset>UTF-8</charset>\n    <numDecimals>4</numDecimals>\n  </settings>\n  <updateSequence>7</updateSequence>\n</global>',
    'wms.xml': '<wms>\n  <enabled>true</enabled>\n  <title>Maps</title>\n</wms>',
    'styles/line.xml': '<style>\n  <id>Style-1</id>\n  <name>line</name>\n  <filename>line.sld</filename>\n</style>',
    'styles/line.sld': SLD,
    'styles/symbols/buoy.svg': '<svg/>',
    'workspaces/default.xml': '<workspace>\n  <id>Ws-1</id>\n  <name>coast</name>\n</workspace>',
    'workspaces/coast/workspace.xml': '<workspace>\n  <id>Ws-1</id>\n  <name>coast</name>\n</workspace>',
    'workspaces/coast/namespace.xml':
      '<namespace>\n  <id>Ns-1</id>\n  <prefix>coast</prefix>\n  <uri>http://coast</uri>\n</namespace>',
    'workspaces/coast/depth/datastore.xml':
      '<dataStore>\n  <id>Ds-1</id>\n  <name>depth</name>\n  <workspace>\n    <id>Ws-1</id>\n  </workspace>\n  <connectionParameters>\n    <entry key="host">db</entry>\n    <entry key="passwd">plain:canary</entry>\n  </connectionParameters>\n</dataStore>',
    'workspaces/coast/depth/contours/featuretype.xml': FEATURE_TYPE,
    'workspaces/coast/depth/contours/layer.xml': LAYER,
    'workspaces/coast/depth/contours/content.ftl': 'depth',
    'workspaces/coast/layergroups/all.xml':
      '<layerGroup>\n  <id>Gr-1</id>\n  <name>all</name>\n  <workspace>\n    <id>Ws-1</id>\n  </workspace>\n  <publishables>\n    <published type="layer">\n      <id>La-1</id>\n    </published>\n  </publishables>\n  <styles>\n    <style/>\n  </styles>\n</layerGroup>',
    'gwc-layers/La-1.xml':
      '<GeoServerTileLayer>\n  <id>La-1</id>\n  <enabled>true</enabled>\n  <name>coast:contours</name>\n</GeoServerTileLayer>'
  }
}

export interface Drawing {
  readonly drawn: ReadonlyArray<{
    readonly layer: string
    readonly style: string
    readonly body: string
    readonly graphics: Readonly<Record<string, string | null>>
    readonly templates: Readonly<Record<string, string>>
  }>
}

export class World {
  readonly dir: string
  readonly clock = new HandClock()
  /** What was done on the disk, one step a line: `create X`, `write X`, `rename X to Y`. */
  readonly steps: string[] = []
  onStep: (step: WriteStep) => void = () => {}
  standIn!: StandIn

  constructor(dir: string) {
    this.dir = dir
  }

  at(path: string): string {
    return join(this.dir, path)
  }

  text(path: string): Promise<string> {
    return readFile(this.at(path), 'utf8')
  }

  has(path: string): boolean {
    return existsSync(this.at(path))
  }

  /** Writes a file as somebody outside does; `mtime` in seconds since 1970. */
  async write(path: string, content: string, mtime?: number): Promise<void> {
    await mkdir(dirname(this.at(path)), { recursive: true })
    await writeFile(this.at(path), content)
    if (mtime !== undefined) await utimes(this.at(path), mtime, mtime)
  }

  async change(path: string, from: string, to: string): Promise<void> {
    await this.write(path, (await this.text(path)).replace(from, to))
  }

  call(method: string, path: string, body?: string, headers?: Readonly<Record<string, string>>): Promise<Answer> {
    return this.standIn.ask(method, path, body, headers)
  }

  async map(layer: string, styles = ''): Promise<Answer> {
    return this.call('GET', `/wms?service=WMS&request=GetMap&layers=${layer}&styles=${styles}`)
  }

  async drawn(layer: string): Promise<Drawing['drawn']> {
    return (JSON.parse((await this.map(layer)).text) as Drawing).drawn
  }

  async start(options: Partial<StandInOptions> = {}): Promise<StandIn> {
    this.standIn = await startStandIn({
      dir: this.dir,
      clock: this.clock,
      reloadMs: () => 0,
      afterStep: (step) => {
        const { what, path, to } = step
        this.steps.push(to === undefined ? `${what} ${path}` : `${what} ${path} to ${to}`)
        this.onStep(step)
      },
      ...options
    })
    return this.standIn
  }
}

/** A world that ends with the test. */
export async function worldOf(
  t: TestContext,
  tree: Tree = smallTree(),
  options: Partial<StandInOptions> = {}
): Promise<World> {
  const dir = await mkdtemp(join(tmpdir(), 'gv-stand-in-'))
  const world = new World(dir)
  for (const [path, text] of Object.entries(tree)) await world.write(path, text)
  t.after(async () => {
    await world.standIn.stop()
    await rm(dir, { recursive: true, force: true })
  })
  await world.start(options)
  world.steps.length = 0
  return world
}

/** A step without what is random in it. */
export const plain = (step: string): string => step.replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'UUID')
