/**
 * A cluster in one process, with its network, clocks and disks drawn from one seed. The log, catalog and sync code is
 * the real one: each node is the daemon's own Replica.
 */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { clusterIdOf, keyPairOf, signFounder, type KeyPair } from '../../src/identity/index.js'
import type { VectorEntry } from '../../src/wire/index.js'
import { checkAlive, checkDocs, checkLogs, listing } from './checks.js'
import { SimNetwork } from './network.js'
import { SimNode } from './node.js'
import { SeededRandom } from './random.js'
import { SimTime } from './time.js'
import { writeOne } from './writes.js'

export interface WorldOptions {
  readonly seed: number
  readonly nodes?: number
  readonly steps?: number
  /** Sees what happens, for people who look for the cause of a failure. */
  readonly log?: (line: string) => void
}

/** Virtual time until all must agree once faults have ended, ms. */
const MAX_SETTLE_MS = 400_000
const CALM = { loss: 0, duplicate: 0, requestLoss: 0, maxLatencyMs: 5 }

export class World {
  readonly seed: number
  readonly random: SeededRandom
  readonly time = new SimTime()
  readonly network: SimNetwork
  readonly nodes: SimNode[] = []
  readonly cluster: string
  readonly #root: KeyPair
  readonly #steps: number
  readonly #log: (line: string) => void
  #groups: number[] = []
  /** Acknowledged by a node before its home was replaced, and held by others that were alive then: never lost. */
  readonly #atRisk = new Map<SimNode, string[]>()
  readonly #writing = new Set<{ node: SimNode; life: number }>()
  /** Grows with every message and every fault: the same seed gives the same hash. */
  readonly #trace = createHash('sha256')

