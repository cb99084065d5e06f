/** A log that lost its newest part must not take the files it told of with it. */
import assert from 'node:assert/strict'
import { readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { keptBodies, settled } from './catalog.js'
import { succeeded, withCluster, type Cluster } from './cluster.js'
import { reports, reportsNothing } from './failure.js'
import { copyFixture } from './fixtures.js'
import type { Node } from './node.js'
import { directories, sha256 } from './tree.js'

/** Cuts a share of the newest segment off, as a power cut or a bad disk may. */
function cutLog(node: Node, share: number): void {
  const folder = join(node.home, 'log')
  const newest = join(folder, readdirSync(folder).sort().at(-1)!)
  truncateSync(newest, Math.floor(statSync(newest).size * (1 - share)))
}

async function editedNode(cluster: Cluster): Promise<Node> {
  const a = await cluster.found('a', { before: copyFixture })
  await settled(a)
  for (let n = 0; n < 8; n++) {
    writeFileSync(join(a.dir, `later ${n}.txt`), `made later ${n}`)
    writeFileSync(join(a.dir, 'global.xml'), `<global>edit ${n}</global>`)
    await settled(a)
  }
  return a
}

test(
  'a node whose log lost its newest records deletes and overwrites nothing, says so, and shares again once that is acknowledged',
  withCluster(async (cluster) => {
    const a = await editedNode(cluster)
    const [tree, folders, { entries }] = [await a.treeHash(), directories(a.dir), await a.space()]
    await a.stop()
    cutLog(a, 0.08)
    await a.start()
    await reports(a, 'records-lost')
    assert.equal(await a.treeHash(), tree)
    assert.deepEqual(directories(a.dir), folders)
    succeeded(await a.cli('scrub', '--acknowledge'))
    await settled(a)
    assert.equal(await a.treeHash(), tree)
    await reportsNothing(a)
    assert.equal((await a.space()).entries, entries)
    assert.ok((await keptBodies(a)).has(sha256('<global>edit 7</global>')))
    await cluster.join('b')
    assert.equal(await cluster.equal(), tree)
  })
)

test(
  'a node that lost half of its log keeps its directory, and is equal again with the help of another',
  withCluster(async (cluster) => {
    const a = await editedNode(cluster)
    const b = await cluster.join('b')
    const tree = await cluster.equal()
    await b.stop()
    rmSync(join(b.home, 'index'), { recursive: true })
    cutLog(b, 0.5)
    await b.start()
    await cluster.connected()
    assert.equal(await cluster.equal(), tree)
    await Promise.all([a, b].map(settled))
    assert.equal(await cluster.equal(), tree)
    await cluster.verified()
  })
)
