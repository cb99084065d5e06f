/** What two nodes did to one data directory apart: edits of one file merge, objects of one name become one. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { checkDataDirectory } from '../../src/adapters/index.js'
import { Classifier, travels } from '../../src/adapters/geoserver/classify.js'
import { outward } from '../../src/adapters/geoserver/travel.js'
import { writeTree } from '../adapters/geoserver/tree.js'
import { startStandIn, type StandIn } from '../geoserver/server.js'
import { SLD, smallTree } from '../geoserver/world.js'
import { vectorsOf } from './catalog.js'
import { succeeded, withCluster, type Cluster } from './cluster.js'
import { reportsNothing } from './failure.js'
import type { Node } from './node.js'
import { until } from './until.js'

const ALSO = ['--adapter', 'geoserver']
const LAYER = 'workspaces/coast/depth/contours/layer.xml'
const FEATURE_TYPE = 'workspaces/coast/depth/contours/featuretype.xml'

const textAt = (node: Node, path: string): string => readFileSync(join(node.dir, path), 'utf8')
const idIn = (text: string): string => /<id>([^<]*)<\/id>/.exec(text)![1]!

function edit(node: Node, path: string, from: string, to: string): void {
  const text = textAt(node, path)
  assert.ok(text.includes(from), `${path} of ${node.name} holds ${from}`)
  writeFileSync(join(node.dir, path), text.replace(from, to))
}

/** What travels of each file of a node's directory. */
async function shared(node: Node): Promise<Map<string, string>> {
  const classifier = new Classifier()
  const found = new Map<string, string>()
  for (const [path, hash] of await node.files()) {
    const { kind, sharing } = classifier.classify(path)
    if (sharing === 'shared') found.set(path, hash)
    else if (travels(sharing)) {
      const made = outward({ path, kind }, readFileSync(join(node.dir, path)))
      found.set(path, made.ok ? made.value.bytes.toString() : made.problem.word)
    }
  }
  return found
}

async function inStep(nodes: readonly Node[]): Promise<void> {
  await until('all directories mean the same, and nothing moves any more', async () => {
    const before = await Promise.all(nodes.map(vectorsOf))
    const [first, ...others] = await Promise.all(nodes.map(shared))
    for (const other of others) assert.deepEqual([...other].toSorted(), [...first!].toSorted())
    const spaces = await Promise.all(nodes.map((node) => node.space()))
    assert.equal(new Set(spaces.map(({ root, waiting }) => `${root} ${waiting}`)).size, 1)
    assert.deepEqual(await Promise.all(nodes.map(vectorsOf)), before)
    return true
  })
}

/** Each node does its part while the other is not there; then both are. */
async function apart(nodes: readonly Node[], ...work: Array<(node: Node) => Promise<void>>): Promise<void> {
  await inStep(nodes)
  for (const node of nodes) await node.stop()
  for (const [at, node] of nodes.entries()) {
    const { records } = await scanned(node)
    await work[at]!(node)
    await until(`${node.name} has taken it in`, async () => (await recordsOf(node)) > records)
    await node.restart()
    await until(`${node.name} has looked once more`, async () => (await node.status()).target!.lastScan !== undefined)
    await node.stop()
  }
  for (const node of nodes) await node.start()
}

async function scanned(node: Node): Promise<{ records: number }> {
  await node.start()
  await until(`${node.name} has looked`, async () => (await node.status()).target!.lastScan !== undefined)
  return { records: await recordsOf(node) }
}

async function recordsOf(node: Node): Promise<number> {
  return Object.values((await node.space()).vector).reduce((sum, seq) => sum + seq, 0)
}

/** Longer than any node waits for others to bring things together first, ms. */
const QUIET_MS = 4_000

/** Nobody has written anything for a while. */
async function quiet(nodes: readonly Node[]): Promise<void> {
  let last = ''
  let since = performance.now()
  await until('nobody writes any more', async () => {
    const now = JSON.stringify(await Promise.all(nodes.map(vectorsOf)))
    if (now !== last) [last, since] = [now, performance.now()]
    return performance.now() - since > QUIET_MS
  })
}

/** Nothing is written any more, however often they look. */
async function staysSo(nodes: readonly Node[]): Promise<void> {
  await quiet(nodes)
  const before = await Promise.all(nodes.map(vectorsOf))
  for (const node of nodes) await node.restart()
  await inStep(nodes)
  // a look at everything after the start, and the time in which each would bring things together
  for (const node of nodes)
    await until(`${node.name} has looked`, async () => (await node.status()).target!.lastScan !== undefined)
  await quiet(nodes)
  assert.deepEqual(await Promise.all(nodes.map(vectorsOf)), before)
}

async function two(cluster: Cluster, tree = smallTree()): Promise<[Node, Node]> {
  const a = await cluster.found('a', { also: ALSO, before: (dir) => writeTree(dir, tree) })
  const b = await cluster.join('b', { also: ALSO })
  return [a, b]
}

const withoutPassword = (): Record<string, string> => {
  const tree = smallTree()
  const store = 'workspaces/coast/depth/datastore.xml'
  return { ...tree, [store]: tree[store]!.replace(/ *<entry key="passwd">[^\n]*\n/, '') }
}

