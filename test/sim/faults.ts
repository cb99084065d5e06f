/** What befalls a cluster, drawn from the seed: one fault or a few writes a step. */
import { reasonOf } from '../../src/errors.js'
import { removalOf } from '../../src/replica/index.js'
import { hexOf } from '../../src/wire/index.js'
import { look, propose } from './checkpoints.js'
import { changeKeys } from './key-changes.js'
import type { HomeBackup } from './home.js'
import { SimHome } from './home.js'
import type { Ending, SimNode } from './node.js'
import { buildOnLie, wish, writeOne } from './writes.js'
import type { World } from './world.js'

const HOUR_MS = 3_600_000
const YEAR_MS = 365 * 24 * HOUR_MS
/** How far clocks are off after a step: a little, an hour, a day, ten years. */
const SKEWS_MS = [1_000, HOUR_MS, 24 * HOUR_MS, 10 * YEAR_MS]
/** Room a full disk has left, bytes: some records still fit. */
const ROOM_BYTES = 3_000

/** Share of steps that have to do with removing the liar, in worlds where it is removed. */
const REMOVALS = 0.2

/** The same of steps that have to do with checkpoints, in worlds where they are made. */
const CHECKPOINTS = 0.3
/** The same of steps that have to do with keys and secrets, in worlds where those change. */
const KEY_CHANGES = 0.25
/** Thieves lie; a copy that uses an old key is a node nobody knows; and what rots takes the members with it. */
const NOT_WITH_KEYS: ReadonlyArray<keyof Faults> = ['lie', 'forge', 'backUp', 'replaceHome', 'cloneOrSwap', 'rot']

/** What does not befall those worlds. */
const NOT_WITH_CHECKPOINTS: ReadonlyArray<keyof Faults> = [
  'lie',
  'forge',
  'backUp',
  'replaceHome',
  'cloneOrSwap',
  'rot'
]

/** Turns of the microtask queue in which a write comes to its end. */
const MAX_TURNS = 40

/** Fault and how often it comes, of all steps; the rest are writes. */
const FAULTS: ReadonlyArray<readonly [share: number, name: keyof Faults]> = [
  [0.06, 'part'],
  [0.06, 'heal'],
  [0.06, 'crashOne'],
  [0.1, 'restartSome'],
  [0.03, 'turnClock'],
  [0.03, 'slowOne'],
  [0.03, 'failDisk'],
  [0.02, 'fillDisk'],
  [0.03, 'makeRoom'],
  [0.03, 'lie'],
  [0.02, 'forge'],
  [0.03, 'backUp'],
  [0.015, 'replaceHome'],
  [0.02, 'cloneOrSwap'],
  [0.03, 'rot']
]

export class Faults {
  readonly #world: World
  /**
   * The one node whose home others touch and whose disk rots. All else may fail anywhere: what one node lost by such a
   * fault must come back from another, so that not everybody may lose the same.
   */
  readonly #unlucky: SimNode
  #backup: HomeBackup | undefined
  /** An older copy took the place of a home: what nobody else held is gone, and what others have may build on it. */
  replaced = false
  /** Acknowledged on a home before it was replaced, and held by others then: never lost. */
  readonly atRisk: string[] = []

  constructor(world: World) {
    this.#world = world
    this.#unlucky = world.random.pick(world.nodes)
  }

  get unlucky(): SimNode {
    return this.#unlucky
  }

