/**
 * Many real daemons on this machine, all members of one cluster, who know the first one's address and nothing else: how they
 * link up, and how a change written at any of them reaches all.
 *
 *   npm run fifty -- [--nodes 50] [--changes 10]
 *
 * Prints when all were linked and equal, how many links each has, then for each change the time until all hold it, and what
 * all of it cost a node: messages and bytes of gossip, bytes on the wire, CPU. Fails when a node hangs on the first one, has
 * no second way to the others, or does not get a change. 50 daemons need 6 GB.
 */
import { parseArgs } from 'node:util'
import type { StatusView } from '../src/control/target.js'
import { LINKS_KEPT, LINKS_MANY } from '../src/net/limits.js'
import { until } from '../test/e2e/until.js'
import { usageOf, wireBytes } from './bench-machine.js'
import { quantiles, round } from './bench-result.js'
import { World } from './network-world.js'

/** Patience for building and linking, ms: two cores start fifty processes. */
const PATIENCE_MS = 600_000
/** How often all are looked at, ms: what it costs is in the times. */
const LOOK_MS = 200

const { values } = parseArgs({
  options: { nodes: { type: 'string', default: '50' }, changes: { type: 'string', default: '10' } }
})

const say = (text: string): void => void process.stdout.write(`${text}\n`)
const seconds = (since: number): string => ((performance.now() - since) / 1_000).toFixed(1)

function linksOf(statuses: readonly StatusView[]): number[] {
  return statuses.map(({ peers }) => peers.filter(({ connected }) => connected).length)
}

/** Whether everybody is reached from the first by links, also without each single node. */
function holdsWithoutAny(statuses: readonly StatusView[]): boolean {
  const linked = new Map(
    statuses.map(({ node, peers }) => [node, peers.filter(({ connected }) => connected).map((peer) => peer.node)])
  )
  return [...linked.keys()].every((gone) => {
    const rest = [...linked.keys()].filter((node) => node !== gone)
    const reached = new Set(rest.slice(0, 1))
    for (const node of reached) for (const other of linked.get(node) ?? []) if (other !== gone) reached.add(other)
    return reached.size === rest.length
  })
}

async function main(world: World, count: number, changes: number): Promise<void> {
  const began = performance.now()
  await world.build({ nodes: count })
  say(`${count} daemons run after ${seconds(began)} s`)
  const least = Math.min(LINKS_KEPT, count - 1)
  let links: number[] = []
  await until(
    'each has links enough and none too many',
    async () => {
      const statuses = await world.statuses()
      links = linksOf(statuses)
      return links.every((own) => own >= least && own <= LINKS_MANY) && holdsWithoutAny(statuses)
    },
    PATIENCE_MS,
    2_000
  ).catch((error: unknown) => {
    say(`links of each: ${links.join(' ')}`)
    throw error
  })
  await world.equal(world.nodes, PATIENCE_MS)
  say(`linked and equal after ${seconds(began)} s, with any one of them gone as well`)
  say(`links of a node: ${JSON.stringify(quantiles(links))}, of the first ${links[0]}`)

  const pids = world.nodes.map(({ pid }) => pid)
  const counted = async (): Promise<{ messages: number; bytes: number }> => {
    const all = await Promise.all(world.nodes.map((node) => node.counters()))
    return {
      messages: all.reduce((sum, { received }) => sum + received, 0),
      bytes: all.reduce((sum, { receivedBytes }) => sum + receivedBytes, 0)
    }
  }
  const [before, wireBefore, cpuBefore] = [await counted(), wireBytes(), usageOf(pids).cpuS]
  const times: number[] = []
  for (let change = 0; change < changes; change++) {
    const writer = world.nodes[Math.floor((change * count) / changes)]!
    const path = `change-${change}.txt`
    const from = performance.now()
    await world.put(writer, path)
    const missing = new Set(world.nodes)
    await until(
      `${path} is everywhere`,
      async () => {
        await Promise.all(
          [...missing].map(async (node) => {
            for await (const line of node.client.list('')) if (line.path === path) missing.delete(node)
          })
        )
        return missing.size === 0
      },
      PATIENCE_MS,
      LOOK_MS
    )
    times.push(performance.now() - from)
  }
  const [after, wire, cpuS] = [await counted(), wireBytes() - wireBefore, usageOf(pids).cpuS - cpuBefore]
  const each = count * changes
  say(`until all had a change, looked at every ${LOOK_MS} ms: ${JSON.stringify(quantiles(times))} ms`)
  say(
    `of one node for one change: ${round((after.messages - before.messages) / each)} messages of gossip taken in, ` +
      `${round((after.bytes - before.bytes) / each, 0)} bytes of them, ${round(wire / each, 0)} bytes on the loopback ` +
      `(all its traffic), ${round((cpuS / each) * 1_000)} ms of CPU (our looking is in it)`
  )
  say(`memory of a node: ${round(usageOf(pids).rssMiB / count, 1)} MiB`)
}

const world = new World({ logLevel: 'warn' })
try {
  await main(world, Number(values.nodes), Number(values.changes))
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`)
  process.exitCode = 1
} finally {
  await world.close()
}
