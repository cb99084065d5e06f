/** The fold of the members space: rules cited by number. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { clusterIdOf, keyPairOf, makeInvitation, signFounder, type KeyPair } from '../../src/identity/index.js'
import { hexOf, sha256, type AdmitOp, type InviteOp, type Role, type SignedRecord } from '../../src/wire/index.js'
import { editOp, forge, Lab, LAB_TIME, meet, type LabNode } from '../replica/lab.js'

const NOW = LAB_TIME

const admit = (key: Uint8Array, role: Role, changes: Partial<AdmitOp> = {}): AdmitOp => ({
  k: 'admit',
  key,
  role,
  name: 'newcomer',
  ...changes
})

const verdict = (node: LabNode, record: SignedRecord): string =>
  node.replica.log.row(record.log, record.body.seq)?.state ?? 'absent'

/** All orders of delivery that keep each log in its own. */
function orders(records: readonly SignedRecord[]): SignedRecord[][] {
  if (records.length === 0) return [[]]
  return records.flatMap((first, at) => {
    const earlier = records.some(
      (other, index) => index !== at && other.log === first.log && other.body.seq < first.body.seq
    )
    return earlier ? [] : orders(records.filter((_, index) => index !== at)).map((rest) => [first, ...rest])
  })
}

describe('rule 1: the cluster begins with a record that its root vouches for', () => {
  const founding = (author: KeyPair, root: KeyPair, signer = root) => ({
    k: 'found' as const,
    root: root.publicKey,
    signature: signFounder(signer, author.publicKey),
    name: 'lab',
    nodeName: 'n0'
  })

  test('a founder makes itself admin', async () => {
    const [a] = await new Lab().nodes(1)
    assert.equal(a!.replica.members.get(a!.keys.publicKey)?.role, 'admin')
    assert.equal(a!.replica.members.clusterName, 'lab')
  })

  test('only once: an admin who writes it again changes neither the name nor the root', async () => {
    const lab = new Lab()
    const [a] = (await lab.nodes(1)) as [LabNode]
    await a.replica.writeMembers(() => [
      { ...founding(a.keys, keyPairOf(lab.seedOf('other root'))), name: 'taken over' }
    ])
    assert.equal(a.replica.members.clusterName, 'lab')
    assert.deepEqual(hexOf(a.replica.members.root!), hexOf(lab.root.publicKey))
  })

  test('another root, a signature of another key or for another founder, or a later seq found nothing', async () => {
    const lab = new Lab()
    const [a] = (await lab.nodes(1)) as [LabNode]
    const stranger = keyPairOf(lab.seedOf('stranger'))
    const otherRoot = keyPairOf(lab.seedOf('other root'))
    for (const op of [
      founding(stranger, otherRoot),
      founding(stranger, lab.root, otherRoot),
      founding(a.keys, lab.root)
    ]) {
      const record = forge(a, stranger, { space: 'members', ops: [op], deps: [], depth: 1 })
      assert.equal(a.replica.members.isFounding(record), false)
      await a.receive([record])
      assert.equal(verdict(a, record), 'absent')
    }
    assert.equal(a.replica.members.list().length, 1)
  })

  test('the cluster id is the hash of the root', () => {
    const { publicKey } = keyPairOf(new Uint8Array(32).fill(3))
    assert.equal(clusterIdOf(publicKey), sha256(publicKey).toString('hex', 0, 16))
  })
})

