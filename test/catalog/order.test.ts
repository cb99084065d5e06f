import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { orderBetween, orderKeysFor } from '../../src/catalog/order.js'
import { ROOT_ID } from '../../src/catalog/index.js'
import { deleteRanges } from '../../src/catalog/entry.js'
import { editOp, forge, Lab, meet, type LabNode } from '../replica/lab.js'

const SEED = 20_260_103

/** Moves `name` in front of `before` (`''`: behind all), as a person would in a catalog whose order matters. */
async function place(node: LabNode, name: string, before: string): Promise<void> {
  const siblings = (await node.replica.reader.children(ROOT_ID)).filter((entry) => entry.name !== name)
  await node.edit((edit) => edit.move(name, name, { siblings, before }))
}

const names = async (node: LabNode): Promise<string> => (await node.tree()).map((line) => line.split('=')[0]).join('')

describe('order among siblings', () => {
  test('is by name until somebody says otherwise, and then as they say', async () => {
    const [a] = await new Lab().nodes(1)
    for (const name of 'dbca') await a!.put(name, name)
    assert.equal(await names(a!), 'abcd')
    await place(a!, 'd', 'b')
    assert.equal(await names(a!), 'adbc')
    await place(a!, 'a', '')
    assert.equal(await names(a!), 'dbca')
    await place(a!, 'c', 'd')
    assert.equal(await names(a!), 'cdba')
  })

  test('of what never got a key stays in front, by name', async () => {
    const [a] = await new Lab().nodes(1)
    for (const name of 'ab') await a!.put(name, name)
    await place(a!, 'b', 'a')
    await a!.put('z', 'new')
    assert.equal(await names(a!), 'zba')
    await place(a!, 'z', 'a')
    assert.equal(await names(a!), 'bza')
  })

  test('follows any sequence of moves like a list that is edited', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(fc.nat(5), fc.nat(5)), { minLength: 1, maxLength: 15 }), async (moves) => {
        const [a] = await new Lab().nodes(1)
        let list = [...'abcdef']
        for (const name of list) await a!.put(name, name)
        for (const [which, where] of moves) {
          const name = 'abcdef'[which]!
          list = list.filter((other) => other !== name)
          const before = list[where] ?? ''
          list.splice(before === '' ? list.length : where, 0, name)
          await place(a!, name, before)
          assert.equal(await names(a!), list.join(''))
        }
      }),
      { seed: SEED, numRuns: 30, includeErrorInReport: true }
    )
  })

  test('drawn at one place by two at once is one order for all, and there is room in it again', async () => {
    const nodes = await new Lab().nodes(3)
    const [a, b] = nodes as [LabNode, LabNode]
    for (const name of 'abxy') await a.put(name, name)
    await place(a, 'b', '')
    await place(a, 'b', 'x')
    await meet(nodes)
    await place(a, 'x', 'b')
    await place(b, 'y', 'b')
    await meet(nodes)
    const after = await names(a)
    for (const node of nodes) assert.equal(await names(node), after)
    assert.ok(after.endsWith('b') && after.startsWith('a'), after)
    for (const each of 'xy') {
      await place(b, 'a', each)
      const [before, behind] = (await names(b)).split('a')
      assert.ok(behind!.startsWith(each), `${before}a${behind}`)
    }
    await meet(nodes)
    for (const node of nodes) assert.equal(await names(node), await names(b))
  })

  test('before a sibling that is not there is refused with not-found', () => {
    assert.throws(() => orderBetween([{ name: 'a', order: 'a0' }], 'b'), { code: 'not-found' })
  })

  test('keys: a key between any two neighbours sorts between them, equal neighbours stay together', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(8), { maxLength: 40 }), (inserts) => {
        let list: Array<{ name: string; order: string }> = []
        inserts.forEach((at, index) => {
          const before = list[at]?.name ?? ''
          const order = orderBetween(list, before)
          const where = before === '' ? list.length : at
          list = [...list.slice(0, where), { name: `${index}`, order }, ...list.slice(where)]
        })
        const sorted = list.toSorted((a, b) => (a.order < b.order ? -1 : a.order > b.order ? 1 : 0))
        assert.deepEqual(sorted, list)
        const twins = list.flatMap((each) => [each, { name: `${each.name}'`, order: each.order }])
        for (const each of twins) {
          const order = orderBetween(twins, each.name)
          assert.ok(order < each.order)
        }
      }),
      { seed: SEED, numRuns: 200, includeErrorInReport: true }
    )
  })

  test('in a key that is no key, written by another implementation, is mended by the next who orders', async () => {
    const [a, other] = (await new Lab().nodes(2)) as [LabNode, LabNode]
    for (const name of 'abc') await a.put(name, name)
    for (const [name, order] of [
      ['a', 'not a key'],
      ['b', '']
    ] as const) {
      const { id } = a.at(name)
      await a.receive([
        forge(a, other.keys, {
          ops: [
            editOp(a, other.keys, id, [['place', [Buffer.alloc(16), name, order]]], {
              deletes: deleteRanges(a.at(name).state.tuples.filter(({ field }) => field === 'place'))
            })
          ]
        })
      ])
    }
    await place(a, 'c', 'a')
    assert.match(await names(a), /ca/)
    await place(a, 'b', '')
    assert.equal(await names(a), 'cab')
  })

  test('keys for those without come in front of those with', () => {
    const keys = orderKeysFor([{ order: null }, { order: null }, { order: 'a0' }, { order: 'a1' }]).map(
      ({ order }) => order
    )
    assert.deepEqual(keys, keys.toSorted())
    assert.equal(new Set(keys).size, 4)
  })
})
