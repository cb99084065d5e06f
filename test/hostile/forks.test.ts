/** Attacks by telling two stories: one place in a log, two records, each half of a partition hears another. */
import '../../src/polyfill.js'
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { ProblemView } from '../../src/control/target.js'
import { withCluster } from '../e2e/cluster.js'
import type { Node } from '../e2e/node.js'
import { until } from '../e2e/until.js'
import { file, Forger } from './forger.js'
import { World } from './world.js'

/** What is told of the fork, and nothing else. */
async function problems(node: Node): Promise<readonly ProblemView[]> {
  return (await node.status()).problems
}

async function* one(text: string): AsyncIterable<Uint8Array> {
  yield Buffer.from(text)
}

/** A change made at one node is in the directories of others. */
async function arrives(from: Node, at: readonly Node[], path: string): Promise<void> {
  await from.client.put(path, one(path))
  for (const { dir } of at) await until(`${path} is there`, () => readFileSync(join(dir, path), 'utf8') === path)
}

test(
  'a fork sent to both halves of a partition is proven and told by all, and one half that takes the other story loses nothing of its own',
  withCluster(async (cluster) => {
    const world = await World.of(cluster)
    const [a, b, c] = world.honest
    const attacker = await world.member()
    const past = await world.past()
    await cluster.equal([...world.honest])
    // as good as apart: c is not there while a and b hear the one story
    await c.stop()
    const first = await Forger.at(world, attacker, [a, b])
    const epoch = 'f0'.repeat(8)
    const left = await first.seal({ ...past, epoch, ops: file('left.txt') })
    const right = await first.seal({ ...past, epoch, ops: file('right.txt') })
    first.offer(left.log, [left.bytes], left.id.slice(0, 16))
    for (const { dir } of [a, b]) await until('the one half has it', () => existsSync(join(dir, 'left.txt')))
    for (const lane of first.lanes) await lane.connection.close()
    await Promise.all([a.stop(), b.stop()])
    await c.start()
    const second = await Forger.at(world, attacker, [c])
    second.offer(right.log, [right.bytes], right.id.slice(0, 16))
    await until('the other half has it', () => existsSync(join(c.dir, 'right.txt')))
    await Promise.all([a.start(), b.start()])
    await cluster.connected([...world.honest])

    for (const node of world.honest) {
      await until(`${node.name} tells of it`, async () => (await problems(node)).some(({ code }) => code === 'fork'))
      assert.match((await node.cli('status')).stdout, /two different records claim place 1/)
      const [{ next }] = (await problems(node)).filter(({ code }) => code === 'fork') as [ProblemView]
      assert.match(next, /when there is none, m1 lies: remove it.* and run "grapevine reidentify" on the stopped nodes/)
    }
    // until the two halves agree on one story, what is built on the other waits; who holds the same goes on
    for (const [from, to] of [
      [a, b],
      [b, a]
    ] as const)
      await arrives(from, [to], `between-${from.name}.txt`)
    await c.client.put('kept.txt', one('what c wrote on top of it'))
    await c.stop()
    assert.equal((await c.cli('reidentify')).code, 0)
    await c.start()
    await cluster.connected([...world.honest])
    for (const node of world.honest) await arrives(node, world.honest, `after-${node.name}.txt`)
    for (const { dir, name } of world.honest) {
      await until(`what c wrote is not lost at ${name}`, () => existsSync(join(dir, 'kept.txt')))
      await until('the story of the others is here', () => existsSync(join(dir, 'left.txt')))
    }
    // the liar is thrown out, and whatever else it begins
    await a.client.removeMember({ node: attacker.node })
    for (const node of world.honest)
      await until(`${node.name} has hung up`, async () => !(await world.connectedTo(attacker, node)))
    for (const node of world.honest) await arrives(node, world.honest, `last-${node.name}.txt`)
    await until('all have one root', async () => {
      const roots = await Promise.all(world.honest.map(async (node) => (await node.space()).root))
      return new Set(roots).size === 1
    })
    await world.disarm()
  })
)
