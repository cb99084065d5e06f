/** Measurements: they print figures and fail only when something does not work at all. */
import { execFileSync } from 'node:child_process'
import type { EventView } from '../src/control/target.js'
import { until } from '../test/e2e/until.js'
import type { Scenario } from './network-scenarios.js'
import { cpuMs, pause } from './network-world.js'

const NODES = 8
const CHANGES = 100
const EVERY_MS = 100
/** Time for what follows a start (links, gossip meshes, first announcements) to be over, ms. */
const SETTLE_MS = 20_000

const latency: Scenario = {
  about: '8 quiet nodes: from a change being acknowledged until it can be read everywhere',
  async run(world) {
    await world.build({ nodes: NODES })
    await world.meshed()
    await world.equal()
    await pause(3_000)
    const [writer, ...others] = [world.nodes[0]!, ...world.nodes.slice(1)]
    const arrived = new Map<string, number[]>()
    const lists = others.map((node) => world.watch(node, 'entry-changed'))
    for (const list of lists) stampInto(list, arrived)
    await pause(500)
    const acknowledged = new Map<string, number>()
    for (let at = 0; at < CHANGES; at++) {
      const began = performance.now()
      await world.put(writer, `quiet/${at}`)
      acknowledged.set(`quiet/${at}`, performance.now())
      await pause(Math.max(0, EVERY_MS - (performance.now() - began)))
    }
    await until(
      'all have arrived',
      () => [...acknowledged.keys()].every((path) => arrived.get(path)?.length === others.length),
      30_000
    )
    const took = [...acknowledged]
      .map(([path, at]) => Math.max(0, ...arrived.get(path)!.map((time) => time - at)))
      .toSorted((x, y) => x - y)
    const of = (share: number): string => took[Math.min(took.length - 1, Math.floor(took.length * share))]!.toFixed(1)
    return { nodes: NODES, changes: CHANGES, 'p50 ms': of(0.5), 'p90 ms': of(0.9), 'p99 ms': of(0.99), 'max ms': of(1) }
  }
}

/** Notes when each event came in, by its path. */
function stampInto(list: EventView[], arrived: Map<string, number[]>): void {
  const push = list.push.bind(list)
  list.push = (...events) => {
    for (const event of events) {
      const path = String(event['path'])
      arrived.set(path, [...(arrived.get(path) ?? []), performance.now()])
    }
    return push(...events)
  }
}

const IDLE_MS = 60_000

const idle: Scenario = {
  about: '8 nodes with nothing to do: CPU and bytes a second of each',
  lan: true,
  async run(world) {
    await world.build({ nodes: NODES })
    await world.meshed()
    await world.equal()
    await pause(SETTLE_MS)
    const spaces = world.nodes.map((node) => world.lan!.prefixOf(node.name))
    const [cpu, sent] = [world.nodes.map(({ pid }) => cpuMs(pid)), spaces.map(sentBytes)]
    await pause(IDLE_MS)
    const percent = world.nodes.map(({ pid }, at) => ((cpuMs(pid) - cpu[at]!) / IDLE_MS) * 100)
    const bytes = spaces.map((space, at) => ((sentBytes(space) - sent[at]!) / IDLE_MS) * 1_000)
    const mean = (list: number[]): number => list.reduce((sum, one) => sum + one, 0) / list.length
    return {
      nodes: NODES,
      'CPU % mean': mean(percent).toFixed(2),
      'CPU % most': Math.max(...percent).toFixed(2),
      'sent bytes/s mean': Math.round(mean(bytes)),
      'sent bytes/s most': Math.round(Math.max(...bytes)),
      'RSS MB mean': Math.round(mean(world.nodes.map((node) => node.memory().now)) / 1e6)
    }
  }
}

/** On the wire, headers and all. */
function sentBytes(prefix: readonly string[]): number {
  const [command, ...words] = [...prefix, 'cat', '/sys/class/net/e0/statistics/tx_bytes']
  return Number(execFileSync(command!, words))
}

export const MEASUREMENTS: Readonly<Record<string, Scenario>> = { latency, idle }
