/** What a local draft may become: never a record that the others would refuse. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { BODY, entryIdOfPath, ROOT_ID, type Value } from '../../src/catalog/index.js'
import {
  decodeRecord,
  MAX_INLINE_BODY_BYTES,
  MAX_NAME_BYTES,
  MAX_PATH_BYTES,
  MAX_RECORD_OPS,
  MAX_VALUE_DEPTH
} from '../../src/wire/index.js'
import { editOp, forge, Lab, meet, type LabNode } from '../replica/lab.js'

/** Two authors and somebody of another implementation, of whom only the key is used. */
async function scene(): Promise<{ a: LabNode; b: LabNode; other: LabNode }> {
  const [a, b, other] = await new Lab().nodes(3)
  return { a: a!, b: b!, other: other! }
}

async function agree(nodes: readonly LabNode[]): Promise<void> {
  await meet(nodes)
  const first = nodes[0]!
  for (const node of nodes) {
    assert.equal(node.replica.catalog.root(), first.replica.catalog.root())
    assert.deepEqual(await node.tree(), await first.tree())
    for (const head of node.replica.log.logs())
      for (let seq = 1; seq <= head.seq; seq++) assert.equal(node.replica.log.row(head.log, seq)?.reason, '')
  }
}

function nested(depth: number): Value {
  let value: Value = 1
  for (let level = 0; level < depth; level++) value = [value]
  return value
}

describe('deleting an entry with fields of another implementation', () => {
  /** `other` adds fields to the file `f`; then `a` deletes it, and `b` brings it back. */
  async function cycle(
    fields: ReadonlyArray<ReadonlyArray<readonly [string, Value]>>
  ): Promise<{ a: LabNode; b: LabNode }> {
    const { a, b, other } = await scene()
    const { result } = await a.put('f', 'x')
    for (const tuples of fields)
      await a.receive([forge(a, other.keys, { ops: [editOp(a, other.keys, result.id, tuples)] })])
    await agree([a, b])
    await a.remove('f')
    await agree([a, b])
    await b.put('f', 'again')
    await agree([a, b])
    assert.equal(a.text('f'), 'again')
    return { a, b }
  }

  test('keeps their values in the tombstone, whatever the fields are named', async () => {
    const { a, b, other } = await scene()
    const { result } = await a.put('f', 'x')
    await a.receive([
      forge(a, other.keys, {
        ops: [
          editOp(a, other.keys, result.id, [
            ['constructor', 1],
            ['toString', 'two'],
            ['_private', true]
          ])
        ]
      })
    ])
    await a.remove('f')
    await agree([a, b])
    const kept = b.replica.reader.entry(result.id)!.state.tuples.find(({ field }) => field === '!')!.value
    assert.deepEqual(Object.keys(kept as object).toSorted(), ['_private', 'body', 'constructor', 'place', 'toString'])
  })

  test('nested as deep as a value may be is understood by all', async () => {
    await cycle([[['deep', nested(MAX_VALUE_DEPTH)]]])
  })

  test('larger together than an update may be is understood by all', async () => {
    const big = 'x'.repeat(30_000)
    await cycle([[['big1', big]], [['big2', big]], [['big3', big]], [['big4', big]]])
  })

  test('more than an update may write is understood by all', async () => {
    const many = (from: number): Array<readonly [string, Value]> =>
      Array.from({ length: 200 }, (_, index) => [`field${from + index}`, index] as const)
    await cycle([many(0), many(200)])
  })
})

