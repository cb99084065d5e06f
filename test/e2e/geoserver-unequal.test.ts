/** Two GeoServers of unequal version and plugins: it is said plainly on both nodes, and nothing is lost on the way. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { writeTree } from '../adapters/geoserver/tree.js'
import { startStandIn, type StandIn, type StandInOptions } from '../geoserver/server.js'
import { smallTree } from '../geoserver/world.js'
import { withCluster } from './cluster.js'
import { freePort } from './free-port.js'
import { accessTo } from './geoserver-access.js'
import type { Node } from './node.js'
import { until } from './until.js'

const FEATURE = 'workspaces/coast/depth/contours/featuretype.xml'
const STORE = 'workspaces/coast/depth/datastore.xml'
const REST = '/rest/workspaces/coast/datastores/depth/featuretypes/contours.xml'
const FUTURE = '<metadata><future>2</future></metadata>'

/** A style that needs a plugin, and no password that b would lack. */
function tree(): Record<string, string> {
  const files = smallTree()
  files['styles/line.xml'] = files['styles/line.xml']!.replace('<filename>', '<format>css</format>\n  <filename>')
  files[STORE] = files[STORE]!.replace(/\s*<entry key="passwd">.*<\/entry>/, '')
  return files
}

const textAt = ({ dir }: Node, path: string): string => readFileSync(join(dir, path), 'utf8')

const told = (node: Node): Promise<unknown> =>
  until(`${node.name} has told its GeoServer`, async () => {
    const telling = (await node.status()).target?.telling
    return telling?.state === 'told' && telling.owed === 0
  })

async function problemsOf(node: Node, code: string): Promise<string[]> {
  return (await node.status()).problems.filter((problem) => problem.code === code).map(({ message }) => message)
}

test(
  'a GeoServer of another version without a plugin is named on both nodes, and takes nothing from the other',
  withCluster(async (cluster) => {
    const ports = [await freePort(), await freePort()] as const
    const also = (port: number): string[] => [
      '--adapter',
      'geoserver',
      ...accessTo(`http://127.0.0.1:${port}/geoserver`, cluster)
    ]
    const a = await cluster.found('a', { also: also(ports[0]), before: (dir) => writeTree(dir, tree()) })
    const b = await cluster.join('b', { also: also(ports[1]) })
    await until('b has the layer', () => existsSync(join(b.dir, FEATURE)))
    const beside = (node: Node, port: number, options: Partial<StandInOptions> = {}): Promise<StandIn> =>
      startStandIn({ dir: node.dir, port, reloadMs: () => 0, noticeEveryMs: 100, ...options })
    const newer = await beside(a, ports[0])
    const older = await beside(b, ports[1], { version: '2.25.6', lacks: ['css'], dialect: { drops: ['future'] } })
    try {
      for (const node of [a, b]) {
        const own = node === b ? 'this node' : 'b'
        await until(`${node.name} names b`, async () => (await problemsOf(node, 'plugin-missing')).length > 0)
        assert.deepEqual(await problemsOf(node, 'versions-unequal'), [
          `${own} runs beside GeoServer 2.25.6, 1 of 2 nodes beside GeoServer 2.26.2`
        ])
        assert.deepEqual(await problemsOf(node, 'plugin-missing'), [
          `the GeoServer 2.25.6 of ${own} lacks plugins that something in the catalog needs: css`
        ])
      }
      assert.deepEqual((await a.status()).peers[0]!.beside, { system: 'GeoServer 2.25.6', lacks: ['css'] })

      // the older one leaves out what it does not know, and that is no change
      await told(b)
      const edit = `<featureType>${FUTURE}<title>Depth</title></featureType>`
      assert.equal((await newer.ask('PUT', REST, edit)).status, 200)
      await until('b wrote it', () => textAt(b, FEATURE).includes('Depth') && !textAt(b, FEATURE).includes('future'))
      await told(b)
      assert.match(textAt(a, FEATURE), /<future>2/)
      const { stdout } = await b.cli('status')
      assert.match(stdout, /geoserver +2\.25\.6 knows everything/)
      assert.match(stdout, /not drawn +style line \(css\): the plugin css is not there/)
      assert.match(stdout, /left out +metadata\/future of workspaces\/coast/)

      // an edit there is that edit, and not the loss of what is not known there
      assert.equal((await older.ask('PUT', REST, '<featureType><title>Wrecks</title></featureType>')).status, 200)
      await until('a has it', () => textAt(a, FEATURE).includes('Wrecks'))
      assert.match(textAt(a, FEATURE), /<future>2/)
      await told(a)
      assert.match((await newer.ask('GET', REST)).text, /<future>2/)
      assert.equal(newer.report().counts.reloads, 0)
    } finally {
      await Promise.all([newer.stop(), older.stop()])
    }
  })
)
