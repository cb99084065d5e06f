/**
 * The secrets of the cluster as this node keeps them: those it was given when it joined, and those that admins published
 * since, each in a box for every member. Rotation: published, held by all, used, the old one dropped.
 *
 * 1. A secret is used as soon as both ends of a connection know it: each offers the newest it has first.
 * 2. The old one opens doors until an admin drops it: by itself once every member holds the new one, or when told to.
 * 3. A member that was away for all of that comes with the old one, is let in to learn the new one, and for nothing else.
 */
import { KeyedLock } from '../blobs/index.js'
import type { RotationView } from '../control/target.js'
import { GrapevineError, reasonOf } from '../errors.js'
import { nodeIdOf, openSecret, sealSecret, secretIdOf, type ClusterSecret, type Member } from '../identity/index.js'
import type { Secrets } from '../net/index.js'
import type { Replica } from '../replica/index.js'
import type { Clock, Logger, Random } from '../runtime.js'
import { hexOf, MAX_SECRET_BOXES, type SecretOp } from '../wire/index.js'
import { checkAdmin } from './admin.js'
import type { Home } from './home.js'
import { regularly } from './regularly.js'

export interface ClusterSecretsDeps {
  readonly home: Pick<Home, 'keys' | 'secrets'>
  /** Puts these in the place of those the home keeps; durable when it resolves. */
  save(secrets: readonly Uint8Array[]): Promise<void>
  readonly replica: Replica
  readonly random: Random
  readonly clock: Clock
  readonly logger: Logger
  /** Other doors are open now than before. */
  changed(): void
}

const SECRET_BYTES = 32

/** How often what was published is looked for, ms. */
const LOOK_MS = 2_000

export class HomeSecrets {
  #end: (() => void) | undefined
  readonly #deps: ClusterSecretsDeps
  /** By id, in the order in which they were learnt, the last in front. */
  #known: ReadonlyMap<string, Uint8Array>
  #doors = ''
  readonly #looks = new KeyedLock()

  constructor(deps: ClusterSecretsDeps) {
    this.#deps = deps
    this.#known = byId(deps.home.secrets)
    this.#doors = doorsOf(this.secrets)
  }

