/**
 * A cluster in one process, with its network, clocks and disks drawn from one seed. The log, catalog and sync code is
 * the real one: each node is the daemon's own Replica.
 */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { clusterIdOf, signFounder, type KeyPair } from '../../src/identity/index.js'
import type { NodeId } from '../../src/runtime.js'
import { Always } from './always.js'
import { Doors } from './doors.js'
import { Faults } from './faults.js'
import { Liar } from './liar.js'
import { SimNetwork } from './network.js'
import { SimNode } from './node.js'
import { SeededRandom } from './random.js'
import { settle } from './settle.js'
import { keysNamed } from './signatures.js'
import { Thieves } from './thieves.js'
import { SimTime } from './time.js'

/** In worlds of seeds from here on the liar is removed, and honest members build on what it made. */
export const REMOVALS_FROM = 1_000_000

/** In worlds of seeds from here on there is no liar, homes are not replaced, and checkpoints are made all the time. */
export const CHECKPOINTS_FROM = 2_000_000

/** In worlds of seeds from here on keys and secrets change, thieves use old keys, and no home is replaced. */
export const KEYS_FROM = 3_000_000

/**
 * In worlds of seeds from here on machines are slow: long work pauses, and the world goes on meanwhile. Of each four such
 * worlds three are besides as those above are.
 */
export const SLOW_FROM = 4_000_000

const KINDS = [
  { from: REMOVALS_FROM, name: 'removals' },
  { from: CHECKPOINTS_FROM, name: 'checkpoints' },
  { from: KEYS_FROM, name: 'keys' }
] as const

export interface WorldOptions {
  readonly seed: number
  readonly nodes?: number
  readonly steps?: number
  /** Sees what happens, for people who look for the cause of a failure. */
  readonly log?: (line: string) => void
}

export class World {
  readonly seed: number
  readonly random: SeededRandom
  readonly time = new SimTime()
  readonly network: SimNetwork
  readonly nodes: SimNode[] = []
  readonly cluster: string
  readonly always = new Always(() => this.nodes)
  readonly liar: Liar
  readonly faults: Faults
  readonly root: KeyPair
  readonly #steps: number
  readonly #log: ((line: string) => void) | undefined
  #groups: readonly number[] = []
  readonly #writing = new Set<{ node: SimNode; life: number }>()
  #failure: unknown
  /** Whether long work pauses, and the world goes on meanwhile. */
  readonly slow: boolean
  /** Whether the liar is removed sooner or later. */
  readonly removals: boolean
  /** Whether checkpoints are made. */
  readonly checkpoints: boolean
  /** Who is let in by whom; absent: everybody, in worlds where keys and secrets stay. */
  readonly doors: Doors | undefined
  readonly thieves: Thieves | undefined
  /** Grows with every message and every fault: the same seed gives the same hash. */
  readonly #trace = createHash('sha256')

  constructor(options: WorldOptions) {
    this.seed = options.seed
    this.random = new SeededRandom(options.seed)
    this.slow = options.seed >= SLOW_FROM
    const place = this.slow ? (options.seed % (KINDS.length + 1)) * REMOVALS_FROM : options.seed
    const kind = KINDS.findLast((each) => place >= each.from)?.name
    this.checkpoints = kind === 'checkpoints'
    this.removals = kind === 'removals'
    this.network = new SimNetwork(this.time, this.random)
    this.root = keysNamed('root')
    this.cluster = clusterIdOf(this.root.publicKey)
    this.#steps = options.steps ?? 30 + this.random.below(50)
    this.#log = options.log
    // 3 to 9, small ones more often: they are quick, and most faults need no more than three
    const count = options.nodes ?? 3 + Math.floor(7 * this.random.float() ** 4)
    for (let index = 0; index < count; index++) this.nodes.push(new SimNode(this, index))
    this.liar = new Liar(this.random, this.cluster, this.always, this.removals)
    this.faults = new Faults(this)
    this.doors = kind === 'keys' ? new Doors(this) : undefined
    this.thieves = kind === 'keys' ? new Thieves(this) : undefined
    this.#listen()
  }

