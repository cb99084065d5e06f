/** How many links there are of many members: no hub, nobody cut off, and what was parted joins again. */
import './nodes.js'
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { Degree, someOf, type DegreeDeps } from '../../src/net/degree.js'
import { FrameType } from '../../src/net/frames.js'
import { ASKED_TO_LET_GO, LINKS_KEPT, LINKS_MANY } from '../../src/net/limits.js'
import type { Link } from '../../src/net/link.js'
import type { Candidate, Discovery } from '../../src/net/index.js'
import { Cluster, random, until, type Node } from './nodes.js'

describe('how many links there are', () => {
  /** Links that note what they are told, and a node that looks at them. */
  const world = (
    count: number,
    options: { must?: readonly string[]; inFlight?: number } = {}
  ): { degree: Degree; asked: string[]; let: string[]; explored(): number; pass(ms: number): void } => {
    const asked: string[] = []
    const letGo: string[] = []
    let explored = 0
    let now = 0
    const links = Array.from({ length: count }, (_, at) => {
      const node = `node${at}`
      const tell = (type: number): void => void (type === FrameType.enough && asked.push(node))
      return { node, outgoing: () => ({ tell, inFlight: options.inFlight ?? 0 }) } as unknown as Link
    })
    const deps: DegreeDeps = {
      clock: { monotonic: () => now },
      random,
      links: () => links,
      mustMeet: (node) => options.must?.includes(node) === true,
      letGo: (node) => {
        letGo.push(node)
        links.splice(
          links.findIndex((link) => link.node === node),
          1
        )
      },
      explore: () => (explored += 1)
    }
    const degree = new Degree(deps, { exploreMs: 1_000, dialledUpTo: 10 })
    return { degree, asked, let: letGo, explored: () => explored, pass: (ms) => (now += ms) }
  }

  it('asks nobody to let go of as many as it may have, and some of those that are more', () => {
    const asked = (count: number): number => {
      const { degree, asked } = world(count)
      degree.look()
      return new Set(asked).size
    }
    assert.equal(asked(LINKS_MANY), 0)
    assert.equal(asked(LINKS_MANY + 1), 1)
    assert.equal(asked(LINKS_MANY + 3), 3)
    assert.equal(asked(LINKS_MANY + 100), ASKED_TO_LET_GO)
  })

  it('never asks a member that it must meet', () => {
    const must = Array.from({ length: LINKS_MANY }, (_, at) => `node${at + 1}`)
    const { degree, asked } = world(LINKS_MANY + 1, { must })
    degree.look()
    assert.deepEqual(asked, ['node0'])
  })

  it('lets go when it is asked to, as long as it keeps enough', () => {
    const { degree, let: letGo } = world(LINKS_KEPT + 2)
    for (let at = 0; at < LINKS_KEPT + 2; at++) degree.asked(`node${at}`)
    degree.asked('stranger')
    assert.deepEqual(letGo, ['node0', 'node1'])
  })

  it('does not let go of what is in use, nor of a member that it must meet', () => {
    const busy = world(LINKS_KEPT + 2, { inFlight: 1 })
    busy.degree.asked('node0')
    assert.deepEqual(busy.let, [])
    const bound = world(LINKS_KEPT + 2, { must: ['node0'] })
    bound.degree.asked('node0')
    assert.deepEqual(bound.let, [])
  })

  it('dials another one now and then though it has links enough, and not when it has few', () => {
    const { degree, explored, pass } = world(10)
    degree.look()
    assert.equal(explored(), 0)
    pass(1_500)
    degree.look()
    degree.look()
    assert.equal(explored(), 1)
    pass(1_500)
    degree.look()
    assert.equal(explored(), 2)
    const few = world(9)
    few.pass(1_500)
    few.degree.look()
    assert.equal(few.explored(), 0)
  })

  it('chooses without favour, and never more than there are', () => {
    const counts = new Map<number, number>()
    for (let round = 0; round < 3_000; round++)
      for (const one of someOf([0, 1, 2, 3, 4, 5], 2, random)) counts.set(one, (counts.get(one) ?? 0) + 1)
    for (const count of counts.values()) assert.ok(count > 850 && count < 1_150, `${count} of 1,000`)
    assert.deepEqual(someOf([1, 2], 5, random).toSorted(), [1, 2])
    assert.deepEqual(someOf([1, 2], -3, random), [])
  })
})

describe('many members', { timeout: 240_000 }, () => {
  let cluster: Cluster
  beforeEach(() => {
    cluster = new Cluster()
  })
  afterEach(() => cluster.stop())

  const DEGREE = { dialledUpTo: 5, many: 7, kept: 3, exploreMs: 2_000 }
  const links = ({ network }: Node): number => network.peers().length
  const watch = { intervalMs: 100 }

  /** Everybody who is reached from the first by links. */
  const reached = (nodes: readonly Node[]): number => {
    const found = new Set([nodes[0]!])
    for (const node of found) for (const other of nodes) if (node.connectedTo(other)) found.add(other)
    return found.size
  }

  it('all given the address of one do not stay with it, and are one net', async () => {
    // gently: all of them are one process here
    const options = { degree: { ...DEGREE, exploreMs: 60_000 }, watch, redial: { minMs: 300, maxMs: 3_000 } }
    const hub = await cluster.started(options)
    const all = [hub]
    while (all.length < 13) all.push(await cluster.started({ ...options, peers: [hub.address] }))
    const spread = (): boolean => all.every((node) => links(node) >= DEGREE.kept && links(node) <= DEGREE.many)
    await until('nobody has too many links or too few', spread, 120_000)
    assert.equal(reached(all), 13)
  })

  it('two parts with links enough find each other again', async () => {
    let tell: (candidate: Candidate) => void = () => assert.fail('discovery has not begun')
    const discovery: Discovery = {
      start: async (found) => void (tell = found),
      stop: async () => undefined
    }
    const part = async (more: { discovery?: Discovery }): Promise<Node[]> => {
      const first = await cluster.started({ degree: DEGREE, watch, ...more })
      const nodes = [first]
      while (nodes.length < 7) nodes.push(await cluster.started({ peers: [first.address], degree: DEGREE, watch }))
      return nodes
    }
    const [left, right] = [await part({ discovery }), await part({})]
    const enough = (node: Node): boolean => links(node) >= DEGREE.dialledUpTo
    await until('each part has links enough', () => [...left, ...right].every(enough), 60_000)
    assert.equal(reached([...left, ...right]), 7)
    tell({ node: right[0]!.id, addresses: [right[0]!.listen] })
    await until('they are one net', () => reached([...left, ...right]) === 14, 60_000)
  })
})