  start(): void {
    const { clock, logger } = this.#deps
    this.#end ??= regularly(
      clock,
      LOOK_MS,
      () => this.look(),
      (error) => {
        logger.warn('The secrets of the cluster could not be looked after; it is tried again.', {
          reason: reasonOf(error)
        })
      }
    )
  }

  stop(): void {
    this.#end?.()
    this.#end = undefined
  }

  /** What connections are made with. A node whose every secret is retired still offers them, to be let in to learn. */
  get secrets(): Secrets {
    const { secrets } = this.#deps.replica.members
    const published = secrets.list().map(({ id }) => id)
    const open = [...published, ...this.#given()].flatMap((id) => this.#known.get(id) ?? [])
    const all = [...this.#known.values()]
    if (open.length === 0) return { open: all, closed: [] }
    return { open, closed: all.filter((secret) => !open.includes(secret)) }
  }

  /** Ids of those that came with a token or the founding, and still open doors. */
  #given(): string[] {
    const { secrets } = this.#deps.replica.members
    return [...this.#known.keys()].filter((id) => secrets.get(id) === undefined && !secrets.isRetired(id))
  }

  /** What newcomers are given. */
  get current(): Uint8Array {
    return this.secrets.open[0]!
  }

  /**
   * Takes in what was published since; an admin hands on what members lack and drops what all have replaced. One look
   * after the other: two that learn at once would each write what it alone knows.
   */
  look(): Promise<void> {
    return this.#looks.run('', () => this.#look())
  }

  async #look(): Promise<void> {
    await this.#learn()
    const doors = doorsOf(this.secrets)
    if (doors !== this.#doors) {
      this.#doors = doors
      this.#deps.changed()
    }
    if (this.#isAdmin()) await this.#upkeep()
  }

  async #learn(): Promise<void> {
    const { save, replica, logger } = this.#deps
    const found = new Map<string, Uint8Array>()
    for (const secret of replica.members.secrets.list()) {
      const opened = this.#known.has(secret.id) ? undefined : this.#open(secret)
      if (opened !== undefined) found.set(secret.id, opened)
    }
    if (found.size === 0) return
    const known = new Map([...found, ...this.#known])
    await save([...known.values()])
    this.#known = known
    logger.info('The cluster has another secret.', { secrets: found.size })
  }

  #open({ id, places }: ClusterSecret): Uint8Array | undefined {
    const { home, replica } = this.#deps
    const own = hexOf(home.keys.publicKey)
    for (const { log, seq } of places)
      for (const op of replica.log.read(log, seq).body.ops) {
        if (op.k !== 'secret' || op.id !== id) continue
        for (const { key, box } of op.boxes) {
          const secret = hexOf(key) === own ? openSecret(box, home.keys) : undefined
          if (secret !== undefined && secretIdOf(secret) === id) return secret
        }
      }
    return undefined
  }

  /** Publishes another secret. Throws `role-forbids`. */
  async rotate(): Promise<RotationView[]> {
    const { replica, random } = this.#deps
    this.#checkMay()
    const secret = random.bytes(SECRET_BYTES)
    const generation = 1 + Math.max(0, ...replica.members.secrets.list().map((each) => each.generation))
    const members = replica.members.list()
    for (let from = 0; from < members.length; from += MAX_SECRET_BOXES)
      await this.#publish(secret, generation, members.slice(from, from + MAX_SECRET_BOXES))
    await this.look()
    return this.view()
  }

  async #publish(secret: Uint8Array, generation: number, members: readonly Member[]): Promise<void> {
    const { replica, random } = this.#deps
    const boxes = members.map(({ key }) => ({ key, box: sealSecret(secret, key, random.bytes(SECRET_BYTES)) }))
    const op: SecretOp = { k: 'secret', generation, id: secretIdOf(secret), boxes }
    await replica.writeMembers(() => [op])
  }

  /** Drops all but the newest now, also while members do not hold it yet. Throws `role-forbids`, `not-found`. */
  async drop(): Promise<RotationView[]> {
    const old = this.#replaced()
    if (old.length === 0)
      throw new GrapevineError('not-found', 'there is no older secret to drop', {
        next: 'publish another one with "grapevine rotate secret"'
      })
    this.#checkMay()
    await this.#retire(old)
    await this.look()
    return this.view()
  }

  async #retire(ids: readonly string[]): Promise<void> {
    await this.#deps.replica.writeMembers(() => [{ k: 'retire', ids }])
    this.#deps.logger.info('Older secrets of the cluster open no door any more.', { secrets: ids.length })
  }

  async #upkeep(): Promise<void> {
    const [newest] = this.#deps.replica.members.secrets.list()
    const secret = newest === undefined ? undefined : this.#known.get(newest.id)
    if (newest === undefined || secret === undefined) return
    const lacking = this.#deps.replica.members.list().filter(({ key }) => !newest.holders.includes(hexOf(key)))
    // whether those hold it is for a later look to find: until then the old one opens their doors
    if (lacking.length > 0) return this.#publish(secret, newest.generation, lacking.slice(0, MAX_SECRET_BOXES))
    const old = this.#replaced()
    if (old.length === 0 || this.#missing(newest).length > 0) return
    await this.#retire(old)
    await this.#look()
  }

  /** Ids of all that the newest published one has replaced. */
  #replaced(): string[] {
    const { secrets } = this.#deps.replica.members
    const [newest, ...older] = secrets.list().map(({ id }) => id)
    if (newest === undefined) return []
    return [...older, ...this.#given()]
  }

  /** Members that are not known to hold a box of theirs; who has stayed away too long needs a new invitation anyway. */
  #missing({ places }: ClusterSecret): Member[] {
    const { replica, home } = this.#deps
    const own = hexOf(home.keys.publicKey)
    return replica.members
      .list()
      .filter(({ key }) => hexOf(key) !== own && replica.members.isCurrent(key))
      .filter(({ key }) => !places.every(({ log, seq }) => replica.engine.durable.holds(nodeIdOf(key), log, seq)))
  }

  /** Every secret that is known of, the newest in front. */
  view(): RotationView[] {
    const { members } = this.#deps.replica
    const published = members.secrets.list()
    const all = members.list().length
    return published.map((secret, at) => {
      const missing = this.#missing(secret)
      const phase =
        at > 0 ? 'replaced' : missing.length > 0 ? 'published' : this.#replaced().length > 0 ? 'held' : 'used'
      return {
        id: secret.id,
        generation: secret.generation,
        phase,
        heldBy: all - missing.length,
        members: all,
        missing: missing.map(({ key, name }) => ({ node: nodeIdOf(key), name }))
      }
    })
  }

  #checkMay(): void {
    const { replica, home } = this.#deps
    checkAdmin(replica, home, 'the secret of the cluster is')
    if (replica.failure !== undefined) throw replica.failure
  }

  #isAdmin(): boolean {
    const { home, replica } = this.#deps
    return replica.members.get(home.keys.publicKey)?.role === 'admin' && replica.failure === undefined
  }
}

function byId(secrets: readonly Uint8Array[]): Map<string, Uint8Array> {
  return new Map(secrets.map((secret) => [secretIdOf(secret), secret]))
}

function doorsOf({ open, closed }: Secrets): string {
  return [...open.map(secretIdOf), '|', ...closed.map(secretIdOf)].join(' ')
}
