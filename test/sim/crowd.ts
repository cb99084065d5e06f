/** Many nodes, each the daemon's own Replica, over a network that counts: what a change costs each of them, and how long it takes. */
import assert from 'node:assert/strict'
import { PathEditor } from '../../src/catalog/index.js'
import { clusterIdOf, nodeIdOf, signFounder, type KeyPair } from '../../src/identity/index.js'
import type { Degrees } from '../../src/net/gossip-options.js'
import { Replica } from '../../src/replica/index.js'
import { silentLogger } from '../../src/runtime.js'
import { MemoryStore } from '../../src/store/index.js'
import { SimDisk } from './disk.js'
import { MeshNetwork, type MeshTransport, type Traffic } from './mesh.js'
import { SeededRandom } from './random.js'
import { keysNamed, verifyOnce } from './signatures.js'
import { SimTime } from './time.js'

/** 2025-06-15: when every clock begins. */
const EPOCH_MS = 1_750_000_000_000
/** Members that one record admits. */
const ADMITTED_AT_ONCE = 200
/** What is said at the beginning is over by then, ms of virtual time. */
const SETTLED_MS = 90_000
/** Nothing lasts longer, ms of virtual time. */
const PATIENCE_MS = 120_000
/** Between two changes, ms: each is told by itself. */
const PAUSE_MS = 3_000
const BODY_BYTES = 1_024

export interface CrowdOptions {
  readonly nodes: number
  /** Links each node dials up to. */
  readonly links: number
  readonly changes: number
  readonly seed?: number
  readonly latencyMs?: number
  readonly degrees?: (links: number) => Degrees
  /** How long it is watched at rest, ms. */
  readonly restMs?: number
}

export interface Crowded {
  readonly nodes: number
  readonly links: number
  /** Links a node has on average, and at most. */
  readonly linksMean: number
  readonly linksMost: number
  /** From the write until each of the changes was held by all, ms. */
  readonly toAllMs: readonly number[]
  /** Of one node for one change. */
  readonly perChange: Traffic
  /** Of one node in a minute in which nothing happens. */
  readonly perMinuteAtRest: Traffic
}

interface Member {
  readonly keys: KeyPair
  readonly replica: Replica
  readonly transport: MeshTransport
}

export async function crowd(options: CrowdOptions): Promise<Crowded> {
  const { nodes: count, links, changes, seed = 1, latencyMs = 5, restMs = 60_000 } = options
  const time = new SimTime()
  const random = new SeededRandom(seed)
  const network = new MeshNetwork(time, random, latencyMs, options.degrees)
  const root = keysNamed('root')
  const members: Member[] = []
  for (let at = 0; at < count; at++) members.push(await open(at, clusterIdOf(root.publicKey), network, random))
  await admitAll(members, root)
  network.linkAll(links)
  for (const { replica, transport } of members) {
    replica.start()
    transport.begin()
  }
  await time.run(time.now + SETTLED_MS)
  network.takeTraffic()
  await time.run(time.now + restMs)
  const rest = network.takeTraffic()
  const toAllMs: number[] = []
  for (let change = 0; change < changes; change++) {
    toAllMs.push(await write(members, random, time, `change ${change}`))
    await time.run(time.now + PAUSE_MS)
  }
  const busy = network.takeTraffic()
  const degrees = members.map(({ transport }) => transport.links.size)
  for (const { replica } of members) void replica.stop()
  return {
    nodes: count,
    links,
    linksMean: degrees.reduce((sum, degree) => sum + degree, 0) / count,
    linksMost: Math.max(...degrees),
    toAllMs,
    perChange: divided(busy, count * changes),
    perMinuteAtRest: divided(rest, (count * restMs) / 60_000)
  }
}

async function open(at: number, cluster: string, network: MeshNetwork, random: SeededRandom): Promise<Member> {
  const keys = keysNamed(`crowd ${at}`)
  const transport = network.join(nodeIdOf(keys.publicKey))
  const clock = network.time.clock(
    () => true,
    () => EPOCH_MS + network.time.now
  )
  const { replica } = await Replica.open(
    {
      clock,
      random,
      logger: silentLogger,
      disk: new SimDisk().mount(),
      store: new MemoryStore(),
      transport,
      keys,
      // once for all: on the spot, so that the same seed does the same
      verify: async (key, bytes, signature) => verifyOnce(key, bytes, signature),
      verifyNow: verifyOnce
    },
    { cluster, maxSegmentBytes: 64 * 1024 }
  )
  transport.handle({
    peerUp: (peer) => replica.peerUp(peer),
    peerDown: (node) => replica.peerDown(node),
    notified: (from, frame) => replica.notified(from, frame),
    requested: (_from, _lane, frame) => replica.requested(frame),
    gossip: (from, frame) => replica.gossip(from, frame)
  })
  return { keys, replica, transport }
}

/** The records of the members space reach all by hand: how they spread is not what is measured. */
async function admitAll([founder, ...others]: readonly Member[], root: KeyPair): Promise<void> {
  const { keys, replica } = founder!
  const records = [
    await replica.writeMembers(() => [
      { k: 'found', root: root.publicKey, signature: signFounder(root, keys.publicKey), name: 'sim', nodeName: 'n0' }
    ])
  ]
  for (let at = 0; at < others.length; at += ADMITTED_AT_ONCE) {
    const some = others.slice(at, at + ADMITTED_AT_ONCE)
    const admits = some.map((member, i) => ({
      k: 'admit' as const,
      key: member.keys.publicKey,
      role: 'author' as const,
      name: `n${at + i + 1}`
    }))
    records.push(await replica.writeMembers(() => admits))
  }
  const bytes = records.map((record) => record.bytes)
  for (const other of others) await other.replica.takeIn('crowd', bytes)
}

/** One node writes an entry; how long until all hold it. */
async function write(members: readonly Member[], random: SeededRandom, time: SimTime, path: string): Promise<number> {
  const { replica } = members[random.below(members.length)]!
  const began = time.now
  const written = replica.change((draft) => {
    const bytes = draft.body(random.bytes(BODY_BYTES))
    return new PathEditor(draft, replica.reader).put(path, bytes)
  }, BODY_BYTES)
  written.catch(() => undefined)
  const left = [...members]
  const all = (): boolean => {
    // who has it needs no second look
    while (left.length > 0 && left.at(-1)!.replica.reader.resolve(path) !== undefined) left.pop()
    return left.length === 0
  }
  assert.ok(await time.run(began + PATIENCE_MS, all), `${left.length} of ${members.length} never got ${path}`)
  await written
  return time.now - began
}

function divided(traffic: Traffic, by: number): Traffic {
  return Object.fromEntries(Object.entries(traffic).map(([name, sum]) => [name, sum / by])) as unknown as Traffic
}
