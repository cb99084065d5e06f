/** The discovery part alone, as one of many on a LAN, and what it has found. */
import { randomBytes } from 'node:crypto'
import { nodeIdOf } from '../../src/identity/index.js'
import { MdnsDiscovery } from '../../src/net/mdns.js'
import { silentLogger, type NodeId } from '../../src/runtime.js'
import { clock, publicKeyOf, random } from './nodes.js'

export interface Listener {
  readonly node: NodeId
  readonly discovery: MdnsDiscovery
  /** By node the addresses it was heard with. */
  readonly found: Map<NodeId, Set<string>>
}

export interface ListenerOptions {
  readonly serviceTag: string
  readonly secrets: readonly Uint8Array[]
  /** What it says it listens on. */
  readonly port: number
  readonly interfaces?: readonly string[]
}

export async function listening({ serviceTag, secrets, port, interfaces }: ListenerOptions): Promise<Listener> {
  const node = nodeIdOf(publicKeyOf(randomBytes(32)))
  const discovery = new MdnsDiscovery(
    {
      clock,
      random,
      logger: silentLogger,
      self: node,
      ports: () => [port],
      secrets: () => secrets,
      ...(interfaces === undefined ? {} : { interfaces: () => interfaces })
    },
    { serviceTag }
  )
  const found = new Map<NodeId, Set<string>>()
  await discovery.start((candidate) => {
    const known = found.get(candidate.node) ?? new Set()
    for (const address of candidate.addresses) known.add(address)
    found.set(candidate.node, known)
  })
  return { node, discovery, found }
}
