/**
 * What history costs: one file after the other is written over again and again, with checkpoints in between.
 *
 *   npm run overwrites -- [--files 1000] [--overwrites 1000000] [--every 100000] [--bytes 1024] [--without]
 *
 * Two real daemons on loopback. A line of JSON for each `--every` overwrites, before and after `grapevine compact`: what log,
 * index and contents of both take on disk beside the live data, and memory. At the end a third node joins, as it does a
 * fresh cluster of the same live data. `--without`: no checkpoint is made, to compare.
 */
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { CheckpointsView } from '../src/control/target.js'
import { Cluster } from '../test/e2e/cluster.js'
import type { Node } from '../test/e2e/node.js'
import { until } from '../test/e2e/until.js'
import { doc, keyAt } from './bench-docs.mjs'
import { usageOf } from './bench-machine.js'
import { round } from './bench-result.js'

/** Files of one call. */
const BATCH = 1_000
/** Patience for what is not measured, ms. */
const PATIENCE_MS = 600_000
const FLAGS = ['--no-mdns', '--adapter', 'none', '--log-level', 'warn', '--listen', '/ip4/127.0.0.1/tcp/0']
/** Nobody proposes by itself, and what is proposed is vouched for at once. */
const AT_ONCE = ['--checkpoint-interval-ms', '0', '--checkpoint-age-ms', '0']

const { values } = parseArgs({
  options: {
    files: { type: 'string', default: '1000' },
    overwrites: { type: 'string', default: '1000000' },
    every: { type: 'string', default: '100000' },
    bytes: { type: 'string', default: '1024' },
    without: { type: 'boolean', default: false }
  }
})
const [files, overwrites, every, bytes] = [values.files, values.overwrites, values.every, values.bytes].map(Number) as [
  number,
  number,
  number,
  number
]

const seconds = (since: number): number => round((performance.now() - since) / 1_000, 2)

function mibOf(path: string): number {
  const sizes = readdirSync(path, { recursive: true }).map(
    (name) => statSync(join(path, String(name)), { throwIfNoEntry: false })?.size ?? 0
  )
  return round(sizes.reduce((sum, size) => sum + size, 0) / 2 ** 20, 1)
}

const diskOf = (node: Node): Record<string, number> =>
  Object.fromEntries(['log', 'index', 'blobs'].map((name) => [name, mibOf(join(node.home, name))]))

async function write(node: Node, from: number, count: number): Promise<void> {
  for (let first = from; first < from + count; first += BATCH)
    await node.client.putMany(
      Array.from({ length: Math.min(BATCH, from + count - first) }, (_, at) => {
        const path = keyAt((first + at) % files)
        return { path, body: Buffer.from(doc(path, 1 + Math.floor((first + at) / files), bytes)) }
      })
    )
}

async function equal(nodes: readonly Node[]): Promise<void> {
  await until(
    'all are equal',
    async () => new Set(await Promise.all(nodes.map(async (node) => (await node.space()).root))).size === 1,
    PATIENCE_MS,
    250
  )
}

const checkpoints = (node: Node): Promise<CheckpointsView> =>
  node.client.inspect('checkpoint') as Promise<CheckpointsView>

/** Two in a row: the second lets go what the first covers. */
async function compact(at: Node, nodes: readonly Node[]): Promise<void> {
  for (let time = 0; time < 2; time++) {
    const { proposal } = await at.client.compact()
    for (const node of nodes)
      await until(
        'it is in force',
        async () => (await checkpoints(node)).inForce?.proposal === proposal,
        PATIENCE_MS,
        250
      )
  }
  for (const node of nodes)
    await until(
      'the log is short',
      async () => (await checkpoints(node)).logBytes < 2 * files * bytes + 16 * 2 ** 20,
      PATIENCE_MS,
      250
    )
}

async function joinTime(cluster: Cluster, name: string): Promise<number> {
  const [first] = cluster.nodes as [Node]
  const began = performance.now()
  const late = await cluster.join(name, { flags: [...FLAGS, ...AT_ONCE] })
  await equal([first, late])
  return seconds(began)
}

async function main(cluster: Cluster): Promise<void> {
  await cluster.found('a', { flags: [...FLAGS, ...AT_ONCE] })
  await cluster.join('b', { flags: [...FLAGS, ...AT_ONCE] })
  await cluster.connected()
  const [a] = cluster.nodes as [Node]
  await write(a, 0, files)
  await equal(cluster.nodes)
  const fresh = cluster.nodes.map(diskOf)
  process.stdout.write(`${JSON.stringify({ live: round((files * bytes) / 2 ** 20, 1), fresh })}\n`)
  for (let done = 0; done < overwrites; done += every) {
    const began = performance.now()
    await write(a, files + done, every)
    await equal(cluster.nodes)
    const writeS = seconds(began)
    const before = cluster.nodes.map(diskOf)
    const compacting = performance.now()
    if (!values.without) await compact(a, cluster.nodes)
    process.stdout.write(
      `${JSON.stringify({ overwrites: done + every, writeS, before, compactS: seconds(compacting), after: cluster.nodes.map(diskOf), rssMiB: cluster.nodes.map((node) => round(usageOf([node.pid]).rssMiB, 1)) })}\n`
    )
  }
  process.stdout.write(`${JSON.stringify({ joinS: await joinTime(cluster, 'late') })}\n`)
}

const cluster = new Cluster()
try {
  await main(cluster)
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n${cluster.tails()}\n`)
  process.exitCode = 1
} finally {
  await cluster.close()
}
const other = new Cluster()
try {
  await other.found('a', { flags: FLAGS })
  await write(other.nodes[0]!, 0, files)
  process.stdout.write(`${JSON.stringify({ freshJoinS: await joinTime(other, 'late') })}\n`)
} finally {
  await other.close()
}
