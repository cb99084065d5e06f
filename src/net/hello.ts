/**
 * What two nodes tell each other first. CBOR map: `v` protocol versions, `i` instance (16 random bytes of this start),
 * `l` own listening addresses, `p` addresses of other members as `[node, address]`. A missing list is an empty one.
 */
import { multiaddr } from '@multiformats/multiaddr'
import type { NodeId } from '../runtime.js'
import { decodeMessage, encodeCbor, Fields, malformed } from '../wire/index.js'
import { publicKeyOf } from './keys.js'
import { ADDRESS_CHARS, EXCHANGED_ADDRESSES, MAX_HELLO_BYTES, OWN_ADDRESSES } from './limits.js'

/** Versions of the protocols on the lanes that this build speaks. */
export const VERSIONS: readonly number[] = [1]

export interface PeerAddress {
  readonly node: NodeId
  readonly address: string
}

export interface Hello {
  readonly versions: readonly number[]
  /** 32 hex; random per start, so that one key in two processes is noticed. */
  readonly instance: string
  readonly listen: readonly string[]
  readonly peers: readonly PeerAddress[]
}

export function encodeHello(hello: Hello): Uint8Array {
  return encodeCbor({
    v: hello.versions,
    i: Buffer.from(hello.instance, 'hex'),
    l: hello.listen.slice(0, OWN_ADDRESSES),
    p: rowsOf(hello.peers)
  })
}

export function decodeHello(bytes: Uint8Array): Hello {
  if (bytes.length > MAX_HELLO_BYTES) throw malformed('is a hello of a wrong size')
  const map = decodeMessage(bytes)
  const fields = new Fields(map, malformed)
  const versions = fields.list('v', 16)
  if (!versions.every((version) => Number.isSafeInteger(version)))
    throw malformed('names a version that is not a number')
  return {
    versions: versions as readonly number[],
    instance: fields.hex('i', 16),
    listen: map.l === undefined ? [] : fields.list('l', OWN_ADDRESSES).filter(isDialable),
    peers: map.p === undefined ? [] : readRows(fields.list('p', EXCHANGED_ADDRESSES))
  }
}

/** The payload of the one-way `addresses` frame. */
export function encodeAddresses(peers: readonly PeerAddress[]): Uint8Array {
  return encodeCbor({ p: rowsOf(peers) })
}

export function decodeAddresses(bytes: Uint8Array): readonly PeerAddress[] {
  if (bytes.length > MAX_HELLO_BYTES) throw malformed('is a list of addresses of a wrong size')
  return readRows(new Fields(decodeMessage(bytes), malformed).list('p', EXCHANGED_ADDRESSES))
}

function rowsOf(peers: readonly PeerAddress[]): string[][] {
  return peers.slice(0, EXCHANGED_ADDRESSES).map(({ node, address }) => [node, address])
}

/** Rows that cannot be used are left out: a later version may know kinds of addresses that we do not. */
function readRows(rows: readonly unknown[]): PeerAddress[] {
  return rows.flatMap((row) => {
    if (!Array.isArray(row)) throw malformed('holds an address that is not a pair')
    const [node, address] = row as unknown[]
    if (typeof node !== 'string' || publicKeyOf(node) === undefined || !isDialable(address)) return []
    return [{ node, address }]
  })
}

/** Whether this is the text of an address our transport (TCP) can dial. */
export function isDialable(address: unknown): address is string {
  if (typeof address !== 'string' || address.length > ADDRESS_CHARS) return false
  try {
    const [host, port, ...rest] = multiaddr(address).getComponents()
    const hostKnown = ['ip4', 'ip6', 'dns', 'dns4', 'dns6'].includes(host?.name ?? '')
    return hostKnown && port?.name === 'tcp' && rest.every((component) => component.name === 'p2p')
  } catch {
    return false
  }
}
