/** Three honest daemons and whoever attacks them: what each attack meets, and what must hold while it lasts. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { NetworkInspection } from '../../src/net/index.js'
import type { Dep } from '../../src/wire/index.js'
import { Cluster, type JoinOptions } from '../e2e/cluster.js'
import type { Node } from '../e2e/node.js'
import { PATIENCE_MS, until } from '../e2e/until.js'
import { Attacker, type Masks } from './attacker.js'
import { Relay } from './wire.js'

/** `GRAPEVINE_HOSTILE_SIZE=full`: every attack in its whole size, as `npm run hostile-battery` makes them. */
const FULL = process.env['GRAPEVINE_HOSTILE_SIZE'] === 'full'
/** Times as long as in the tests may take what is that much more. */
const FULL_PATIENCE = 30

/** How much of an attack is made: a part of it in the tests, all of it in the long run. */
export const sized = (inTests: number, full: number): number => (FULL ? full : inTests)

/** How long may take what grows with the size of an attack, ms. */
export const LONG_MS = FULL ? FULL_PATIENCE * PATIENCE_MS : PATIENCE_MS

export class World {
  readonly #attackers: Attacker[] = []
  readonly #relays: Relay[] = []
  #names = 0

  private constructor(
    readonly cluster: Cluster,
    readonly honest: readonly [Node, Node, Node]
  ) {}

  static async of(cluster: Cluster): Promise<World> {
    const honest = (await cluster.of(3)) as [Node, Node, Node]
    await cluster.connected([...honest])
    return new World(cluster, honest)
  }

  /** A member that was admitted like any other and never runs as one. */
  async member(role: JoinOptions['role'] = 'author', scope?: readonly string[]): Promise<Attacker> {
    const options = scope === undefined ? { role } : { role, scope }
    return this.#attacker(await this.cluster.admit(`m${++this.#names}`, options), {})
  }

  /** Somebody who knows what an honest node's home says of the cluster and has a key of its own. */
  async stranger(masks: Masks = {}): Promise<Attacker> {
    return this.#attacker(this.honest[0], { seed: randomBytes(32), ...masks })
  }

  async #attacker(home: Node, masks: Masks): Promise<Attacker> {
    const attacker = await Attacker.as(home, masks)
    this.#attackers.push(attacker)
    return attacker
  }

  /** A relay before an honest node, which sees what comes by it as from another address. */
  async relay(node: Node = this.honest[0]): Promise<Relay> {
    const relay = await Relay.to(await this.port(node))
    this.#relays.push(relay)
    return relay
  }

  /** Where the first honest node listens, with its id. */
  async address(node: Node = this.honest[0]): Promise<string> {
    return (await node.status()).listen[0]!
  }

  async port(node: Node = this.honest[0]): Promise<number> {
    return Number(/\/tcp\/(\d+)/.exec(await this.address(node))![1])
  }

  async inspect(node: Node = this.honest[0]): Promise<NetworkInspection> {
    return (await node.client.inspect('gossip')) as NetworkInspection
  }

  /** Why the attacker is slowed at an honest node, if it is. */
  async throttled(attacker: Attacker, node: Node = this.honest[0]): Promise<string | undefined> {
    return (await node.status()).peers.find((peer) => peer.node === attacker.node)?.throttled?.reason
  }

  async connectedTo(attacker: Attacker, node: Node = this.honest[0]): Promise<boolean> {
    return (await node.status()).peers.some((peer) => peer.node === attacker.node && peer.connected)
  }

  /** Lines of the log of an honest node that hold these words. */
  said(words: string, node: Node = this.honest[0]): number {
    return readFileSync(node.logFile, 'utf8').split(words).length - 1
  }

  /** The last line of the log of an honest node that holds these words; '' when none does. */
  tailOf(words: string, node: Node = this.honest[0]): string {
    const lines = readFileSync(node.logFile, 'utf8').split('\n')
    return lines.findLast((line) => line.includes(words)) ?? ''
  }

  /** What a record may build on: a change that knows everything the first honest node holds. */
  async past(): Promise<{ deps: Dep[]; depth: number }> {
    const [{ client }] = this.honest
    const { record } = await client.put(`honest/past-${++this.#names}.txt`, one(Buffer.from(`${this.#names}`)))
    const { log, seq, id, depth } = await client.record(record!)
    return { deps: [{ log, seq, id }], depth: depth + 1 }
  }

  /** A change made at each honest node is in the directories of the others. */
  async unharmed(): Promise<void> {
    await this.#exchange(this.honest)
    for (const node of this.honest) {
      const { state, problems } = await node.status()
      assert.equal(state, 'running', `${node.name} is ${state}`)
      assert.deepEqual(problems, [], `${node.name} has problems`)
    }
  }

  /** The same while one of them is being attacked where it may well have to wait. */
  async unharmedBut(victim: Node): Promise<void> {
    await this.#exchange(this.honest.filter((node) => node !== victim))
    assert.equal((await victim.status()).state, 'running')
  }

  async #exchange(nodes: readonly Node[]): Promise<void> {
    const round = ++this.#names
    for (const node of nodes) {
      const path = `honest/${node.name}-${round}.txt`
      const body = Buffer.from(`${node.name} ${round}`)
      await node.client.put(path, one(body))
      for (const other of nodes)
        await until(`${other.name} has the change of ${node.name}`, () =>
          readFileSync(join(other.dir, path)).equals(body)
        )
    }
  }

  /** Everybody who attacked goes; the honest nodes stay. */
  async disarm(): Promise<void> {
    await Promise.all(this.#attackers.splice(0).map((attacker) => attacker.stop()))
    await Promise.all(this.#relays.splice(0).map((relay) => relay.close()))
  }
}

async function* one(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes
}

/** Tests of one file, one after another against the same three daemons; their logs are shown when one fails. */
export function attacks(): (name: string, body: (world: World) => Promise<void>) => void {
  const cluster = new Cluster()
  let world: World | undefined
  after(() => cluster.close())
  return (name, body) => {
    void test(name, async () => {
      world ??= await World.of(cluster)
      try {
        await body(world)
        await world.unharmed()
      } catch (error) {
        process.stderr.write(`\nlogs of "${name}":\n${cluster.tails()}`)
        throw error
      } finally {
        await world.disarm()
      }
    })
  }
}
