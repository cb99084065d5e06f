/** Scopes: what an author may not write to counts nowhere, whatever came first (rules of catalog/scope.ts). */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { deleteRanges, entryIdOfPath, ROOT_ID, type DeleteRange, type Value } from '../../src/catalog/index.js'
import { removalOf } from '../../src/replica/cuts.js'
import { bytesOf, type Op, type SignedRecord } from '../../src/wire/index.js'
import { SeededRandom } from '../sim/random.js'
import { editOp, forge, Lab, meet, type LabNode } from './lab.js'
import { sameInEveryOrder } from './orders.js'

const SCOPE = ['roads', 'workspaces/topp'] as const

/** An admin, an author for `SCOPE`, an author for everything; all hold a few files. */
async function three(lab = new Lab()): Promise<[LabNode, LabNode, LabNode]> {
  const nodes = (await lab.nodes(3, { scopes: [SCOPE, undefined] })) as [LabNode, LabNode, LabNode]
  const [admin] = nodes
  await admin.put('roads/a', 'a')
  await admin.put('roads/deep/b', 'b')
  await admin.put('roadside/c', 'c')
  await admin.put('secret', 'secret')
  await meet(nodes)
  return nodes
}

const state = (node: LabNode, record: SignedRecord): string | undefined =>
  node.replica.log.row(record.log, record.body.seq)?.state

const place = (parent: string, name: string, from?: [string, string]): readonly [string, Value] => [
  'place',
  [bytesOf(parent), name, null, ...(from === undefined ? [] : [bytesOf(from[0]), from[1]])]
]

describe('an author with a scope', () => {
  test('writes, edits, moves and deletes within it, and makes the directories that lead there', async () => {
    const [admin, author, other] = await three()
    await author.put('roads/a', 'edited')
    await author.put('roads/new/x', 'x')
    await author.move('roads/new/x', 'roads/x')
    await author.remove('roads/deep')
    await author.put('workspaces/topp/layer', 'layer')
    await meet([admin, author, other])
    assert.deepEqual(await admin.tree(), [
      'roads=dir',
      'roads/a=edited',
      'roads/new=dir',
      'roads/x=x',
      'roadside=dir',
      'roadside/c=c',
      'secret=secret',
      'workspaces=dir',
      'workspaces/topp=dir',
      'workspaces/topp/layer=layer'
    ])
    await sameInEveryOrder(admin)
  })

  for (const [what, change] of [
    ['a file elsewhere', (node: LabNode) => node.put('secret', 'mine')],
    ['a new file elsewhere', (node: LabNode) => node.put('other', 'mine')],
    ['a path that only begins like it', (node: LabNode) => node.put('roadside/c', 'mine')],
    ['a sibling of its scope', (node: LabNode) => node.put('workspaces/other/x', 'mine')],
    ['what leads to its scope', (node: LabNode) => node.put('workspaces/x', 'mine')],
    ['a move out of it', (node: LabNode) => node.move('roads/a', 'a')],
    ['a move into it', (node: LabNode) => node.move('secret', 'roads/secret')],
    ['a move of the scope itself', (node: LabNode) => node.move('roads', 'streets')],
    ['a deletion elsewhere', (node: LabNode) => node.remove('secret')]
  ] as const) {
    test(`is refused ${what} here, and nothing of it is written`, async () => {
      const [, author] = await three()
      const before = author.records().length
      await assert.rejects(change(author), { code: 'out-of-scope' })
      assert.equal(author.records().length, before)
    })
  }

  test('a change that reaches too far takes none along that was made at the same time', async () => {
    const [admin, author] = await three()
    const [good, bad, also] = await Promise.allSettled([
      author.put('roads/1', '1'),
      author.put('secret', 'mine'),
      author.put('roads/2', '2')
    ])
    assert.deepEqual([good.status, bad.status, also.status], ['fulfilled', 'rejected', 'fulfilled'])
    await meet([admin, author])
    assert.deepEqual([admin.text('roads/1'), admin.text('roads/2'), admin.text('secret')], ['1', '2', 'secret'])
  })
})

