/** Rule 6 of the members' fold: one member stays one, however often it says that it goes on, and is removed as one. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { signRekey, type KeyPair } from '../../src/identity/index.js'
import { removalOf } from '../../src/replica/cuts.js'
import { hexOf, type Op, type Role, type SignedRecord } from '../../src/wire/index.js'
import { forge, Lab, meet, type LabNode } from '../replica/lab.js'
import { sameInEveryOrder } from '../replica/orders.js'

/** More than anybody has, and they fit into one record. */
const MANY = 100

type Nodes = [LabNode, LabNode, LabNode]

const three = async (roles: readonly Role[] = ['author', 'author']): Promise<Nodes> =>
  (await new Lab().nodes(3, { roles })) as Nodes

const rekey = ({ lab }: LabNode, old: KeyPair, next: KeyPair): Op => ({
  k: 'rekey',
  key: next.publicKey,
  signature: signRekey(next, lab.cluster, old.publicKey)
})

/** Goes on under the key of that name, as `seen` knows the cluster; in a log of its own when `epoch` is given. */
async function goOn(seen: LabNode, old: KeyPair, to: string, epoch?: string): Promise<SignedRecord> {
  const ops = [rekey(seen, old, seen.lab.keysOf(to))]
  const record = forge(seen, old, {
    space: 'members',
    ops,
    ...(epoch === undefined ? {} : { epoch: epoch.repeat(16) })
  })
  await seen.receive([record])
  return record
}

const isMember = (node: LabNode, name: string): boolean =>
  node.replica.members.get(node.lab.keysOf(name).publicKey) !== undefined

const members = (node: LabNode): string[] =>
  [...Array.from({ length: 10 }, (_, at) => `n${at}`), 'x', 'y', 'z'].filter((name) => isMember(node, name))

async function remove(by: LabNode, name: string): Promise<SignedRecord> {
  const { members: all, log } = by.replica
  const key = by.lab.keysOf(name).publicKey
  return by.replica.writeMembers(() => [removalOf(log, key, undefined, all.heirsOf(key))])
}

const state = (node: LabNode, { log, body }: SignedRecord): string | undefined =>
  node.replica.log.row(log, body.seq)?.state

describe('of the keys a member says that it goes on as', () => {
  test('the first counts, be the others in the same record, in later ones, or as many as a record holds', async () => {
    const [a, b] = await three()
    const many = Array.from({ length: MANY }, (_, at) => rekey(b, b.keys, b.lab.keysOf(`many ${at}`)))
    await b.replica.writeMembers(() => [rekey(b, b.keys, b.lab.keysOf('x')), ...many])
    await goOn(b, b.keys, 'y', '1')
    await a.pull(b)
    assert.deepEqual(members(a), ['n0', 'n1', 'n2', 'x'])
    assert.equal(a.replica.members.list().length, 4)
    assert.equal(a.replica.members.wasAdmitted(a.lab.keysOf('many 0').publicKey), false)
    await sameInEveryOrder(a, undefined, 2)
  })

  test('of those that do not know of each other the least deep counts, then that of the least log', async () => {
    const [a, b, c] = await three()
    await b.put('f', 'deeper')
    await c.replica.writeMembers(() => [])
    const [one, other] = [await goOn(a, b.keys, 'x', '1'), await goOn(c, b.keys, 'y', '2')]
    const first = one.body.depth - other.body.depth || (one.log < other.log ? -1 : 1)
    await meet([a, b, c])
    for (const node of [a, b, c]) assert.deepEqual([isMember(node, 'x'), isMember(node, 'y')], [first < 0, first > 0])
    await sameInEveryOrder(b)
  })

  test('what one did that does not count has no effect, whenever the other is heard of, unless somebody built on it', async () => {
    const [a, b, c] = await three()
    const before = await goOn(c, b.keys, 'x')
    await a.replica.writeMembers(() => [{ k: 'renew', round: 1, keys: [] }])
    await goOn(a, b.keys, 'y', '2')
    const y = a.lab.keysOf('y')
    const written = forge(a, y)
    await a.receive([written])
    await goOn(a, y, 'z')
    assert.equal(state(a, written), 'applied')
    assert.deepEqual(members(a), ['n0', 'n1', 'n2', 'y', 'z'])
    await a.pull(c)
    assert.ok(before.body.depth < written.body.depth)
    assert.equal(state(a, written), 'void')
    assert.deepEqual(members(a), ['n0', 'n1', 'n2', 'x'])
    await sameInEveryOrder(a)
  })

  test('said twice the same is one and the same, and the last is found through all of them', async () => {
    const [a, b] = await three()
    await goOn(a, b.keys, 'x', '1')
    await goOn(b, b.keys, 'x', '2')
    // what is written under the other key rests on the one or on the other, and counts
    const written = [a, b].map((node, at) => forge(node, node.lab.keysOf('x'), { epoch: `${at}`.repeat(16) }))
    await a.receive([written[0]!])
    await b.receive([written[1]!])
    await meet([a, b])
    for (const node of [a, b])
      assert.deepEqual(
        written.map((record) => state(node, record)),
        ['applied', 'applied']
      )
    await goOn(a, a.lab.keysOf('x'), 'y')
    await goOn(a, a.lab.keysOf('y'), 'z')
    assert.deepEqual(members(a), ['n0', 'n1', 'n2', 'x', 'y', 'z'])
    assert.equal(hexOf(a.replica.members.heirOf(b.keys.publicKey)), hexOf(a.lab.keysOf('z').publicKey))
    assert.equal(a.replica.members.heirsOf(b.keys.publicKey).length, 3)
    await sameInEveryOrder(a)
  })
})

