/** Records that run into a fault of this program: planted where they are folded, in a replica over a real log and index. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Catalog } from '../../src/catalog/index.js'
import { ENTRY_ROWS } from '../../src/catalog/rows.js'
import { faultText, GrapevineError, isFault } from '../../src/errors.js'
import { MembersFold } from '../../src/identity/fold.js'
import { removalOf, type HeldRecord } from '../../src/replica/index.js'
import type { SignedRecord } from '../../src/wire/index.js'
import { withMethod } from '../faults/methods.js'
import { Lab, meet, type LabNode } from './lab.js'

interface Scene {
  readonly a: LabNode
  readonly b: LabNode
  readonly c: LabNode
  /** What b was told of held records. */
  readonly told: Array<[seq: number, open: boolean]>
}

async function scene(): Promise<Scene> {
  const told: Scene['told'] = []
  const recordHeld = ({ seq }: HeldRecord, open: boolean): void => void told.push([seq, open])
  const [a, b, c] = (await new Lab().nodes(3, {
    roles: ['admin', 'author'],
    each: (index) => (index === 1 ? { events: { recordHeld } } : {})
  })) as [LabNode, LabNode, LabNode]
  await a.put('before', 'x')
  await meet([a, b, c])
  return { a, b, c, told }
}

/** Folding this record throws what no rule foresees, wherever a catalog is made meanwhile. */
function poisoned<R>(bad: { id: string }, work: () => Promise<R>, error: Error = new TypeError('boom')): Promise<R> {
  return withMethod(
    Catalog.prototype,
    'fold',
    (original) =>
      function fold(this: Catalog, record, knows) {
        if (record.id === bad.id) throw error
        return original.call(this, record, knows)
      },
    work
  )
}

const lastOf = (node: LabNode): SignedRecord =>
  node
    .records()
    .filter(({ body }) => body.space === 'catalog')
    .findLast(({ body }) => Buffer.from(body.author).equals(node.keys.publicKey))!

/** a writes three records, the first of which nobody else can fold; c builds on the last, and writes on its own before. */
async function spread({ a, c }: Pick<Scene, 'a' | 'c'>): Promise<SignedRecord> {
  await a.put('bad', 'one')
  const bad = lastOf(a)
  await a.put('bad', 'two')
  await a.put('other', 'three')
  await c.put('apart', 'four')
  await c.pull(a)
  await c.put('after', 'five')
  return bad
}

