/**
 * Measures what members and strangers can do to an honest change: `npm run hostile [-- --only flood,silence --changes 200]`.
 * Three daemons; a change made at the first is timed until it lies in the directory of the second, first in peace, then
 * under each attack. The ratio of the two p99 is to be at most 2; all processes share the machine, the attacker too.
 */
import '../src/polyfill.js'
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { encodeGossip, encodeRequest } from '../src/wire/index.js'
import { Cluster } from '../test/e2e/cluster.js'
import { until } from '../test/e2e/until.js'
import { GOSSIP_PROTOCOL, type Attacker, type Lane } from '../test/hostile/attacker.js'
import { publishing, silence, subscribing } from '../test/hostile/wire.js'
import { World } from '../test/hostile/world.js'

const { values: options } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    changes: { type: 'string', default: '100' },
    records: { type: 'string', default: '1000000' }
  }
})

/** Time between two honest changes, ms. */
const EVERY_MS = 50
/** How often the file is looked for, ms. */
const LOOK_MS = 2
/** Records of the flood that are made before it begins. */
const READY_RECORDS = 40_000
/** An attack has begun when it says so, or after this, ms. */
const BEGIN_MS = 20_000
/** What waits on an attacker's stream before it sends on, bytes. */
const AHEAD_BYTES = 4_000_000

const tick = (ms = 0): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** An attack that goes on until `over` says so. */
type Attack = (world: World, over: () => boolean, on: () => void) => Promise<void>

async function upAt(world: World, attacker: Attacker): Promise<Lane> {
  const lane = await attacker.come(await world.address())
  await until('the attacker is up', () => world.connectedTo(attacker))
  return lane
}

const ATTACKS: Readonly<Record<string, Attack>> = {
  silence: async (world, over) => {
    const port = await world.port()
    while (!over()) {
      const close = [await silence(port, 500, '127.0.0.2'), await silence(port, 500, '127.0.0.1')]
      for (const end of close) end()
    }
  },
  strangers: async (world, over) => {
    const address = await world.address()
    while (!over()) {
      const outsider = await world.stranger({ secret: randomBytes(32) })
      for (let at = 0; at < 50 && !over(); at++) await outsider.dial(address).catch(() => undefined)
      await outsider.stop()
    }
  },
  topics: async (world, over) => {
    const attacker = await world.member()
    const topics = Array.from({ length: 5_000 }, (_, at) => `topic ${at}`)
    while (!over()) {
      const connection = await attacker.dial(await world.address()).catch(() => undefined)
      if (connection === undefined) {
        await tick(100)
        continue
      }
      await attacker.greet(connection)
      const stream = await connection.newStream(GOSSIP_PROTOCOL).catch(() => undefined)
      for (let frame = 0; frame < 100 && stream?.status === 'open'; frame++) stream.send(subscribing(topics))
      await until('it is cut off', () => over() || connection.status !== 'open')
    }
  },
  gossip: async (world, over) => {
    const attacker = await world.member()
    const lane = await upAt(world, attacker)
    const stream = await lane.connection.newStream(GOSSIP_PROTOCOL)
    const chain = attacker.chain(await world.past(), () => [])
    const gossip = encodeGossip({ records: chain.upTo(200).map(({ bytes }) => bytes), heads: [] })
    while (!over() && stream.status === 'open') {
      const messages = Array.from({ length: 8 }, () => Buffer.concat([randomBytes(8), gossip]))
      stream.send(publishing(attacker.protocols.topic, messages))
      while (!over() && stream.writeBufferLength > AHEAD_BYTES) await tick(5)
      await tick()
    }
  },
  requests: async (world, over) => {
    const attacker = await world.member()
    const lane = await upAt(world, attacker)
    const question = encodeRequest({ t: 'root' })
    while (!over() && lane.stream.status === 'open') {
      const answers = Array.from({ length: 200 }, () => lane.ask(question))
      await Promise.race([Promise.all(answers), tick(1_000)])
    }
  },
  records: async (world, over, on) => {
    const count = Number(options.records)
    const attacker = await world.member()
    const chain = attacker.chain(await world.past(), (at) => [{ k: 'body', bytes: Uint8Array.of(at & 255) }])
    // made before, so that making them is not what is measured
    for (let made = 0; made < Math.min(count, READY_RECORDS); made += 1_000) {
      chain.upTo(made + 1_000)
      await tick()
    }
    attacker.answer = (request) => chain.pulled(request, count)
    for (const node of world.honest) {
      const lane = await attacker.greet(await attacker.dial(await world.address(node)))
      await until('the attacker is up', () => world.connectedTo(attacker, node))
      lane.tell(chain.claim(count))
    }
    on()
    while (!over()) await tick(100)
    const held = (await world.honest[0].space()).vector[chain.log] ?? 0
    const why = await world.throttled(attacker)
    process.stdout.write(`  ${held} records of the attacker were taken; slowed: ${why ?? 'no'}\n`)
  }
}

async function* one(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes
}

let written = 0

/** Milliseconds from the call that makes a change to its file at another node. */
async function change(world: World): Promise<number> {
  const [from, to] = world.honest
  const body = Buffer.from(`change ${++written}`)
  const path = `honest/${written % 20}.txt`
  const began = performance.now()
  await from.client.put(path, one(body))
  for (;;) {
    try {
      if (readFileSync(join(to.dir, path)).equals(body)) return performance.now() - began
    } catch {
      // not there yet
    }
    await tick(LOOK_MS)
  }
}

async function measure(world: World, count: number): Promise<{ p50: number; p99: number }> {
  const times: number[] = []
  for (let at = 0; at < count; at++) {
    times.push(await change(world))
    await tick(EVERY_MS)
  }
  const sorted = times.toSorted((a, b) => a - b)
  const quantile = (q: number): number => Math.round(sorted[Math.floor(q * (sorted.length - 1))]! * 10) / 10
  return { p50: quantile(0.5), p99: quantile(0.99) }
}

const changes = Number(options.changes)
const names = options.only === '' ? Object.keys(ATTACKS) : options.only.split(',')
const cluster = new Cluster()
try {
  const world = await World.of(cluster)
  await measure(world, 20)
  for (const name of names) {
    const peace = await measure(world, changes)
    let over = false
    const begun = Promise.withResolvers<void>()
    const attack = ATTACKS[name]!(
      world,
      () => over,
      () => begun.resolve()
    )
    await Promise.race([begun.promise, tick(name === 'records' ? BEGIN_MS : 1_000)])
    const war = await measure(world, changes)
    over = true
    await attack
    await world.disarm()
    process.stdout.write(
      `${JSON.stringify({ attack: name, peace, war, ratio: Math.round((war.p99 / peace.p99) * 100) / 100 })}\n`
    )
  }
} finally {
  await cluster.close()
}
