/** What three GeoServers are asked when something changes at one of them: calls, reloads, and how many reload at once. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { createHash } from 'node:crypto'
import { dirname, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { smallTree as filesOfOne, writeTree } from '../adapters/geoserver/tree.js'
import { mostOutagesAtOnce } from '../geoserver/journal.js'
import { startStandIn, type StandIn } from '../geoserver/server.js'
import { SLD, smallTree } from '../geoserver/world.js'
import type { Cluster } from './cluster.js'
import { freePort } from './free-port.js'
import { accessTo } from './geoserver-access.js'
import { equalByMeaning } from './geoserver-meaning.js'
import type { Node } from './node.js'
import { until } from './until.js'

export interface GentlyReport {
  /** A style's body and a new graphic: records, and calls and reloads at the other two. */
  readonly style: { readonly records: number; readonly calls: readonly number[]; readonly reloads: readonly number[] }
  /** A new layer: reloads at the other two, and the most that reloaded at the same moment. */
  readonly layer: { readonly reloads: readonly number[]; readonly atOnce: number }
  /** Many changes in ten seconds. */
  readonly burst: { readonly changes: number; readonly reloads: readonly number[]; readonly atOnce: number }
  /** A reload by a person at the first: records it made, and calls at the other two. */
  readonly reload: { readonly records: number; readonly calls: readonly number[] }
}

interface Pair {
  readonly node: Node
  readonly port: number
}

/** A turn comes once in a minute for each of three. */
const TURN_MS = 180_000
const BURST_MS = 10_000
const CHANGES = 500
/** Every so many changes one is a new layer. */
const LAYER_EVERY = 50

export async function measureGently(cluster: Cluster, progress: (what: string) => void): Promise<GentlyReport> {
  const tree = {
    ...smallTree(),
    'workspaces/coast/depth/datastore.xml': filesOfOne()['workspaces/coast/depth/datastore.xml']!
  }
  const pairs: Pair[] = []
  for (const name of ['a', 'b', 'c']) {
    const port = await freePort()
    const url = `http://127.0.0.1:${port}/geoserver`
    const also = ['--adapter', 'geoserver', ...accessTo(url, cluster)]
    const first = { also, before: (dir: string) => writeTree(dir, tree) }
    pairs.push({ node: await (name === 'a' ? cluster.found(name, first) : cluster.join(name, { also })), port })
  }
  const nodes = pairs.map(({ node }) => node)
  const [a] = nodes as [Node]
  await equalByMeaning(nodes)
  const standIns: StandIn[] = []
  try {
    for (const { node, port } of pairs)
      standIns.push(await startStandIn({ dir: node.dir, port, noticeEveryMs: 200, reloadMs: () => 1_000 }))
    const others = standIns.slice(1)
    await toldAll(nodes)
    progress('all are told')
    const meter = metered(others)
    const records = await recordsOf(a)

    const sld = SLD.replace('buoy', 'mast')
    put(a, 'styles/symbols/mast.svg', '<svg id="mast"/>')
    put(a, 'styles/line.sld', sld)
    await drawn(others, 'coast:contours', sld)
    await toldAll(nodes)
    const style = { records: (await recordsOf(a)) - records, calls: meter.calls(), reloads: meter.reloads() }
    progress('the style is drawn')

    const layer = metered(others)
    await standIns[0]!.ask(
      'POST',
      '/rest/workspaces/coast/datastores/depth/featuretypes',
      '<featureType><name>wrecks</name></featureType>'
    )
    await known(others, 'coast:wrecks', nodes)
    await toldAll(nodes)
    const layers = { reloads: layer.reloads(), atOnce: layer.atOnce() }
    progress('the layer is there')

    const burst = metered(others)
    await changeMuch(standIns[0]!, a)
    await known(others, `coast:layer${CHANGES - LAYER_EVERY}`, nodes)
    await toldAll(nodes)
    const many = { changes: CHANGES, reloads: burst.reloads(), atOnce: burst.atOnce() }
    progress('the burst is over')

    const quiet = metered(others)
    const before = await recordsOf(a)
    await standIns[0]!.ask('POST', '/rest/reload')
    // everybody looks at everything once more before it is known that nothing was sent
    for (const node of nodes) await node.restart()
    await toldAll(nodes)
    const reload = { records: (await recordsOf(a)) - before, calls: quiet.calls() }
    return { style, layer: layers, burst: many, reload }
  } finally {
    for (const standIn of standIns) await standIn.stop()
  }
}