  /** Whether a member lies: it would never have the newest secret, nor vouch for a checkpoint. */
  get #lied(): boolean {
    return !this.checkpoints && this.doors === undefined
  }

  #named(id: NodeId): SimNode | undefined {
    return this.nodes.find((node) => node.id === id)
  }

  #listen(): void {
    const { network } = this
    network.sent = (from, to, kind, frame) => {
      const line = `${this.time.now} ${this.#named(from)?.index} ${this.#named(to)?.index} ${kind} ${frame.length}\n`
      this.#trace.update(line).update(frame)
      this.#log?.(line.trimEnd())
    }
    // who goes on under another key publishes and answers nothing more under the old one
    const look = (id: NodeId, check: (node: SimNode) => void): void => {
      const node = this.#named(id)
      if (node !== undefined) this.#look(() => check(node))
    }
    network.published = (from, frame) => look(from, (node) => this.always.published(node, frame))
    network.answered = (from, request, answer) => look(from, (node) => this.always.answered(node, request, answer))
    network.hungUp = (from, to) =>
      this.time.after(1_000, () => {
        const [a, b] = [this.#named(from), this.#named(to)]
        if (a !== undefined && b !== undefined) this.link(a, b)
      })
  }

  /** Notes something that happened. */
  happened(what: string): void {
    this.#trace.update(`${this.time.now} ${what}\n`)
    this.#log?.(`${this.time.now.toFixed(1)} ${what}`)
  }

  /** Something failed where nobody waits for it; the run ends with the next look. */
  failed(error: unknown): void {
    this.#failure ??= error
  }

  /** Whoever sends would take what a check throws for a failure of the network, and go on. */
  #look(check: () => void): void {
    try {
      check()
    } catch (error) {
      this.failed(error)
    }
  }

  /** Looks at everything that must hold at every moment. */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure as Error
    this.always.checkAll()
  }

  /** Connects two nodes if nothing keeps them apart. */
  link(a: SimNode, b: SimNode): void {
    if (a !== b && this.reaches(a, b) && this.doors?.mayLink(a, b) !== false) this.network.connect(a.id, b.id)
  }

  /** Whether packets of one come to the other. */
  reaches(a: SimNode, b: SimNode): boolean {
    return a.up && b.up && (this.#groups[a.index] ?? 0) === (this.#groups[b.index] ?? 0)
  }

  /** Nodes of different groups no longer reach each other. */
  part(groups: readonly number[]): void {
    this.#groups = groups
    this.happened(`parted ${groups.join('')}`)
    for (const a of this.nodes)
      for (const b of this.nodes) if (groups[a.index] !== groups[b.index]) this.network.disconnect(a.id, b.id)
  }

  join(): void {
    this.#groups = []
    this.happened('healed')
    for (const a of this.nodes) for (const b of this.nodes) if (a.index < b.index) this.link(a, b)
  }

  /** Founds the cluster, starts everybody, and lets the members' records reach all. */
  async begin(): Promise<void> {
    for (const node of this.nodes) await node.start()
    const founder = this.nodes[0]!
    const admit = (key: Uint8Array, name: string): { k: 'admit'; key: Uint8Array; role: 'author'; name: string } => ({
      k: 'admit',
      key,
      role: 'author',
      name
    })
    const founded = founder.replica!.writeMembers(() => [
      {
        k: 'found',
        root: this.root.publicKey,
        signature: signFounder(this.root, founder.keys.publicKey),
        name: 'sim',
        nodeName: 'n0'
      },
      ...this.nodes.slice(1).map((node) => admit(node.keys.publicKey, `n${node.index}`)),
      ...(this.#lied ? [admit(this.liar.keys.publicKey, 'liar')] : [])
    ])
    founded.catch((error: unknown) => this.failed(error))
    const all = (): boolean =>
      this.nodes.every((node) => node.replica!.members.list().length >= this.nodes.length + (this.#lied ? 1 : 0))
    assert.ok(await this.time.run(this.time.now + 120_000, all), 'the members never learned of each other')
    this.doors?.shut()
  }

  /** Lives through the seed's faults and writes. */
  async live(): Promise<void> {
    const { random, network } = this
    network.faults = {
      loss: random.float() * 0.3,
      duplicate: random.float() * 0.2,
      requestLoss: random.float() * 0.2,
      maxLatencyMs: 1 + random.float() * 200,
      lies: random.chance(0.3) ? random.float() * 0.1 : 0
    }
    for (let step = 0; step < this.#steps; step++) {
      await this.faults.step()
      // now and then everybody just waits: partitions get long, announcements and silences come due
      await this.time.run(this.time.now + (random.chance(0.03) ? random.below(200_000) : random.below(400)))
      this.check()
    }
  }

  /** Writes under way; those of a process that died are over. */
  track(node: SimNode, write: Promise<void>): void {
    const entry = { node, life: node.life }
    this.#writing.add(entry)
    void write.finally(() => this.#writing.delete(entry))
  }

  /** Whether nobody waits for an acknowledgement that can still come. */
  quiet(): boolean {
    return [...this.#writing].every(({ node, life }) => node.life !== life)
  }

  /** Ends all faults, starts everybody, and waits until all agree; then looks closely. */
  settle(): Promise<void> {
    return settle(this)
  }

  /** Ends everything; the hash over all that happened. */
  async end(): Promise<string> {
    for (const node of this.nodes) await node.crash('kill')
    return this.#trace.digest('hex')
  }
}
