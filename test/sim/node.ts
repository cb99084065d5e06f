/** One node of the simulation: the daemon's own Replica over a simulated disk, index, clock and network. */
import { createHash } from 'node:crypto'
import { keyPairOf, nodeIdOf, verify, type KeyPair } from '../../src/identity/index.js'
import { Replica } from '../../src/replica/index.js'
import { silentLogger, type NodeId } from '../../src/runtime.js'
import { SimDisk } from './disk.js'
import type { SimTransport } from './network.js'
import { SimStore } from './store.js'
import type { World } from './world.js'

/**
 * How a node ends without notice. kill: the process alone dies. power: unsynced bytes of the log and the newest batches
 * of the index go as well. index: the process dies and somebody deletes the index. restore: its home is replaced by a
 * backup taken earlier.
 */
export type Ending = 'kill' | 'power' | 'index' | 'restore'

export class SimNode {
  readonly keys: KeyPair
  readonly id: NodeId
  readonly disk = new SimDisk()
  readonly store = new SimStore()
  replica: Replica | undefined
  transport: SimTransport | undefined
  life = 0
  /** How far its wall clock is off, ms. */
  skewMs: number
  /** The furthest it ever said it durably holds each log: no later life may hold less. */
  readonly held = new Map<string, number>()
  /** Records it acknowledged to its users. */
  acknowledged: string[] = []
  backup: ReadonlyMap<string, Uint8Array> | undefined
  /** Restored from a backup: it must hear from the others before it writes, which the daemon sees to. */
  restored = false

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
    const { network, time, random } = this.world
    const transport = network.join(this.id)
    const { replica } = await Replica.open(
      {
        clock: time.clock(
          () => this.life === life,
          () => this.skewMs
        ),
        random,
        logger: silentLogger,
        disk: this.disk.mount(),
        store: this.store.mount(),
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
    for (const other of this.world.nodes) this.world.link(this, other)
  }

  /** The process ends at once. */
  async crash(ending: Ending): Promise<void> {
    if (this.replica === undefined) return
    this.life += 1
    this.replica = undefined
    this.world.network.leave(this.id)
    if (ending === 'restore') {
      this.disk.restore(this.backup!)
      this.store.drop()
      this.restored = true
    } else if (ending === 'power') {
      this.disk.crash(this.world.random)
      await this.store.powerCut(this.world.random)
    } else {
      this.disk.kill()
      if (ending === 'index') this.store.drop()
      else this.store.kill()
    }
  }
}
