import './nodes.js'
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { Circle, decodeCircle } from '../../src/net/circle.js'
import { FrameType } from '../../src/net/frames.js'
import { CIRCLE_LINKS, CIRCLE_MESSAGE_BYTES } from '../../src/net/limits.js'
import type { Link } from '../../src/net/link.js'
import { bytes, Cluster, connected, random, until, type Node } from './nodes.js'
import { RawPeer } from './raw.js'

/** One end of links that carry what circles tell each other. */
class Member {
  readonly links = new Map<string, Link>()
  readonly circle: Circle

  constructor(readonly node: string) {
    this.circle = new Circle({ self: node, links: () => [...this.links.values()], random })
  }

  linkedTo(other: Member): Link {
    const outgoing = {
      tell: (type: number, payload: Uint8Array): void => {
        assert.equal(type, FrameType.circle)
        const link = other.links.get(this.node)
        if (link !== undefined) link.circle = decodeCircle(payload)
      }
    }
    return { node: other.node, circle: undefined, outgoing: () => outgoing } as unknown as Link
  }
}

function link(a: Member, b: Member): void {
  a.links.set(b.node, a.linkedTo(b))
  b.links.set(a.node, b.linkedTo(a))
  a.circle.changed(a.links.get(b.node))
  b.circle.changed(b.links.get(a.node))
}

function part(a: Member, b: Member): void {
  a.links.delete(b.node)
  b.links.delete(a.node)
  a.circle.changed()
  b.circle.changed()
}

function allLinked(count: number): Member[] {
  const members = Array.from({ length: count }, (_, n) => new Member(`node ${n}`))
  members.forEach((a, n) => members.slice(0, n).forEach((b) => link(a, b)))
  return members
}

const publisherOf = ({ circle }: Member): string => Buffer.from(circle.publisher).toString('hex')

describe('a circle', () => {
  it('is whole when all are linked with all, and not when one link is missing', () => {
    const members = allLinked(4)
    const [a, b, c, d] = members as [Member, Member, Member, Member]
    assert.ok(members.every(({ circle }) => circle.isWhole()))
    part(a, b)
    // c and d are still linked with all, and know that a and b are not
    assert.ok(members.every(({ circle }) => !circle.isWhole()))
    assert.equal(c.circle.hasReachedAll(a.node, publisherOf(a)), false)
    assert.equal(c.circle.hasReachedAll(d.node, publisherOf(d)), true)
    link(a, b)
    assert.ok(members.every(({ circle }) => circle.isWhole()))
  })

  it('is whole without a member that everybody has lost', () => {
    const members = allLinked(4)
    const gone = members.pop()!
    for (const member of members) {
      member.links.delete(gone.node)
      member.circle.changed()
    }
    assert.ok(members.every(({ circle }) => circle.isWhole()))
  })

  it('knows what a neighbour published from what it passes on', () => {
    const [a, b, c] = allLinked(3) as [Member, Member, Member]
    assert.equal(c.circle.hasReachedAll(a.node, publisherOf(a)), true)
    assert.equal(c.circle.hasReachedAll(a.node, publisherOf(b)), false)
    assert.equal(c.circle.hasReachedAll('nobody', publisherOf(a)), false)
  })

  it('has so many links and not one more', () => {
    const members = allLinked(CIRCLE_LINKS + 1)
    assert.ok(members.every(({ circle }) => circle.isWhole()))
    const one = new Member('one more')
    for (const member of members) link(member, one)
    assert.ok([...members, one].every(({ circle }) => !circle.isWhole()))
    assert.equal(members[0]!.circle.hasReachedAll(one.node, publisherOf(one)), false)
    for (const member of members) part(member, one)
    assert.ok(members.every(({ circle }) => circle.isWhole()))
  })

  it('is told of in one length, or not at all', () => {
    assert.equal(decodeCircle(new Uint8Array()), undefined)
    assert.ok(decodeCircle(new Uint8Array(12)))
    for (const length of [11, 13])
      assert.throws(() => decodeCircle(new Uint8Array(length)), { code: 'message-malformed' })
  })
})

