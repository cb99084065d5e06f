/** Removed members: what they wrote beyond their cuts counts nowhere, whatever came first (rules of replica/removed.ts). */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { act, goOn } from './heirs.js'
import { removalOf } from '../../src/replica/cuts.js'
import { type AdmitOp, type Role, type SignedRecord } from '../../src/wire/index.js'
import { SeededRandom } from '../sim/random.js'
import { editOp, forge, Lab, meet, type LabNode } from './lab.js'
import { picture, sameInEveryOrder } from './orders.js'

const ROLES: readonly Role[] = ['author', 'author']

async function three(): Promise<[LabNode, LabNode, LabNode]> {
  const [admin, evil, honest] = (await new Lab().nodes(3, { roles: ROLES })) as [LabNode, LabNode, LabNode]
  await admin.put('f', 'good')
  await meet([admin, evil, honest])
  return [admin, evil, honest]
}

const remove = (by: LabNode, who: LabNode, since?: number): Promise<SignedRecord> =>
  by.replica.writeMembers(() => [removalOf(by.replica.log, who.keys.publicKey, since)])

const admitAgain = (by: LabNode, who: LabNode, role: Role = 'author'): Promise<SignedRecord> =>
  by.replica.writeMembers(() => [{ k: 'admit', key: who.keys.publicKey, role, name: 'again' } satisfies AdmitOp])

describe('rule 1: beyond the cut nothing counts', () => {
  test('edits, files, moves and deletions of a removed node are undone where they were applied', async () => {
    const [admin, evil, honest] = await three()
    await admin.put('kept', 'kept')
    await admin.put('moved', 'moved')
    await meet([admin, evil, honest])
    await evil.put('f', 'evil')
    await evil.put('d/x', 'evil')
    await evil.remove('kept')
    await evil.move('moved', 'elsewhere')
    await meet([admin, evil, honest])
    assert.deepEqual(await honest.tree(), ['d=dir', 'd/x=evil', 'elsewhere=moved', 'f=evil'])
    await remove(admin, evil, 1)
    await meet([admin, honest])
    for (const node of [admin, honest]) {
      assert.deepEqual(await node.tree(), ['f=good', 'kept=kept', 'moved=moved'])
      assert.equal(node.replica.members.get(evil.keys.publicKey), undefined)
      assert.equal(node.replica.members.removed().length, 1)
      assert.equal(node.replica.removals.voids.size, 4)
    }
    await sameInEveryOrder(honest)
  })

  test('what it wrote before, and what the remover held of it, counts on', async () => {
    const [admin, evil, honest] = await three()
    await evil.put('f', 'of one who is removed later')
    await meet([admin, evil, honest])
    await remove(admin, evil)
    await evil.put('late', 'nobody had heard of this')
    await meet([admin, evil, honest])
    assert.deepEqual(await honest.tree(), ['f=of one who is removed later'])
    assert.deepEqual(await evil.tree(), ['f=of one who is removed later'])
    await assert.rejects(evil.put('again', 'x'), { code: 'role-forbids', message: /removed from the cluster/ })
    await sameInEveryOrder(honest)
  })

  test('a new epoch of a removed key counts for nothing', async () => {
    const [admin, evil, honest] = await three()
    await evil.put('f', 'early')
    await meet([admin, evil, honest])
    await remove(admin, evil)
    evil.replica.renewEpoch()
    await evil.put('late', 'under another epoch')
    await meet([admin, evil, honest])
    assert.deepEqual(await admin.tree(), ['f=early'])
    await sameInEveryOrder(admin)
  })

  test('two removals of one key: the lesser cut counts', async () => {
    const [admin, evil, honest] = (await new Lab().nodes(3, { roles: ['author', 'admin'] })) as [
      LabNode,
      LabNode,
      LabNode
    ]
    await evil.put('one', '1')
    await evil.put('two', '2')
    await meet([admin, evil, honest])
    await remove(admin, evil)
    await remove(honest, evil, 2)
    await meet([admin, honest])
    assert.deepEqual(await admin.tree(), ['one=1'])
    await sameInEveryOrder(admin)
  })

  test('of two removals that of the senior is named, also after a restart, when it is heard of later', async () => {
    const nodes = (await new Lab().nodes(3, { roles: ['author', 'admin'] })) as [LabNode, LabNode, LabNode]
    const [admin, evil, junior] = nodes
    await evil.put('one', '1')
    await meet(nodes)
    await remove(junior, evil, 1)
    const { log, body } = await remove(admin, evil, 1)
    await junior.pull(admin)
    const expected = await picture(junior)
    assert.deepEqual(
      [...junior.replica.removals.voids].map(({ removedBy }) => removedBy),
      [`${log}/${body.seq}`]
    )
    await junior.restart()
    assert.deepEqual(await picture(junior), expected)
  })
})

