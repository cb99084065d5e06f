/**
 * Who is let in by whom, as net/ decides it: the secret that both ends of a handshake know, then the gate on the key that
 * was proven. Connections that last are ended when the other is no member any more; those that may be made are made.
 */
import { GrapevineError } from '../../src/errors.js'
import { pageOf, pagesOf, type Pages } from '../../src/node/join-pages.js'
import type { WayBack } from '../../src/net/index.js'
import type { Clock } from '../../src/runtime.js'
import { encodeJoinAnswer, encodeReturnRequest, hadIn, hexOf } from '../../src/wire/index.js'
import type { SimNode } from './node.js'
import type { World } from './world.js'

/** How often whoever is not connected dials again, ms. */
const REDIAL_MS = 1_000

/** What becomes of a connection: let in, let in to ask for the way back and no more, or refused. */
type Entry = 'in' | 'desk' | 'refused'

export class Doors {
  readonly #world: World
  #shut = false

  constructor(world: World) {
    this.#world = world
  }

  /** From now on: until the members know of each other everybody is let in. */
  shut(): void {
    this.#shut = true
    const again = (): void => {
      this.look()
      this.#world.time.after(REDIAL_MS, again)
    }
    again()
  }

  /** Ends connections between nodes that are not members to each other, and makes those that may be. */
  look(): void {
    const { nodes, network } = this.#world
    if (!this.#shut) return
    for (const a of nodes)
      for (const b of nodes) {
        if (a.index >= b.index || !a.up || !b.up) continue
        if (!isMemberAt(a, b) || !isMemberAt(b, a)) network.disconnect(a.id, b.id)
        else this.#world.link(a, b)
      }
  }

  /** Whether a connection between them is let in, whoever of the two dials. */
  mayLink(a: SimNode, b: SimNode): boolean {
    return !this.#shut || entryOf(a, b) === 'in' || entryOf(b, a) === 'in'
  }
}

/** `node` is a member as `other` sees it. */
function isMemberAt(other: SimNode, node: SimNode): boolean {
  return other.keepers!.membership.isMember(node.keyring.keys.publicKey)
}

/** What becomes of a connection that one node makes to another, which it knows as a member. */
function entryOf(from: SimNode, to: SimNode): Entry {
  if (!isMemberAt(from, to)) return 'refused'
  const theirs = to.keepers!.secrets.secrets
  const [secret] = shared(from.keepers!.secrets.secrets.open, [...theirs.open, ...theirs.closed])
  if (secret === undefined) return 'refused'
  if (isMemberAt(to, from) && shared([secret], theirs.open).length > 0) return 'in'
  return mayReturnTo(to, from) ? 'desk' : 'refused'
}

function mayReturnTo(to: SimNode, from: SimNode): boolean {
  return to.keepers!.membership.mayReturn(from.keyring.keys.publicKey)
}

function shared(some: readonly Uint8Array[], others: readonly Uint8Array[]): Uint8Array[] {
  return some.filter((secret) => others.some((other) => hexOf(other) === hexOf(secret)))
}

/** As net/run.ts: members that let it in nowhere, and whoever answers where somebody was that is not connected now. */
export function waysBack(world: World, node: SimNode): WayBack[] {
  const reached = world.nodes.filter((other) => other !== node && world.reaches(node, other))
  if (node.replica!.members.list().length < 2) return []
  const wayTo = (other: SimNode): WayBack => ({ node: other.id, addresses: [String(other.index)], isUrgent: true })
  const refused = reached.filter(
    (other) => !world.network.connected(node.id, other.id) && entryOf(node, other) === 'desk'
  )
  const lost = reached.filter((other) => !world.network.connected(node.id, other.id))
  const isUrgent = node.transport!.peers().length === 0
  const known = lost.map((other) => ({ node: undefined, addresses: [String(other.index)], isUrgent }))
  return [...refused.map(wayTo), ...known]
}

/** As askTheWayBack: over every secret it ever had, to whoever is at the address, in pages. */
export function askBack(
  world: World,
  node: SimNode,
  way: WayBack,
  { clock, timeoutMs }: { clock: Clock; timeoutMs: number }
): Pages {
  const other = world.nodes[Number(way.addresses[0])]!
  const { life } = node
  return pagesOf(
    (had) =>
      new Promise((resolve, reject) => {
        const fail = (): void => reject(noAnswer())
        const cancel = world.time.after(timeoutMs, fail)
        const { network, random, time } = world
        const lost = random.chance(network.faults.requestLoss)
        time.after(network.latency(node.id, other.id), () => {
          if (lost || node.life !== life || !world.reaches(node, other) || !hears(node, other)) return
          if (way.node !== undefined && way.node !== other.id) return
          const answer = encodeJoinAnswer(pageOf(other.replica!, node.keyring.keys.publicKey, hadOf(had)))
          world.happened(`node ${other.index} tells ${node.index} what the members have become`)
          time.after(network.latency(other.id, node.id), () => (cancel(), resolve(answer)))
        })
      }),
    clock
  )
}

/** The number goes over the wire and back. */
function hadOf(had: number): number {
  return hadIn(encodeReturnRequest(had))
}

function hears(from: SimNode, to: SimNode): boolean {
  const [own, theirs] = [from.keepers!.secrets.secrets, to.keepers!.secrets.secrets]
  const some = shared([...own.open, ...own.closed], [...theirs.open, ...theirs.closed])
  return some.length > 0 && mayReturnTo(to, from)
}

function noAnswer(): GrapevineError {
  return new GrapevineError('peer-unreachable', 'no answer in time', { next: 'another peer is asked' })
}
