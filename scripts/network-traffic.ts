/** Scenarios in which much, or much at once, goes over the network. */
import assert from 'node:assert/strict'
import type { Scenario } from './network-scenarios.js'
import { connected, inParallel, pause, PATIENCE_MS, text, timed, type World } from './network-world.js'

/** Changes each node of a star makes. */
const STAR_CHANGES = 10

async function runStar(world: World, links: number): Promise<{ equalMs: number; mute: number }> {
  await world.linked(world.nodes, links)
  await inParallel(world.nodes, (node) => world.flood(node, `from/${node.name}`, STAR_CHANGES, 300, 4))
  const equalMs = await world.equal()
  const mute = await world.mute()
  assert.deepEqual(mute, [])
  return { equalMs, mute: mute.length }
}

export const star: Scenario = {
  about: '16 nodes behind one address, 15 of which are told the address of the first alone',
  async run(world) {
    await world.build({ nodes: 16 })
    const figures = await runStar(world, 8)
    const links = (await world.statuses()).map(connected)
    return { nodes: 16, 'fewest links': Math.min(...links), 'equal ms': figures.equalMs, mute: figures.mute }
  }
}

export const pureStar: Scenario = {
  about: '16 nodes behind one address, 15 of which can only be reached through the first',
  async run(world) {
    await world.build({ nodes: 16, deaf: (index) => index > 0 })
    const figures = await runStar(world, 1)
    return { nodes: 16, 'equal ms': figures.equalMs, mute: figures.mute }
  }
}

export const burst: Scenario = {
  about: '8 nodes in a full mesh, 2,000 changes of 3 KB as fast as one of them takes them',
  async run(world) {
    await world.build({ nodes: 8 })
    await world.meshed()
    const lost = world.nodes.map((node) => world.watch(node, 'peer-disconnected'))
    const writer = world.nodes[0]!
    const acknowledgedMs = await world.flood(writer, 'burst', 2_000, 3_000)
    const behindMs = await world.equal()
    const mute = await world.mute()
    assert.deepEqual(mute, [])
    assert.equal(lost.flat().length, 0, `${lost.flat().length} links were lost`)
    const gossip = await Promise.all(world.nodes.map((node) => world.gossip(node)))
    const revived = gossip.reduce((sum, { counters }) => sum + counters.revived, 0)
    return {
      nodes: 8,
      changes: 2_000,
      'acknowledged ms': acknowledgedMs,
      'equal ms after': behindMs,
      'links lost': 0,
      revived,
      mute: 0
    }
  }
}

/** The goal is 5 s; the rest is for a machine that does other things too. */
const HEALED_WITHIN_MS = 10_000

export const partition: Scenario = {
  about: 'two of five nodes are cut off, both sides edit, then the network heals',
  lan: true,
  async run(world, { cutMs }) {
    await world.build({ nodes: 5 })
    await world.meshed()
    const [near, far] = [world.nodes.slice(0, 3), world.nodes.slice(3)]
    const names = far.map(({ name }) => name)
    world.lan!.cut(names)
    const began = performance.now()
    for (let round = 0; round === 0 || performance.now() - began < cutMs; round++) {
      for (const [side, nodes] of Object.entries({ near, far })) {
        const node = nodes[round % nodes.length]!
        await world.put(node, `${side}/${round}`)
        await world.put(node, 'both', `${side} ${round}`)
      }
      await pause(Math.max(0, Math.min(2_000, cutMs - (performance.now() - began))))
    }
    await Promise.all([world.equal(near), world.equal(far)])
    world.lan!.heal(names)
    const healedMs = await world.equal(world.nodes, PATIENCE_MS)
    const meshedMs = await world.meshed(world.nodes)
    assert.deepEqual(await world.mute(), [])
    const conflicts = (await world.nodes[0]!.space()).conflicts
    assert.ok(healedMs < HEALED_WITHIN_MS, `equal only ${healedMs} ms after healing`)
    return {
      'cut s': Math.round(cutMs / 1_000),
      'equal ms after healing': healedMs,
      'all links ms': healedMs + meshedMs,
      conflicts
    }
  }
}

/** Long enough for TCP to have doubled its pauses to 12 s, too short for anybody to have hung up. */
const OUTAGE_MS = 15_000

export const outage: Scenario = {
  about: 'nothing comes through between two nodes for 15 s, and every socket stays open',
  lan: true,
  async run(world) {
    await world.build({ nodes: 2 })
    await world.meshed()
    const [a, b] = [world.nodes[0]!, world.nodes[1]!]
    world.lan!.cut([b.name])
    await Promise.all([world.put(a, 'here'), world.put(b, 'there')])
    await pause(OUTAGE_MS)
    world.lan!.heal([b.name])
    const healedMs = await world.equal()
    assert.deepEqual(await world.mute(), [])
    assert.ok(healedMs < HEALED_WITHIN_MS, `equal only ${healedMs} ms after healing`)
    return { 'cut s': OUTAGE_MS / 1_000, 'equal ms after healing': healedMs }
  }
}

const SLOW_BYTES_PER_SECOND = 1024 * 1024
const BLOB_BYTES = 24 * 1024 * 1024
/** Within this a small change must pass a link that carries a blob, ms. */
const SMALL_WITHIN_MS = 2_000

export const slowLink: Scenario = {
  about: 'a blob of 24 MB over a link of 1 MB/s with half a second of queue, small changes both ways meanwhile',
  lan: true,
  async run(world) {
    await world.build({ nodes: 2 })
    await world.meshed()
    const [a, b] = [world.nodes[0]!, world.nodes[1]!]
    world.lan!.slow(b.name, SLOW_BYTES_PER_SECOND, 500)
    const lost = world.nodes.map((node) => world.watch(node, 'peer-disconnected'))
    const done = world.watch(b, 'blob-completed')
    await a.client.put('large.bin', chunks(BLOB_BYTES))
    const small: number[] = []
    const blobMs = await timed(async () => {
      for (let round = 0; done.length === 0; round++) {
        const [from, to] = round % 2 === 0 ? [a, b] : [b, a]
        await world.put(from, `small/${round}`)
        small.push(await world.seen([to], `small/${round}`))
        await pause(200)
        assert.ok(small.length < 1_000, 'the blob does not arrive')
      }
    })
    await world.equal()
    assert.equal(lost.flat().length, 0, 'the link was lost')
    const slowest = Math.max(...small)
    assert.ok(slowest < SMALL_WITHIN_MS, `a small change took ${slowest} ms`)
    const middle = small.toSorted((x, y) => x - y)[Math.floor(small.length / 2)]!
    return {
      'blob s': Math.round(blobMs / 100) / 10,
      'small changes': small.length,
      'median ms': middle,
      'slowest ms': slowest,
      'links lost': 0
    }
  }
}

async function* chunks(bytes: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes; at += 65_536) yield Buffer.from(text(`blob ${at}`, Math.min(65_536, bytes - at)))
}
