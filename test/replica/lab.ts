/**
 * Nodes side by side without a network: each is the daemon's own Replica over a simulated disk and a store in memory.
 * Records are carried from one to the other by hand, in whatever order a test wants.
 */
import { createHash } from 'node:crypto'
import { clientIdOf, PathEditor, ROOT_ID, type Draft, type Entry, type Value } from '../../src/catalog/index.js'
import { encodeUpdate, type DeleteRange } from '../../src/catalog/update.js'
import { clusterIdOf, keyPairOf, nodeIdOf, signFounder, verify, type KeyPair } from '../../src/identity/index.js'
import { Replica, type Contents, type OpenReport, type ReplicaEvents, type Written } from '../../src/replica/index.js'
import { silentLogger, type Clock, type Logger, type NodeId, type Transport } from '../../src/runtime.js'
import { MemoryStore, type Store } from '../../src/store/index.js'
import { logIdOf, sealRecord, type Dep, type Op, type Role, type SignedRecord } from '../../src/wire/index.js'
import { MemoryContents } from '../sim/contents.js'
import { SimDisk } from '../sim/disk.js'
import { SeededRandom } from '../sim/random.js'

/** 2025-06-15, ms: where every clock of the lab begins. */
export const LAB_TIME = 1_750_000_000_000

/** A clock that stands still until it is moved. Timers fire by `advance`. */
export class HandClock implements Clock {
  wall = LAB_TIME
  #ticks = 0
  #timers: Array<{ at: number; fn: () => void }> = []

  now(): number {
    return this.wall
  }

  monotonic(): number {
    return this.#ticks
  }

  timer(ms: number, fn: () => void): () => void {
    const timer = { at: this.#ticks + ms, fn }
    this.#timers.push(timer)
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer)
    }
  }

  pause(): Promise<void> {
    return Promise.resolve()
  }

  /** Moves on by `ms`, running what falls due, in order. */
  advance(ms: number): void {
    const end = this.#ticks + ms
    for (;;) {
      const due = this.#timers.filter(({ at }) => at <= end).toSorted((a, b) => a.at - b.at)[0]
      if (due === undefined) break
      this.#timers = this.#timers.filter((other) => other !== due)
      this.wall += Math.max(0, due.at - this.#ticks)
      this.#ticks = Math.max(this.#ticks, due.at)
      due.fn()
    }
    this.wall += end - this.#ticks
    this.#ticks = end
  }
}

/** Nobody is reachable; what is said is kept for tests to look at. */
export class DeafTransport implements Transport {
  readonly notices: Array<{ to: NodeId; frame: Uint8Array }> = []
  readonly published: Uint8Array[] = []
  readonly hungUp: NodeId[] = []
  request: Transport['request'] = () => Promise.reject(new Error('nobody is there'))

  constructor(readonly self: NodeId) {}

  handle(): void {}

  peers(): [] {
    return []
  }

  notify(to: NodeId, frame: Uint8Array): boolean {
    this.notices.push({ to, frame })
    return true
  }

  async publish(frame: Uint8Array): Promise<number> {
    this.published.push(frame)
    return 0
  }

  hangUp(node: NodeId): void {
    this.hungUp.push(node)
  }
}

export interface LabNodeOptions {
  readonly disk?: SimDisk
  readonly store?: Store
  readonly events?: ReplicaEvents
  readonly logger?: Logger
  readonly clock?: HandClock
  /** Seeds its randomness: its epochs. */
  readonly seed?: number
  readonly freshEpoch?: boolean
  /** Where pieces of checkpoints go; absent: it makes none. */
  readonly contents?: Contents
}

export class LabNode {
  readonly id: NodeId
  readonly clock: HandClock
  readonly disk: SimDisk
  readonly transport: DeafTransport
  store: Store
  replica!: Replica
  report!: OpenReport
  readonly #random: SeededRandom

  constructor(
    readonly lab: Lab,
    readonly keys: KeyPair,
    readonly options: LabNodeOptions
  ) {
    this.id = nodeIdOf(keys.publicKey)
    this.clock = options.clock ?? new HandClock()
    this.disk = options.disk ?? new SimDisk()
    this.store = options.store ?? new MemoryStore()
    this.transport = new DeafTransport(this.id)
    this.#random = new SeededRandom(options.seed ?? 1)
  }

  async open(): Promise<this> {
    const { replica, report } = await Replica.open(
      {
        clock: this.clock,
        random: this.#random,
        logger: this.options.logger ?? silentLogger,
        disk: this.disk.mount(),
        store: this.store,
        transport: this.transport,
        keys: this.keys,
        verify: async (key, bytes, signature) => verify(key, bytes, signature),
        ...(this.options.contents === undefined ? {} : { contents: this.options.contents })
      },
      { cluster: this.lab.cluster, maxSegmentBytes: 64 * 1024, freshEpoch: this.options.freshEpoch ?? false },
      this.options.events
    )
    this.replica = replica
    this.report = report
    return this
  }

