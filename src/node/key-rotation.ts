/**
 * A node goes on under another key, without an outage: the new key is published, held by everybody who is connected, used,
 * and the old one dropped. A node that ends in between goes on where it was.
 */
import type { KeyRotationView } from '../control/target.js'
import { GrapevineError, reasonOf } from '../errors.js'
import { nodeIdOf, signRekey } from '../identity/index.js'
import { removalOf, type Replica } from '../replica/index.js'
import type { Clock, Logger } from '../runtime.js'
import { hexOf } from '../wire/index.js'
import type { Home } from './home.js'
import type { NextKey } from './next-key.js'
import { regularly } from './regularly.js'

export interface KeyRotationDeps {
  readonly home: { readonly keys: Home['keys']; readonly node: string; readonly cluster: { readonly cluster: string } }
  readonly nextKey: NextKey
  readonly replica: Replica
  readonly clock: Clock
  readonly logger: Logger
  /** Node ids of connected peers. */
  connected(): readonly string[]
  /** Ends this life of the node and begins one with the next key, in this process. */
  switchKey(): Promise<void>
}

const LOOK_MS = 500

export class KeyRotation {
  readonly #deps: KeyRotationDeps
  #end: (() => void) | undefined
  /** The home holds a next key; undefined: not looked yet. Only `rotate` makes one while this runs. */
  #hasNext: boolean | undefined

  constructor(deps: KeyRotationDeps) {
    this.#deps = deps
  }

  start(): void {
    const { clock, logger } = this.#deps
    const failed = (error: unknown): void =>
      logger.warn('This node could not go on with its next key yet; it is tried again.', { reason: reasonOf(error) })
    this.#end ??= regularly(clock, LOOK_MS, () => this.#look(), failed)
  }

  stop(): void {
    this.#end?.()
    this.#end = undefined
  }

  /** Publishes the next key. Throws `role-forbids` when this node is no member, or has gone on as somebody else. */
  async rotate(): Promise<KeyRotationView> {
    const { home, nextKey, replica, logger } = this.#deps
    if (replica.failure !== undefined) throw replica.failure
    if (replica.members.get(home.keys.publicKey) === undefined)
      throw new GrapevineError('role-forbids', 'this node is no member, so nobody would take its new key', {
        next: 'join the cluster again with an invitation'
      })
    const next = await nextKey.ensure()
    this.#hasNext = true
    const key = next.publicKey
    const other = replica.members.heirOf(home.keys.publicKey)
    if (![home.keys.publicKey, key].some((each) => hexOf(each) === hexOf(other)))
      throw new GrapevineError(
        'role-forbids',
        `this node's key went on as ${nodeIdOf(other)} already, and goes on once`,
        {
          next: 'have an admin revoke this node, then join again with "grapevine reidentify --new-key" and an invitation',
          facts: { went: nodeIdOf(other) }
        }
      )
    const signature = signRekey(next, home.cluster.cluster, home.keys.publicKey)
    if (!this.#isPublished(key)) await replica.writeMembers(() => [{ k: 'rekey', key, signature }])
    logger.info('This node goes on under another key as soon as its peers know it.', { next: nodeIdOf(key) })
    return { node: home.node, next: nodeIdOf(key) }
  }

  #isPublished(key: Uint8Array): boolean {
    const { home, replica } = this.#deps
    return replica.members.get(key) !== undefined && hexOf(replica.members.heirOf(home.keys.publicKey)) === hexOf(key)
  }

  async #look(): Promise<void> {
    await this.#dropOld()
    const { nextKey, replica, connected, switchKey } = this.#deps
    this.#hasNext ??= await nextKey.exists()
    if (!this.#hasNext) return
    const next = await nextKey.ensure()
    const member = replica.members.get(next.publicKey)
    if (member === undefined || !this.#isPublished(next.publicKey)) return
    const peers = connected()
    // alone it would come back as somebody whom those that know each other do not know; one other asks whoever answers
    const others = replica.members.list().length - 2
    if (peers.length === 0 && others > 1) return
    if (peers.every((node) => replica.engine.durable.holds(node, member.log, member.seq))) void switchKey()
  }

  /** What the keys before could still do, nobody shall. */
  async #dropOld(): Promise<void> {
    const { home, replica, logger } = this.#deps
    for (const old of replica.members.predecessorsOf(home.keys.publicKey)) {
      if (replica.members.get(old) === undefined || replica.failure !== undefined) continue
      await replica.writeMembers(() => [removalOf(replica.log, old)])
      logger.info('A key this node had before counts no more.', { was: nodeIdOf(old) })
    }
  }
}