describe('a record that reaches beyond the scope of its author counts nowhere', () => {
  const tuples = (node: LabNode, id: string): DeleteRange[] => deleteRanges(node.replica.reader.entry(id)!.state.tuples)
  const id = (node: LabNode, path: string): string => node.at(path).id
  const body: readonly [string, Value] = ['body', [Buffer.alloc(32, 1), 3]]
  type Forgery = (node: LabNode, author: LabNode) => Op[]
  const forgeries: ReadonlyArray<readonly [string, Forgery]> = [
    ['rule 1: an edit elsewhere', (n, a) => [editOp(n, a.keys, id(n, 'secret'), [body])]],
    [
      'rule 1: a deletion of values alone',
      (n, a) => [editOp(n, a.keys, id(n, 'secret'), [], { deletes: tuples(n, id(n, 'secret')) })]
    ],
    ['rule 1: a directory that only begins like it', (n, a) => [editOp(n, a.keys, id(n, 'roadside/c'), [body])]],
    ['rule 2: a new file at the root', (n, a) => [editOp(n, a.keys, 'e'.repeat(32), [place(ROOT_ID, 'x'), body])]],
    [
      'rule 2: a new file in another directory',
      (n, a) => [editOp(n, a.keys, 'e'.repeat(32), [place(id(n, 'roadside'), 'x'), body])]
    ],
    ['rule 2: a move out of it', (n, a) => [editOp(n, a.keys, id(n, 'roads/a'), [place(ROOT_ID, 'a')])]],
    [
      'rule 2: a tombstone that keeps a place elsewhere',
      (n, a) => [editOp(n, a.keys, id(n, 'roads/a'), [['!', { place: place(ROOT_ID, 'secret')[1] }]])]
    ],
    [
      'rule 2: one of several places',
      (n, a) => [editOp(n, a.keys, id(n, 'roads/a'), [place(ROOT_ID, 'a'), place(id(n, 'roads'), 'a')])]
    ],
    [
      'rule 2: what the same record made within it, and moved out',
      (n, a) => [
        editOp(n, a.keys, 'e'.repeat(32), [place(id(n, 'roads'), 'x'), body]),
        editOp(n, a.keys, 'e'.repeat(32), [place(ROOT_ID, 'x')], { clock: 2 })
      ]
    ],
    [
      'rule 3: a move that claims to come from elsewhere',
      (n, a) => [editOp(n, a.keys, id(n, 'roads/a'), [place(id(n, 'roads'), 'z', [ROOT_ID, 'secret'])])]
    ],
    [
      'rule 4: a directory above it under an id of its own',
      (n, a) => [editOp(n, a.keys, 'e'.repeat(32), [place(ROOT_ID, 'workspaces')])]
    ],
    [
      'rule 4: a directory above it with something in it',
      (n, a) => [
        editOp(n, a.keys, entryIdOfPath(ROOT_ID, 'workspaces', 'dir', 0), [place(ROOT_ID, 'workspaces'), body])
      ]
    ],
    [
      'rule 5: what is below nothing',
      (n, a) => [editOp(n, a.keys, 'e'.repeat(32), [place('d'.repeat(32), 'roads'), body])]
    ],
    ['rule 5: what was never written', (n, a) => [editOp(n, a.keys, 'e'.repeat(32), [body])]],
    [
      'rule 5: what is put below itself',
      (n, a) => [editOp(n, a.keys, id(n, 'roads/deep'), [place(id(n, 'roads/deep'), 'x')])]
    ]
  ]
  for (const [what, ops] of forgeries) {
    test(what, async () => {
      const [admin, author, other] = await three()
      const record = forge(admin, author.keys, { ops: ops(admin, author) })
      const before = await admin.tree()
      for (const node of [admin, other]) {
        await node.receive([record])
        assert.equal(state(node, record), 'rejected')
        assert.deepEqual(await node.tree(), before)
      }
      await sameInEveryOrder(admin)
    })
  }

  test('the same forgeries by an author without a scope do count: it is the scope that refuses them', async () => {
    for (const [what, ops] of forgeries) {
      const [admin, , other] = await three()
      const record = forge(admin, other.keys, { ops: ops(admin, other) })
      await admin.receive([record])
      assert.equal(state(admin, record), 'applied', what)
    }
  })
})

