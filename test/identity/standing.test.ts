/** Rules 5 to 7 of the members' fold: the root above the admins, members that go on under another key, certificates. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  CERTIFICATE_ROUNDS,
  keyPairOf,
  openSecret,
  sealSecret,
  secretIdOf,
  signAppointment,
  signRekey,
  type KeyPair
} from '../../src/identity/index.js'
import { MembersFold } from '../../src/identity/fold.js'
import { removalOf } from '../../src/replica/cuts.js'
import { bytesOf, hexOf, type Op, type RecordPlace, type Role, type SignedRecord } from '../../src/wire/index.js'
import { forge, Lab, meet, type LabNode } from '../replica/lab.js'
import { sameInEveryOrder } from '../replica/orders.js'

const ROLES: readonly Role[] = ['author', 'public']

const roleOf = (node: LabNode, key: Uint8Array): Role | undefined => node.replica.members.get(key)?.role
const state = (node: LabNode, { log, body }: SignedRecord): string | undefined =>
  node.replica.log.row(log, body.seq)?.state

function appoint(lab: Lab, key: Uint8Array, serial = 1, overrides: readonly RecordPlace[] = [], root = lab.root): Op {
  const appointment = { key, name: 'appointed', serial, overrides }
  return { k: 'appoint', ...appointment, signature: signAppointment(root, lab.cluster, appointment) }
}

const remove = (by: LabNode, key: Uint8Array): Promise<SignedRecord> =>
  by.replica.writeMembers(() => [removalOf(by.replica.log, key)])

describe('rule 5: the root above the admins', () => {
  test('makes an admin of a member, by the record of any member, and for good', async () => {
    const lab = new Lab()
    const [a, b, c] = (await lab.nodes(3, { roles: ROLES })) as [LabNode, LabNode, LabNode]
    await c.replica.writeMembers(() => [appoint(lab, b.keys.publicKey)])
    await meet([a, b, c])
    for (const node of [a, b, c]) assert.equal(roleOf(node, b.keys.publicKey), 'admin')
    await b.replica.writeMembers(() => [{ k: 'admit', key: lab.keysOf('new').publicKey, role: 'public', name: 'new' }])
    await meet([a, b, c])
    assert.equal(roleOf(a, lab.keysOf('new').publicKey), 'public')
    await sameInEveryOrder(a)
  })

  test('nobody else’s signature, another cluster’s, or one over something else appoints anybody', async () => {
    const lab = new Lab()
    const [a, b] = (await lab.nodes(2, { roles: ROLES })) as [LabNode, LabNode]
    const good = appoint(lab, b.keys.publicKey) as Extract<Op, { k: 'appoint' }>
    const forgeries: Op[][] = [
      [appoint(lab, b.keys.publicKey, 1, [], b.keys)],
      [{ ...good, serial: 2 }],
      [{ ...good, key: lab.keysOf('other').publicKey }],
      [appoint(new Lab(2), b.keys.publicKey, 1, [], lab.root)],
      [good, { k: 'admit', key: lab.keysOf('along').publicKey, role: 'admin', name: 'along' }]
    ]
    for (const [index, ops] of forgeries.entries()) {
      const record = forge(a, b.keys, { space: 'members', ops, epoch: String(index).repeat(16) })
      await a.receive([record])
      assert.equal(state(a, record), 'rejected')
    }
    // a record that does not know which root it is cannot be judged by it
    const rootless = forge(a, b.keys, { space: 'members', epoch: 'a'.repeat(16), ops: [good], deps: [], depth: 1 })
    await a.receive([rootless])
    assert.equal(state(a, rootless), 'rejected')
    assert.equal(roleOf(a, b.keys.publicKey), 'author')
    await sameInEveryOrder(a)
  })

  test('an appointment counts in spite of the removals it names, and not of later ones, however often it is said', async () => {
    const lab = new Lab()
    const [a, b, c] = (await lab.nodes(3, { roles: ROLES })) as [LabNode, LabNode, LabNode]
    const first = await remove(a, b.keys.publicKey)
    await meet([a, c])
    await c.replica.writeMembers(() => [appoint(lab, b.keys.publicKey, 1, [])])
    assert.equal(roleOf(c, b.keys.publicKey), undefined)
    const place = { log: first.log, seq: first.body.seq }
    await c.replica.writeMembers(() => [appoint(lab, b.keys.publicKey, 2, [place])])
    assert.equal(roleOf(c, b.keys.publicKey), 'admin')
    await meet([a, c])
    await remove(a, b.keys.publicKey)
    await meet([a, c])
    await c.replica.writeMembers(() => [appoint(lab, b.keys.publicKey, 2, [place])])
    await meet([a, c])
    assert.equal(roleOf(a, b.keys.publicKey), undefined)
    await sameInEveryOrder(a)
  })

  test('of admins who remove each other the one the root appointed last stays, be the other the founder', async () => {
    const lab = new Lab()
    const [a, b, c] = (await lab.nodes(3, { roles: ['author', 'author'] })) as [LabNode, LabNode, LabNode]
    await c.replica.writeMembers(() => [appoint(lab, b.keys.publicKey, 1)])
    await meet([a, b, c])
    await remove(a, b.keys.publicKey)
    await remove(b, a.keys.publicKey)
    await meet([a, b, c])
    for (const node of [b, c]) {
      assert.equal(roleOf(node, a.keys.publicKey), undefined)
      assert.equal(roleOf(node, b.keys.publicKey), 'admin')
    }
    await sameInEveryOrder(c)
    await b.replica.writeMembers(() => [appoint(lab, c.keys.publicKey, 2)])
    await meet([b, c])
    await remove(b, c.keys.publicKey)
    await remove(c, b.keys.publicKey)
    await meet([b, c])
    assert.equal(roleOf(c, c.keys.publicKey), 'admin')
    assert.equal(roleOf(c, b.keys.publicKey), undefined)
    await sameInEveryOrder(c)
  })
})

describe('rule 6: a member that goes on under another key', () => {
  const next = (lab: Lab, name: string): KeyPair => lab.keysOf(`next ${name}`)
  const rekey = (lab: Lab, old: LabNode, keys: KeyPair): Op => ({
    k: 'rekey',
    key: keys.publicKey,
    signature: signRekey(keys, lab.cluster, old.keys.publicKey)
  })

  test('whose key it was is found however many keys a member went on under since', () => {
    const lab = new Lab()
    const fold = new MembersFold(lab.cluster)
    const names = Array.from({ length: 20_000 }, (_, at) => at.toString(16).padStart(64, '0'))
    names.forEach((name, at) => {
      const member = {
        key: bytesOf(name),
        role: 'author',
        name: 'm',
        log: name.slice(32),
        seq: 1,
        depth: at,
        knew: []
      } as const
      fold.note(name, [at === 0 ? member : { ...member, heirOf: names[at - 1]! }])
    })
    const removal = (key: string, author: string): SignedRecord =>
      ({
        log: author.slice(32),
        body: { author: bytesOf(author), seq: 2, ops: [{ k: 'revoke', key: bytesOf(key), cuts: [] }] }
      }) as unknown as SignedRecord
    const [first, last] = [names[0]!, names.at(-1)!]
    const began = performance.now()
    assert.equal(
      fold.judge(removal(first, last), () => true),
      'may'
    )
    assert.equal(
      fold.judge(removal(last, first), () => true),
      'never'
    )
    assert.ok(performance.now() - began < 1_000)
  })

  test('keeps its role, scope and name, and may remove the key it had, whatever its role', async () => {
    const lab = new Lab()
    const nodes = (await lab.nodes(3, { roles: ROLES, scopes: [['roads'], undefined] })) as [LabNode, LabNode, LabNode]
    const [a, b, c] = nodes
    for (const [node, role, scope] of [
      [b, 'author', ['roads']],
      [c, 'public', undefined]
    ] as const) {
      const keys = next(lab, role)
      await node.replica.writeMembers(() => [rekey(lab, node, keys)])
      await meet(nodes)
      const member = a.replica.members.get(keys.publicKey)
      assert.deepEqual([member?.role, member?.scope], [role, scope])
      assert.equal(hexOf(a.replica.members.heirOf(node.keys.publicKey)), hexOf(keys.publicKey))
      const gone = forge(a, keys, { space: 'members', ops: [removalOf(a.replica.log, node.keys.publicKey)] })
      await a.receive([gone])
      assert.equal(state(a, gone), 'applied')
      assert.equal(roleOf(a, node.keys.publicKey), undefined)
      assert.equal(roleOf(a, keys.publicKey), role)
    }
    await sameInEveryOrder(a)
  })

  test('the new key must agree, is taken over from nobody else, and removes nobody but its predecessors', async () => {
    const lab = new Lab()
    const nodes = (await lab.nodes(3, { roles: ROLES })) as [LabNode, LabNode, LabNode]
    const [a, b, c] = nodes
    const keys = next(lab, 'b')
    const [x, y] = [next(lab, 'x'), next(lab, 'y')]
    await b.replica.writeMembers(() => [{ ...rekey(lab, b, keys), signature: x.sign(Buffer.from('something')) } as Op])
    await c.replica.writeMembers(() => [rekey(lab, b, x)])
    await meet(nodes)
    for (const { publicKey } of [keys, x]) assert.equal(roleOf(a, publicKey), undefined)
    const also = { k: 'admit' as const, key: y.publicKey, role: 'admin' as const, name: 'y' }
    const along = forge(a, b.keys, { space: 'members', epoch: '9'.repeat(16), ops: [rekey(lab, b, keys), also] })
    await a.receive([along])
    assert.equal(state(a, along), 'rejected')
    await b.replica.writeMembers(() => [rekey(lab, b, keys)])
    await meet(nodes)
    const next2 = forge(a, keys, {
      space: 'members',
      ops: [{ k: 'rekey', key: y.publicKey, signature: signRekey(y, lab.cluster, keys.publicKey) }]
    })
    await a.receive([next2])
    for (const [who, epoch, expected] of [
      [c.keys.publicKey, '1', 'rejected'],
      [a.keys.publicKey, '2', 'rejected'],
      [b.keys.publicKey, '3', 'applied'],
      [keys.publicKey, '4', 'applied']
    ] as const) {
      const ops = [removalOf(a.replica.log, who)]
      const record = forge(a, y, { space: 'members', epoch: epoch.repeat(16), ops })
      await a.receive([record])
      assert.equal(state(a, record), expected)
    }
    assert.deepEqual([roleOf(a, y.publicKey), roleOf(a, keys.publicKey)], ['author', undefined])
    await sameInEveryOrder(a)
  })

  test('a key that was removed leaves no heir, whether it went on before or after', async () => {
    const lab = new Lab()
    const nodes = (await lab.nodes(3, { roles: ['author', 'author'] })) as [LabNode, LabNode, LabNode]
    const [a, b, c] = nodes
    await remove(a, b.keys.publicKey)
    await b.replica.writeMembers(() => [rekey(lab, b, next(lab, 'b'))])
    const written = forge(b, next(lab, 'b'))
    await b.receive([written])
    assert.equal(state(b, written), 'applied')
    await c.replica.writeMembers(() => [rekey(lab, c, next(lab, 'c'))])
    await meet(nodes)
    for (const node of nodes) assert.equal(state(node, written), 'void')
    await remove(a, c.keys.publicKey)
    await meet(nodes)
    assert.equal(roleOf(a, next(lab, 'b').publicKey), undefined)
    assert.equal(roleOf(a, next(lab, 'c').publicKey), undefined)
    await sameInEveryOrder(a)
  })

  test('an admin keeps its seniority', async () => {
    const lab = new Lab()
    const nodes = (await lab.nodes(2, { roles: ['admin'] })) as [LabNode, LabNode]
    const [a, b] = nodes
    const keys = next(lab, 'a')
    await a.replica.writeMembers(() => [rekey(lab, a, keys)])
    await meet(nodes)
    const apart = forge(a, keys, { space: 'members', ops: [removalOf(a.replica.log, b.keys.publicKey)] })
    await remove(b, keys.publicKey)
    await b.receive([apart])
    assert.equal(roleOf(b, keys.publicKey), 'admin')
    assert.equal(roleOf(b, b.keys.publicKey), undefined)
    await sameInEveryOrder(b)
  })
})

describe('rule 7: certificates', () => {
  const current = (node: LabNode, key: Uint8Array): boolean => node.replica.members.isCurrent(key)

  test('last so many rounds as they are given for, and are renewed by admins alone', async () => {
    const lab = new Lab()
    const nodes = (await lab.nodes(3, { roles: ROLES })) as [LabNode, LabNode, LabNode]
    const [a, b, c] = nodes
    const renew = (round: number, ...keys: LabNode[]): Op => ({
      k: 'renew',
      round,
      keys: keys.map(({ keys: { publicKey } }) => publicKey)
    })
    await a.replica.writeMembers(() => [renew(CERTIFICATE_ROUNDS, a)])
    assert.deepEqual(
      [a, b, c].map((node) => current(a, node.keys.publicKey)),
      [true, true, true]
    )
    await a.replica.writeMembers(() => [renew(CERTIFICATE_ROUNDS + 1, b)])
    assert.deepEqual(
      [a, b, c].map((node) => current(a, node.keys.publicKey)),
      [true, true, false]
    )
    const foreign = forge(a, b.keys, { space: 'members', ops: [renew(CERTIFICATE_ROUNDS + 2, c)] })
    await a.receive([foreign])
    assert.deepEqual(
      [a, b, c].map((node) => current(a, node.keys.publicKey)),
      [true, true, false]
    )
    const record = { k: 'admit' as const, key: c.keys.publicKey, role: 'public' as const, name: 'c' }
    await a.replica.writeMembers(() => [{ ...record, round: CERTIFICATE_ROUNDS + 1 }])
    assert.equal(current(a, c.keys.publicKey), true)
    await sameInEveryOrder(a)
  })

  test('what a member wrote counts, however old its certificate is', async () => {
    const lab = new Lab()
    const [a, b] = (await lab.nodes(2)) as [LabNode, LabNode]
    await a.replica.writeMembers(() => [{ k: 'renew', round: 100, keys: [a.keys.publicKey] }])
    await b.put('f', 'of b')
    await meet([a, b])
    assert.equal(a.text('f'), 'of b')
    assert.equal(current(a, b.keys.publicKey), false)
    await sameInEveryOrder(a)
  })

  test('an heir has the certificate of the key it goes on for', async () => {
    const lab = new Lab()
    const [a, b] = (await lab.nodes(2)) as [LabNode, LabNode]
    const keys = lab.keysOf('heir')
    const signature = signRekey(keys, lab.cluster, b.keys.publicKey)
    await b.replica.writeMembers(() => [{ k: 'rekey', key: keys.publicKey, signature }])
    await a.replica.writeMembers(() => [{ k: 'renew', round: 50, keys: [b.keys.publicKey] }])
    await meet([a, b])
    assert.equal(a.replica.members.certificateAge(keys.publicKey), 0)
    await sameInEveryOrder(a)
  })
})

describe('secrets of the cluster', () => {
  const secret = Buffer.alloc(32, 9)

  test('are opened by whom they are for, and by nobody else or when a bit of them is another', () => {
    const [member, other] = [keyPairOf(Buffer.alloc(32, 1)), keyPairOf(Buffer.alloc(32, 2))]
    const box = sealSecret(secret, member.publicKey, Buffer.alloc(32, 3))
    assert.deepEqual(openSecret(box, member), secret)
    assert.equal(openSecret(box, other), undefined)
    for (let at = 0; at < box.length; at++) {
      const changed = Uint8Array.from(box)
      changed[at]! ^= 1
      assert.equal(openSecret(changed, member), undefined, `byte ${at}`)
    }
    assert.equal(openSecret(Buffer.alloc(80), member), undefined)
  })

  test('all prefer the same one: the latest, of one generation that told of first; retired ones are gone for good', async () => {
    const lab = new Lab()
    const [a, b, c] = (await lab.nodes(3, { roles: ['admin', 'admin'] })) as [LabNode, LabNode, LabNode]
    const said = (generation: number, id: string, ...to: LabNode[]): Op => ({
      k: 'secret',
      generation,
      id,
      boxes: to.map(({ keys }) => ({
        key: keys.publicKey,
        box: sealSecret(secret, keys.publicKey, Buffer.alloc(32, 3))
      }))
    })
    const [x, y, z] = ['x', 'y', 'z'].map((name) => secretIdOf(Buffer.from(name))) as [string, string, string]
    await a.replica.writeMembers(() => [said(1, x, a, b)])
    await b.replica.writeMembers(() => [said(1, y, b), said(2, z, a)])
    await c.replica.writeMembers(() => [])
    await c.replica.writeMembers(() => [said(1, x, c)])
    await meet([a, b, c])
    const ids = (node: LabNode): string[] => node.replica.members.secrets.list().map(({ id }) => id)
    assert.equal(ids(a)[0], z)
    assert.deepEqual(ids(a), ids(b))
    assert.equal(a.replica.members.secrets.get(x)!.holders.length, 3)
    await a.replica.writeMembers(() => [{ k: 'retire', ids: [z] }])
    await c.replica.writeMembers(() => [said(3, z, c)])
    await meet([a, b, c])
    assert.equal(ids(c).includes(z), false)
    assert.equal(c.replica.members.secrets.isRetired(z), true)
    await sameInEveryOrder(a)
    await remove(a, c.keys.publicKey)
    assert.deepEqual(ids(a), ids(b))
    await sameInEveryOrder(a)
  })
})
