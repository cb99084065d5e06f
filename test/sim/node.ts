/**
 * One node of the simulation: the daemon's own Replica over a simulated disk, index, clock and network. What the daemon
 * does around it (open.ts, beginning.ts, twin.ts, recovery.ts, custodian.ts) is done here over the simulated home.
 */
import { GrapevineError } from '../../src/errors.js'
import type { KeyPair } from '../../src/identity/index.js'
import { holdUntilBegun } from '../../src/node/beginning.js'
import { TwinWatch } from '../../src/node/twin.js'
import { adopt, BaseFile, Replica, type ReplicaDeps } from '../../src/replica/index.js'
import { silentLogger, type Clock, type NodeId } from '../../src/runtime.js'
import { decodeAnswer, encodeRequest, sha256 } from '../../src/wire/index.js'
import { SimHome } from './home.js'
import type { SimTransport } from './network.js'
import { Keepers } from './keepers.js'
import { Keyring } from './keyring.js'
import { verifyOnce } from './signatures.js'
import type { World } from './world.js'

/**
 * How a node ends without notice. kill: the process alone dies. power: unsynced bytes of the log and the newest batches
 * of the index go as well. index: the process dies and somebody deletes the index.
 */
export type Ending = 'kill' | 'power' | 'index'

/** 2025-06-15: when every clock that is right begins. */
const EPOCH_MS = 1_750_000_000_000
/** As the daemon has them: how long a new life asks peers first, and how often what failed is tried again, ms. */
const ASK_PEERS_MS = 15_000
const RETRY_MS = 2_000
const HEAL_MS = 5_000
/** Key pairs there are for each place in the cluster: making one costs more than a whole message. */
const KEY_SETS = 64
/** The secret every home of the cluster begins with. */
const FIRST_SECRET = sha256(Buffer.from('the first secret'))

export class SimNode {
  readonly keyring: Keyring
  home = new SimHome()
  /** A copy of the home on another machine. Never both of them run. */
  spare: SimHome | undefined
  replica: Replica | undefined
  transport: SimTransport | undefined
  /** What it does about keys and secrets, in worlds where those change. */
  keepers: Keepers | undefined
  life = 0
  /** How far its wall clock is off, ms; and since when it stands still, if it does. */
  skewMs: number
  frozenAt: number | undefined
  /** The disk refuses or fails now and then: the node may be read-only until it is over. */
  failing = false
  /** The life in which it is busy with checkpoints. */
  looking: number | undefined
  /** The furthest this node ever held each log, on any home. */
  readonly ever = new Map<string, number>()
  readonly #healing = new Set<string>()
  #adopting = false
  #twins: TwinWatch | undefined

  constructor(
    readonly world: World,
    readonly index: number
  ) {
    this.keyring = new Keyring(`node ${world.seed % KEY_SETS} ${index}`, [FIRST_SECRET])
    this.skewMs = world.random.chance(0.2) ? (world.random.float() - 0.5) * 86_400_000 : 0
  }

  get keys(): KeyPair {
    return this.keyring.keys
  }

  get id(): NodeId {
    return this.keyring.node
  }

  get up(): boolean {
    return this.replica !== undefined
  }

  /** What its wall clock says. */
  wall(): number {
    return this.frozenAt ?? EPOCH_MS + this.world.time.now + this.skewMs
  }

  /** Whether a log is one of its own. */
  wrote({ author }: { author: Uint8Array }): boolean {
    return this.keyring.has(author)
  }

  /** Its clock stands still, at a moment many broken clocks have in common. */
  freeze(): void {
    this.frozenAt = EPOCH_MS
  }

  async start(): Promise<void> {
    const { network } = this.world
    const life = ++this.life
    this.heal()
    const transport = network.join(this.id)
    const alive = (): boolean => this.life === life
    const wall = (): number => this.wall()
    const { time, slow } = this.world
    const clock = slow ? time.slowClock(alive, wall) : time.clock(alive, wall)
    const replica = await this.#open(transport, clock, this.home.newLife !== undefined)
    transport.handle({
      peerUp: (peer) => replica.peerUp(peer),
      peerDown: (node) => replica.peerDown(node),
      notified: (from, frame) => replica.notified(from, frame),
      requested: (_from, _lane, frame) => replica.requested(frame),
      gossip: (from, frame) => replica.gossip(from, frame)
    })
    this.replica = replica
    this.transport = transport
    for (const id of replica.log.unread) this.#damaged(id)
    this.#twins = new TwinWatch({ clock, logger: silentLogger, replica })
    if (this.world.doors !== undefined) this.keepers = new Keepers(this, replica, clock)
    if (this.home.newLife !== undefined) holdUntilBegun(replica, this.home.newLife)
    replica.start()
    this.keepers?.start()
    for (const other of this.world.nodes) this.world.link(this, other)
    if (this.home.newLife !== undefined) this.#begin(replica, clock.monotonic() + ASK_PEERS_MS)
  }

