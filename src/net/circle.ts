/**
 * Who is linked with the same members as we are. Where all are linked with all, whoever writes hands a small message to each
 * of them itself, and nobody need pass it on: of a change among 8 nodes 7 copies are made instead of some 28, and each takes its
 * time at two nodes.
 *
 * 1. Each node tells its links a hash over itself and whom it is linked with, whenever that changes.
 * 2. A message is marked as handed to all only when everybody it was handed to had told the same hash as ours.
 * 3. It is not passed on only by whoever still has the same hash as its publisher.
 * 4. A hint and no more: who is missed all the same, because a link has just gone, is told by the others what they hold
 *    (sync) and asks for it.
 */
import { createHash } from 'node:crypto'
import type { NodeId, Random } from '../runtime.js'
import { malformed } from '../wire/index.js'
import { FrameType } from './frames.js'
import { CIRCLE_LINKS } from './limits.js'
import type { Link } from './link.js'

const HASH_BYTES = 8
/** What a publisher's messages begin with (gossip-stamp.ts), so that they are known from what others passed on. */
export const PUBLISHER_BYTES = 4

export interface CircleDeps {
  readonly self: NodeId
  links(): readonly Link[]
  readonly random: Random
}

export class Circle {
  /** What no other node's gossip begins with. */
  readonly publisher: Uint8Array
  readonly #deps: CircleDeps
  /** Hex; undefined with more links than such a circle has. */
  #own: string | undefined
  #told: Uint8Array = new Uint8Array()

  constructor(deps: CircleDeps) {
    this.#deps = deps
    this.publisher = deps.random.bytes(PUBLISHER_BYTES)
  }

  /** A link came up or went. */
  changed(link?: Link): void {
    const links = this.#deps.links()
    const hash = links.length > CIRCLE_LINKS ? undefined : hashOf([this.#deps.self, ...links.map(({ node }) => node)])
    this.#own = hash?.toString('hex')
    const told = hash === undefined ? new Uint8Array() : Buffer.concat([hash, this.publisher])
    const same = Buffer.compare(told, this.#told) === 0
    this.#told = told
    for (const each of same && link !== undefined ? [link] : links) tell(each, told)
  }

  /** Everybody we are linked with is linked with the same members. */
  isWhole(): boolean {
    return this.#own !== undefined && this.#deps.links().every(({ circle }) => circle?.hash === this.#own)
  }

  /** Whether `node` published what begins with these bytes, and all we could pass it on to are linked with it. */
  hasReachedAll(node: NodeId, publisher: string): boolean {
    const { circle } = this.#deps.links().find((link) => link.node === node) ?? {}
    return circle !== undefined && circle.hash === this.#own && circle.publisher === publisher
  }
}

/** What a link told of its circle; undefined: it has more links than such a circle has. */
export function decodeCircle(payload: Uint8Array): Link['circle'] {
  if (payload.length === 0) return undefined
  if (payload.length !== HASH_BYTES + PUBLISHER_BYTES) throw malformed('tells of a circle in another length')
  const bytes = Buffer.from(payload)
  return { hash: bytes.toString('hex', 0, HASH_BYTES), publisher: bytes.toString('hex', HASH_BYTES) }
}

function tell(link: Link, payload: Uint8Array): void {
  link.outgoing('sync')?.tell(FrameType.circle, payload)
}

function hashOf(nodes: readonly NodeId[]): Buffer {
  return createHash('sha256').update(nodes.toSorted().join('\n')).digest().subarray(0, HASH_BYTES)
}
