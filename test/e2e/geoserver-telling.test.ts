/** GeoServers told by their nodes: a change at one is drawn by the other, without a reload where none is needed. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { writeTree } from '../adapters/geoserver/tree.js'
import { startStandIn, type StandIn } from '../geoserver/server.js'
import { SLD, smallTree } from '../geoserver/world.js'
import { vectorsOf } from './catalog.js'
import { succeeded, withCluster, type Cluster } from './cluster.js'
import { reportsNothing } from './failure.js'
import { freePort } from './free-port.js'
import { accessTo } from './geoserver-access.js'
import type { Node } from './node.js'
import { until } from './until.js'

const LAYER = 'workspaces/coast/depth/contours/layer.xml'
const TILES = 'gwc-layers/La-1.xml'
const AUTHORIZATION = `Basic ${Buffer.from('admin:geoserver').toString('base64')}`

/** A node and the GeoServer beside it, which starts later. */
interface Pair {
  readonly node: Node
  readonly port: number
  geoserver: StandIn
}

async function pairOf(cluster: Cluster, name: string, first: boolean): Promise<Omit<Pair, 'geoserver'>> {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}/geoserver`
  const also = ['--adapter', 'geoserver', ...accessTo(url, cluster)]
  const node = first
    ? await cluster.found(name, { also, before: (dir) => writeTree(dir, smallTree()) })
    : await cluster.join(name, { also })
  return { node, port }
}

async function ask(
  { geoserver }: Pair,
  method: string,
  path: string,
  body?: string,
  type = 'application/xml'
): Promise<string> {
  const answer = await fetch(geoserver.url + path, {
    method,
    headers: { authorization: AUTHORIZATION, 'content-type': type },
    ...(body !== undefined && { body })
  })
  const text = await answer.text()
  assert.ok(answer.status < 300, `${method} ${path}: ${answer.status} ${text}`)
  return text
}

const told = ({ node }: Pair): Promise<unknown> =>
  until(`${node.name} has told its GeoServer`, async () => {
    const telling = (await node.status()).target?.telling
    return telling?.state === 'told' && telling.owed === 0
  })

/** What its node asked of a GeoServer besides looking. */
const calls = ({ geoserver }: Pair): string[] =>
  geoserver
    .report()
    .asked.filter(({ method, path }) => method !== 'GET' && !/stand-in|masstruncate/.test(path))
    .map(({ method, path }) => `${method} ${path}`)

/** Who has written something into the catalog. */
async function authorsOf({ client }: Node): Promise<string[]> {
  const authors = new Set<string>()
  for await (const { author, space } of client.inspectLog({ limit: 1_000 }))
    if (space === 'catalog') authors.add(author)
  return [...authors]
}

test(
  'two GeoServers: what one is told by a person the other is told by its node, gently, and nothing comes back',
  withCluster(async (cluster) => {
    const [first, second] = [await pairOf(cluster, 'a', true), await pairOf(cluster, 'b', false)]
    writeFileSync(join(second.node.home, 'geoserver-secrets.json'), '{"coast/depth/passwd": "of b"}', { mode: 0o600 })
    succeeded(await second.node.cli('quarantine', 'retry'))
    await until('b has the store', () => existsSync(join(second.node.dir, 'workspaces/coast/depth/datastore.xml')))
    const options = { noticeEveryMs: 100, reloadMs: () => 50 }
    const a: Pair = {
      ...first,
      // the tile layer of what is edited is written after its layer has long been at b
      geoserver: await startStandIn({ dir: first.node.dir, port: first.port, tilesAfterMs: 2_000, ...options })
    }
    const b: Pair = {
      ...second,
      geoserver: await startStandIn({ dir: second.node.dir, port: second.port, ...options })
    }
    try {
      await told(a)
      await told(b)
      const [askedA, askedB] = [calls(a).length, calls(b).length]
      // what it missed before it ran it was told by then
      const { reloads } = b.geoserver.report().counts

      // a layer: one call, and both draw the same
      const layer = await ask(a, 'GET', '/rest/layers/coast:contours.xml')
      await ask(a, 'PUT', '/rest/layers/coast:contours.xml', layer.replace('</layer>', '<path>/sea</path></layer>'))
      await until('b knows', async () => (await ask(b, 'GET', '/rest/layers/coast:contours.xml')).includes('/sea'))
      await told(b)
      // b's GeoServer wrote the tile layer in its wake: that is no edit of b's, and a's is the same
      await until('the tile layer is there', () =>
        readFileSync(join(a.node.dir, TILES), 'utf8').includes('gridSubsets')
      )
      await told(b)
      assert.deepEqual(calls(b).slice(askedB), ['PUT /rest/layers/coast%3Acontours.xml'])
      assert.deepEqual(await authorsOf(a.node), [a.node.id])

      // a style with a new graphic: no call at all, and the tiles of what shows it go
      writeFileSync(join(a.node.dir, 'styles/symbols/mast.svg'), '<svg id="mast"/>')
      const sld = SLD.replace('buoy', 'mast')
      await ask(a, 'PUT', '/rest/styles/line?raw=true', sld, 'application/vnd.ogc.sld+xml')
      const body = createHash('sha256').update(sld).digest('hex')
      await until('b draws it', async () => {
        const answer = await ask(b, 'GET', '/wms?request=GetMap&layers=coast:contours')
        const { drawn } = JSON.parse(answer) as { drawn: Array<{ body: string; graphics: Record<string, unknown> }> }
        return drawn[0]?.body === body && drawn[0].graphics['symbols/mast.svg'] !== null
      })
      await told(b)
      assert.deepEqual(
        calls(b)
          .slice(askedB + 1)
          .filter((call) => !call.includes('/gwc/')),
        []
      )

      // a new layer: one reload
      await ask(
        a,
        'POST',
        '/rest/workspaces/coast/datastores/depth/featuretypes',
        '<featureType><name>wrecks</name></featureType>'
      )
      await until(
        'b draws it',
        async () =>
          (
            await fetch(`${b.geoserver.url}/rest/layers/coast:wrecks.xml`, {
              headers: { authorization: AUTHORIZATION }
            })
          ).status === 200
      )
      await told(b)
      assert.equal(b.geoserver.report().counts.reloads, reloads + 1)
      assert.deepEqual(
        calls(b)
          .slice(askedB + 1)
          .filter((call) => !call.includes('/gwc/')),
        ['POST /rest/reload']
      )

      // a reload by a person sends nothing, and nothing of all this came back to a
      const before = await vectorsOf(a.node)
      await ask(a, 'POST', '/rest/reload')
      for (const { node } of [a, b]) await node.restart()
      await told(a)
      await told(b)
      assert.deepEqual(await vectorsOf(a.node), before)
      assert.deepEqual(await vectorsOf(b.node), before)
      assert.deepEqual(
        calls(a)
          .slice(askedA)
          .filter((call) => !/PUT \/rest\/(layers\/coast:|styles\/line)|featuretypes$|POST \/rest\/reload/.test(call)),
        []
      )
      assert.equal(b.geoserver.report().counts.reloads, reloads + 1)
      assert.equal(readFileSync(join(a.node.dir, LAYER), 'utf8').includes('/sea'), true)

      // who looks sees how far it is
      const stdout = succeeded(await b.node.cli('status'))
      assert.match(stdout, /geoserver +2\.\S+ knows everything/)
      await reportsNothing(b.node)
    } finally {
      await Promise.all([a.geoserver.stop(), b.geoserver.stop()])
    }
  })
)