  /** As open.ts: an index that contradicts the log is worth nothing, and says that the log may have lost its end. */
  async #open(transport: SimTransport, clock: Clock, freshEpoch: boolean): Promise<Replica> {
    try {
      return await this.#openOver(transport, clock, freshEpoch)
    } catch (error) {
      if (!(error instanceof GrapevineError) || error.code !== 'store-damaged') throw error
      this.world.happened(`node ${this.index} drops its index: ${error.message}`)
      if (error.facts.index === true) this.home.newLife ??= 'log-shortened'
      this.home.store.drop()
      return this.#openOver(transport, clock, freshEpoch || error.facts.index === true)
    }
  }

  async #openOver(transport: SimTransport, clock: Clock, freshEpoch: boolean): Promise<Replica> {
    const { random, cluster } = this.world
    const deps: ReplicaDeps = {
      clock,
      random,
      logger: silentLogger,
      disk: this.home.disk.mount(),
      store: this.home.store.mount(),
      transport,
      keys: this.keys,
      // on the spot: the thread pool would make the order of things depend on the machine
      verify: async (key, bytes, signature) => verifyOnce(key, bytes, signature),
      verifyNow: verifyOnce,
      ...(this.world.checkpoints ? { contents: this.home.contents } : {})
    }
    const { life } = this
    const { replica } = await Replica.open(
      deps,
      { cluster, maxSegmentBytes: 64 * 1024, freshEpoch },
      {
        checkpointNeeded: (from) => this.life === life && this.#adopt(from),
        recordDamaged: (id) => this.life === life && this.#damaged(id),
        twinFound: () => this.life === life && this.#twins?.seen()
      }
    )
    return replica
  }

  /** As adopting.ts: takes a checkpoint over from a peer, and makes the index anew from it. */
  #adopt(from: NodeId): void {
    const { life, home, world, replica } = this
    const peer = world.nodes.find(({ id }) => id === from)
    if (this.#adopting || replica === undefined || peer === undefined) return
    this.#adopting = true
    const release = replica.checkpoints?.hold()
    const take = async (): Promise<void> => {
      const answer = await this.transport!.request(from, 'sync', encodeRequest({ t: 'checkpoint' }))
      const took = await adopt(decodeAnswer(answer, 'checkpoint-is'), {
        cluster: world.cluster,
        members: replica.members,
        self: this.keys.publicKey,
        contents: home.contents,
        clock: world.time.clock(
          () => true,
          () => this.wall()
        ),
        file: new BaseFile(home.disk.mount()),
        fetch: async (refs) => {
          for (const ref of refs) await home.contents.put(await peer.home.contents.get(ref))
        }
      })
      if (!took || this.life !== life) return
      world.happened(`node ${this.index} takes a checkpoint over from ${peer.index}`)
      await this.crash('index')
      await this.start()
    }
    take()
      .catch((error: unknown) => {
        if (this.life === life && !(error instanceof GrapevineError)) world.failed(error)
      })
      .finally(() => {
        release?.()
        this.#adopting = false
      })
  }

  /** As beginning.ts: ask the peers first, then say durably that another life began, then write. */
  #begin(replica: Replica, deadline: number): void {
    const { life, home } = this
    const again = (ms: number): void => void this.world.time.after(ms, () => this.life === life && step())
    const step = (): void => {
      if (!replica.inSyncWithSomebody() && this.world.time.now < deadline) return again(500)
      replica.openEpoch().then(
        () => {
          if (this.life !== life) return
          replica.release('new-life')
          home.newLife = undefined
        },
        () => again(RETRY_MS)
      )
    }
    step()
  }

  /** As custodian.ts: what does not read back is fetched from whoever has it, until somebody does. */
  #damaged(id: string): void {
    const { replica, life } = this
    const found = replica?.log.find(id)
    if (replica === undefined || found === undefined || this.#healing.has(id)) return
    this.#healing.add(id)
    replica
      .repair(found.log, found.seq)
      .catch(() => 'lost' as const)
      .then((outcome) => {
        this.#healing.delete(id)
        if (outcome === 'lost')
          this.world.time.after(HEAL_MS, () => {
            if (this.life === life) this.#damaged(id)
          })
      })
      .catch((error: unknown) => this.world.failed(error))
  }

  /** As recovery.ts: a store that refused to write is tried again until it does. */
  recover(): void {
    const { replica, life } = this
    if (replica === undefined) return
    this.failing = true
    this.world.time.after(RETRY_MS, () => {
      if (this.life !== life) return
      replica.recover().then(
        () => {
          if (this.life !== life) return
          const { disk, store } = this.home
          const more = disk.capacityBytes < Number.POSITIVE_INFINITY || store.full || disk.failuresWaiting > 0
          // the next failure may have come the moment the last was over
          this.failing = more || replica.failures.some(({ code }) => code === 'store-failed' || code === 'disk-full')
          if (this.failing) this.recover()
        },
        () => this.life === life && this.recover()
      )
    })
  }

  /** There is room again, and the disk does what it is told. */
  heal(): void {
    this.home.disk.heal()
    this.home.store.full = false
  }

  /** The process ends at once. */
  async crash(ending: Ending): Promise<void> {
    if (this.replica === undefined) return
    this.life += 1
    this.replica = undefined
    this.failing = false
    this.#twins?.stop()
    this.keepers?.stop()
    this.#healing.clear()
    this.world.network.leave(this.id)
    const { disk, store } = this.home
    if (ending === 'power') {
      disk.crash(this.world.random)
      await store.powerCut(this.world.random)
    } else {
      disk.kill()
      if (ending === 'index') store.drop()
      else store.kill()
    }
  }

  /** As daemon.ts: another life in the same home, under the next key. */
  async switchKey(): Promise<void> {
    await this.crash('kill')
    this.keyring.switch()
    this.world.happened(`node ${this.index} goes on under another key`)
    await this.start()
  }

  /** Goes on with the copy of the home; the home it had until now is the copy. */
  async swap(): Promise<void> {
    await this.crash('kill')
    if (this.spare !== undefined) [this.home, this.spare] = [this.spare, this.home]
    await this.start()
  }
}
