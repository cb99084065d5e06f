/** Peer exchange: members tell each other where the others are. This and the redial loop are why no DHT is needed. */
import type { NodeId, Random } from '../runtime.js'
import { withoutNode } from './addresses.js'
import type { AddressBook } from './book.js'
import { someOf } from './degree.js'
import { FrameType } from './frames.js'
import { encodeAddresses, type PeerAddress } from './hello.js'
import { EXCHANGED_ADDRESSES, LINKS_DIALLED_UP_TO } from './limits.js'
import type { Link } from './link.js'
import type { Links } from './links.js'

/** Addresses of one member in a message: the best ones, so that there is room for others. */
const EXCHANGED_PER_NODE = 2

export interface ExchangeDeps {
  readonly links: Links
  readonly book: AddressBook
  readonly random: Random
  isMember(node: NodeId): boolean
}

export class Exchange {
  readonly #deps: ExchangeDeps

  constructor(deps: ExchangeDeps) {
    this.#deps = deps
  }

  /**
   * Addresses of other members, what worked before what they only say of themselves. Where not all fit, some of those
   * connected now, whichever they are: told of the same few, everybody would dial them. Others fill the rest.
   */
  rowsFor(to: NodeId): PeerAddress[] {
    const { links, book } = this.#deps
    const claims = links
      .allUp()
      .flatMap(({ node, listen }) => listen.map((address) => ({ node, address: withoutNode(address) })))
    const connected = book.known().filter(({ node }) => links.up(node) !== undefined)
    const perNode = new Map<NodeId, Set<string>>()
    for (const { node, address } of [...connected, ...claims, ...book.known()]) {
      const known = perNode.get(node) ?? new Set()
      if (known.size < EXCHANGED_PER_NODE && node !== to && this.#deps.isMember(node))
        perNode.set(node, known.add(address))
    }
    const shuffled = someOf([...perNode], perNode.size, this.#deps.random)
    const isUp = ([node]: [NodeId, Set<string>]): boolean => links.up(node) !== undefined
    return [...shuffled.filter(isUp), ...shuffled.filter((one) => !isUp(one))]
      .flatMap(([node, known]) => [...known].map((address) => ({ node, address })))
      .slice(0, EXCHANGED_ADDRESSES)
  }

  /** Tells others where a newcomer is: they may reach it though it cannot reach them. Of many some are enough. */
  introduce(newcomer: Link): void {
    if (newcomer.listen.length === 0) return
    const payload = encodeAddresses(
      newcomer.listen.map((address) => ({ node: newcomer.node, address: withoutNode(address) }))
    )
    const others = this.#deps.links.allUp().filter((link) => link !== newcomer)
    for (const link of someOf(others, LINKS_DIALLED_UP_TO, this.#deps.random))
      link.outgoing('sync')?.tell(FrameType.addresses, payload)
  }
}
