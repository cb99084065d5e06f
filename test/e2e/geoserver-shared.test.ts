/** Two GeoServers over one directory: their nodes write nothing there, record each change once, and tell each other's. */
import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { writeTree } from '../adapters/geoserver/tree.js'
import { startStandIn, type StandIn } from '../geoserver/server.js'
import { savedTree } from '../adapters/geoserver/tree.js'
import { smallTree } from '../geoserver/world.js'
import { succeeded, withCluster, type Cluster } from './cluster.js'
import { reportsNothing } from './failure.js'
import { accessTo } from './geoserver-access.js'
import type { Node } from './node.js'
import { until } from './until.js'

const AUTHORIZATION = `Basic ${Buffer.from('admin:geoserver').toString('base64')}`
const LAYER = '/rest/layers/coast:contours.xml'

interface Pair {
  readonly node: Node
  readonly geoserver: StandIn
}

async function ask(
  { geoserver }: Pick<Pair, 'geoserver'>,
  method: string,
  path: string,
  body?: string
): Promise<string> {
  const answer = await fetch(geoserver.url + path, {
    method,
    headers: { authorization: AUTHORIZATION, 'content-type': 'application/xml' },
    ...(body !== undefined && { body })
  })
  return answer.status < 300 ? answer.text() : `${answer.status}`
}

const TILES = 'gwc-layers/La-1.xml'

const toldAndQuiet = ({ node }: Pair): Promise<unknown> =>
  until(`${node.name} has told its GeoServer and waits for nothing`, async () => {
    const { target, spaces } = await node.status()
    return (
      target?.telling?.state === 'told' && target.telling.owed === 0 && spaces.every(({ waiting }) => waiting === 0)
    )
  })

/** Everything is recorded, heard of and told. */
async function quiet(pairs: readonly Pair[], records: number): Promise<void> {
  await until(`there are ${records} changes`, async () => {
    assert.equal(await recordsAt(pairs[0]!.node), records)
    return true
  })
  await until('all are equal', async () => {
    const roots = await Promise.all(pairs.map(async ({ node }) => (await node.space()).root))
    return new Set(roots).size === 1
  })
  for (const pair of pairs) await toldAndQuiet(pair)
}

/** Records of the catalog, of all authors. */
async function recordsAt(node: Node): Promise<number> {
  const { vector } = await node.space()
  return Object.values(vector).reduce((sum, seq) => sum + seq, 0)
}

async function start(cluster: Cluster): Promise<[Pair, Pair]> {
  const dir = join(cluster.place, 'data')
  mkdirSync(dir)
  // with a grid in the tile layer, or GeoServer would fill one in with the first save
  writeTree(dir, { ...smallTree(), [TILES]: savedTree()[TILES]! })
  const pairs: Pair[] = []
  for (const name of ['a', 'b']) {
    const geoserver = await startStandIn({ dir, noticeEveryMs: 100, reloadMs: () => 50 })
    const flags = accessTo(geoserver.url, cluster)
    const options = { dir, also: ['--adapter', 'geoserver', '--shared-dir', '--geoserver-reload-share', '1', ...flags] }
    const node = name === 'a' ? await cluster.found(name, options) : await cluster.join(name, options)
    pairs.push({ node, geoserver })
  }
  return pairs as [Pair, Pair]
}

const reloads = ({ geoserver }: Pair): number => geoserver.report().counts.reloads

test(
  'two GeoServers over one directory: what one does the other is told, each change is recorded once, and nothing is written',
  withCluster(async (cluster) => {
    const [a, b] = await start(cluster)
    try {
      for (const { node } of [a, b])
        await until(`${node.name} has met the directory`, async () => {
          const { target } = await node.status()
          return target?.state === 'watching' && (target.lastScan?.entries ?? 0) > Object.keys(smallTree()).length
        })
      await toldAndQuiet(a)
      await toldAndQuiet(b)
      const before = await recordsAt(a.node)
      assert.deepEqual([reloads(a), reloads(b)], [0, 0])

      // a layer is changed at one: the other is told, and it is recorded once
      const layer = await ask(a, 'GET', LAYER)
      await ask(a, 'PUT', LAYER, layer.replace('</layer>', '<path>/sea</path></layer>'))
      await until('b knows', async () => (await ask(b, 'GET', LAYER)).includes('/sea'))
      await quiet([a, b], before + 1)

      // a layer is made at the other: only the first needs a reload
      await ask(
        b,
        'POST',
        '/rest/workspaces/coast/datastores/depth/featuretypes',
        '<featureType><name>wrecks</name></featureType>'
      )
      await until('a knows', async () => (await ask(a, 'GET', '/rest/layers/coast:wrecks.xml')) !== '404')
      await toldAndQuiet(a)
      await toldAndQuiet(b)
      assert.deepEqual([reloads(a), reloads(b)], [1, 0])

      // and it is taken away again at the first
      await ask(a, 'DELETE', '/rest/layers/coast:wrecks.xml?recurse=true')
      await until('b forgets', async () => (await ask(b, 'GET', '/rest/layers/coast:wrecks.xml')) === '404')
      await toldAndQuiet(a)
      await toldAndQuiet(b)
      assert.deepEqual([reloads(a), reloads(b)], [1, 1])

      // a reload by a person is no change, nor is a restart of the nodes
      const calm = await recordsAt(a.node)
      await ask(b, 'POST', '/rest/reload')
      for (const { node } of [a, b]) await node.restart()
      await quiet([a, b], calm)

      // what happened while a node was away it tells when it is back
      await b.node.stop()
      await ask(a, 'PUT', LAYER, layer.replace('</layer>', '<path>/lake</path></layer>'))
      await until('a says so', async () => (await recordsAt(a.node)) > calm)
      await b.node.start()
      await until('b knows', async () => (await ask(b, 'GET', LAYER)).includes('/lake'))
      await quiet([a, b], calm + 1)

      // what is put into the catalog waits for whoever writes the directory
      const file = join(cluster.place, 'new.ftl')
      writeFileSync(file, 'new')
      succeeded(await a.node.cli('put', 'workspaces/coast/title.ftl', file))
      await until('it waits', async () => /title\.ftl/.test((await b.node.cli('waiting')).stdout))
      writeTree(a.node.dir, { 'workspaces/coast/title.ftl': 'new' })
      await quiet([a, b], calm + 2)
      for (const { node } of [a, b]) await reportsNothing(node)
    } finally {
      await Promise.all([a.geoserver.stop(), b.geoserver.stop()])
    }
  })
)