  constructor(options: WorldOptions) {
    this.seed = options.seed
    this.random = new SeededRandom(options.seed)
    this.network = new SimNetwork(this.time, this.random)
    this.#root = keyPairOf(createHash('sha256').update(`root ${options.seed}`).digest())
    this.cluster = clusterIdOf(this.#root.publicKey)
    this.#steps = options.steps ?? 30 + this.random.below(50)
    this.#log = options.log ?? (() => undefined)
    // 3 to 9, small ones more often: they are quick, and most faults need no more than three
    const count = options.nodes ?? 3 + Math.floor(7 * this.random.float() ** 2)
    for (let index = 0; index < count; index++) this.nodes.push(new SimNode(this, index))
    const names = new Map(this.nodes.map((node) => [node.id, node.index]))
    this.network.sent = (from, to, kind, frame) => {
      this.#trace.update(`${this.time.now} ${names.get(from)} ${names.get(to)} ${kind}\n`).update(frame)
      this.#log(`${this.time.now.toFixed(1)} ${names.get(from)} -> ${names.get(to)} ${kind} ${frame.length} B`)
    }
    this.network.hungUp = (from, to) => this.time.after(1_000, () => this.link(this.#byId(from), this.#byId(to)))
  }

  #byId(id: string): SimNode {
    return this.nodes.find((node) => node.id === id)!
  }

  /** Notes something that happened. */
  happened(what: string): void {
    this.#trace.update(`${this.time.now} ${what}\n`)
    this.#log(`${this.time.now.toFixed(1)} ${what}`)
  }

  /** Connects two nodes if nothing keeps them apart. */
  link(a: SimNode, b: SimNode): void {
    if (a !== b && a.up && b.up && (this.#groups[a.index] ?? 0) === (this.#groups[b.index] ?? 0))
      this.network.connect(a.id, b.id)
  }

  /** Founds the cluster, starts everybody, and lets the members' records reach all. */
  async begin(): Promise<void> {
    for (const node of this.nodes) await node.start()
    const founder = this.nodes[0]!
    await this.#settled(
      founder.replica!.writeMembers(() => [
        {
          k: 'found',
          root: this.#root.publicKey,
          signature: signFounder(this.#root, founder.keys.publicKey),
          name: 'sim',
          nodeName: 'n0'
        },
        ...this.nodes.slice(1).map((node) => ({
          k: 'admit' as const,
          key: node.keys.publicKey,
          role: 'author' as const,
          name: `n${node.index}`
        }))
      ])
    )
    const all = (): boolean => this.nodes.every((node) => node.replica!.members.list().length === this.nodes.length)
    assert.ok(await this.time.run(this.time.now + 120_000, all), 'the members never learned of each other')
  }

  async #settled<T>(promise: Promise<T>): Promise<T> {
    let over = false
    const done = promise.finally(() => (over = true))
    done.catch(() => undefined)
    await this.time.run(this.time.now + 60_000, () => over)
    return done
  }

  /** Lives through the seed's faults and writes. */
  async live(): Promise<void> {
    const { random, network } = this
    network.faults = {
      loss: random.float() * 0.3,
      duplicate: random.float() * 0.2,
      requestLoss: random.float() * 0.2,
      maxLatencyMs: 1 + random.float() * 200
    }
    for (let step = 0; step < this.#steps; step++) {
      await this.#step()
      // now and then everybody just waits: partitions get long, announcements and silences come due
      await this.time.run(this.time.now + (random.chance(0.03) ? random.below(200_000) : random.below(400)))
      for (const node of this.nodes) checkAlive(node)
    }
  }

  async #step(): Promise<void> {
    const roll = this.random.float()
    if (roll < 0.06) this.#part()
    else if (roll < 0.12) this.#heal()
    else if (roll < 0.18) await this.#crashOne()
    else if (roll < 0.28) await this.#restartSome()
    else if (roll < 0.31) this.#skewOne()
    else if (roll < 0.35) this.#slowOne()
    else if (roll < 0.38) this.#backUpOne()
    else if (roll < 0.39) await this.#restoreOne()
    else this.#writeSome()
  }

  #part(): void {
    this.#groups = this.nodes.map(() => this.random.below(2))
    this.happened(`parted ${this.#groups.join('')}`)
    for (const a of this.nodes)
      for (const b of this.nodes)
        if (this.#groups[a.index] !== this.#groups[b.index]) this.network.disconnect(a.id, b.id)
  }

  #heal(): void {
    this.#groups = []
    this.happened('healed')
    for (const a of this.nodes) for (const b of this.nodes) if (a.index < b.index) this.link(a, b)
  }

  async #crashOne(): Promise<void> {
    const node = this.random.pick(this.nodes)
    const ending = this.random.pick(['kill', 'power', 'index'] as const)
    if (!node.up) return
    this.happened(`${ending} ${node.index}`)
    await node.crash(ending)
  }