  async step(): Promise<void> {
    if (this.#world.removals && this.#world.random.chance(REMOVALS)) return this.#oneOfRemovals()
    if (this.#world.checkpoints && this.#world.random.chance(CHECKPOINTS)) return this.#oneOfCheckpoints()
    if (this.#world.doors !== undefined && this.#world.random.chance(KEY_CHANGES))
      return changeKeys(this.#world, this.#one())
    const spared = this.#world.checkpoints ? NOT_WITH_CHECKPOINTS : this.#world.doors ? NOT_WITH_KEYS : []
    let roll = this.#world.random.float()
    for (const [share, name] of FAULTS) {
      roll -= share
      if (roll < 0 && spared.includes(name)) return this.write()
      if (roll < 0) return (this[name] as () => Promise<void> | void).call(this)
    }
    this.write()
  }

  #one(): SimNode {
    return this.#world.random.pick(this.#world.nodes)
  }

  // --- the network --------------------------------------------------------------------------------------------------

  part(): void {
    const { random, nodes } = this.#world
    this.#world.part(nodes.map(() => random.below(2)))
  }

  heal(): void {
    this.#world.join()
  }

  slowOne(): void {
    const { random, network } = this.#world
    const [a, b] = [this.#one(), this.#one()]
    const factor = random.pick([1, 1, 10, 50])
    this.#world.happened(`slow ${a.index} ${b.index} by ${factor}`)
    network.slow(a.id, b.id, factor)
  }

  // --- processes and clocks -----------------------------------------------------------------------------------------

  async crashOne(): Promise<void> {
    const node = this.#one()
    const ending = this.#world.random.pick<Ending>(['kill', 'power', 'power', 'index'])
    if (!node.up) return
    if (this.#world.random.chance(0.7)) await this.#beginWriting(node)
    this.#world.happened(`${ending} ${node.index}`)
    await node.crash(ending)
  }

  /** Writes are under way and not all of them done: some are appended and not synced, or synced and not indexed. */
  async #beginWriting(node: SimNode): Promise<void> {
    this.#writeBy(node)
    for (let left = this.#world.random.below(MAX_TURNS); left > 0; left--) await Promise.resolve()
  }

  async restartSome(): Promise<void> {
    for (const node of this.#world.nodes) {
      if (node.up || !this.#world.random.chance(0.7)) continue
      this.#world.happened(`start ${node.index}`)
      await node.start()
      this.#world.always.check(node)
    }
  }

  /** A wall clock jumps, by up to ten years, stands still, or goes again. */
  turnClock(): void {
    const { random } = this.#world
    const node = this.#one()
    if (node.frozenAt !== undefined) node.frozenAt = undefined
    else if (random.chance(0.4)) node.freeze()
    else node.skewMs = (random.float() - 0.5) * 2 * random.pick(SKEWS_MS)
    this.#world.happened(`clock of ${node.index} says ${node.wall()}`)
  }

  // --- disks --------------------------------------------------------------------------------------------------------

  /** An append or an fsync fails, now and perhaps once more. */
  failDisk(): void {
    const { random } = this.#world
    const node = this.#one()
    const kind = random.pick(['sync', 'sync', 'append'] as const)
    if (!node.up) return
    this.#world.happened(`${kind} fails on ${node.index}`)
    for (let times = 1 + random.below(2); times > 0; times--) node.home.disk.failNext(kind)
    node.recover()
    this.#writeBy(node)
  }

  fillDisk(): void {
    const { random } = this.#world
    const node = this.#one()
    if (!node.up) return
    this.#world.happened(`disk of ${node.index} is full`)
    const { disk, store } = node.home
    disk.capacityBytes = disk.usedBytes() + random.below(ROOM_BYTES)
    store.full = random.chance(0.5)
    node.recover()
  }

  makeRoom(): void {
    for (const node of this.#world.nodes) node.heal()
    this.#world.happened('room on every disk')
  }

  /** One bit of a record that others hold too is not what was written; now and then the index goes as well. */
  async rot(): Promise<void> {
    const { random } = this.#world
    const node = this.#unlucky
    if (node.replica === undefined) return
    const { log } = node.replica
    const own = random.chance(0.5)
    const rows = [...log.logs()].flatMap((head) => {
      const seq = 1 + random.below(head.seq)
      const row = log.row(head.log, seq)
      const held = (other: SimNode): boolean => (other.home.held.get(head.log) ?? 0) >= seq
      const elsewhere = this.#world.nodes.some((other) => other !== node && held(other))
      return row !== undefined && elsewhere && (!own || node.wrote(head)) ? [row] : []
    })
    if (rows.length === 0) return
    const { id, at } = random.pick(rows)
    node.home.flipBit(at, random)
    this.#world.happened(`rot ${node.index} ${id}`)
    if (!random.chance(0.4)) return
    this.#world.happened(`index ${node.index}, and start`)
    await node.crash('index')
    await node.start()
    this.#writeBy(node)
  }

  // --- homes --------------------------------------------------------------------------------------------------------

  async backUp(): Promise<void> {
    const node = this.#unlucky
    if (!node.up || node.home.quiet) return
    this.#world.happened(`backup ${node.index}`)
    this.#backup = await node.home.backup()
  }

  /**
   * An older copy takes the place of a home. restore: by us, so that the home knows. rollback: by somebody who does not
   * tell, with all there was. half: the log alone is older than its index. What nobody else holds is gone with it.
   */
  async replaceHome(): Promise<void> {
    const { random, nodes } = this.#world
    const node = this.#unlucky
    const how = random.pick(['restore', 'rollback', 'half'] as const)
    if (this.#backup === undefined || !node.up || (how === 'half' && !node.home.indexIsAheadOf(this.#backup))) return
    this.#world.happened(`${how} ${node.index}`)
    this.replaced = true
    await node.crash('kill')
    const elsewhere = (record: string): boolean => nodes.some((other) => other.replica?.log.find(record) !== undefined)
    this.atRisk.push(...node.home.acknowledged.filter(elsewhere))
    node.home.acknowledged = []
    const index = how === 'half' ? 'kept' : random.chance(0.5) || how === 'rollback' ? 'old' : 'none'
    await node.home.restore(this.#backup, index)
    if (how === 'restore') node.home.newLife = 'restored'
    if (how === 'rollback') node.home.quiet = true
    await node.start()
  }

  /** A home is copied to another machine; later one of the two goes on in the place of the other, again and again. */
  async cloneOrSwap(): Promise<void> {
    const node = this.#unlucky
    if (!node.up || node.home.quiet) return
    if (node.spare === undefined) {
      node.spare = await SimHome.copyOf(await node.home.backup(), this.#world.random.chance(0.5))
      this.#world.happened(`clone ${node.index}`)
    } else {
      this.#world.happened(`swap ${node.index}`)
      await node.swap()
    }
  }

  // --- members ------------------------------------------------------------------------------------------------------

  lie(): void {
    const node = this.#one()
    const from = this.#one()
    if (!node.up || from === node) return
    this.#world.happened(`lie to ${node.index}: ${this.#world.liar.lie(node, from.id)}`)
  }

  forge(): void {
    const node = this.#one()
    const from = this.#one()
    if (!node.up || from === node) return
    this.#world.happened(`forge for ${node.index}`)
    if (this.#world.random.chance(0.5)) this.#world.liar.forge(node, from.id)
    else this.#world.liar.breakChain(node, from.id)
  }

  #oneOfRemovals(): void {
    const { random } = this.#world
    const node = this.#one()
    if (node.replica === undefined || node.home.quiet) return
    if (random.chance(0.1)) this.#removeLiar()
    else if (random.chance(0.5)) this.lie()
    else this.#world.track(node, buildOnLie(this.#world, node, node.replica))
  }

  /** The founder removes the liar, perhaps from some record on, perhaps once more with another cut. */
  #removeLiar(): void {
    const { random, liar } = this.#world
    const founder = this.#world.nodes[0]!
    const { replica } = founder
    if (replica === undefined || founder.home.quiet || replica.failure !== undefined) return
    const held = [...replica.log.logs()].filter((head) => hexOf(head.author) === hexOf(liar.keys.publicKey))
    const since = random.chance(0.7) ? 1 + random.below(Math.max(1, ...held.map((head) => head.applied))) : undefined
    this.#world.happened(`remove the liar since ${since}`)
    const written = replica.writeMembers(() => {
      // as members.ts: a node that lost its index and whose oldest records have rotted knows of nobody for a while
      if (replica.members.get(founder.keys.publicKey)?.role !== 'admin') throw new Error('it may not')
      return [removalOf(replica.log, liar.keys.publicKey, since)]
    })
    this.#world.track(
      founder,
      written.then(
        () => undefined,
        (error: unknown) => this.#world.happened(`not removed: ${reasonOf(error)}`)
      )
    )
  }

  #oneOfCheckpoints(): void {
    if (this.#world.random.chance(0.2)) propose(this.#world, this.#one())
    else for (const node of this.#world.nodes) if (this.#world.random.chance(0.7)) look(this.#world, node)
  }

  // --- users --------------------------------------------------------------------------------------------------------

  /** A few writes by one node, not awaited: a crash may come in between. Or the same wish on two nodes at once. */
  write(): void {
    const { random } = this.#world
    if (!random.chance(0.15)) return this.#writeBy(this.#one())
    const same = wish(random)
    for (const node of [this.#one(), this.#one()])
      if (node.replica !== undefined && !node.home.quiet)
        this.#world.track(node, writeOne(this.#world, node, node.replica, same))
  }

  #writeBy(node: SimNode): void {
    if (node.replica === undefined || node.home.quiet) return
    for (let left = 1 + this.#world.random.below(5); left > 0; left--)
      this.#world.track(node, writeOne(this.#world, node, node.replica))
  }
}
