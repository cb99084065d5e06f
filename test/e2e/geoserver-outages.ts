/**
 * A day's worth of real changes in some minutes: how many requests for maps fail at GeoServers told by their nodes, and at
 * one that is reloaded for each change. Reloads take as long as was measured.
 */
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { qualified } from '../geoserver/catalog.js'
import { mostOutagesAtOnce } from '../geoserver/journal.js'
import { startStandIn, type StandIn } from '../geoserver/server.js'
import type { Cluster } from './cluster.js'
import { freePort } from './free-port.js'
import { accessTo } from './geoserver-access.js'
import { equalByMeaning } from './geoserver-meaning.js'
import type { History, Step } from './history.js'
import type { Node } from './node.js'
import { until } from './until.js'

export interface OutagesOptions {
  readonly from: number
  readonly steps: number
  /** Time for all of them, ms. */
  readonly ms: number
  readonly progress?: (done: number, of: number) => void
}

export interface Load {
  readonly node: string
  readonly reloads: number
  readonly maps: number
  /** Failed because the catalog was being reloaded, and for any reason. */
  readonly failedByReload: number
  readonly failed: number
}

export interface OutagesReport {
  readonly steps: number
  readonly seconds: number
  readonly told: readonly Load[]
  readonly reloadedForEach: Load
  /** How many fewer requests fail, of a hundred. */
  readonly fewerPercent: number
  readonly mostReloadsAtOnce: number
}

/** Requests for maps at each GeoServer, one after so many ms. */
const MAP_EVERY_MS = 200
/** How long the last reload may take to have its turn, ms. */
const TURN_MS = 240_000

export async function measureOutages(
  cluster: Cluster,
  histories: readonly [History, History],
  { from, steps: count, ms, progress }: OutagesOptions
): Promise<OutagesReport> {
  const plain = ['--adapter', 'geoserver', '--geoserver-broken-after-ms', '1000']
  let steps: readonly Step[] = []
  const source = await cluster.found('a', {
    also: plain,
    before: (dir) => void (steps = histories[0].begin(dir, from).slice(0, count))
  })
  const told = [await toldNode(cluster, 'b', plain), await toldNode(cluster, 'c', plain)]
  const other = join(cluster.place, 'reloaded')
  histories[1].begin(other, from)
  await equalByMeaning([source, ...told.map(({ node }) => node)])
  const standIns: StandIn[] = []
  const stop = new AbortController()
  try {
    for (const { node, port } of told) standIns.push(await startStandIn({ dir: node.dir, port }))
    const reloaded = await startStandIn({ dir: other })
    standIns.push(reloaded)
    const layers = layersOf(reloaded)
    const loads = standIns.map((standIn) => ask(standIn, layers, stop.signal))
    const began = performance.now()
    let reloading: Promise<unknown> = Promise.resolve()
    for (const [at, step] of steps.entries()) {
      await pause(Math.max(0, began + (ms * at) / steps.length - performance.now()))
      histories[0].play(source.dir, step, 'geoserver')
      histories[1].play(other, step, 'geoserver')
      if (step.put.length + step.del.length > 0) reloading = reloading.then(() => reloaded.ask('POST', '/rest/reload'))
      progress?.(at + 1, steps.length)
    }
    for (const { node } of told)
      await until(
        `${node.name} has told its GeoServer`,
        async () => (await node.status()).target?.telling?.state === 'told',
        TURN_MS
      )
    await reloading
    stop.abort()
    const results = await Promise.all(loads)
    const [b, c, each] = standIns.map((standIn, at): Load => ({
      node: ['b', 'c', 'reloaded for each change'][at]!,
      reloads: standIn.report().counts.reloads,
      ...results[at]!
    })) as [Load, Load, Load]
    const share = (load: Load): number => load.failed / load.maps
    return {
      steps: steps.length,
      seconds: Math.round((performance.now() - began) / 1_000),
      told: [b, c],
      reloadedForEach: each,
      fewerPercent: Math.round(1_000 * (1 - (share(b) + share(c)) / 2 / share(each))) / 10,
      mostReloadsAtOnce: mostOutagesAtOnce(standIns.slice(0, 2).map((standIn) => standIn.report()))
    }
  } finally {
    stop.abort()
    for (const standIn of standIns) await standIn.stop()
  }
}

async function toldNode(
  cluster: Cluster,
  name: string,
  plain: readonly string[]
): Promise<{ node: Node; port: number }> {
  const port = await freePort()
  const telling = accessTo(`http://127.0.0.1:${port}/geoserver`, cluster)
  return { node: await cluster.join(name, { also: [...plain, ...telling] }), port }
}

function layersOf({ server }: StandIn): string[] {
  return server.catalog.list('layer').map(qualified)
}

/** Asks for one map after the other until the signal comes. */
async function ask(
  standIn: StandIn,
  layers: readonly string[],
  signal: AbortSignal
): Promise<Pick<Load, 'maps' | 'failed' | 'failedByReload'>> {
  const counts = { maps: 0, failed: 0, failedByReload: 0 }
  for (let at = 0; !signal.aborted; at++) {
    const { status, text } = await standIn.ask('GET', `/wms?request=GetMap&layers=${layers[(at * 7) % layers.length]}`)
    counts.maps++
    if (status !== 200) counts.failed++
    if (text.includes('NullPointerException')) counts.failedByReload++
    await pause(MAP_EVERY_MS)
  }
  return counts
}