describe('a removal of a key', () => {
  test('removes what it went on as, through all of them, with what those wrote beyond the cuts', async () => {
    const nodes = await three()
    const [a, b, c] = nodes
    await goOn(b, b.keys, 'x')
    await goOn(b, b.lab.keysOf('x'), 'y')
    const kept = forge(b, b.lab.keysOf('y'))
    await b.receive([kept])
    await a.pull(b)
    const gone = forge(b, b.lab.keysOf('y'), { epoch: '1'.repeat(16) })
    await b.receive([gone])
    await remove(a, 'n1')
    await meet(nodes)
    for (const node of nodes) {
      assert.deepEqual(members(node), ['n0', 'n2'])
      assert.deepEqual([state(node, kept), state(node, gone)], ['applied', 'void'])
    }
    await goOn(c, c.lab.keysOf('y'), 'z')
    assert.deepEqual(members(c), ['n0', 'n2'])
    await sameInEveryOrder(c)
  })

  test('by what it went on as takes that key alone; by anybody else after that, all', async () => {
    const nodes = await three()
    const [a, b] = nodes
    await goOn(b, b.keys, 'x')
    const own = forge(b, b.lab.keysOf('x'), { space: 'members', ops: [removalOf(b.replica.log, b.keys.publicKey)] })
    await b.receive([own])
    await goOn(b, b.lab.keysOf('x'), 'y')
    await meet(nodes)
    for (const node of nodes) assert.deepEqual(members(node), ['n0', 'n2', 'x', 'y'])
    await sameInEveryOrder(a)
    await remove(a, 'n1')
    await meet(nodes)
    for (const node of nodes) assert.deepEqual(members(node), ['n0', 'n2'])
    await sameInEveryOrder(a)
  })

  test('leaves what an admission brings back that knew of it; then that may go on again', async () => {
    const nodes = (await new Lab().nodes(4, { roles: ['author', 'admin', 'author'] })) as [
      LabNode,
      LabNode,
      LabNode,
      LabNode
    ]
    const [a, b, second, c] = nodes
    await goOn(b, b.keys, 'x')
    await meet(nodes)
    await remove(a, 'n1')
    const back = (name: string): Op => ({
      k: 'admit',
      key: a.lab.keysOf(name).publicKey,
      role: 'author',
      name: 'again'
    })
    // this one changes nothing: it knows a member
    await second.replica.writeMembers(() => [back('x')])
    await meet(nodes)
    for (const node of nodes) assert.deepEqual(members(node), ['n0', 'n2', 'n3'])
    await a.replica.writeMembers(() => [back('n1')])
    await meet(nodes)
    const again = await goOn(c, b.keys, 'y', '3')
    const z = await goOn(c, b.keys, 'z', '3')
    const written = forge(c, a.lab.keysOf('y'), { epoch: '4'.repeat(16) })
    await c.receive([written])
    await meet(nodes)
    assert.deepEqual(
      [again, z, written].map((record) => state(a, record)),
      ['applied', 'applied', 'applied']
    )
    for (const node of nodes) assert.deepEqual(members(node), ['n0', 'n1', 'n2', 'n3', 'y'])
    assert.equal(hexOf(a.replica.members.heirOf(b.keys.publicKey)), hexOf(a.lab.keysOf('y').publicKey))
    await sameInEveryOrder(a)
  })

  test('made by who goes on keeps out another that the old key names later, wherever that says it stands', async () => {
    const nodes = await three()
    const [a, b] = nodes
    // who stole the key writes as if it had heard of nothing since the founding
    const early = (epoch: string): SignedRecord =>
      forge(b, b.keys, { space: 'members', epoch: epoch.repeat(16), ops: [rekey(b, b.keys, b.lab.keysOf('y'))] })
    const stolen = early('1')
    await a.replica.writeMembers(() => [{ k: 'renew', round: 1, keys: [] }])
    await b.pull(a)
    const real = await goOn(b, b.keys, 'x')
    assert.ok(stolen.body.depth < real.body.depth)
    await b.receive([
      forge(b, b.lab.keysOf('x'), { space: 'members', ops: [removalOf(b.replica.log, b.keys.publicKey)] })
    ])
    await a.pull(b)
    await a.receive([stolen])
    await meet(nodes)
    for (const node of nodes) assert.deepEqual(members(node), ['n0', 'n2', 'x'])
    await sameInEveryOrder(a)
  })
})
