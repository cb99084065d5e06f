/**
 * A cluster in one process, with its network, clocks and disks drawn from one seed. The log, catalog and sync code is
 * the real one: each node is the daemon's own Replica.
 */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { inspectDoc, PathEditor, ROOT_ID, TOMBSTONE } from '../../src/catalog/index.js'
import { GrapevineError } from '../../src/errors.js'
import { clusterIdOf, keyPairOf, nodeIdOf, signFounder, verify, type KeyPair } from '../../src/identity/index.js'
import { CATALOG_SPACE, Replica } from '../../src/replica/index.js'
import { silentLogger, type NodeId } from '../../src/runtime.js'
import { MemoryStore } from '../../src/store/index.js'
import { SimDisk } from './disk.js'
import { SimNetwork, type SimTransport } from './network.js'
import { SeededRandom } from './random.js'
import { SimTime } from './time.js'

export interface Acknowledged {
  readonly node: NodeId
  readonly record: string
}

export class SimNode {
  readonly keys: KeyPair
  readonly id: NodeId
  readonly disk = new SimDisk()
  store = new MemoryStore()
  replica: Replica | undefined
  transport: SimTransport | undefined
  life = 0
  readonly skewMs: number

  constructor(
    readonly world: World,
    readonly index: number
  ) {
    this.keys = keyPairOf(createHash('sha256').update(`node ${world.seed} ${index}`).digest())
    this.id = nodeIdOf(this.keys.publicKey)
    this.skewMs = world.random.chance(0.2) ? (world.random.float() - 0.5) * 86_400_000 : 0
  }

  get up(): boolean {
    return this.replica !== undefined
  }

  async start(): Promise<void> {
    const life = ++this.life
    const transport = this.world.network.join(this.id)
    const clock = this.world.time.clock(() => this.life === life, this.skewMs)
    const { replica } = await Replica.open(
      {
        clock,
        random: this.world.random,
        logger: silentLogger,
        disk: this.disk.mount(),
        store: this.store,
        transport,
        keys: this.keys,
        // on the spot: the thread pool would make the order of things depend on the machine
        verify: async (key, bytes, signature) => verify(key, bytes, signature)
      },
      { cluster: this.world.cluster, maxSegmentBytes: 64 * 1024 }
    )
    transport.handle({
      peerUp: (peer) => replica.peerUp(peer),
      peerDown: (node) => replica.peerDown(node),
      notified: (from, frame) => replica.notified(from, frame),
      requested: (_from, _lane, frame) => replica.requested(frame),
      gossip: (from, frame) => replica.gossip(from, frame)
    })
    this.replica = replica
    this.transport = transport
    replica.start()
    for (const other of this.world.nodes) if (other !== this && other.up && !this.world.parted(this, other)) this.world.network.connect(this.id, other.id)
  }

  /** The process ends at once. A power cut takes unsynced bytes and the index besides. */
  crash(kind: 'kill' | 'power'): void {
    if (this.replica === undefined) return
    this.life += 1
    this.replica = undefined
    this.world.network.leave(this.id)
    if (kind === 'kill') this.disk.kill()
    else {
      this.disk.crash(this.world.random)
      this.store = new MemoryStore()
    }
  }
}

export interface WorldOptions {
  readonly seed: number
  readonly nodes?: number
  readonly steps?: number
}

export class World {
  readonly seed: number
  readonly random: SeededRandom
  readonly time = new SimTime()
  readonly network: SimNetwork
  readonly nodes: SimNode[] = []
  readonly acknowledged: Acknowledged[] = []
  readonly cluster: string
  readonly #root: KeyPair
  readonly #steps: number
  #groups: number[] = []
  readonly #writing = new Set<{ node: SimNode; life: number }>()
  readonly trace = createHash('sha256')

