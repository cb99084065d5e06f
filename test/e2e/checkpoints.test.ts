/** History is replaced by checkpoints while everything goes on, and nobody loses anything by it. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { CheckpointsView } from '../../src/control/checkpoint-views.js'
import { withCluster } from './cluster.js'
import type { Node } from './node.js'
import { until } from './until.js'

/** Nobody proposes by itself, and what is proposed is vouched for at once. */
const AT_ONCE = ['--checkpoint-interval-ms', '0', '--checkpoint-age-ms', '0']
const OVERWRITES = 120

const checkpoints = (node: Node): Promise<CheckpointsView> => node.json<CheckpointsView>('inspect', 'checkpoint')

async function overwrite(node: Node, times = OVERWRITES): Promise<void> {
  for (let at = 0; at < times; at++)
    await node.client.put(`d${at % 3}/f${at % 10}`, one(Buffer.from(`${node.name} ${at} ${'x'.repeat(at % 700)}`)))
}

async function* one(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes
}

/** Proposes at a node and waits until all have it in force. */
async function compacted(at: Node, nodes: readonly Node[]): Promise<void> {
  const { proposal } = await at.client.compact()
  for (const node of nodes)
    await until(`${node.name} has it in force`, async () => {
      const view = await checkpoints(node)
      // who is awaited, should it not come
      assert.equal(view.inForce?.proposal, proposal, JSON.stringify(view))
      return true
    })
}

test(
  'records that a checkpoint covers go, with the segments they are in, and a newcomer takes the checkpoint',
  withCluster(async (cluster) => {
    const nodes = [await cluster.found('a', { also: AT_ONCE })]
    nodes.push(await cluster.join('b', { also: AT_ONCE }), await cluster.join('p', { also: AT_ONCE, role: 'public' }))
    const [a, b, p] = nodes as [Node, Node, Node]
    await cluster.connected()
    await overwrite(a)
    await overwrite(b, 40)
    await cluster.equal()
    await compacted(a, nodes)
    await overwrite(b)
    writeFileSync(join(p.dir, 'mine.txt'), 'a public node writes nothing')
    await cluster.equal([a, b])
    const before = (await checkpoints(a)).logBytes
    await compacted(b, nodes)
    await until('the log is short', async () => (await checkpoints(a)).logBytes < before / 2)
    const late = await cluster.join('late', { also: AT_ONCE }, a)
    await cluster.equal([a, b, late])
    assert.ok(Object.keys((await checkpoints(late)).settled).length > 0, 'it took the checkpoint')
    await overwrite(late, 5)
    await cluster.equal([a, b, late])
    await compacted(late, [...nodes, late])
    await cluster.equal([a, b, late])
    await a.restart()
    assert.equal((await a.cli('verify')).code, 0)
  })
)

test(
  'a node that was away for longer than members are waited for keeps what only it has',
  withCluster(async (cluster) => {
    const life = ['--certificate-life-ms', '8000']
    const a = await cluster.found('a', { also: [...AT_ONCE, ...life] })
    const b = await cluster.join('b', { also: [...AT_ONCE, ...life] })
    const away = await cluster.join('away', { also: [...AT_ONCE, ...life] })
    await cluster.connected()
    await overwrite(a, 30)
    await cluster.equal()
    await a.stop()
    await b.stop()
    await away.client.put('only/mine.txt', one(Buffer.from('said while nobody listened')))
    await away.stop()
    await a.start()
    await b.start()
    await overwrite(b, 30)
    await until('its certificate ran out', async () => {
      const { awaited } = await a.client.compact()
      return !awaited.includes('away')
    })
    const before = (await checkpoints(a)).inForce
    await until('one is in force', async () => (await checkpoints(a)).inForce !== null)
    await overwrite(b, 30)
    await compacted(a, [a, b])
    assert.equal(before, null)
    await until('records are gone', async () => Object.keys((await checkpoints(a)).settled).length > 0)
    // an admin lets it in again
    const { token } = await a.client.invite({ role: 'author', expiresMs: 60_000, uses: 1 })
    assert.equal((await away.cli('join', token, '--no-mdns')).code, 0)
    await away.start()
    await until('what it wrote is everywhere', async () => (await b.cli('cat', 'only/mine.txt')).code === 0)
    await cluster.equal()
  })
)
