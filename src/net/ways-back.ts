/** Whom a node may ask what the members have become that is let in nowhere, or has lost sight of some. */
import type { NodeId } from '../runtime.js'
import { withoutNode } from './addresses.js'
import type { AddressBook } from './book.js'
import type { Links } from './links.js'
import type { WayBack } from './options.js'

export interface WaysBackDeps {
  readonly links: Pick<Links, 'unwelcomeAt' | 'up' | 'allUp'>
  readonly book: Pick<AddressBook, 'known'>
  /** Addresses given by hand. */
  readonly peers: readonly string[]
  isMember(node: NodeId): boolean
  addressesOf(node: NodeId): readonly string[]
}

/** Members that refuse us; then whoever answers where somebody is that is not connected, and at given addresses if nobody is. */
export function waysBack({ links, book, peers, isMember, addressesOf }: WaysBackDeps): WayBack[] {
  const refused = links.unwelcomeAt().filter(isMember)
  // behind the address of one that is not up may be another key by now, of which nobody here has heard
  const lost = book.known().filter(({ node }) => links.up(node) === undefined)
  const isUrgent = links.allUp().length === 0
  const known = [...(isUrgent ? peers : []), ...lost.map(({ address }) => address)].map(withoutNode)
  return [
    ...refused.map((node) => ({ node, addresses: addressesOf(node), isUrgent: true })),
    ...[...new Set(known)].map((address) => ({ node: undefined, addresses: [address], isUrgent }))
  ]
}
