/** A full disk stops writing to it, and nothing else; with space again all goes on by itself. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { mountSmall } from '../small-fs.js'
import { withCluster, type Cluster } from './cluster.js'
import { failsWith, reports, reportsNothing } from './failure.js'
import type { Node } from './node.js'
import { until } from './until.js'

/** Together more than the small file system holds. */
const FILES = 20
const FILE_BYTES = 1_000_000

/** Node b's home or directory is small; a shares more than fits there, and `then` looks before there is space again. */
async function fillsUp(
  cluster: Cluster,
  t: TestContext,
  part: 'home' | 'catalog',
  then: (a: Node, b: Node) => Promise<void>
): Promise<void> {
  const small = mountSmall(join(cluster.place, 'b', part), '12m')
  if (small === undefined) return t.skip('mounting a small file system is not allowed here: this test needs root')
  cluster.onClose(() => small.unmount())
  const a = await cluster.found('a')
  const b = await cluster.join('b')
  await cluster.equal()
  const names = Array.from({ length: FILES }, (_, n) => `${n}.bin`)
  for (const name of names) writeFileSync(join(a.dir, name), randomBytes(FILE_BYTES))
  await reports(b, 'disk-full')
  await then(a, b)
  assert.ok(b.running)
  small.resize('200m')
  await until('b has caught up by itself', () => names.every((name) => existsSync(join(b.dir, name))))
  await cluster.equal()
  writeFileSync(join(b.dir, 'from b.txt'), 'writes again')
  await until('b writes again', () => existsSync(join(a.dir, 'from b.txt')))
  await cluster.equal()
  await reportsNothing(b)
}

test('a full disk under a home is reported, other nodes go on, and with space the node catches up by itself', (t) =>
  withCluster((cluster) =>
    fillsUp(cluster, t, 'home', async (a, b) => {
      failsWith(await b.cliWith({ stdin: randomBytes(12 * FILE_BYTES) }, 'put', 'too much.bin'), 'disk-full')
      assert.equal((await a.status()).state, 'running')
      await reportsNothing(a)
    })
  )(t))

test('a full disk under a shared directory is reported, what does not fit waits, and comes when there is space', (t) =>
  withCluster((cluster) =>
    fillsUp(cluster, t, 'catalog', async (a, b) => {
      await until('b holds all in its catalog', async () => (await b.space()).root === (await a.space()).root)
      assert.equal((await b.json<unknown[]>('ls')).length, FILES)
      await reportsNothing(a)
    })
  )(t))
