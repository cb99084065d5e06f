/** Who has a key that a node does not use any more: writes with it, and says that it goes on as somebody else. */
import { MEMBERS_SPACE, signRekey, type KeyPair } from '../../src/identity/index.js'
import { encodeGossip, hexOf, sealRecord } from '../../src/wire/index.js'
import { Liar } from './liar.js'
import type { SimNode } from './node.js'
import { keysNamed } from './signatures.js'
import type { World } from './world.js'

/** Rivals there are at most: each is a key, and keys are dear. */
const MAX_RIVALS = 4

export class Thieves {
  readonly #world: World
  readonly #liars = new Map<string, Liar>()
  /** Keys that no node may ever take for a member. */
  readonly rivals: KeyPair[] = []
  #epoch = 0

  constructor(world: World) {
    this.#world = world
  }

  /** Records that must count for nothing on every node. */
  get invalid(): string[] {
    return [...this.#liars.values()].flatMap(({ invalid }) => [...invalid])
  }

  /** Writes to the catalog with an old key, and brings it to a node. Returns what kind of record it is. */
  write(node: SimNode, from: string): string | undefined {
    const keys = this.#stolen()?.keys
    if (keys === undefined) return undefined
    const name = hexOf(keys.publicKey)
    const { random, cluster, always } = this.#world
    const liar = this.#liars.get(name) ?? new Liar(random, cluster, always, true, keys)
    this.#liars.set(name, liar)
    return liar.lie(node, from)
  }

  /** Says with an old key, of which it is known how its node went on, that it goes on as a key of the thief's. */
  goOn(node: SimNode, from: string): void {
    const stolen = this.#stolen()
    const { members, log } = node.replica!
    const went = stolen === undefined ? undefined : members.get(stolen.heir.publicKey)
    const known = went === undefined ? undefined : log.row(went.log, went.seq)
    if (stolen === undefined || went === undefined || known === undefined) return
    const { keys } = stolen
    const { cluster } = this.#world
    const rival = keysNamed(`rival ${this.rivals.length % MAX_RIVALS}`)
    this.rivals.push(rival)
    const record = sealRecord(
      {
        cluster,
        space: MEMBERS_SPACE,
        author: keys.publicKey,
        epoch: `f${(++this.#epoch).toString(16).padStart(15, '0')}`,
        seq: 1,
        prev: null,
        deps: [{ log: went.log, seq: went.seq, id: known.id }],
        depth: known.depth + 1,
        time: 1_750_000_000_000_000,
        ops: [{ k: 'rekey', key: rival.publicKey, signature: signRekey(rival, cluster, keys.publicKey) }]
      },
      (bytes) => keys.sign(bytes)
    )
    node.transport!.gossip(from, encodeGossip({ records: [record.bytes], heads: [] }))
  }

  /** A key that some node had, and the one it went on as. */
  #stolen(): { keys: KeyPair; heir: KeyPair } | undefined {
    const all = this.#world.nodes.flatMap(({ keyring }) =>
      keyring.former.map((keys, at) => ({ keys, heir: keyring.former[at + 1] ?? keyring.keys }))
    )
    return all.length === 0 ? undefined : this.#world.random.pick(all)
  }
}