describe('a change too large for one record', () => {
  test('is refused with too-large and leaves nothing, while changes before and after it go through', async () => {
    const { a, b } = await scene()
    const wrote = await Promise.allSettled([
      a.put('before', '1'),
      a.edit((edit, draft) => {
        for (let index = 0; index < MAX_RECORD_OPS; index++) edit.put(`many/${index}`, draft.body(Buffer.from('same')))
      }),
      a.put('after', '2')
    ])
    assert.deepEqual(
      wrote.map(({ status }) => status),
      ['fulfilled', 'rejected', 'fulfilled']
    )
    assert.equal((wrote[1] as PromiseRejectedResult).reason.code, 'too-large')
    await agree([a, b])
    assert.deepEqual(await b.tree(), ['after=2', 'before=1'])
  })

  test('in bytes is refused the same way', async () => {
    const { a, b } = await scene()
    const content = Buffer.alloc(MAX_INLINE_BODY_BYTES)
    await assert.rejects(
      a.edit((edit, draft) => {
        for (let index = 0; index < 40; index++) {
          content.writeUInt32BE(index)
          edit.put(`big/${index}`, draft.body(Buffer.from(content)))
        }
      }),
      { code: 'too-large' }
    )
    await agree([a, b])
    assert.deepEqual(await a.tree(), [])
  })

  test('at the limit of ops is taken by all', async () => {
    const { a, b } = await scene()
    const body = await a.edit((_edit, draft) => draft.body(Buffer.from('same')))
    await a.edit((edit) => {
      for (let index = 0; index < MAX_RECORD_OPS; index++) edit.put(`${index}`, body.result)
    })
    const last = a.records().at(-1)!
    assert.equal(decodeRecord(last.bytes).body.ops.length, MAX_RECORD_OPS)
    await agree([a, b])
    assert.equal(b.replica.catalog.entries, MAX_RECORD_OPS)
  })

  test('is a body of more than an inline body may have', async () => {
    const { a } = await scene()
    await a.edit((_edit, draft) => draft.body(new Uint8Array(MAX_INLINE_BODY_BYTES)))
    await assert.rejects(
      a.edit((_edit, draft) => draft.body(new Uint8Array(MAX_INLINE_BODY_BYTES + 1))),
      { code: 'too-large' }
    )
  })
})

describe('names', () => {
  test('are taken at the limit and refused one past it, by path and by entry', async () => {
    const { a, b } = await scene()
    const name = 'ü'.repeat(127) + 'x'
    assert.equal(Buffer.byteLength(name), MAX_NAME_BYTES)
    await a.put(name, 'fits')
    for (const wrong of [
      `${name}x`,
      '',
      '.',
      '..',
      'a\\b',
      'a\nb',
      'a\u0000',
      'a\u007f',
      '\ud800',
      'a/',
      '/a',
      'a//b'
    ]) {
      await assert.rejects(a.put(wrong, 'x'), { code: 'name-not-allowed' }, JSON.stringify(wrong))
      await assert.rejects(
        a.edit((_edit, draft) => draft.create(ROOT_ID, wrong.includes('/') ? `${wrong}/` : wrong, { kind: 'dir' })),
        { code: 'name-not-allowed' }
      )
    }
    await assert.rejects(a.move(name, `${name}x`), { code: 'name-not-allowed' })
    await agree([a, b])
    assert.deepEqual(await b.tree(), [`${name}=fits`])
  })

  test('of a whole path are taken at the limit and refused one past it', async () => {
    const { a } = await scene()
    const path = `${'d'.repeat(127)}/`.repeat(MAX_PATH_BYTES / 128).slice(0, -1)
    assert.equal(Buffer.byteLength(path), MAX_PATH_BYTES - 1)
    await assert.rejects(a.mkdir(`${path}xx`), { code: 'name-not-allowed' })
    await a.mkdir(`${path}x`)
  })

  test('that no node may hold make a record of another implementation count for nothing, everywhere', async () => {
    const { a, b, other } = await scene()
    const id = '1'.repeat(32)
    for (const name of ['..', 'a/b', 'x'.repeat(256), 'a\u0000b', '']) {
      const record = forge(a, other.keys, {
        ops: [editOp(a, other.keys, id, [['place', [Buffer.alloc(16), name, null]]])]
      })
      await a.receive([record])
      await b.pull(a)
      for (const node of [a, b]) {
        assert.equal(node.replica.log.row(record.log, record.body.seq)!.state, 'rejected')
        assert.equal(node.replica.catalog.entries, 0)
      }
    }
  })

  test('of different Unicode forms are different entries', async () => {
    const { a } = await scene()
    await a.put('\u00e5', 'composed')
    await a.put('a\u030a', 'decomposed')
    assert.equal(a.replica.catalog.entries, 2)
  })
})

