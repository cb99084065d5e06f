/** The scenarios by name, and what one is. */
import { duplicateIdentity, idleSockets, movedFounder, movedNode, sleep, stopAfterWrites } from './network-faults.js'
import { burst, outage, partition, pureStar, slowLink, star } from './network-traffic.js'
import type { World } from './network-world.js'

export interface Settings {
  /** Length of the partition, ms. */
  readonly cutMs: number
  /** How long a daemon is stopped in its tracks, ms. */
  readonly sleepMs: number
}

/** What is printed behind the name. */
export type Figures = Readonly<Record<string, string | number>>

export interface Scenario {
  readonly about: string
  /** Needs a network namespace for each node, and so root. */
  readonly lan?: boolean
  /** Resolves with figures, throws what does not hold. */
  run(world: World, settings: Settings): Promise<Figures>
}

export const SCENARIOS: Readonly<Record<string, Scenario>> = {
  star,
  'pure-star': pureStar,
  burst,
  outage,
  partition,
  'slow-link': slowLink,
  'idle-sockets': idleSockets,
  sleep,
  'moved-node': movedNode,
  'moved-founder': movedFounder,
  'duplicate-identity': duplicateIdentity,
  'stop-after-writes': stopAfterWrites
}