describe('rule 2: unless an honest record built on it', () => {
  test('who edited a file of the removed one before hearing of the removal keeps file and edit', async () => {
    const [admin, evil, honest] = await three()
    await evil.put('x', 'evil')
    await evil.put('y', 'evil')
    await honest.pull(evil)
    await honest.move('x', 'renamed by somebody honest')
    await meet([admin, evil, honest])
    await remove(admin, evil, 1)
    await meet([admin, honest])
    for (const node of [admin, honest])
      assert.deepEqual(await node.tree(), ['f=good', 'renamed by somebody honest=evil'])
    await sameInEveryOrder(admin)
  })

  test('it comes back when the honest record arrives later than the removal', async () => {
    const [admin, evil, honest] = await three()
    await evil.put('x', 'evil')
    await meet([admin, evil])
    await honest.pull(evil)
    await honest.move('x', 'renamed')
    await remove(admin, evil, 1)
    assert.deepEqual(await admin.tree(), ['f=good'])
    await meet([admin, honest])
    for (const node of [admin, honest]) assert.deepEqual(await node.tree(), ['f=good', 'renamed=evil'])
    await sameInEveryOrder(admin)
  })

  test('a directory in which somebody honest put a file stays', async () => {
    const [admin, evil, honest] = await three()
    await evil.mkdir('d')
    await evil.put('d/evil', 'evil')
    await honest.pull(evil)
    await honest.put('d/honest', 'honest')
    await meet([admin, evil, honest])
    await remove(admin, evil, 1)
    await meet([admin, honest])
    assert.deepEqual(await admin.tree(), ['d=dir', 'd/honest=honest', 'f=good'])
    await sameInEveryOrder(admin)
  })

  test('who knows of the removal builds on nothing, and what it makes at the same path is its own', async () => {
    const [admin, evil, honest] = await three()
    await evil.put('x', 'evil')
    await meet([admin, evil, honest])
    await remove(admin, evil, 1)
    await honest.pull(admin)
    await honest.put('x', 'honest')
    await meet([admin, honest])
    assert.deepEqual(await admin.tree(), ['f=good', 'x=honest'])
    assert.equal(admin.replica.catalog.conflicts, 0)
    await sameInEveryOrder(admin)
  })

  test('with a record that counts again comes what it needs of its own log, and no more', async () => {
    const [admin, evil, honest] = await three()
    await evil.put('y', 'first')
    await evil.put('z', 'nobody built on this')
    await evil.edit((edit, draft) => {
      edit.put('y', draft.body(Buffer.from('second')))
      return edit.put('x', draft.body(Buffer.from('in one record with y')))
    })
    await honest.pull(evil)
    await honest.move('x', 'kept')
    await meet([admin, evil, honest])
    await remove(admin, evil, 1)
    await meet([admin, honest])
    assert.deepEqual(await honest.tree(), ['f=good', 'kept=in one record with y', 'y=second'])
    await sameInEveryOrder(honest)
  })

  test('the removed one itself does not count as somebody else, under whatever epoch', async () => {
    const [admin, evil] = await three()
    await evil.put('x', 'evil')
    evil.replica.renewEpoch()
    const { record } = await evil.put('x', 'evil too')
    await admin.pull(evil)
    const key = evil.keys.publicKey
    await admin.replica.writeMembers(() => [
      { k: 'revoke', key, cuts: [{ log: record!.log, seq: record!.seq, id: record!.id }] }
    ])
    assert.equal(admin.replica.removals.voids.size, 1)
    await sameInEveryOrder(admin)
  })

  test('a record that is rejected builds on nothing', async () => {
    const [admin, evil, honest] = await three()
    const { id } = (await evil.put('x', 'evil')).result
    await honest.pull(evil)
    const bad = forge(honest, honest.keys, {
      ops: [editOp(honest, honest.keys, id, [['custom', 1]], { clock: 5 })]
    })
    await admin.pull(evil)
    await remove(admin, evil, 1)
    await admin.receive([bad])
    assert.equal(admin.replica.log.row(bad.log, 1)?.state, 'rejected')
    assert.deepEqual(await admin.tree(), ['f=good'])
    assert.equal(admin.replica.removals.voids.size, 1)
    await sameInEveryOrder(admin)
  })

  test('what would have been rejected from anybody is rejected, whether the removal was heard of or not', async () => {
    const [admin, evil, honest] = await three()
    const bad = forge(evil, evil.keys, {
      ops: [editOp(evil, evil.keys, '5'.repeat(32), [['custom', 1]], { clock: 3 })]
    })
    await honest.receive([bad])
    await remove(admin, evil)
    await meet([admin, honest])
    for (const node of [admin, honest]) assert.equal(node.replica.log.row(bad.log, 1)?.state, 'rejected')
    await sameInEveryOrder(honest)
  })

  test('another removed node does not count as honest', async () => {
    const [admin, evil, honest] = await three()
    await evil.put('x', 'evil')
    await honest.pull(evil)
    await honest.put('x', 'no better')
    await meet([admin, evil, honest])
    await remove(admin, evil, 1)
    await remove(admin, honest, 1)
    assert.deepEqual(await admin.tree(), ['f=good'])
    await sameInEveryOrder(admin)
  })
})

