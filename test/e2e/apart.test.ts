/** Two nodes change a directory while they cannot hear each other: whatever they do, all end equal and nothing is lost. */
import assert from 'node:assert/strict'
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { CASES, Side, type End } from './apart-cases.js'
import { entriesOf, keptBodies, settled } from './catalog.js'
import { withCluster, type Cluster } from './cluster.js'
import type { Node } from './node.js'
import { sha256 } from './tree.js'

const place = (at: number): string => `case ${String(at).padStart(2, '0')}`

/** Three nodes that agree on what every case begins with. */
async function begin(cluster: Cluster): Promise<[Node, Node, Node]> {
  const a = await cluster.found('a', {
    before: (dir) => CASES.forEach((each, at) => each.before(new Side(join(dir, place(at)))))
  })
  const [b, c] = [await cluster.join('b'), await cluster.join('c')]
  await cluster.equal()
  await Promise.all([a, b, c].map(settled))
  return [a, b, c]
}

/** One case after the other; `then` runs after each. */
async function act(node: Node, who: 'a' | 'b', then = async (): Promise<void> => undefined): Promise<string[]> {
  const written: string[] = []
  for (const [at, each] of CASES.entries()) {
    const side = new Side(join(node.dir, place(at)))
    each[who](side)
    written.push(...side.written)
    await then()
  }
  return written
}

async function expectEnd(cluster: Cluster, written: readonly string[]): Promise<void> {
  const [a, b, c] = cluster.nodes as [Node, Node, Node]
  await cluster.connected()
  await cluster.equal()
  await Promise.all([a, b, c].map(settled))
  await cluster.equal()
  await cluster.verified()
  for (const node of [a, b, c]) {
    const kept = await keptBodies(node)
    const lost = written.filter((content) => !kept.has(sha256(content)))
    assert.deepEqual(lost, [], `${node.name} lost what was written`)
    assert.ok((await node.space()).conflicts > 0)
  }
  for (const [at, each] of CASES.entries()) {
    try {
      each.after(await endOf(c, place(at)))
    } catch (error) {
      throw new Error(`${each.name}: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
    }
  }
}

async function endOf(node: Node, below: string): Promise<End> {
  const all = await entriesOf(node)
  const entries = all.filter(({ path }) => path.startsWith(`${below}/`))
  const conflicts = await Promise.all(
    entries.filter(({ conflict }) => conflict).map(({ path }) => node.client.entry(path))
  )
  const files = new Map<string, string>()
  for (const { path, kind } of entries) {
    if (kind === 'file') files.set(path.slice(below.length + 1), readFileSync(join(node.dir, path), 'utf8'))
  }
  return { files, entries, conflicts, exec: (path) => (statSync(join(node.dir, below, path)).mode & 0o100) !== 0 }
}

test(
  'two daemons that worked apart become equal with every conflict shown and no byte lost',
  withCluster(async (cluster) => {
    const [a, b, c] = await begin(cluster)
    await Promise.all([b.stop(), c.stop()])
    const written = await act(a, 'a', () => settled(a))
    await a.stop()
    await b.start()
    written.push(...(await act(b, 'b', () => settled(b))))
    await Promise.all([a.start(), c.start()])
    await expectEnd(cluster, written)
  })
)

test(
  'two directories changed while their daemons were stopped become equal with every conflict shown and no byte lost',
  withCluster(async (cluster) => {
    const [a, b, c] = await begin(cluster)
    await Promise.all([a.stop(), b.stop(), c.stop()])
    const written = [...(await act(a, 'a')), ...(await act(b, 'b'))]
    await Promise.all([a.start(), b.start(), c.start()])
    await expectEnd(cluster, written)
  })
)