describe('rule 2: a record counts only when its author was an admin in its own past', () => {
  test('an author, a public node and a relay admit nobody', async () => {
    const roles: Role[] = ['author', 'public', 'relay']
    const nodes = await new Lab().nodes(4, { roles })
    const [a] = nodes as [LabNode]
    const key = a.lab.keysOf('newcomer').publicKey
    for (const node of nodes.slice(1)) {
      const record = forge(a, node.keys, { space: 'members', ops: [admit(key, 'admin')] })
      await a.receive([record])
      assert.equal(verdict(a, record), 'rejected')
    }
    assert.equal(a.replica.members.get(key), undefined)
  })

  test('an admin whose admission is not in the past of its record admits nobody, on every node alike', async () => {
    const nodes = await new Lab().nodes(2, { roles: ['admin'] })
    const [a, b] = nodes as [LabNode, LabNode]
    const key = a.lab.keysOf('newcomer').publicKey
    const blind = forge(a, b.keys, { space: 'members', ops: [admit(key, 'author')], deps: [], depth: 1 })
    await a.receive([blind])
    await b.pull(a)
    for (const node of nodes) {
      assert.equal(verdict(node, blind), 'rejected')
      assert.equal(node.replica.members.get(key), undefined)
    }
  })

  test('a record to the catalog counts only when its author was admitted as author or admin in its past', async () => {
    const nodes = await new Lab().nodes(5, { roles: ['author', 'public', 'relay', 'admin'] })
    const [a] = nodes as [LabNode]
    const states = []
    for (const node of nodes) {
      const record = forge(a, node.keys, { ops: [editOp(a, node.keys, '1'.repeat(32), [['custom', 1]])] })
      await a.receive([record])
      states.push(verdict(a, record))
    }
    assert.deepEqual(states, ['applied', 'applied', 'rejected', 'rejected', 'applied'])
    const blind = forge(a, nodes[1]!.keys, {
      deps: [],
      epoch: 'e'.repeat(16),
      ops: [editOp(a, nodes[1]!.keys, '2'.repeat(32), [['custom', 1]], { epoch: 'e'.repeat(16) })]
    })
    await a.receive([blind])
    assert.equal(verdict(a, blind), 'rejected')
  })
})

describe('rule 3: the first admission of a key holds', () => {
  test('a later one by the same admin changes nothing', async () => {
    const [a] = (await new Lab().nodes(1)) as [LabNode]
    const key = a.lab.keysOf('newcomer').publicKey
    await a.replica.writeMembers(() => [admit(key, 'public')])
    await a.replica.writeMembers(() => [admit(key, 'author', { name: 'again' })])
    assert.deepEqual([a.replica.members.get(key)?.role, a.replica.members.get(key)?.name], ['public', 'newcomer'])
  })

  test('two admins who admit one key apart, with different roles: every order of delivery has the same members and the same verdicts', async () => {
    const nodes = await new Lab().nodes(2, { roles: ['admin'] })
    const [a, b] = nodes as [LabNode, LabNode]
    const newcomer = a.lab.keysOf('newcomer')
    const before = a.records()
    const byA = await a.replica.writeMembers(() => [admit(newcomer.publicKey, 'author')])
    const byB = await b.replica.writeMembers(() => [admit(newcomer.publicKey, 'public')])
    // the newcomer writes once knowing only one of the admissions, and once knowing the other only
    const knowingA = forge(a, newcomer, {
      epoch: 'a'.repeat(16),
      ops: [editOp(a, newcomer, '1'.repeat(32), [['custom', 1]], { epoch: 'a'.repeat(16) })]
    })
    const knowingB = forge(b, newcomer, {
      epoch: 'b'.repeat(16),
      ops: [editOp(b, newcomer, '2'.repeat(32), [['custom', 2]], { epoch: 'b'.repeat(16) })]
    })
    await meet(nodes)
    const knowingBoth = forge(a, newcomer, {
      epoch: 'c'.repeat(16),
      ops: [editOp(a, newcomer, '3'.repeat(32), [['custom', 3]], { epoch: 'c'.repeat(16) })]
    })
    const seen = new Set<string>()
    for (const [index, order] of orders([byA, byB, knowingA, knowingB, knowingBoth]).entries()) {
      const fresh = await a.lab.blank(`fresh ${index}`)
      // an author nobody knows yet is refused and asked for again: two rounds deliver everything
      await fresh.receive([...before, ...order, ...order, ...order])
      const { members, catalog } = fresh.replica
      seen.add(
        JSON.stringify([
          members.get(newcomer.publicKey)?.role,
          verdict(fresh, knowingA),
          verdict(fresh, knowingB),
          verdict(fresh, knowingBoth),
          catalog.root()
        ])
      )
    }
    assert.equal(seen.size, 1, [...seen].join('\n'))
    const [role, ofA, ofB, ofBoth] = JSON.parse([...seen][0]!) as string[]
    assert.deepEqual([ofA, ofB], ['applied', 'rejected'])
    assert.equal(ofBoth, role === 'author' ? 'applied' : 'rejected')
  })

  test('the members survive a restart and the loss of the index', async () => {
    const [a] = (await new Lab().nodes(3, { roles: ['public', 'relay'] })) as [LabNode]
    const { op } = makeInvitation(new Uint8Array(32).fill(5), { role: 'author', expires: NOW + 1_000, uses: 2 })
    await a.replica.writeMembers(() => [op])
    const picture = (): unknown => [
      a.replica.members
        .list()
        .map((member) => ({ ...member, key: hexOf(member.key) }))
        .toSorted((x, y) => (x.key < y.key ? -1 : 1)),
      a.replica.members
        .invitations()
        .map((each) => ({ ...each, secretHash: hexOf(each.secretHash), issuer: hexOf(each.issuer) }))
    ]
    const before = picture()
    await a.restart()
    assert.deepEqual(picture(), before)
    await a.restart({ loseIndex: true })
    assert.deepEqual(picture(), before)
    assert.equal(a.replica.members.clusterName, 'lab')
  })
})