describe('gossip in a circle', { timeout: 120_000 }, () => {
  let cluster: Cluster

  beforeEach(() => {
    cluster = new Cluster()
  })
  afterEach(() => cluster.stop())

  const counters = (node: Node) => node.network.inspect().counters

  /** The publisher knows that all are linked with all, and so do they. */
  const isCircle = async (nodes: readonly Node[]): Promise<void> => {
    await connected(...nodes)
    await until('gossip knows them all', () =>
      nodes.every(({ network }) => network.inspect().subscribers.length === nodes.length - 1)
    )
    const others = nodes.slice(1)
    await until('a message is handed to all', async () => {
      const before = others.map((node) => counters(node).firsthand)
      const heard = others.map(({ gossiped }) => gossiped.length + 1)
      await nodes[0]!.network.publish(bytes('are you all there?'))
      await until('it is heard', () => others.every(({ gossiped }, at) => gossiped.length >= heard[at]!))
      return others.every((node, at) => counters(node).firsthand > before[at]!)
    })
  }

  it('hands a small message to all at once, and nobody passes it on', async () => {
    // more than a mesh has
    const nodes: Node[] = []
    for (let n = 0; n < 6; n++) nodes.push(await cluster.started({ peers: nodes.map(({ address }) => address) }))
    const [a, ...others] = nodes as [Node, ...Node[]]
    await isCircle(nodes)
    const before = others.map((node) => ({ ...counters(node) }))
    const publish = async (length: number): Promise<number> => {
      const heard = others[0]!.gossiped.length + 1
      const handed = await a.network.publish(new Uint8Array(length).fill(65))
      await until('all heard it', () => others.every(({ gossiped }) => gossiped.length === heard))
      return handed
    }
    others.forEach(({ gossiped }) => gossiped.splice(0))
    assert.equal(await publish(CIRCLE_MESSAGE_BYTES), others.length)
    others.forEach((node, at) => {
      assert.equal(counters(node).firsthand, before[at]!.firsthand + 1)
      assert.equal(counters(node).accepted, before[at]!.accepted)
    })
    await publish(CIRCLE_MESSAGE_BYTES + 1)
    others.forEach((node, at) => {
      assert.equal(counters(node).firsthand, before[at]!.firsthand + 1)
      assert.equal(counters(node).accepted, before[at]!.accepted + 1, 'larger ones are passed on')
    })
  })

  it('is told anew to those who stay when a link goes', async () => {
    const a = await cluster.started()
    const b = await cluster.started({ peers: [a.address] })
    await connected(a, b)
    const seed = randomBytes(32)
    cluster.node({ privateSeed: seed })
    const raw = await RawPeer.start(cluster, seed)
    try {
      await raw.greet(await raw.dial(a))
      await until('it is up', () => a.network.peers().length === 2)
      let told = 0
      raw.accepted[0]!.addEventListener('message', (event) => {
        const frame = event.data.subarray()
        if (frame[frame.findIndex((byte) => byte < 128) + 1] === FrameType.circle) told += 1
      })
      await b.network.stop()
      await until('it is told', () => told === 1)
    } finally {
      await raw.host.libp2p.stop()
    }
  })

  it('is whole again when one of it has gone, and passes on while it is not', async () => {
    const hidden = { announce: (): boolean => false, listen: [] }
    const c = await cluster.started()
    const b = await cluster.started({ peers: [c.address] })
    const a = await cluster.started({ peers: [b.address, c.address], ...hidden })
    await isCircle([a, b, c])
    await b.network.stop()
    await until('it is gone', () => !a.connectedTo(b) && !c.connectedTo(b))
    await isCircle([a, c])
    // neither of the two can be dialled by the other
    const leaf = await cluster.started({ peers: [c.address], ...hidden })
    await connected(c, leaf)
    await until('gossip knows it', () => leaf.network.inspect().subscribers.length === 1)
    await until('c knows it too', () => c.network.inspect().subscribers.length === 2)
    await a.network.publish(bytes('to the leaf'))
    await until('c passed it on', () => leaf.gossiped.includes('to the leaf'))
    assert.ok(!leaf.connectedTo(a))
  })
})