  constructor(options: WorldOptions) {
    this.seed = options.seed
    this.random = new SeededRandom(options.seed)
    this.network = new SimNetwork(this.time, this.random)
    this.#root = keyPairOf(createHash('sha256').update(`root ${options.seed}`).digest())
    this.cluster = clusterIdOf(this.#root.publicKey)
    this.#steps = options.steps ?? 40 + this.random.below(60)
    const count = options.nodes ?? 3 + this.random.below(7)
    for (let index = 0; index < count; index++) this.nodes.push(new SimNode(this, index))
  }

  parted(a: SimNode, b: SimNode): boolean {
    return (this.#groups[a.index] ?? 0) !== (this.#groups[b.index] ?? 0)
  }

  /** Founds the cluster, starts everybody, and lets the members' records reach all. */
  async begin(): Promise<void> {
    for (const node of this.nodes) await node.start()
    const founder = this.nodes[0]!
    await this.#settled(
      founder.replica!.writeMembers(() => [
        { k: 'found', root: this.#root.publicKey, signature: signFounder(this.#root, founder.keys.publicKey), name: 'sim', nodeName: 'n0' },
        ...this.nodes.slice(1).map((node) => ({ k: 'admit' as const, key: node.keys.publicKey, role: 'author' as const, name: `n${node.index}` }))
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
    network.faults = { loss: random.float() * 0.3, duplicate: random.float() * 0.2, requestLoss: random.float() * 0.2, maxLatencyMs: 1 + random.float() * 200 }
    for (let step = 0; step < this.#steps; step++) {
      await this.#step()
      await this.time.run(this.time.now + random.below(400))
      this.#check()
    }
  }

  async #step(): Promise<void> {
    const { random } = this
    const roll = random.float()
    if (roll < 0.06) this.#part()
    else if (roll < 0.12) this.#heal()
    else if (roll < 0.18) random.pick(this.nodes).crash(random.chance(0.5) ? 'kill' : 'power')
    else if (roll < 0.28) await this.#restartSome()
    else this.#writeSome()
  }

  #part(): void {
    this.#groups = this.nodes.map(() => this.random.below(2))
    for (const a of this.nodes) for (const b of this.nodes) if (a.index < b.index && this.parted(a, b)) this.network.disconnect(a.id, b.id)
  }

  #heal(): void {
    this.#groups = []
    for (const a of this.nodes) for (const b of this.nodes) if (a.index < b.index && a.up && b.up) this.network.connect(a.id, b.id)
  }

  async #restartSome(): Promise<void> {
    for (const node of this.nodes) if (!node.up && this.random.chance(0.7)) await node.start()
  }

  /** A few writes by one node, not awaited: a crash may come in between. */
  #writeSome(): void {
    const node = this.random.pick(this.nodes)
    if (node.replica === undefined) return
    for (let left = 1 + this.random.below(5); left > 0; left--) this.#track(node, this.#writeOne(node, node.replica))
  }

  /** Writes under way; those of a process that died are over. */
  #track(node: SimNode, write: Promise<void>): void {
    const entry = { node, life: node.life }
    this.#writing.add(entry)
    void write.finally(() => this.#writing.delete(entry))
  }

