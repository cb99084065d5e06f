/** What is no change costs nothing: no record, no byte of record gossip. */
import assert from 'node:assert/strict'
import { readFileSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { settled, vectorsOf } from './catalog.js'
import { withCluster, type Cluster } from './cluster.js'
import { copyFixture } from './fixtures.js'
import type { Node } from './node.js'
import { until } from './until.js'

/** The shortest interval of scans the settings allow. */
const QUICK_SCANS = { also: ['--rescan-interval-ms', '1000'] }

/** A whole scan that began after now: whatever there is to find has been found. */
async function scanned(node: Node): Promise<void> {
  const asked = Date.now()
  await until(`${node.name} has scanned`, async () => {
    const { lastScan, state } = (await node.status()).target!
    return state === 'watching' && lastScan !== undefined && Date.parse(lastScan.at) - lastScan.ms > asked
  })
}

async function twoNodesAtRest(cluster: Cluster): Promise<{ a: Node; b: Node; before: unknown; sent: unknown[] }> {
  const a = await cluster.found('a', { before: copyFixture, ...QUICK_SCANS })
  const b = await cluster.join('b', QUICK_SCANS)
  await cluster.equal()
  await Promise.all([settled(a), settled(b)])
  return { a, b, before: await vectorsOf(a), sent: await Promise.all([a.counters(), b.counters()]) }
}

async function expectQuiet(nodes: readonly Node[], before: unknown, sent: readonly unknown[]): Promise<void> {
  await Promise.all(nodes.map(scanned))
  for (const [at, node] of nodes.entries()) {
    assert.deepEqual(await vectorsOf(node), before, `${node.name} has a new record`)
    assert.deepEqual(await node.counters(), sent[at], `${node.name} gossiped`)
  }
}

const NOTHING = {
  published: 0,
  publishedBytes: 0,
  received: 0,
  receivedBytes: 0,
  accepted: 0,
  ignored: 0,
  rejected: 0,
  firsthand: 0,
  revived: 0,
  givenUp: 0,
  notForwarded: 0,
  notWarned: 0,
  refusedRpcs: 0
}

test(
  'a rescan, a touch of every file and a save without a difference make no record and no gossip',
  withCluster(async (cluster) => {
    const { a, b, before, sent } = await twoNodesAtRest(cluster)
    await expectQuiet([a, b], before, sent)
    const now = new Date()
    for (const node of [a, b]) for (const [path] of await node.files()) utimesSync(join(node.dir, path), now, now)
    await expectQuiet([a, b], before, sent)
    for (const [path] of await b.files()) {
      const file = join(b.dir, path)
      writeFileSync(`${file}.1c9d4a6e-7b62-4f6e-9df3-4a0a52b7c001.tmp`, readFileSync(file), {
        mode: path.endsWith('.sh') ? 0o755 : 0o644
      })
      renameSync(`${file}.1c9d4a6e-7b62-4f6e-9df3-4a0a52b7c001.tmp`, file)
    }
    await expectQuiet([a, b], before, sent)
  })
)

test(
  'a restart of a daemon makes no record and no gossip, and neither does the loss of its index',
  withCluster(async (cluster) => {
    const { a, b, before } = await twoNodesAtRest(cluster)
    for (const node of [a, b]) await node.restart()
    await cluster.connected()
    await expectQuiet([a, b], before, [NOTHING, NOTHING])
    for (const node of [a, b]) await node.stop()
    for (const node of [a, b]) rmSync(join(node.home, 'index'), { recursive: true })
    for (const node of [a, b]) await node.start()
    await cluster.connected()
    await expectQuiet([a, b], before, [NOTHING, NOTHING])
    await cluster.equal()
    await cluster.verified()
  })
)