  #backUpOne(): void {
    const node = this.random.pick(this.nodes)
    if (!node.up || node.restored) return
    this.happened(`backup ${node.index}`)
    node.backup = node.disk.backup()
  }

  /** What nobody else holds is gone with the home; what it says from now on starts anew. */
  async #restoreOne(): Promise<void> {
    const node = this.random.pick(this.nodes)
    if (!node.up || node.backup === undefined) return
    this.happened(`restore ${node.index}`)
    await node.crash('restore')
    node.held.clear()
    const elsewhere = (record: string): boolean =>
      this.nodes.some((other) => other.replica?.log.find(record) !== undefined)
    this.#atRisk.set(node, node.acknowledged.filter(elsewhere))
    node.acknowledged = []
    await node.start()
  }

  async #restartSome(): Promise<void> {
    for (const node of this.nodes) {
      if (node.up || !this.random.chance(0.7)) continue
      this.happened(`start ${node.index}`)
      await node.start()
      checkAlive(node)
    }
  }

  /** A wall clock jumps, by up to years. */
  #skewOne(): void {
    const node = this.random.pick(this.nodes)
    node.skewMs = (this.random.float() - 0.5) * this.random.pick([1_000, 86_400_000, 2 * 365 * 86_400_000])
    this.happened(`skew ${node.index} by ${node.skewMs}`)
  }

  #slowOne(): void {
    const [a, b] = [this.random.pick(this.nodes), this.random.pick(this.nodes)]
    const factor = this.random.pick([1, 1, 10, 50])
    this.happened(`slow ${a.index} ${b.index} by ${factor}`)
    this.network.slow(a.id, b.id, factor)
  }

  /** A few writes by one node, not awaited: a crash may come in between. */
  #writeSome(): void {
    const node = this.random.pick(this.nodes)
    if (node.replica === undefined || node.restored) return
    for (let left = 1 + this.random.below(5); left > 0; left--) this.#track(node, writeOne(this, node, node.replica))
  }

  /** Writes under way; those of a process that died are over. */
  #track(node: SimNode, write: Promise<void>): void {
    const entry = { node, life: node.life }
    this.#writing.add(entry)
    void write.finally(() => this.#writing.delete(entry))
  }

  /** Ends all faults, starts everybody, and waits until all agree; then looks closely. */
  async settle(): Promise<void> {
    this.network.faults = CALM
    for (const a of this.nodes) for (const b of this.nodes) this.network.slow(a.id, b.id, 1)
    for (const node of this.nodes) if (!node.up) await node.start()
    this.#heal()
    await this.#converge()
    const restored = this.nodes.filter((node) => node.restored)
    for (const node of restored) {
      node.restored = false
      this.#track(node, writeOne(this, node, node.replica!))
    }
    if (restored.length > 0) await this.#converge()
    await this.#lookClosely()
  }

  async #converge(): Promise<void> {
    const agreed = await this.time.run(this.time.now + MAX_SETTLE_MS, () => this.#quiet() && this.#agree())
    assert.ok(agreed, `not converged: ${JSON.stringify(this.nodes.map((node) => this.#describe(node)))}`)
  }

  async #lookClosely(): Promise<void> {
    for (const node of this.nodes) checkAlive(node)
    for (const node of this.nodes) {
      for (const record of [...node.acknowledged, ...(this.#atRisk.get(node) ?? [])]) {
        for (const other of this.nodes)
          assert.ok(
            other.replica!.log.find(record) !== undefined,
            `record ${record} acknowledged by ${node.index} is not on node ${other.index}`
          )
      }
    }
    checkLogs(this.nodes)
    const first = await listing(this.nodes[0]!.replica!)
    for (const node of this.nodes.slice(1)) assert.deepEqual(await listing(node.replica!), first)
    for (const node of this.nodes) await checkDocs(node.replica!)
    await this.#rebuildOne(first)
  }

  /** The catalog is a fold of the log alone: without its index a node comes back to the very same. */
  async #rebuildOne(expected: readonly string[]): Promise<void> {
    const node = this.random.pick(this.nodes)
    const root = node.replica!.catalog.root()
    await node.crash('index')
    await node.start()
    assert.equal(node.replica!.catalog.root(), root)
    assert.deepEqual(await listing(node.replica!), expected)
    checkAlive(node)
    this.happened(`root ${root}`)
  }

  #quiet(): boolean {
    return [...this.#writing].every(({ node, life }) => node.life !== life)
  }

  #agree(): boolean {
    const replicas = this.nodes.map((node) => node.replica!)
    const first = replicas[0]!
    const vector = JSON.stringify(sorted(first.log.vector()))
    return replicas.every(
      (replica) =>
        replica.waiting === 0 &&
        replica.catalog.root() === first.catalog.root() &&
        JSON.stringify(sorted(replica.log.vector())) === vector
    )
  }

  #describe({ index, replica }: SimNode): unknown {
    const { catalog, waiting, log } = replica!
    return {
      node: index,
      root: catalog.root().slice(0, 8),
      waiting,
      vector: sorted(log.vector()).map((entry) => `${entry.log.slice(0, 6)}:${entry.seq}`)
    }
  }

  /** Ends everything; the hash over all that happened. */
  async end(): Promise<string> {
    for (const node of this.nodes) await node.crash('kill')
    return this.#trace.digest('hex')
  }
}

function sorted(vector: readonly VectorEntry[]): VectorEntry[] {
  return vector.toSorted((a, b) => (a.log < b.log ? -1 : 1))
}