describe('where an entry was is judged by what the record knew', () => {
  test('an edit of what was moved out at the same time counts, one that knew of the move does not', async () => {
    const [admin, author, other] = await three()
    const id = admin.at('roads/a').id
    await other.move('roads/a', 'a')
    await author.put('roads/a', 'apart')
    await meet([admin, author, other])
    assert.equal(admin.text('a'), 'apart')
    await assert.rejects(author.put('a', 'too late'), { code: 'out-of-scope' })
    const late = forge(admin, author.keys, { ops: [editOp(admin, author.keys, id, [['exec', true]])] })
    await admin.receive([late])
    assert.equal(state(admin, late), 'rejected')
    await sameInEveryOrder(admin)
  })

  test('what was moved in may be edited by who knows it, and not by who does not', async () => {
    const [admin, author, other] = await three()
    const id = admin.at('secret').id
    const apart = forge(author, author.keys, { ops: [editOp(author, author.keys, id, [['exec', true]])] })
    await other.move('secret', 'roads/secret')
    await meet([admin, other])
    await admin.receive([apart])
    assert.equal(state(admin, apart), 'rejected')
    await author.pull(admin)
    await author.put('roads/secret', 'open now')
    await meet([admin, author, other])
    assert.equal(other.text('roads/secret'), 'open now')
    await sameInEveryOrder(admin)
  })

  test('a directory above that moved at the same time does not matter either', async () => {
    const [admin, author, other] = await three()
    await other.move('roads', 'streets')
    await author.put('roads/deep/b', 'apart')
    await meet([admin, author, other])
    assert.equal(admin.text('streets/deep/b'), 'apart')
    await sameInEveryOrder(admin)
  })

  test('a move that counts for nothing since its author was removed is still what the record saw', async () => {
    const [admin, author, other] = await three()
    await other.move('secret', 'roads/secret')
    await author.pull(other)
    await author.put('roads/secret', 'edited')
    await admin.replica.writeMembers(() => [removalOf(admin.replica.log, other.keys.publicKey)])
    await meet([admin, author])
    await sameInEveryOrder(admin)
    // whoever sees it elsewhere than others will does not write to it
    const [a2, s2, o2] = await three(new Lab(2))
    await o2.move('roads/a', 'a')
    await s2.pull(o2)
    await a2.replica.writeMembers(() => [removalOf(a2.replica.log, o2.keys.publicKey)])
    await meet([a2, s2])
    assert.equal(s2.text('roads/a'), 'a')
    await assert.rejects(s2.put('roads/a', 'edited'), { code: 'out-of-scope' })
    await sameInEveryOrder(a2)
  })

  test('that holds for what lies above it too, whichever is heard of first', async () => {
    const [admin, author, other] = await three()
    await other.move('roadside', 'roads/side')
    await author.pull(other)
    const written = await author.put('roads/side/c', 'edited')
    const removal = removalOf(admin.replica.log, other.keys.publicKey)
    await admin.replica.writeMembers(() => [removal])
    await meet([admin, author])
    assert.equal(admin.text('roadside/c'), 'edited')
    assert.equal(admin.replica.log.row(written.record!.log, written.record!.seq)?.state, 'applied')
    await sameInEveryOrder(admin)
  })

  test('who is admitted again after a removal has the scope of that admission, for what it writes knowing of it', async () => {
    const [admin, author, other] = await three()
    await author.put('roads/a', 'before')
    await meet([admin, author, other])
    const { publicKey: key } = author.keys
    await admin.replica.writeMembers(() => [removalOf(admin.replica.log, key)])
    await admin.replica.writeMembers(() => [{ k: 'admit', key, role: 'author', name: 'n1', scope: ['roadside'] }])
    await meet([admin, author, other])
    await author.put('roadside/c', 'after')
    await assert.rejects(author.put('roads/a', 'after'), { code: 'out-of-scope' })
    await meet([admin, author, other])
    assert.deepEqual([admin.text('roads/a'), admin.text('roadside/c')], ['before', 'after'])
    await sameInEveryOrder(admin)
  })

  test('what a cycle of moves throws back to the root takes nobody’s name there', async () => {
    const [admin, author, other] = await three()
    const keys = author.keys
    const [roads, deep] = [admin.at('roads').id, admin.at('roads/deep').id]
    const made = (epoch: string, id: string, name: string, parent: string): SignedRecord => {
      const deletes = deleteRanges(admin.replica.reader.entry(id)?.state.tuples ?? [])
      const op = editOp(admin, keys, id, [place(parent, name)], { epoch, time: 0, deletes })
      return forge(admin, keys, { epoch, time: 0, ops: [op] })
    }
    // two directories, each moved below the other at the same time, and said to be older than anything
    const [one, two] = ['1'.repeat(32), '2'.repeat(32)]
    await admin.receive([made('1'.repeat(16), one, 'secret', roads)])
    await admin.receive([made('2'.repeat(16), two, 'roadside', deep)])
    const apart = [made('3'.repeat(16), one, 'secret', two), made('4'.repeat(16), two, 'roadside', one)]
    await admin.receive(apart)
    await meet([admin, other])
    assert.deepEqual(
      apart.map((record) => state(admin, record)),
      ['applied', 'applied']
    )
    assert.match((await admin.tree()).join(' '), /\.conflict-/)
    assert.deepEqual([admin.text('secret'), admin.text('roadside/c')], ['secret', 'c'])
    await sameInEveryOrder(admin)
  })

  test('random edits, moves and removals by several, in many orders, end the same', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 2 ** 31 - 1 }), async (seed) => {
        const random = new SeededRandom(seed)
        const nodes = await three(new Lab(seed))
        const paths = ['roads/a', 'roads/deep', 'roads/deep/b', 'roadside', 'roadside/c', 'secret', 'roads', 'roads/n']
        for (let step = 0; step < 14; step++) {
          const node = random.pick(nodes)
          const [from, to] = [random.pick(paths), random.pick(paths)]
          const change = random.pick(['put', 'move', 'remove', 'pull'] as const)
          try {
            if (change === 'put') await node.put(from, `${step}`)
            else if (change === 'move') await node.move(from, to)
            else if (change === 'remove') await node.remove(from)
            else await node.pull(random.pick(nodes))
          } catch (error) {
            // what stands in the way differs from world to world
            assert.equal((error as Error).name, 'GrapevineError', String(error))
          }
        }
        if (random.float() < 0.4) {
          const key = nodes[2].keys.publicKey
          await nodes[0].replica.writeMembers(() => [removalOf(nodes[0].replica.log, key)])
        }
        await meet(nodes)
        const rejected = nodes[0].records().filter((record) => state(nodes[0], record) === 'rejected')
        assert.deepEqual(rejected, [], 'what a node writes itself holds everywhere')
        await sameInEveryOrder(nodes[0], random, 3)
      }),
      { numRuns: Number(process.env.WORLDS ?? 25) }
    )
  })
})
