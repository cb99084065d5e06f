/**
 * A LAN of network namespaces where daemons find each other by multicast DNS, with no address given to anybody.
 *
 *   npm run lan -- [--nodes 5] [--cut-seconds 60]
 *
 * Needs root and iproute2, for namespaces of its own; without them it says so and ends with 0. It touches none of the
 * machine's interfaces, and leaves nothing behind. Shown, with the times it took:
 *
 * 1. Nodes that were given a token only, without an address in it, join, connect and are equal.
 * 2. Another cluster on the same bridge does the same and never meets the first.
 * 3. A node that is cut off while both sides edit is equal again after the cut is healed.
 */
import '../src/polyfill.js'
import assert from 'node:assert/strict'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { settled } from '../test/e2e/catalog.js'
import { Cluster, succeeded } from '../test/e2e/cluster.js'
import { copyFixture } from '../test/e2e/fixtures.js'
import type { Node } from '../test/e2e/node.js'
import { Lan } from './network-lan.js'

/** All connected and equal after the last start, ms. */
const FOUND_MS = 5_000
/** Equal again after the cut is healed, ms. */
const HEALED_MS = 10_000
const EDIT_EVERY_MS = 1_000
const FLAGS = ['--listen', '/ip4/0.0.0.0/tcp/4470']

const { values } = parseArgs({
  options: { nodes: { type: 'string', default: '5' }, 'cut-seconds': { type: 'string', default: '60' } }
})
const cutMs = Number(values['cut-seconds']) * 1_000

let misses = 0

/** Prints how long something took, and counts it when it took too long. */
function report(what: string, ms: number, limitMs: number): void {
  const verdict = ms <= limitMs ? 'ok' : `TOO LONG, the limit is ${limitMs} ms`
  if (ms > limitMs) misses++
  process.stdout.write(`${what}: ${Math.round(ms)} ms (${verdict})\n`)
}

/** Founder and newcomers of one cluster. The tokens are issued while nobody listens, so they hold no address. */
async function joinedByToken(
  cluster: Cluster,
  lan: Lan,
  letter: string,
  count: number
): Promise<{ nodes: Node[]; lastStart: number }> {
  const fresh = (at: number): Node => {
    const name = `${letter}${at}`
    return cluster.fresh(name, { prefix: lan.add(name), flags: FLAGS })
  }
  const founder = fresh(1)
  copyFixture(founder.dir)
  succeeded(await founder.cli('init', '--cluster', letter, '--name', founder.name))
  const tokens: string[] = []
  for (let at = 1; at < count; at++) tokens.push(succeeded(await founder.cli('invite')).trim())
  await founder.start()
  const newcomers = tokens.map((token, at) => ({ token, node: fresh(at + 2) }))
  for (const { token, node } of newcomers) {
    const began = performance.now()
    succeeded(await node.cli('join', token, '--name', node.name))
    process.stdout.write(`${node.name} joined with its token alone in ${Math.round(performance.now() - began)} ms\n`)
  }
  const nodes = [founder, ...newcomers.map(({ node }) => node)]
  let lastStart = 0
  for (const node of nodes.slice(1)) {
    lastStart = performance.now()
    await node.start()
  }
  return { nodes, lastStart }
}

/** Resolves with the milliseconds since `began` when all nodes are connected to each other, and when they are equal. */
async function connectedAndEqual(cluster: Cluster, nodes: Node[], began: number): Promise<[number, number]> {
  await cluster.connected(nodes)
  const connected = performance.now() - began
  await cluster.equal(nodes)
  return [connected, performance.now() - began]
}

/** Every peer of these nodes, and every address they ever heard of, is one of them. */
async function neverMixed(nodes: readonly Node[]): Promise<void> {
  const own = new Set(nodes.map((node) => node.id))
  for (const node of nodes) {
    const { peers } = await node.status()
    assert.deepEqual(
      peers.filter((peer) => !own.has(peer.node)),
      []
    )
    const { redial, gate } = (await node.client.inspect('gossip')) as {
      redial: Array<{ target: string }>
      gate: Record<string, number>
    }
    assert.deepEqual(
      redial.filter(({ target }) => !own.has(target)),
      [],
      `${node.name} knows a stranger`
    )
    assert.equal(
      Object.values(gate).reduce((sum, count) => sum + count, 0),
      0,
      `${node.name} met a stranger`
    )
  }
}

/** Writes on every node now and then until `ms` are over; one file is written by both sides of the cut. */
async function editWhileCut(sides: readonly Node[], ms: number): Promise<number> {
  const end = performance.now() + ms
  let edits = 0
  while (performance.now() < end) {
    const round = edits++
    for (const node of sides) {
      writeFileSync(join(node.dir, `cut by ${node.name} ${round}.txt`), `${node.name} ${round}`)
      writeFileSync(join(node.dir, 'global.xml'), `<global>${node.name} ${round}</global>`)
    }
    await new Promise((later) => setTimeout(later, Math.max(0, Math.min(EDIT_EVERY_MS, end - performance.now()))))
  }
  return edits
}

async function main(cluster: Cluster, lan: Lan): Promise<void> {
  const count = Number(values.nodes)
  const { nodes: blue, lastStart } = await joinedByToken(cluster, lan, 'blue', count)
  const [connected, equal] = await connectedAndEqual(cluster, blue, lastStart)
  report(`${count} nodes connected, since the last was started`, connected, FOUND_MS)
  report(`${count} nodes equal, since the last was started`, equal, FOUND_MS)
  await cluster.verified(blue)

  const { nodes: red, lastStart: redStart } = await joinedByToken(cluster, lan, 'red', 2)
  const [, redEqual] = await connectedAndEqual(cluster, red, redStart)
  report('a second cluster on the same bridge equal, since its last was started', redEqual, FOUND_MS)

  const last = blue.at(-1)!
  const others = blue.slice(0, -1)
  lan.cut([last.name])
  const edits = await editWhileCut([blue[0]!, last], cutMs)
  await Promise.all(blue.map(settled))
  assert.ok(!existsSync(join(last.dir, `cut by ${blue[0]!.name} 0.txt`)), 'the cut is one')
  await cluster.equal(others)
  lan.heal([last.name])
  const healed = performance.now()
  const [, again] = await connectedAndEqual(cluster, blue, healed)
  report(`equal after ${cutMs / 1_000} s apart with ${edits * 4} edits`, again, HEALED_MS)
  await cluster.verified(blue)
  for (const node of blue) assert.ok((await node.space()).conflicts > 0, `${node.name} shows the conflict`)
  await neverMixed(blue)
  await neverMixed(red)
  process.stdout.write('the two clusters never met\n')
}

if (!Lan.available) {
  process.stdout.write('skipped: this needs root, and iproute2 that may make network namespaces (ip netns add)\n')
} else {
  const cluster = new Cluster()
  const lan = new Lan()
  cluster.onClose(() => lan.close())
  try {
    await main(cluster, lan)
  } catch (error) {
    process.stderr.write(cluster.tails())
    throw error
  } finally {
    await cluster.close()
  }
  if (misses > 0) process.exitCode = 1
}