describe('what a write replaces', () => {
  test('is only what it had seen: a later value stays beside it', async () => {
    const { a, b } = await scene()
    await a.put('f', '1')
    const seen = new Set(a.at('f').state.tuples.map(({ client, clock }) => `${client}:${clock}`))
    a.clock.wall += 1_000
    await a.put('f', '2')
    a.clock.wall += 1_000
    await a.put('f', '3', { seen })
    await agree([a, b])
    assert.deepEqual(await b.tree(), ['f=3!'])
    assert.deepEqual(b.losers('f'), ['2'])
  })

  test('is nothing when it had seen nothing, and everything when it says nothing', async () => {
    const { a } = await scene()
    await a.put('f', '1')
    a.clock.wall += 1_000
    await a.put('f', '2', { seen: new Set() })
    assert.deepEqual(a.losers('f'), ['1'])
    await a.put('f', '3')
    assert.deepEqual(await a.tree(), ['f=3'])
  })

  test('by deleting is only what was seen: the entry lives on what was not', async () => {
    const { a, b } = await scene()
    const { result } = await a.put('f', '1')
    const seen = new Set(a.at('f').state.tuples.map(({ client, clock }) => `${client}:${clock}`))
    await a.put('f', '2')
    await a.edit((_edit, draft) => draft.remove(result.id, seen))
    await agree([a, b])
    assert.deepEqual(await b.tree(), ['f=2!'])
    assert.equal(b.at('f').meaning.editDelete, true)
  })

  test('with time 0 loses to every value that is there already, and is not lost', async () => {
    const { a, b } = await scene()
    await b.put('f', 'of the cluster')
    await a.pull(b)
    await a.replica.change(
      (draft) => draft.set(a.at('f').id, { body: draft.body(Buffer.from('of the joiner')) }, new Set()),
      500,
      0
    )
    await agree([a, b])
    assert.deepEqual(await b.tree(), ['f=of the cluster!'])
    assert.deepEqual(b.losers('f'), ['of the joiner'])
  })
})

describe('changes of one record', () => {
  test('see each other, and a change that throws halfway leaves nothing of itself', async () => {
    const { a, b } = await scene()
    const before = a.replica.log.vector().length
    const results = await Promise.allSettled([
      a.put('d/one', '1'),
      a.edit((edit, draft) => {
        edit.put('d/half', draft.body(Buffer.from('gone')))
        edit.move('d/one', 'd/stolen')
        throw new TypeError('changed my mind')
      }),
      a.move('d/one', 'd/two'),
      a.put('d/two', '2')
    ])
    assert.deepEqual(
      results.map(({ status }) => status),
      ['fulfilled', 'rejected', 'fulfilled', 'fulfilled']
    )
    assert.equal(a.replica.log.vector().length, before + 1)
    assert.equal(a.records().filter((record) => record.body.space === 'catalog').length, 1)
    await agree([a, b])
    assert.deepEqual(await b.tree(), ['d=dir', 'd/two=2'])
  })
})

test('entries born at the same path have the same id on every node, by kind and parent', async () => {
  const { a, b } = await scene()
  const file = await a.put('d/f', '1')
  const same = await b.put('d/f', '1')
  assert.equal(file.result.id, same.result.id)
  assert.equal(file.result.id, entryIdOfPath(a.at('d').id, 'f', 'file', 0))
  await a.move('d/f', 'elsewhere')
  const next = await a.put('d/f', '2')
  assert.equal(next.result.id, entryIdOfPath(a.at('d').id, 'f', 'file', 1))
  await agree([a, b])
  assert.equal(b.at('d/f').state.tuples.filter(({ field }) => field === BODY).length, 1)
})