describe('members', () => {
  test('who was removed is back by an admission that knew of it, and writes on', async () => {
    const [admin, evil, honest] = await three()
    await evil.put('x', 'void')
    await meet([admin, evil, honest])
    await remove(admin, evil, 1)
    await admitAgain(admin, evil)
    await meet([admin, evil, honest])
    assert.deepEqual(await evil.tree(), ['f=good'])
    await evil.put('x', 'welcome back')
    await evil.put('f', 'better')
    await meet([admin, evil, honest])
    for (const node of [admin, evil, honest]) assert.deepEqual(await node.tree(), ['f=better', 'x=welcome back'])
    await sameInEveryOrder(honest)
    await evil.restart()
    await evil.put('f', 'best')
    await meet([admin, evil])
    assert.deepEqual(await admin.tree(), ['f=best', 'x=welcome back'])
  })

  test('what it writes then does not stand where something void may come to count again', async () => {
    const [admin, evil, honest] = await three()
    await evil.put('x', 'void')
    await honest.pull(evil)
    await honest.move('x', 'kept')
    await admin.pull(evil)
    await remove(admin, evil, 1)
    await admitAgain(admin, evil)
    await evil.pull(admin)
    await evil.put('x', 'again')
    await meet([admin, evil, honest])
    const [first] = await admin.tree()
    assert.match(first!, /^f=/)
    for (const node of [admin, evil, honest]) {
      assert.equal(node.replica.failure, undefined)
      assert.deepEqual(await node.tree(), await admin.tree())
      assert.equal(node.replica.removals.voids.size, 0)
    }
    await sameInEveryOrder(honest)
  })

  test('with another role it may do what that role may', async () => {
    const [admin, evil, honest] = await three()
    await remove(admin, evil)
    await admitAgain(admin, evil, 'public')
    await meet([admin, evil, honest])
    assert.equal(honest.replica.members.get(evil.keys.publicKey)?.role, 'public')
    await assert.rejects(evil.put('x', 'x'), { code: 'role-forbids' })
  })

  test('an admission that did not know of the removal does not bring anybody back', async () => {
    const [admin, evil, second] = (await new Lab().nodes(3, { roles: ['author', 'admin'] })) as [
      LabNode,
      LabNode,
      LabNode
    ]
    await remove(admin, evil)
    await admitAgain(second, evil)
    await meet([admin, second])
    for (const node of [admin, second]) assert.equal(node.replica.members.get(evil.keys.publicKey), undefined)
    await sameInEveryOrder(admin)
  })

  test('whom a removed admin let in beyond the cut is no member, and wrote nothing', async () => {
    const [admin, evil] = (await new Lab().nodes(2, { roles: ['admin'] })) as [LabNode, LabNode]
    await admin.put('f', 'good')
    await meet([admin, evil])
    const friend = await admin.lab.blank('friend')
    const removal = removalOf(admin.replica.log, evil.keys.publicKey)
    await evil.replica.writeMembers(() => [
      { k: 'admit', key: friend.keys.publicKey, role: 'admin', name: 'friend' } satisfies AdmitOp
    ])
    await friend.pull(evil)
    await friend.put('f', 'of the friend')
    await remove(friend, admin)
    await meet([admin, evil, friend])
    await admin.replica.writeMembers(() => [removal])
    await meet([admin, evil, friend])
    assert.deepEqual(await admin.tree(), ['f=good'])
    assert.deepEqual(
      admin.replica.members.list().map(({ name }) => name),
      ['n0']
    )
    await sameInEveryOrder(admin)
  })

  test('of two admins who remove each other apart, the senior stays', async () => {
    const nodes = (await new Lab().nodes(3, { roles: ['admin', 'author'] })) as [LabNode, LabNode, LabNode]
    const [senior, junior, honest] = nodes
    await remove(junior, senior)
    await honest.pull(junior)
    assert.deepEqual(honest.replica.members.get(senior.keys.publicKey), undefined)
    await remove(senior, junior)
    await meet(nodes)
    for (const node of nodes) {
      assert.ok(node.replica.members.get(senior.keys.publicKey) !== undefined)
      assert.equal(node.replica.members.get(junior.keys.publicKey), undefined)
    }
    await sameInEveryOrder(honest)
  })

  test('an author removes nobody', async () => {
    const [admin, evil, honest] = await three()
    await remove(evil, honest)
    await admin.pull(evil)
    assert.ok(admin.replica.members.get(honest.keys.publicKey) !== undefined)
  })

  test('a cut beyond what is held is refused', async () => {
    const [admin, evil] = await three()
    await evil.put('x', 'x')
    await admin.pull(evil)
    assert.throws(() => removalOf(admin.replica.log, evil.keys.publicKey, 3), { code: 'usage' })
    assert.equal(removalOf(admin.replica.log, evil.keys.publicKey, 2).cuts[0]!.seq, 1)
    assert.deepEqual(removalOf(admin.replica.log, evil.keys.publicKey, 1).cuts, [])
  })
})