test(
  'one file edited on two nodes apart: different elements are merged on both, the same element stays a conflict',
  withCluster(async (cluster) => {
    const nodes = await two(cluster, withoutPassword())
    const [a, b] = nodes
    await apart(
      nodes,
      async (node) => {
        edit(node, FEATURE_TYPE, '<title>Contours</title>', '<title>Depth contours</title>')
        edit(node, LAYER, '<type>VECTOR</type>', '<type>VECTOR</type>\n  <path>/of-a</path>')
      },
      async (node) => {
        edit(node, FEATURE_TYPE, '<name>contours</name>', '<name>contours</name>\n  <abstract>Lines</abstract>')
        edit(node, LAYER, '<type>VECTOR</type>', '<type>VECTOR</type>\n  <path>/of-b</path>')
      }
    )
    await until('both edits are in both directories', () =>
      [a, b].every((node) => /<abstract>Lines<\/abstract>[^]*<title>Depth contours</.test(textAt(node, FEATURE_TYPE)))
    )
    await inStep(nodes)
    assert.equal((await a.space()).conflicts, 1)
    const { conflicts } = await a.client.entry(LAYER)
    assert.equal(conflicts.length, 1)
    // the file is one of the two, whole
    assert.match(textAt(a, LAYER), /<path>\/of-[ab]<\/path>/)
    await staysSo(nodes)
    for (const node of nodes) await reportsNothing(node)
  })
)

/** A workspace with a store, a layer and a style of its own, as a person makes them over REST. */
async function makeHarbour({ ask }: StandIn, title: string): Promise<void> {
  const calls: Array<[string, string]> = [
    ['/rest/workspaces', '<workspace><name>harbour</name></workspace>'],
    ['/rest/workspaces/harbour/datastores', '<dataStore><name>quays</name><type>PostGIS</type></dataStore>'],
    [
      '/rest/workspaces/harbour/datastores/quays/featuretypes',
      `<featureType><name>piers</name><title>${title}</title></featureType>`
    ],
    ['/rest/styles', '<style><name>pier</name><filename>pier.sld</filename></style>']
  ]
  for (const [path, body] of calls) {
    const answer = await ask('POST', path, body)
    assert.ok(answer.status < 300, `${path}: ${answer.status} ${answer.text}`)
  }
  const { status } = await ask('PUT', '/rest/styles/pier?raw=true', SLD, {
    'content-type': 'application/vnd.ogc.sld+xml'
  })
  assert.ok(status < 300)
}

test(
  'workspace, store, layer and style of one name made on two GeoServers apart become one of each, and what one alone made of them follows',
  withCluster(async (cluster) => {
    const nodes = await two(cluster, withoutPassword())
    const [a, b] = nodes
    const making = (title: string, more?: (standIn: StandIn) => Promise<void>) => async (node: Node) => {
      const standIn = await startStandIn({ dir: node.dir, reloadMs: () => 50 })
      try {
        await makeHarbour(standIn, title)
        await more?.(standIn)
      } finally {
        await standIn.stop()
      }
    }
    const group =
      '<layerGroup><name>ours</name><publishables><published type="layer"><name>harbour:piers</name></published></publishables><styles><style><name>pier</name></style></styles></layerGroup>'
    const ids = new Map<string, string>()
    await apart(nodes, making('Piers of a'), async (node) => {
      await making('Piers of b', async (standIn) => {
        const answer = await standIn.ask('POST', '/rest/layergroups', group)
        assert.ok(answer.status < 300, answer.text)
      })(node)
      ids.set(
        'b',
        idIn(
          textAt(node, 'workspaces/harbour/quays/piers/layer.xml').replace(
            /<defaultStyle>[^]*?<\/defaultStyle>|<resource[^]*?<\/resource>/g,
            ''
          )
        )
      )
    })
    const objects = [
      'workspaces/harbour/workspace.xml',
      'workspaces/harbour/namespace.xml',
      'workspaces/harbour/quays/datastore.xml',
      'workspaces/harbour/quays/piers/featuretype.xml',
      'workspaces/harbour/quays/piers/layer.xml',
      'styles/pier.xml'
    ]
    await until('nothing dangles on either node', async () => {
      for (const node of nodes) {
        const { findings } = await checkDataDirectory(node.dir)
        assert.deepEqual(
          findings.filter(({ severity }) => severity === 'fault').map(({ path, message }) => `${path} ${message}`),
          []
        )
      }
      for (const path of objects) assert.equal(textAt(a, path).includes(idIn(textAt(b, path))), true, path)
      return true
    })
    await inStep(nodes)
    // the group that b alone made is drawn with the layer that survived
    const layer = textAt(a, 'workspaces/harbour/quays/piers/layer.xml')
    const [survivor] = [...textAt(a, 'layergroups/ours.xml').matchAll(/<published type="layer">\s*<id>([^<]*)</g)].map(
      (found) => found[1]!
    )
    assert.ok(layer.includes(`<id>${survivor}</id>`))
    // people read of objects
    const listed = succeeded(await a.cli('geoserver', 'ls', 'resources'))
    assert.match(listed, /featuretype .* coast:contours\n[^]*featuretype .* ! +harbour:piers\n/)
    assert.match(succeeded(await a.cli('inspect', 'entry', 'styles/pier.xml')), /object +style pier\n/)
    // what differs besides is kept
    const { conflicts } = await b.client.entry('workspaces/harbour/quays/piers/featuretype.xml')
    assert.equal(conflicts.length, 1)
    await staysSo(nodes)
    // a GeoServer that starts over either directory draws all of it
    for (const node of nodes) {
      const standIn = await startStandIn({ dir: node.dir, reloadMs: () => 50 })
      try {
        for (const path of ['/rest/layers/harbour:piers', '/rest/layergroups/ours', '/rest/styles/pier'])
          assert.equal((await standIn.ask('GET', path)).status, 200, `${path} on ${node.name}`)
      } finally {
        await standIn.stop()
      }
    }
  })
)