  #path(): string {
    const { random } = this
    const dirs = ['', 'a/', 'b/', 'a/c/', 'b/d/']
    return random.pick(dirs) + `f${random.below(6)}`
  }

  async #writeOne(node: SimNode, replica: Replica): Promise<void> {
    const { random } = this
    const what = random.float()
    const path = this.#path()
    const other = random.chance(0.3) ? random.pick(['a', 'b', 'a/c', 'b/d', 'a/b', 'b/a', 'x']) : this.#path()
    const bytes = random.bytes(1 + random.below(40))
    const below: string[] = []
    const target = random.chance(0.2) ? random.pick(['a', 'b']) : path
    if (what >= 0.8) {
      const found = replica.reader.resolve(target)
      if (found !== undefined) for await (const { entry } of replica.reader.walk(found.id, target)) below.push(entry.id)
    }
    const life = node.life
    try {
      const written = await replica.change((draft) => {
        const edit = new PathEditor(draft, replica.reader)
        if (what < 0.55) return edit.put(path, draft.body(bytes))
        if (what < 0.8) return edit.move(random.chance(0.4) ? random.pick(['a', 'b', 'a/c']) : path, other)
        return edit.remove(target, below)
      }, 200)
      if (written.record !== null && node.life === life) this.acknowledged.push({ node: node.id, record: written.record.id })
    } catch (error) {
      const expected = ['not-found', 'path-taken', 'not-a-directory', 'not-a-file', 'move-into-itself', 'stopped', 'store-failed']
      if (!(error instanceof GrapevineError) || !expected.includes(error.code)) {
        if (node.life === life) throw error
      }
    }
  }

  /** What must hold at every moment: nobody is broken, and no log has a hole. */
  #check(): void {
    for (const node of this.nodes) {
      if (node.replica === undefined) continue
      assert.equal(node.replica.failure, undefined, `node ${node.index} failed: ${String(node.replica.failure)}`)
    }
  }

  /** Ends all faults, starts everybody, and waits until all agree; then looks closely. */
  async settle(): Promise<void> {
    this.network.faults = { loss: 0, duplicate: 0, requestLoss: 0, maxLatencyMs: 5 }
    for (const node of this.nodes) if (!node.up) await node.start()
    this.#heal()
    const agreed = await this.time.run(this.time.now + 400_000, () => this.#quiet() && this.#agree())
    assert.ok(agreed, `not converged: ${JSON.stringify(this.nodes.map((node) => this.#describe(node)))}`)
    for (const { record, node } of this.acknowledged) {
      for (const each of this.nodes) assert.ok(each.replica!.log.find(record) !== undefined, `record ${record} acknowledged by ${node} is lost on node ${each.index}`)
    }
    const first = await listing(this.nodes[0]!.replica!)
    for (const node of this.nodes.slice(1)) assert.deepEqual(await listing(node.replica!), first)
    for (const node of this.nodes) await checkDocs(node.replica!)
    this.trace.update(this.nodes[0]!.replica!.catalog.root())
  }

  #quiet(): boolean {
    return [...this.#writing].every(({ node, life }) => node.life !== life)
  }

  #agree(): boolean {
    const replicas = this.nodes.map((node) => node.replica!)
    const first = replicas[0]!
    const vector = JSON.stringify(sorted(first.log.vector()))
    return replicas.every((replica) => replica.waiting === 0 && replica.catalog.root() === first.catalog.root() && JSON.stringify(sorted(replica.log.vector())) === vector)
  }

  #describe(node: SimNode): unknown {
    const replica = node.replica!
    return { node: node.index, root: replica.catalog.root().slice(0, 8), waiting: replica.waiting, vector: sorted(replica.log.vector()).map(({ log, seq }) => `${log.slice(0, 6)}:${seq}`) }
  }

  async end(): Promise<void> {
    for (const node of this.nodes) node.crash('kill')
  }
}

function sorted<T extends { log: string }>(vector: readonly T[]): T[] {
  return vector.toSorted((a, b) => (a.log < b.log ? -1 : 1))
}

/** Everything a person could see. */
export async function listing(replica: Replica): Promise<string[]> {
  const lines: string[] = []
  for await (const { path, entry } of replica.reader.walk(ROOT_ID, '')) {
    const body = entry.meaning.body
    const bytes = body === undefined ? undefined : replica.reader.inlineBody(body)
    if (body !== undefined) assert.ok(bytes !== undefined, `the bytes of ${path} are missing`)
    lines.push(`${path} ${entry.id} ${body?.hash ?? 'dir'} ${entry.meaning.conflicts.length}`)
    assert.equal(replica.reader.pathOf(entry.id), path)
    assert.equal(replica.reader.resolve(path)?.id, entry.id)
  }
  assert.equal(lines.length, replica.catalog.entries, 'the count of entries differs from the listing')
  return lines
}

/** The Yjs doc of every entry says the same as the row beside it, and nothing in it is pending. */
async function checkDocs(replica: Replica): Promise<void> {
  for await (const id of replica.reader.ids()) {
    const { state } = replica.reader.entry(id)!
    const doc = inspectDoc(state)
    assert.equal(doc.pending, false)
    const live = state.tuples.map((tuple) => `${tuple.client}:${tuple.clock} ${tuple.field}`).toSorted()
    assert.deepEqual(doc.tuples.map((tuple) => `${tuple.client}:${tuple.clock} ${tuple.content[0]}`).toSorted(), live)
    for (const row of state.clients) assert.equal(doc.stateVector.get(row.client), row.clock)
    assert.ok(state.tuples.filter((tuple) => tuple.field === TOMBSTONE).length <= 9)
  }
}

export { CATALOG_SPACE }