/** Nodes that do anything to each other and to the catalog, in any order. */
async function live(seed: number, goingOn = 0): Promise<void> {
  const random = new SeededRandom(seed)
  const nodes = await new Lab(seed).nodes(5, { roles: ['admin', 'admin', 'author', 'author'] })
  const pool = nodes.map(({ keys }) => keys)
  const paths = ['f', 'g', 'd/x', 'd/y', 'e/x']
  for (let step = 0; step < 40; step++) {
    const node = random.pick(nodes)
    const what = random.float()
    node.clock.wall += random.below(5)
    try {
      if (goingOn > 0 && random.float() < goingOn) await (random.chance(0.5) ? goOn : act)(node, random, pool, step)
      else if (what < 0.35) await node.put(random.pick(paths), `${step}`)
      else if (what < 0.42) await node.remove(random.pick(paths))
      else if (what < 0.5) await node.move(random.pick(['f', 'g', 'd', 'e', 'd/x']), `to ${step}`)
      else if (what < 0.58) await remove(node, random.pick(nodes), random.chance(0.5) ? 1 : undefined)
      else if (what < 0.63) await admitAgain(node, random.pick(nodes))
      else await node.pull(random.pick(nodes))
    } catch (error) {
      const code = (error as { code?: string }).code
      if (code === undefined || code === 'internal') throw error
    }
  }
  await meet(nodes)
  await meet(nodes)
  const expected = await picture(nodes[0]!)
  for (const node of nodes.slice(1)) assert.deepEqual(await picture(node), expected, node.id)
  await sameInEveryOrder(nodes[0]!, random)
}

test('whatever members do to each other, every order of arrival ends the same', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 2 ** 31 }), (seed) => live(seed)),
    {
      seed: 20_261_122,
      numRuns: 25,
      includeErrorInReport: true
    }
  )
})

test('nor does it matter under which keys they go on meanwhile', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 2 ** 31 }), (seed) => live(seed, 0.4)),
    { seed: 20_261_122, numRuns: 25, includeErrorInReport: true }
  )
})