/** Changes of one layer's title through its GeoServer and by hand, now and then a new layer. */
async function changeMuch(geoserver: StandIn, a: Node): Promise<void> {
  const began = performance.now()
  for (let at = 0; at < CHANGES; at++) {
    await pause(Math.max(0, began + (BURST_MS * at) / CHANGES - performance.now()))
    if (at % LAYER_EVERY === 0)
      await geoserver.ask(
        'POST',
        '/rest/workspaces/coast/datastores/depth/featuretypes',
        `<featureType><name>layer${at}</name></featureType>`
      )
    else put(a, `styles/symbols/s${at % 40}.svg`, `<svg id="${at}"/>`)
  }
}

function metered(standIns: readonly StandIn[]): {
  calls(): number[]
  reloads(): number[]
  atOnce(): number
} {
  const asked = standIns.map((standIn) => changing(standIn))
  const reloads = standIns.map((standIn) => standIn.report().counts.reloads)
  const outages = standIns.map((standIn) => standIn.report().outages.length)
  return {
    calls: () => standIns.map((standIn, at) => changing(standIn) - asked[at]!),
    reloads: () => standIns.map((standIn, at) => standIn.report().counts.reloads - reloads[at]!),
    atOnce: () =>
      mostOutagesAtOnce(standIns.map((standIn, at) => ({ outages: standIn.report().outages.slice(outages[at]) })))
  }
}

/** Calls that change something, but for the dropping of tiles. */
function changing(standIn: StandIn): number {
  const isChange = ({ method, path }: { method: string; path: string }): boolean =>
    method !== 'GET' && !/stand-in|masstruncate/.test(path)
  return standIn.report().asked.filter(isChange).length
}

async function toldAll(nodes: readonly Node[]): Promise<void> {
  for (const node of nodes)
    await until(
      `${node.name} has told its GeoServer`,
      async () => {
        const telling = (await node.status()).target?.telling
        return telling?.state === 'told' && telling.owed === 0
      },
      TURN_MS
    )
}

function drawn(standIns: readonly StandIn[], layer: string, sld: string): Promise<unknown> {
  const body = createHash('sha256').update(sld).digest('hex')
  return until('the others draw it', async () => {
    const maps = await Promise.all(standIns.map((standIn) => standIn.ask('GET', `/wms?request=GetMap&layers=${layer}`)))
    return maps.every(({ text }) => text.includes(body))
  })
}

function known(standIns: readonly StandIn[], layer: string, nodes: readonly Node[]): Promise<unknown> {
  return until(
    `the others know ${layer}`,
    async () => {
      const answers = await Promise.all(standIns.map((standIn) => standIn.ask('GET', `/rest/layers/${layer}.xml`)))
      if (answers.every(({ status }) => status === 200)) return true
      const views = await Promise.all(nodes.map((node) => node.status()))
      throw new Error(JSON.stringify(views.map(({ spaces, target }) => [spaces[0]!.waiting, target?.telling])))
    },
    TURN_MS,
    200
  )
}

async function recordsOf(node: Node): Promise<number> {
  const { vector } = await node.space()
  return Object.values(vector).reduce((sum, seq) => sum + seq, 0)
}

function put(node: Node, path: string, text: string): void {
  mkdirSync(dirname(join(node.dir, path)), { recursive: true })
  writeFileSync(join(node.dir, path), text)
}
