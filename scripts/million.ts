/**
 * What a catalog costs as it grows: two real daemons on loopback, filled step by step through the API of the first.
 *
 *   npm run million -- [--steps 0,100000,1000000] [--changes 100] [--bytes 1024] [--rebuild]
 *
 * Of each step one line of JSON: how fast entries came to both, memory of both at rest, the time from the start of a process
 * until it serves and its memory then, one change until the other node tells of it, the disk, and with --rebuild the time
 * `grapevine rebuild` takes. Needs 4 GB of disk for a million entries of 1 KiB.
 */
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { setTimeout as pause } from 'node:timers/promises'
import { Cluster, succeeded } from '../test/e2e/cluster.js'
import type { Node } from '../test/e2e/node.js'
import { until } from '../test/e2e/until.js'
import { doc, keyAt } from './bench-docs.mjs'
import { quantiles, round } from './bench-result.js'

/** Entries of one call. */
const BATCH = 1_000
/** Patience for what is not measured, ms. */
const PATIENCE_MS = 3_600_000
/** How long nodes are left alone before their memory is read, ms. */
const QUIET_MS = 15_000
const FLAGS = ['--no-mdns', '--adapter', 'none', '--log-level', 'warn', '--listen', '/ip4/127.0.0.1/tcp/0']

const { values } = parseArgs({
  options: {
    steps: { type: 'string', default: '0,100000,1000000' },
    changes: { type: 'string', default: '100' },
    bytes: { type: 'string', default: '1024' },
    rebuild: { type: 'boolean', default: false }
  }
})
const size = Number(values.bytes)

const seconds = (since: number): number => round((performance.now() - since) / 1_000, 2)

async function fill(writer: Node, from: number, to: number): Promise<void> {
  for (let first = from; first < to; first += BATCH)
    await writer.client.putMany(
      Array.from({ length: Math.min(BATCH, to - first) }, (_, at) => {
        const path = keyAt(first + at)
        return { path, body: Buffer.from(doc(path, 1, size)) }
      })
    )
}

async function equal(nodes: readonly Node[]): Promise<void> {
  await until(
    'all are equal',
    async () => {
      const spaces = await Promise.all(nodes.map((node) => node.space()))
      return new Set(spaces.map(({ root }) => root)).size === 1 && spaces.every(({ waiting }) => waiting === 0)
    },
    PATIENCE_MS,
    500
  )
}

/** Each of some changes from the call until the other node tells of it, ms. */
async function changes(from: Node, to: Node, count: number): Promise<number[]> {
  const watching = new AbortController()
  const heard = new Map<string, () => void>()
  const follow = (async () => {
    for await (const event of to.client.events(watching.signal))
      if (event.event === 'entry-changed') heard.get(String(event['path']))?.()
  })().catch(() => undefined)
  await pause(500)
  const times: number[] = []
  for (let at = 0; at < count; at++) {
    const path = `measured/${Date.now()}-${at}`
    const arrived = new Promise<void>((resolve) => heard.set(path, resolve))
    const began = performance.now()
    await from.client.putMany([{ path, body: Buffer.from(`${began}`) }])
    await arrived
    times.push(performance.now() - began)
    await pause(20)
  }
  watching.abort()
  await follow
  return times
}

/** What is of the process alone, and pages of files that it has mapped, which the system takes back when it needs them. */
function memoryOf(node: Node): { anonMiB: number; filesMiB: number } {
  const text = readFileSync(`/proc/${node.pid}/status`, 'utf8')
  const mib = (field: string): number =>
    round(Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(text)?.[1]) / 1_024, 1)
  return { anonMiB: mib('RssAnon'), filesMiB: mib('RssFile') }
}

async function restart(node: Node): Promise<Record<string, unknown>> {
  await node.stop()
  const began = performance.now()
  await node.start()
  const startS = seconds(began)
  await pause(QUIET_MS)
  return { startS, afterStart: memoryOf(node) }
}

async function step(cluster: Cluster, before: number, count: number): Promise<void> {
  const [writer, other] = cluster.nodes as [Node, Node]
  const began = performance.now()
  await fill(writer, before, count)
  const acceptedS = seconds(began)
  await equal(cluster.nodes)
  const everywhereS = seconds(began)
  const loaded = cluster.nodes.map(memoryOf)
  await pause(QUIET_MS)
  const rest = cluster.nodes.map(memoryOf)
  const changeMs = quantiles(await changes(writer, other, Number(values.changes)))
  const restarted = await restart(other)
  await cluster.connected()
  const rebuilt = values.rebuild && count > 0 ? await rebuild(other) : {}
  await cluster.connected()
  await equal(cluster.nodes)
  const { logBytes } = (await writer.client.inspect('checkpoint')) as { logBytes: number }
  process.stdout.write(
    `${JSON.stringify({ entries: count, acceptedS, everywhereS, loaded, rest, changeMs, ...restarted, ...rebuilt, logMiB: round(logBytes / 2 ** 20, 1) })}\n`
  )
}

async function rebuild(node: Node): Promise<Record<string, number>> {
  await node.stop()
  const began = performance.now()
  succeeded(await node.cli('rebuild'))
  const rebuildS = seconds(began)
  await node.start()
  return { rebuildS }
}

const cluster = new Cluster()
try {
  await cluster.found('a', { flags: FLAGS })
  await cluster.join('b', { flags: FLAGS })
  await cluster.connected()
  let before = 0
  for (const count of values.steps.split(',').map(Number)) {
    await step(cluster, before, count)
    before = count
  }
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n${cluster.tails()}\n`)
  process.exitCode = 1
} finally {
  await cluster.close()
}
