/**
 * What history costs: one file after the other is written over again and again, with checkpoints in between.
 *
 *   npm run overwrites -- [--files 1000] [--overwrites 1000000] [--every 100000] [--bytes 1024] [--without]
 *
 * Two real daemons on loopback. A line of JSON for each `--every` overwrites, before and after `grapevine compact`: what log,
 * index and contents of both take on disk beside the live data, and memory. When older checkpoints have gone as well, the
 * disk in multiples of the live data; then new nodes join, as they do a fresh cluster of the same live data, with the
 * processor time of each. `--without`: no checkpoint is made, to compare.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs'
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
const FLAGS = ['--no-mdns', '--adapter', 'none', '--listen', '/ip4/127.0.0.1/tcp/0']
const IN_FORCE = 'A checkpoint is in force.'
/** The index has been made smaller when it is said. */
const PRUNED = 'What a checkpoint took the place of is gone.'
/** Older checkpoints stay for as long as somebody may be fetching them: two rounds of a minute, ms. */
const COLLECTED_MS = 200_000
/** New nodes that join, one after the other. */
const JOINS = 3
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

const live = (files * bytes) / 2 ** 20

const seconds = (since: number): number => round((performance.now() - since) / 1_000, 2)

function mibOf(path: string): number {
  const sizes = readdirSync(path, { recursive: true }).map(
    (name) => statSync(join(path, String(name)), { throwIfNoEntry: false })?.size ?? 0
  )
  return round(sizes.reduce((sum, size) => sum + size, 0) / 2 ** 20, 1)
}

/** Whether what the last checkpoint in force took the place of has been let go. */
function isPruned(node: Node): boolean {
  const log = readFileSync(node.logFile, 'utf8')
  return log.lastIndexOf(PRUNED) > log.lastIndexOf(IN_FORCE)
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
  for (const node of nodes) await until('history is gone', () => isPruned(node), PATIENCE_MS, 250)
}

/** Resolves with what each node takes on disk, in multiples of the live data. */
async function collected(nodes: readonly Node[]): Promise<number[]> {
  const times = (): number[] =>
    nodes.map((node) => round(Object.values(diskOf(node)).reduce((a, b) => a + b, 0) / live, 2))
  await until('older checkpoints are gone', () => Math.max(...times()) <= 3, COLLECTED_MS, 1_000).catch(() => undefined)
  return times()
}

/** From its start: the processor time does not grow with what else the machine does. */
async function joins(cluster: Cluster): Promise<Array<{ s: number; cpuS: number }>> {
  const [first] = cluster.nodes as [Node]
  const found: Array<{ s: number; cpuS: number }> = []
  for (let at = 0; at < JOINS; at++) {
    const late = await cluster.admit(`late${at}`, { flags: [...FLAGS, ...AT_ONCE] })
    const began = performance.now()
    await late.start()
    await equal([first, late])
    found.push({ s: seconds(began), cpuS: round(usageOf([late.pid]).cpuS, 2) })
    await late.stop()
  }
  return found
}

async function main(cluster: Cluster): Promise<void> {
  await cluster.found('a', { flags: [...FLAGS, ...AT_ONCE] })
  await cluster.join('b', { flags: [...FLAGS, ...AT_ONCE] })
  await cluster.connected()
  const [a] = cluster.nodes as [Node]
  await write(a, 0, files)
  await equal(cluster.nodes)
  const fresh = cluster.nodes.map(diskOf)
  process.stdout.write(`${JSON.stringify({ liveMiB: round(live, 1), fresh })}\n`)
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
  if (!values.without)
    process.stdout.write(
      `${JSON.stringify({ timesLive: await collected(cluster.nodes), disk: cluster.nodes.map(diskOf) })}\n`
    )
  process.stdout.write(`${JSON.stringify({ joins: await joins(cluster) })}\n`)
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
  process.stdout.write(`${JSON.stringify({ freshJoins: await joins(other) })}\n`)
} finally {
  await other.close()
}
