/** A node goes on under another key while the cluster works, while others are away, and when it ends in the middle of it. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { succeeded, withCluster } from './cluster.js'
import type { Node } from './node.js'
import { until } from './until.js'

async function rotated(node: Node): Promise<string> {
  const { next } = await node.json<{ node: string; next: string }>('rotate', 'key')
  await until(`${node.name} goes on`, async () => (await node.status().catch(() => undefined))?.node === next)
  return next
}

/** It answers for a moment before it listens again. */
const portOf = (node: Node): Promise<string> =>
  until(`${node.name} listens`, async () => /\/tcp\/(\d+)/.exec((await node.status()).listen[0] ?? '')?.[1])

const knows = (node: Node, id: string): Promise<unknown> =>
  until(`${node.name} knows it`, async () =>
    (await node.status()).peers.some((peer) => peer.node === id && peer.connected)
  )

test(
  'an author and the only admin change their keys: role and scope stay, the old key counts no more, nothing is lost',
  withCluster(async (cluster) => {
    const [a, b, c] = await cluster.of(3)
    writeFileSync(join(b!.dir, 'f.txt'), 'before')
    await cluster.equal()
    const [wasA, wasB] = [(await a!.status()).node, (await b!.status()).node]
    const port = await portOf(b!)
    const nowB = await rotated(b!)
    assert.equal(await portOf(b!), port)
    await knows(a!, nowB)
    await knows(c!, nowB)
    writeFileSync(join(b!.dir, 'f.txt'), 'after')
    await cluster.equal()
    for (const node of [a!, c!])
      await until('the old key is gone', async () => (await node.status()).peers.every((peer) => peer.node !== wasB))
    assert.equal((await b!.status()).role, 'author')

    const nowA = await rotated(a!)
    await knows(c!, nowA)
    await until('the old key is gone', async () => (await c!.status()).peers.every((peer) => peer.node !== wasA))
    assert.equal((await a!.status()).role, 'admin')
    await cluster.join('d')
    await cluster.equal()
    await cluster.verified()

    await b!.restart()
    assert.equal((await b!.status()).node, nowB)
    writeFileSync(join(b!.dir, 'g.txt'), 'after a restart')
    await cluster.equal()
    assert.deepEqual((await b!.status()).problems, [])
    assert.equal(existsSync(join(b!.home, 'node.key.next')), false)
  })
)

test(
  'of two nodes one is away while the other changes its key: they find each other again, with what both wrote',
  withCluster(async (cluster) => {
    const [a, b] = await cluster.of(2)
    await cluster.equal()
    await b!.stop()
    const nowA = await rotated(a!)
    writeFileSync(join(a!.dir, 'a.txt'), 'under another key')
    writeFileSync(join(b!.dir, 'b.txt'), 'alone')
    await b!.start()
    await knows(b!, nowA)
    await cluster.equal()
    assert.equal(readFileSync(join(a!.dir, 'b.txt'), 'utf8'), 'alone')
  })
)

test(
  'a node that is killed at any time while it changes its key goes on, once, as one of the two',
  withCluster(async (cluster) => {
    const [a, b] = await cluster.of(2)
    await cluster.equal()
    for (const ms of [0, 150, 400, 800, 1_500]) {
      const { next } = await b!.json<{ next: string }>('rotate', 'key')
      // no condition to wait for: the kill is to hit any moment
      await pause(ms)
      await b!.kill()
      await b!.start()
      await until('it has gone on', async () => (await b!.status().catch(() => undefined))?.node === next)
      await knows(a!, next)
      writeFileSync(join(b!.dir, 'f.txt'), `after ${ms}`)
      await cluster.equal()
      await until('nobody else is left', async () => (await a!.status()).peers.length === 1)
    }
    succeeded(await a!.cli('verify'))
  })
)