describe('invitations', () => {
  async function invited(uses = 1, expires = NOW + 1_000): Promise<{ a: LabNode; op: InviteOp; secret: Uint8Array }> {
    const [a] = (await new Lab().nodes(1)) as [LabNode]
    const { op, secret } = makeInvitation(
      Uint8Array.from({ length: 32 }, (_, index) => index),
      { role: 'public', expires, uses }
    )
    await a.replica.writeMembers(() => [op])
    return { a, op, secret }
  }

  const redeem = (a: LabNode, invite: string, secret: Uint8Array, now = NOW, issuer = a.keys.publicKey) =>
    a.replica.members.checkRedemption({ invite, secret, name: 'x' } as never, issuer, now)

  test('are redeemed with their secret, at their issuer, until they expire', async () => {
    const { a, op, secret } = await invited()
    assert.equal(redeem(a, op.invite, secret).role, 'public')
    assert.equal(redeem(a, op.invite, secret, NOW + 999).role, 'public')
    assert.throws(() => redeem(a, op.invite, secret, NOW + 1_000), { code: 'token-expired' })
    assert.throws(() => redeem(a, op.invite, new Uint8Array(16)), { code: 'token-unknown' })
    assert.throws(() => redeem(a, '0'.repeat(32), secret), { code: 'token-unknown' })
    assert.throws(() => redeem(a, op.invite, secret, NOW, a.lab.root.publicKey), { code: 'token-unknown' })
  })

  test('are taken back by any admin that knew of them, for good, whatever uses are left', async () => {
    const { a, op, secret } = await invited(3)
    await a.replica.writeMembers(() => [{ k: 'uninvite', invite: '0'.repeat(32) }])
    assert.equal(redeem(a, op.invite, secret).role, 'public')
    await a.replica.writeMembers(() => [{ k: 'uninvite', invite: op.invite }])
    for (const loseIndex of [false, true]) {
      await a.restart({ loseIndex })
      assert.throws(() => redeem(a, op.invite, secret), { code: 'token-revoked' })
      assert.throws(() => redeem(a, op.invite, secret, NOW + 1_000), { code: 'token-revoked' })
      assert.throws(() => redeem(a, op.invite, new Uint8Array(16)), { code: 'token-unknown' })
    }
    // who comes with one is told so
    assert.ok(a.replica.members.expectsNewcomers(a.keys.publicKey, NOW))
    await a.replica.writeMembers(() => [op])
    assert.throws(() => redeem(a, op.invite, secret), { code: 'token-revoked' })
  })

  test('are used up by the admissions that name them, and no further', async () => {
    const { a, op, secret } = await invited(2)
    for (const name of ['one', 'two']) {
      redeem(a, op.invite, secret)
      await a.replica.writeMembers(() => [admit(a.lab.keysOf(name).publicKey, 'public', { invite: op.invite })])
    }
    assert.throws(() => redeem(a, op.invite, secret), { code: 'token-used' })
  })

  test('open the door of their issuer alone, until a day after their end, so that a late comer is told', async () => {
    const { a } = await invited()
    const end = NOW + 1_000
    assert.equal(a.replica.members.expectsNewcomers(a.lab.root.publicKey, NOW), false)
    assert.equal(a.replica.members.expectsNewcomers(a.keys.publicKey, NOW), true)
    assert.equal(a.replica.members.expectsNewcomers(a.keys.publicKey, end + 86_399_999), true)
    assert.equal(a.replica.members.expectsNewcomers(a.keys.publicKey, end + 86_400_000), false)
  })

  test('publish only the hash of their secret', async () => {
    const { op, secret } = await invited()
    assert.equal(hexOf(op.secretHash), sha256(secret).toString('hex'))
    assert.equal(secret.length, 16)
  })
})
