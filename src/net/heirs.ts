/** Who has another key now is looked for where it was under the one before. */
import type { NodeId } from '../runtime.js'
import { nodeIn, withNode, withoutNode } from './addresses.js'
import type { AddressBook } from './book.js'
import type { Membership } from './gate.js'
import { nodeIdOf, publicKeyOf } from './keys.js'
import type { Redial } from './redial.js'

export interface HeirsDeps {
  readonly book: AddressBook
  readonly redial: Redial
  readonly membership: Membership
  /** Addresses that were given. */
  readonly peers: readonly string[]
}

export function seekHeirs({ book, redial, membership, peers }: HeirsDeps): void {
  const heirOf = (node: NodeId): NodeId => {
    const key = publicKeyOf(node)
    return key === undefined ? node : nodeIdOf(membership.heirOf(key))
  }
  for (const { node, address } of book.known()) {
    const heir = heirOf(node)
    if (heir !== node) redial.found(heir, address, 'book')
  }
  for (const address of peers) {
    const node = nodeIn(address)
    const heir = node === undefined ? undefined : heirOf(node)
    if (heir !== undefined && heir !== node) redial.give(withNode(withoutNode(address), heir))
  }
}
