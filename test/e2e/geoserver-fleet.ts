/** Several GeoServers, real or stand-ins, each with a node beside it that tells it what changes at the others. */
import { cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { succeeded, type Cluster } from './cluster.js'
import { freePort } from './free-port.js'
import { accessTo } from './geoserver-access.js'
import { GeoServerProcess, type GeoServerCommand } from './geoserver-process.js'
import { Recorder } from './geoserver-recorder.js'
import type { Node } from './node.js'
import { until } from './until.js'

export interface FleetOptions {
  readonly command: GeoServerCommand
  /** Fills the data directory that a GeoServer is started over; `name` is its node's. */
  readonly fill: (dir: string, name: string) => void
  readonly nodes: number
}

/** A turn to reload comes once a minute for each of three, and after a slow reload there is a rest of minutes, ms. */
export const TURN_MS = 480_000
/** Requests for maps at each GeoServer, one after so many ms. */
const MAP_EVERY_MS = 250
const LOOK_EVERY_MS = 200

export class Site {
  readonly name: string
  readonly node: Node
  readonly geoserver: GeoServerProcess
  readonly recorder: Recorder
  readonly maps = { asked: 0, failed: 0 }

  constructor(name: string, node: Node, geoserver: GeoServerProcess, recorder: Recorder) {
    this.name = name
    this.node = node
    this.geoserver = geoserver
    this.recorder = recorder
  }

  /** One call of a person; `path` from the context on. Resolves with the answer; throws when it is no success. */
  async ask(method: string, path: string, body?: string, type?: string): Promise<string> {
    const { status, text } = await this.geoserver.ask(method, path, body, type)
    if (status >= 200 && status < 300) return text
    throw new Error(`${this.name}: ${method} ${path} was answered with ${status}: ${text.slice(0, 300)}`)
  }

  /** Whether something is at this address. */
  async has(path: string): Promise<boolean> {
    return (await this.geoserver.ask('GET', path)).status === 200
  }

  /** The map of a layer, or what a stand-in gives in its place. Throws for one that cannot be drawn. */
  async map(layer: string): Promise<string> {
    const text = await this.ask('GET', `/wms?${MAP}&layers=${encodeURIComponent(layer)}`)
    if (text.includes('ServiceException')) throw new Error(`${this.name} cannot draw ${layer}: ${text.slice(0, 300)}`)
    return text
  }

  put(path: string, text: string): void {
    const file = join(this.node.dir, path)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, text)
  }

  /** Waits until its GeoServer was told everything. */
  told(): Promise<unknown> {
    return until(
      `${this.name} has told its GeoServer`,
      async () => {
        const telling = (await this.node.status()).target?.telling
        if (telling?.state === 'told' && telling.owed === 0) return true
        throw new Error(JSON.stringify(telling))
      },
      TURN_MS,
      LOOK_EVERY_MS
    )
  }
}

const MAP =
  'service=WMS&version=1.1.1&request=GetMap&styles=&bbox=0,40,20,60&width=64&height=64&srs=EPSG:4326&format=image/png'

export class Fleet {
  readonly sites: Site[] = []
  /** The layer whose map is asked for all the time. */
  mapped = ''
  readonly #cluster: Cluster
  readonly #options: FleetOptions
  readonly #stop = new AbortController()
  #loads: Array<Promise<void>> = []

  constructor(cluster: Cluster, options: FleetOptions) {
    this.#cluster = cluster
    this.#options = options
  }

  get first(): Site {
    return this.sites[0]!
  }

  get others(): Site[] {
    return this.sites.slice(1)
  }

  /** Starts all GeoServers, each over a directory of its own and none with a node. */
  async start(): Promise<void> {
    const { command, fill, nodes } = this.#options
    for (let at = 0; at < nodes; at++) {
      const name = String.fromCharCode(97 + at)
      const dir = join(this.#cluster.place, name, 'catalog')
      const geoserver = new GeoServerProcess(command, dir, await freePort(), join(this.#cluster.place, `${name}.log`))
      const recorder = new Recorder(geoserver.url)
      const url = await recorder.start()
      const told = [...accessTo(url, this.#cluster, command.password), '--geoserver-user', command.user]
      const node = this.#cluster.fresh(name, { also: ['--adapter', 'geoserver', ...told] })
      fill(dir, name)
      this.sites.push(new Site(name, node, geoserver, recorder))
      await geoserver.start()
    }
  }

  /** Makes the cluster at the first and lets the others join it. */
  async join(): Promise<void> {
    const [{ node: first }, ...others] = this.sites as [Site, ...Site[]]
    succeeded(await first.cli('init', '--cluster', 'fleet', '--name', 'a'))
    await first.start()
    for (const { name, node } of others) {
      const { token } = await first.client.invite({ role: 'author', expiresMs: 3_600_000, uses: 1 })
      succeeded(await node.cli('join', token, '--name', name, '--no-mdns'))
      await node.start()
    }
  }

  /** Asks every GeoServer that runs for a map again and again until the fleet stops. */
  load(layer: string): void {
    this.mapped = layer
    this.#loads = this.sites.map((site) => this.#askOne(site))
  }

  async #askOne(site: Site): Promise<void> {
    const { signal } = this.#stop
    while (!signal.aborted) {
      await pause(MAP_EVERY_MS)
      if (!site.geoserver.running || this.mapped === '') continue
      const layer = this.mapped
      const good = await site.map(layer).then(
        () => true,
        () => false
      )
      // one that was stopped or renamed while it was asked does not count
      if (!site.geoserver.running || layer !== this.mapped) continue
      site.maps.asked++
      if (!good) site.maps.failed++
    }
  }

  /** Waits until it is so at all others. */
  async seen(what: string, isSo: (site: Site) => Promise<boolean>, sites = this.others): Promise<void> {
    for (const site of sites) await until(`${site.name} ${what}`, () => lookOnce(site, isSo), TURN_MS, LOOK_EVERY_MS)
  }

  /** Waits until every GeoServer with a node was told everything. */
  async told(): Promise<void> {
    for (const site of this.sites) if (site.node.running && site.geoserver.running) await site.told()
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await Promise.all(this.#loads)
    await Promise.all(this.sites.map(({ geoserver }) => geoserver.stop()))
    await Promise.all(this.sites.map(({ recorder }) => recorder.stop()))
  }
}

/** A look that failed says how far the node is. */
async function lookOnce(site: Site, isSo: (site: Site) => Promise<boolean>): Promise<boolean> {
  if (await isSo(site)) return true
  const { spaces, target } = await site.node.status()
  throw new Error(JSON.stringify({ waiting: spaces[0]!.waiting, telling: target?.telling }))
}

/** Copies a data directory that the user made. */
export function copyOf(template: string): (dir: string) => void {
  return (dir) => cpSync(template, dir, { recursive: true })
}
