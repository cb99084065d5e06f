/**
 * What a node does about keys and secrets while it runs: the daemon's own rotation, secrets and way back, put together as
 * in keepers.ts.
 */
import { nodeIdOf } from '../../src/identity/index.js'
import { learns } from '../../src/node/join-pages.js'
import { KeyRotation } from '../../src/node/key-rotation.js'
import { membershipOf } from '../../src/node/membership.js'
import { Returning } from '../../src/node/returning.js'
import { HomeSecrets } from '../../src/node/secrets.js'
import type { Membership } from '../../src/net/index.js'
import type { Replica } from '../../src/replica/index.js'
import { silentLogger, type Clock } from '../../src/runtime.js'
import { askBack, waysBack } from './doors.js'
import type { SimNode } from './node.js'

export class Keepers {
  readonly rotation: KeyRotation
  readonly secrets: HomeSecrets
  readonly membership: Membership
  readonly #returning: Returning

  constructor(node: SimNode, replica: Replica, clock: Clock) {
    const { keyring, life, world } = node
    const home = {
      keys: keyring.keys,
      node: nodeIdOf(keyring.keys.publicKey),
      secrets: keyring.secrets,
      cluster: { cluster: world.cluster }
    }
    const deps = { home, replica, clock, logger: silentLogger }
    const alive = (): boolean => node.life === life
    this.membership = membershipOf(home, () => ({ replica }))
    this.secrets = new HomeSecrets({
      ...deps,
      random: world.random,
      save: async (secrets) => {
        if (alive()) keyring.secrets = secrets
      },
      changed: () => world.doors!.look()
    })
    this.rotation = new KeyRotation({
      ...deps,
      nextKey: keyring,
      connected: () => node.transport!.peers().map((peer) => peer.node),
      switchKey: async () => {
        if (alive()) await node.switchKey()
      }
    })
    this.#returning = new Returning({
      ...deps,
      ways: () => waysBack(world, node),
      ask: (way, timeoutMs) => askBack(world, node, way, { clock, timeoutMs }),
      take: async (records) => {
        const news = await learns(replica, '', records)
        await this.secrets.look()
        world.doors!.look()
        return news
      }
    })
  }

  start(): void {
    for (const part of [this.secrets, this.#returning, this.rotation]) part.start()
  }

  stop(): void {
    for (const part of [this.secrets, this.#returning, this.rotation]) part.stop()
  }
}