describe('a record whose folding throws what no rule foresees', () => {
  test('is held with its reason, what builds on it waits, and everything else goes on', async () => {
    const all = await scene()
    const { a, b, c, told } = all
    const bad = await spread(all)
    await poisoned(bad, () => meet([b, c]), new TypeError(`bo\u001b[31mom\n\u2028${'!'.repeat(300)}`))
    assert.equal(b.replica.failure, undefined)
    const [held, ...others] = b.replica.quarantine.list()
    assert.deepEqual(others, [])
    assert.deepEqual([held!.id, held!.log, held!.seq], [bad.id, bad.log, bad.body.seq])
    assert.match(held!.reason, /^TypeError: bo \[31mom !+\.\.\.$/)
    assert.equal(held!.reason.length, 200)
    // two of a and one of c wait for it, but not what c wrote before it knew of it
    assert.equal(b.replica.quarantine.waitingFor(bad.log), 3)
    assert.equal(b.replica.waiting, 4)
    assert.deepEqual(await b.tree(), ['apart=four', 'before=x'])
    assert.deepEqual(told, [[bad.body.seq, true]])
    await b.put('own', 'six')
    await meet([a, b, c])
    // what the others hold is everything, and this node tells no root while it waits
    assert.ok((await a.tree()).includes('own=six'))
    b.transport.notices.length = 0
    b.replica.peerUp({ node: a.id, addresses: [], found: 'test' } as never)
    assert.ok(b.transport.notices.every(({ frame }) => !Buffer.from(frame).includes('root')))
  })

  test('changes nothing, also when the fault comes after half of it was staged', async () => {
    const all = await scene()
    const { b, a } = all
    const before = [b.replica.catalog.root(), b.replica.catalog.entries, b.replica.catalog.conflicts]
    await a.edit((edit, draft) => {
      edit.put('one', draft.body(Buffer.from('1')))
      edit.put('two', draft.body(Buffer.from('2')))
    })
    let calls = 0
    await withMethod(
      Catalog.prototype as unknown as { stage: Catalog['stage'] },
      'stage',
      (original) =>
        function stage(this: Catalog) {
          const made = original.call(this)
          const { put } = made
          made.put = (key, value) => {
            // the first entry is staged as it will be, the second is not
            if (key.startsWith(ENTRY_ROWS) && ++calls === 2) throw new RangeError('half way')
            put.call(made, key, value)
          }
          return made
        },
      () => b.pull(a)
    )
    assert.equal(calls, 2)
    assert.equal(b.replica.quarantine.list().length, 1)
    assert.deepEqual([b.replica.catalog.root(), b.replica.catalog.entries, b.replica.catalog.conflicts], before)
    await b.replica.retryHeld()
    assert.deepEqual(await b.tree(), await a.tree())
    assert.equal(b.replica.catalog.root(), a.replica.catalog.root())
  })

  test('is not tried again by what else arrives, and is by a person', async () => {
    const all = await scene()
    const { b, c, told } = all
    const bad = await spread(all)
    let tries = 0
    await withMethod(
      Catalog.prototype,
      'fold',
      (original) =>
        function fold(this: Catalog, record, knows) {
          if (record.id === bad.id) {
            tries += 1
            throw new TypeError('boom')
          }
          return original.call(this, record, knows)
        },
      async () => {
        await b.pull(c)
        assert.equal(tries, 1)
        await c.put('more', 'x')
        await b.pull(c)
        assert.equal(tries, 1)
        await b.replica.retryHeld()
        assert.equal(tries, 2)
        assert.equal(b.replica.quarantine.list().length, 1)
      }
    )
    b.replica.peerUp({ node: c.id, addresses: [], found: 'test' } as never)
    b.transport.notices.length = 0
    await b.replica.retryHeld(bad.log)
    assert.deepEqual(b.replica.quarantine.list(), [])
    // nobody waits for the next announcement to learn that this node is in sync again
    assert.ok(b.transport.notices.some(({ frame }) => Buffer.from(frame).includes('root')))
    assert.equal(b.replica.waiting, 0)
    assert.equal(b.replica.catalog.root(), c.replica.catalog.root())
    assert.deepEqual(told, [
      [bad.body.seq, true],
      [bad.body.seq, false]
    ])
  })

  test('is tried again at every start, and keeps the time since when it is held', async () => {
    const all = await scene()
    const { b, c } = all
    const bad = await spread(all)
    await poisoned(bad, async () => {
      await b.pull(c)
      const { since } = b.replica.quarantine.list()[0]!
      b.clock.advance(60_000)
      await b.restart()
      assert.deepEqual(
        b.replica.quarantine.list().map((held) => held.since),
        [since]
      )
      assert.equal(b.replica.waiting, 4)
      // an index made anew comes to the same
      await b.restart({ loseIndex: true })
      assert.deepEqual(
        b.replica.quarantine.list().map(({ id }) => id),
        [bad.id]
      )
      assert.deepEqual(await b.tree(), ['apart=four', 'before=x'])
    })
    // and once it is folded the next start finds nothing held
    for (let starts = 0; starts < 2; starts++) {
      await b.restart()
      assert.deepEqual(b.replica.quarantine.list(), [])
    }
    assert.equal(b.replica.catalog.root(), c.replica.catalog.root())
  })

  test('counts nowhere, and holds nobody up, once an admin removed its author from there on', async () => {
    const all = await scene()
    const { a, b, c } = all
    await c.put('bad', 'one')
    const bad = lastOf(c)
    await c.put('bad', 'two')
    await a.pull(c)
    await poisoned(bad, async () => {
      await b.pull(c)
      assert.equal(b.replica.quarantine.list().length, 1)
      await a.replica.writeMembers(() => [removalOf(a.replica.log, c.keys.publicKey, bad.body.seq)])
      await b.pull(a)
      assert.deepEqual(b.replica.quarantine.list(), [])
      assert.equal(b.replica.waiting, 0)
    })
    assert.deepEqual(await b.tree(), ['before=x'])
    assert.equal(b.replica.catalog.root(), a.replica.catalog.root())
  })

  test('is held too when it is about the members, and leaves them as they were', async () => {
    const all = await scene()
    const { a, b } = all
    const keys = a.lab.keysOf('late')
    const before = b.replica.members.list().length
    await withMethod(
      MembersFold.prototype,
      'apply',
      (original) =>
        function apply(this: MembersFold, record, knows) {
          const done = original.call(this, record, knows)
          if (record.body.ops.some((op) => op.k === 'admit' && op.name === 'late')) throw new TypeError('boom')
          return done
        },
      async () => {
        // on the node that writes it too: it is durable there, and told to the others
        await assert.rejects(
          a.replica.writeMembers(() => [{ k: 'admit', key: keys.publicKey, role: 'author', name: 'late' }]),
          { code: 'record-quarantined' }
        )
        await b.pull(a)
      }
    )
    for (const node of [a, b]) {
      assert.equal(node.replica.members.list().length, before)
      assert.equal(node.replica.quarantine.list().length, 1)
      await node.replica.retryHeld()
      assert.equal(node.replica.members.list().length, before + 1)
      assert.deepEqual(node.replica.quarantine.list(), [])
    }
  })

  test('is kept, and whoever wrote it told, when it is this node that wrote it', async () => {
    const { a, b, c } = await scene()
    await withMethod(
      Catalog.prototype,
      'ready',
      (original) =>
        function ready(this: Catalog, stage, record) {
          if (record !== undefined) throw new TypeError('boom')
          return original.call(this, stage)
        },
      async () => assert.rejects(a.put('own', 'x'), { code: 'record-quarantined' })
    )
    const [held] = a.replica.quarantine.list()
    // what is durable here is told like everything else
    const told = a.replica.engine.vector().find(({ log }) => log === held!.log)
    assert.equal(told?.seq, held!.seq)
    // it goes on writing under another epoch, and loses nothing
    await a.put('next', 'y')
    await meet([a, b, c])
    assert.deepEqual(await b.tree(), ['before=x', 'next=y', 'own=x'])
    await a.replica.retryHeld()
    assert.equal(a.replica.catalog.root(), b.replica.catalog.root())
  })
})

test('a store that fails while a record is folded is no fault of the record', async () => {
  const all = await scene()
  const { a, b } = all
  await a.put('bad', 'one')
  const failure = new GrapevineError('store-failed', 'injected', { next: 'look' })
  await poisoned(lastOf(a), () => b.pull(a), failure)
  assert.equal(b.replica.failure?.code, 'store-failed')
  assert.deepEqual(b.replica.quarantine.list(), [])
  assert.equal(b.replica.log.row(lastOf(a).log, lastOf(a).body.seq)?.state, 'waiting')
  await assert.rejects(b.replica.retryHeld(), { code: 'store-failed' })
  await b.replica.recover()
  assert.equal(b.replica.catalog.root(), a.replica.catalog.root())
})

test('a system call that fails while this node writes reaches whoever wrote, and nothing is held', async () => {
  const { a } = await scene()
  const refused = Object.assign(new Error('EIO'), { syscall: 'read' })
  await withMethod(
    Catalog.prototype,
    'commit',
    () => () => {
      throw refused
    },
    async () => assert.rejects(a.put('own', 'x'), refused)
  )
  assert.deepEqual(a.replica.quarantine.list(), [])
})

test('a fault is what nobody outside of the program brought about', () => {
  const coded = (code: string): Error => Object.assign(new Error(code), { code })
  for (const fault of [new TypeError('x'), 'thrown', undefined, coded('ERR_INVALID_ARG_TYPE')])
    assert.equal(isFault(fault), true, String(fault))
  const aborted = Object.assign(new Error('x'), { name: 'AbortError' })
  for (const other of [coded('EIO'), coded('E2BIG'), Object.assign(new Error('x'), { syscall: 'read' }), aborted])
    assert.equal(isFault(other), false, other.message)
  assert.equal(isFault(new GrapevineError('internal', 'x', { next: 'look' })), true)
  assert.equal(isFault(new GrapevineError('store-failed', 'x', { next: 'look' })), false)
})

test('a reason is one line, whatever was thrown', () => {
  assert.equal(faultText('plain'), 'plain')
  assert.equal(faultText(new Error('a\u0000b\r\nc')), 'a b c')
  assert.equal(faultText(new RangeError('x'.repeat(187))).length, 199)
  assert.equal(faultText(new RangeError('x'.repeat(188))), `RangeError: ${'x'.repeat(188)}`)
  assert.equal(faultText(new RangeError('x'.repeat(189))), `RangeError: ${'x'.repeat(185)}...`)
})