  /** Ends the process with its files as they are, and opens them again; `index` lost or kept. */
  async restart(options: { loseIndex?: boolean } = {}): Promise<this> {
    await this.replica.stop()
    this.disk.kill()
    if (options.loseIndex === true) this.store = new MemoryStore()
    return this.open()
  }

  edit<T>(change: (edit: PathEditor, draft: Draft) => T, bytes = 512): Promise<Written<T>> {
    return this.replica.change((draft) => change(new PathEditor(draft, this.replica.reader), draft), bytes)
  }

  put(
    path: string,
    text: string,
    options: { exec?: boolean; seen?: ReadonlySet<string> } = {}
  ): Promise<Written<{ id: string }>> {
    return this.edit((edit, draft) => edit.put(path, draft.body(Buffer.from(text)), options))
  }

  mkdir(path: string): Promise<Written<{ id: string }>> {
    return this.edit((edit) => edit.makeDirectory(path))
  }

  move(from: string, to: string): Promise<Written<{ id: string }>> {
    return this.edit((edit) => edit.move(from, to))
  }

  async remove(path: string): Promise<void> {
    const below: string[] = []
    const found = this.replica.reader.resolve(path)
    if (found !== undefined)
      for await (const { entry } of this.replica.reader.walk(found.id, path)) below.push(entry.id)
    await this.edit((edit) => edit.remove(path, below))
  }

  /** Everything held, by log and seq. */
  records(): SignedRecord[] {
    const { log } = this.replica
    const found: SignedRecord[] = []
    for (const head of log.logs())
      for (let seq = head.floor + 1; seq <= head.seq; seq++) found.push(log.read(head.log, seq))
    return found
  }

  async receive(records: readonly SignedRecord[], from = 'lab'): Promise<void> {
    await this.replica.takeIn(
      from,
      records.map((record) => record.bytes)
    )
  }

  /** Takes what the other holds and this one lacks, the members' records first. */
  async pull(other: LabNode): Promise<void> {
    const { log } = this.replica
    const lacking = other
      .records()
      .filter((record) => log.find(record.id) === undefined && !log.isSettled(record.log, record.body.seq))
    const members = (record: SignedRecord): number => (record.body.space === 'members' ? 0 : 1)
    await this.receive(lacking.toSorted((a, b) => members(a) - members(b)))
  }

  /** Resolves when what was set off has come to its end: nothing here waits for a timer or another thread. */
  async settled(): Promise<void> {
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
  }

  at(path: string): Entry {
    const found = this.replica.reader.resolve(path)
    if (found === undefined) throw new Error(`nothing at ${path} here`)
    return found
  }

  /** The bytes of a small file as text. */
  text(path: string): string {
    return Buffer.from(this.replica.reader.inlineBody(this.at(path).meaning.body!)!).toString()
  }

  /** All paths with what is there, `dir` or the text of the file; `!` behind a conflict. */
  async tree(): Promise<string[]> {
    const lines: string[] = []
    const { reader } = this.replica
    for await (const { path, entry } of reader.walk(ROOT_ID, '')) {
      const { body } = entry.meaning
      const bytes = body === undefined ? undefined : reader.inlineBody(body)
      const what = bytes === undefined ? 'dir' : Buffer.from(bytes).toString()
      lines.push(`${path}=${what}${entry.meaning.conflicts.length > 0 || entry.meaning.editDelete ? '!' : ''}`)
    }
    return lines
  }

  /** Texts of every value that stands beside the winner of a file's content. */
  losers(path: string): string[] {
    const { meaning } = this.at(path)
    const conflict = meaning.conflicts.find(({ field }) => field === 'body')
    const texts = (conflict?.tuples ?? []).map((tuple) => {
      const [hash, size] = tuple.value as unknown as [Uint8Array, number]
      return Buffer.from(this.replica.reader.inlineBody({ hash: Buffer.from(hash).toString('hex'), size })!).toString()
    })
    return texts.filter((text) => text !== this.text(path)).toSorted()
  }
}

export { MemoryContents }

export class Lab {
  readonly root: KeyPair
  readonly cluster: string

  constructor(readonly seed = 1) {
    this.root = keyPairOf(this.seedOf('root'))
    this.cluster = clusterIdOf(this.root.publicKey)
  }

  seedOf(name: string): Uint8Array {
    return createHash('sha256').update(`lab ${this.seed} ${name}`).digest()
  }

  keysOf(name: string): KeyPair {
    return keyPairOf(this.seedOf(name))
  }

