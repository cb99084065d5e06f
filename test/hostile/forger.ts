/** Records as a hostile member makes them, properly signed and served like any other, and what honest nodes made of them. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { clientIdOf, ROOT_ID, type Value } from '../../src/catalog/index.js'
import { encodeUpdate, type DeleteRange } from '../../src/catalog/update.js'
import type { RecordLine } from '../../src/control/target.js'
import { bodyRefOf, bytesOf, sealRecord, type Op, type RecordBody, type SignedRecord } from '../../src/wire/index.js'
import type { Node } from '../e2e/node.js'
import { PATIENCE_MS, until } from '../e2e/until.js'
import type { Attacker, Lane } from './attacker.js'
import type { World } from './world.js'

/** What a daemon's memory may grow by under one of these attacks, bytes. */
export const MAX_GROWTH_BYTES = 200 * 2 ** 20
/** What lies in the place of a node that was never led outside its own directories. */
const PLACE = ['catalog', 'home', 'log.txt']

/** Where a record is to stand; the rest is made up. */
export type Forged = Partial<Omit<RecordBody, 'ops'>> & {
  /** Given what the record is, because an edit must fit it. */
  readonly ops: (at: Pick<RecordBody, 'author' | 'epoch' | 'seq' | 'time'>) => readonly Op[]
}

export class Forger {
  readonly #world: World
  readonly attacker: Attacker
  readonly lanes: readonly Lane[]
  readonly #asked = new Map<string, number>()
  readonly #shelf = new Map<string, readonly Uint8Array[]>()

  private constructor(world: World, attacker: Attacker, lanes: readonly Lane[]) {
    this.#world = world
    this.attacker = attacker
    this.lanes = lanes
    attacker.answer = (request) => {
      const records = request.t === 'pull' ? this.#shelf.get(request.log) : undefined
      if (request.t !== 'pull' || records === undefined) return undefined
      this.#asked.set(request.log, this.asked(request.log) + 1)
      const end = request.from - 1 + request.count
      return { t: 'records', records: page(records.slice(request.from - 1, end)), head: records.length }
    }
  }

  /** Connected to each of these nodes. */
  static async at(world: World, attacker: Attacker, nodes: readonly Node[] = world.honest): Promise<Forger> {
    const lanes: Lane[] = []
    for (const node of nodes) {
      lanes.push(await attacker.come(await world.address(node)))
      await until('it is up', () => world.connectedTo(attacker, node))
    }
    return new Forger(world, attacker, lanes)
  }

  /** A record that begins or continues a log, on top of everything the first honest node holds unless told otherwise. */
  async seal({ ops, ...over }: Forged): Promise<SignedRecord> {
    const { keys, home } = this.attacker
    const past = over.deps !== undefined && over.depth !== undefined ? over : await this.#world.past()
    const body = {
      cluster: home.cluster.cluster,
      space: 'catalog',
      author: keys.publicKey,
      epoch: randomBytes(8).toString('hex'),
      seq: 1,
      prev: null,
      deps: past.deps!,
      depth: past.depth!,
      time: Date.now() * 1_000,
      ...over
    }
    return sealRecord({ ...body, ops: ops(body) }, keys.sign)
  }

  /** The record that follows in the same log. */
  next({ body, id }: SignedRecord, { ops, ...over }: Forged): SignedRecord {
    const at = { ...body, seq: body.seq + 1, prev: id, deps: [], depth: body.depth + 1, ...over }
    return sealRecord({ ...at, ops: ops(at) }, this.attacker.keys.sign)
  }

  asked(log: string): number {
    return this.#asked.get(log) ?? 0
  }

  /** Serves these bytes to whoever asks for this log. */
  shelve(log: string, records: readonly Uint8Array[]): void {
    this.#shelf.set(log, records)
  }

  /** Serves these bytes as the log `log` and tells everybody that it has them. */
  offer(log: string, records: readonly Uint8Array[], head = '0'.repeat(16)): void {
    this.shelve(log, records)
    for (const lane of this.lanes) lane.tell({ t: 'vector', full: false, vector: [{ log, seq: records.length, head }] })
  }

  /** Offers a log of well-formed records; resolves with what the honest nodes say of the last, which must be the same. */
  async give(...records: readonly SignedRecord[]): Promise<RecordLine> {
    const last = records.at(-1)!
    this.offer(
      last.log,
      records.map(({ bytes }) => bytes),
      last.id.slice(0, 16)
    )
    return this.judged(last)
  }

