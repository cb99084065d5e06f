/** Brings a record to one other node, with the home's present key, and goes again. */
import { join } from 'node:path'
import { GrapevineError } from '../errors.js'
import { createNetwork } from '../net/index.js'
import { systemClock, systemRandom } from '../runtime-node.js'
import type { Logger } from '../runtime.js'
import { bytesOf } from '../wire/index.js'
import { AddressFile } from './address-file.js'
import type { Home } from './home.js'
import { openHome } from './open.js'

export interface DeliverOptions {
  readonly mdns: boolean
  readonly peers: readonly string[]
  readonly timeoutMs: number
  readonly logger: Logger
}

/**
 * Resolves once some other node durably holds (log, seq). Throws `identity-duplicated` when another process with this key
 * is connected to the others, `not-replicated` when nobody was met in time.
 */
export async function deliver(
  home: Home,
  record: { log: string; seq: number },
  options: DeliverOptions
): Promise<void> {
  const { logger, mdns, timeoutMs } = options
  let isMember: (key: Uint8Array) => boolean = () => false
  const addresses = await new AddressFile(join(home.path, 'addresses.json'), logger).open()
  const network = createNetwork(
    {
      clock: systemClock,
      random: systemRandom,
      logger,
      membership: {
        isMember: (key) => isMember(key),
        strangersAllowed: () => false,
        mayReturn: () => false,
        mustMeet: () => false,
        heirOf: (key) => key
      },
      addressBook: addresses
    },
    {
      privateSeed: home.keys.seed,
      clusterId: bytesOf(home.cluster.cluster),
      secrets: () => ({ open: home.secrets, closed: [] }),
      listen: [],
      peers: [...new Set([...options.peers, ...home.cluster.peers])],
      mdns
    }
  )
  const opened = await openHome(home, network, logger, { freshEpoch: true })
  const { replica } = opened
  isMember = (key) => replica.members.get(key) !== undefined
  network.handle({
    peerUp: (peer) => replica.peerUp(peer),
    peerDown: (node) => replica.peerDown(node),
    notified: (from, frame) => replica.notified(from, frame),
    requested: (_from, lane, frame) => (lane === 'sync' ? replica.requested(frame) : Promise.reject(notNow())),
    gossip: (from, frame) => replica.gossip(from, frame)
  })
  const refused = new Promise<never>((_, reject) => network.onDuplicateIdentity(() => reject(stillUsed())))
  try {
    replica.start()
    await network.start()
    await Promise.race([replica.replication.wait(record, 1, timeoutMs), refused])
  } finally {
    await network.stop()
    await addresses.saved()
    await opened.close()
  }
}

function notNow(): GrapevineError {
  return new GrapevineError('stopped', 'this node is only bringing its new key', { next: 'ask another node' })
}

function stillUsed(): GrapevineError {
  return new GrapevineError(
    'identity-duplicated',
    'the node this home was copied from is connected to the others, and they listen to one at a time',
    {
      next: 'use --token with an invitation from an admin node, or stop the original for a moment and run this again'
    }
  )
}