  /** A node that knows nothing yet. */
  blank(name: string, options: LabNodeOptions = {}): Promise<LabNode> {
    return new LabNode(this, this.keysOf(name), {
      seed: [...name].reduce((sum, letter) => sum * 31 + letter.charCodeAt(0), 7),
      ...options
    }).open()
  }

  /** Nodes named `n0` (the founder), `n1` ... that all know each other; `roles` of those after the founder. */
  async nodes(
    count: number,
    options: {
      roles?: readonly Role[]
      /** Scopes of those after the founder. */
      scopes?: ReadonlyArray<readonly string[] | undefined>
      each?: (index: number) => LabNodeOptions
    } = {}
  ): Promise<LabNode[]> {
    const nodes: LabNode[] = []
    for (let index = 0; index < count; index++) nodes.push(await this.blank(`n${index}`, options.each?.(index)))
    const founder = nodes[0]!
    await founder.replica.writeMembers(() => [
      {
        k: 'found',
        root: this.root.publicKey,
        signature: signFounder(this.root, founder.keys.publicKey),
        name: 'lab',
        nodeName: 'n0'
      },
      ...nodes.slice(1).map((node, index) => ({
        k: 'admit' as const,
        key: node.keys.publicKey,
        role: options.roles?.[index] ?? ('author' as const),
        name: `n${index + 1}`,
        ...(options.scopes?.[index] === undefined ? {} : { scope: options.scopes[index] })
      }))
    ])
    for (const node of nodes.slice(1)) await node.pull(founder)
    return nodes
  }
}

/** Everybody takes everything from everybody. */
export async function meet(nodes: readonly LabNode[]): Promise<void> {
  for (let round = 0; round < 2; round++)
    for (const to of nodes) for (const from of nodes) if (to !== from) await to.pull(from)
}

export interface Forged {
  readonly space?: string
  readonly epoch?: string
  readonly seq?: number
  readonly prev?: string | null
  readonly deps?: readonly Dep[]
  readonly depth?: number
  readonly time?: number
  readonly ops?: readonly Op[]
  readonly cluster?: string
}

/**
 * A record under `keys` with whatever body a test wants, properly signed. Continues what `seen` holds of that log and
 * knows all of its heads, unless told otherwise.
 */
export function forge(seen: LabNode, keys: KeyPair, changes: Forged = {}): SignedRecord {
  const { replica } = seen
  const space = changes.space ?? 'catalog'
  const epoch = changes.epoch ?? 'f'.repeat(16)
  const log = logIdOf(space, keys.publicKey, epoch)
  const head = replica.log.get(log)
  const seq = changes.seq ?? (head?.seq ?? 0) + 1
  const deps =
    changes.deps ??
    [...replica.heads(space), ...(space === 'members' ? [] : replica.heads('members'))].filter((dep) => dep.log !== log)
  const depths = [
    ...deps.map((dep) => replica.log.row(dep.log, dep.seq)?.depth ?? 0),
    seq > 1 ? (replica.log.row(log, seq - 1)?.depth ?? 0) : 0
  ]
  return sealRecord(
    {
      cluster: changes.cluster ?? seen.lab.cluster,
      space,
      author: keys.publicKey,
      epoch,
      seq,
      prev: changes.prev !== undefined ? changes.prev : seq === 1 ? null : (replica.log.row(log, seq - 1)?.id ?? null),
      deps,
      depth: changes.depth ?? 1 + Math.max(...depths),
      time: changes.time ?? LAB_TIME * 1_000,
      ops: changes.ops ?? []
    },
    keys.sign
  )
}

/** An edit of one entry as its author would write it, with the clock it must have. */
export function editOp(
  seen: LabNode,
  keys: KeyPair,
  entry: string,
  tuples: ReadonlyArray<readonly [string, Value]>,
  options: { epoch?: string; seq?: number; time?: number; deletes?: readonly DeleteRange[]; clock?: number } = {}
): Op {
  const epoch = options.epoch ?? 'f'.repeat(16)
  const client = clientIdOf(keys.publicKey, epoch, entry)
  const log = logIdOf('catalog', keys.publicKey, epoch)
  const seq = options.seq ?? (seen.replica.log.get(log)?.seq ?? 0) + 1
  const clock =
    options.clock ?? seen.replica.reader.entry(entry)?.state.clients.find((row) => row.client === client)?.clock ?? 0
  const written = tuples.map(([field, value]) => [field, value, options.time ?? LAB_TIME * 1_000, seq] as const)
  return {
    k: 'edit',
    entry,
    update: encodeUpdate({
      client: written.length === 0 ? 0 : client,
      clock: written.length === 0 ? 0 : clock,
      tuples: written,
      deletes: options.deletes ?? []
    })
  }
}