  /** `ms`: how long that may take. */
  async judged(record: SignedRecord, ms = PATIENCE_MS): Promise<RecordLine> {
    const lines: RecordLine[] = []
    for (const node of this.#world.honest)
      lines.push(await until(`${node.name} has judged it`, () => judgedAt(node, record), ms))
    const verdicts = new Set(lines.map(({ state, reason }) => `${state} ${reason ?? ''}`))
    assert.equal(verdicts.size, 1, `the honest nodes are not of one mind: ${[...verdicts].join('; ')}`)
    return lines[0]!
  }

  /** Offers bytes that must not be stored, as this log or one made up; everybody has looked at them when it resolves. */
  async refused(bytes: Uint8Array, log = randomBytes(16).toString('hex')): Promise<void> {
    this.offer(log, [bytes])
    await until('everybody asked for it, and again', () => this.asked(log) >= 2 * this.lanes.length)
    for (const node of this.#world.honest)
      assert.equal((await node.space()).vector[log], undefined, `${node.name} stored it`)
  }
}

async function judgedAt(node: Node, { id }: SignedRecord): Promise<RecordLine | undefined> {
  const line = await node.client.record(id)
  return line.state === 'waiting' ? undefined : line
}

/** As much as an answer may hold. */
function page(records: readonly Uint8Array[]): readonly Uint8Array[] {
  let bytes = 0
  return records.filter((record, at) => (bytes += record.length) < 1024 * 1024 || at === 0)
}

/** An edit as its author must write it, or nearly so. */
export function edit(
  at: Pick<RecordBody, 'author' | 'epoch' | 'seq' | 'time'>,
  entry: string,
  tuples: ReadonlyArray<readonly [string, Value]>,
  over: { client?: number; clock?: number; deletes?: readonly DeleteRange[] } = {}
): Op {
  const { client = clientIdOf(at.author, at.epoch, entry), clock = 0, deletes = [] } = over
  const stamped = tuples.map(([field, value]) => [field, value, at.time, at.seq] as const)
  return { k: 'edit', entry, update: encodeUpdate({ client, clock, tuples: stamped, deletes }) }
}

export const newEntry = (): string => randomBytes(16).toString('hex')

export const place = (name: string, parent = ROOT_ID): readonly [string, Value] => [
  'place',
  [bytesOf(parent), name, null]
]

/** The attacker's file of this name at the root or in a directory, with these bytes, which fit into a record. */
export const file =
  (
    name: string,
    parent?: string,
    bytes: Uint8Array = Buffer.from('of the attacker'),
    entry = newEntry()
  ): Forged['ops'] =>
  (at) => {
    const { hash, size } = bodyRefOf(bytes)
    return [{ k: 'body', bytes }, edit(at, entry, [place(name, parent), ['body', [bytesOf(hash), size]]])]
  }

/** Whether any honest node has this path in its directory. */
export const anywhere = (world: World, path: string): boolean =>
  world.honest.some(({ dir }) => existsSync(join(dir, path)))

/** Of how the honest nodes were before an attack; what it resolves with tells that they are unscathed after it. */
export async function watch(
  world: World,
  maxGrowthBytes = MAX_GROWTH_BYTES
): Promise<(left?: { waiting?: number }) => Promise<void>> {
  const before = world.honest.map((node) => node.memory().now)
  return async ({ waiting = 0 } = {}) => {
    await world.unharmed()
    world.honest.forEach((node, at) => {
      const grown = node.memory().now - before[at]!
      assert.ok(grown < maxGrowthBytes, `memory of ${node.name} grew by ${Math.round(grown / 2 ** 20)} MiB`)
      assert.deepEqual(readdirSync(join(world.cluster.place, node.name)).toSorted(), PLACE)
    })
    await world.disarm()
    if (waiting === 0) await world.cluster.equal([...world.honest])
    for (const node of world.honest) {
      assert.equal((await node.space()).waiting, waiting)
      const { equal, nodes } = await node.client.verify({ waitMs: waiting === 0 ? 30_000 : 0 })
      assert.equal(equal, waiting === 0, node.name)
      assert.equal(nodes.filter((other) => other.reachable && other.equal).length, 3, node.name)
    }
  }
}
