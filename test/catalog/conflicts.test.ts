import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { seenKey } from '../../src/catalog/index.js'
import { Lab, LAB_TIME, meet, type LabNode } from '../replica/lab.js'

const YEAR_MS = 365 * 86_400_000

async function pair(): Promise<[LabNode, LabNode]> {
  const [a, b] = await new Lab().nodes(2)
  return [a!, b!]
}

const trio = async (): Promise<[LabNode, LabNode, LabNode]> => (await new Lab().nodes(3)) as [LabNode, LabNode, LabNode]

/** After meeting, all show this, and nothing waits. */
async function agree(nodes: readonly LabNode[], expected: string[]): Promise<void> {
  await meet(nodes)
  for (const node of nodes) {
    assert.deepEqual(await node.tree(), expected)
    assert.equal(node.replica.catalog.root(), nodes[0]!.replica.catalog.root())
    assert.equal(node.replica.waiting, 0)
  }
}

const seenOf = (node: LabNode, path: string): Set<string> => new Set(node.at(path).state.tuples.map(seenKey))

describe('the same file written apart', () => {
  test('is a conflict that shows both, until a write that saw both ends it', async () => {
    const [a, b] = await pair()
    await a.put('f', 'base')
    await b.pull(a)
    a.clock.wall += 1_000
    await a.put('f', 'of a')
    await b.put('f', 'of b')
    await agree([a, b], ['f=of a!'])
    assert.deepEqual(b.losers('f'), ['of b'])
    assert.equal(b.replica.catalog.conflicts, 1)
    await b.put('f', 'both')
    await agree([a, b], ['f=both'])
    assert.equal(a.replica.catalog.conflicts, 0)
  })

  test('with the same bytes is of one mind: no conflict', async () => {
    const [a, b] = await pair()
    await a.put('f', 'same')
    await b.put('f', 'same')
    await agree([a, b], ['f=same'])
    assert.equal(a.replica.catalog.conflicts, 0)
  })

  test('at the same time falls to the same winner everywhere, the greater author', async () => {
    const [a, b] = await pair()
    for (const node of [a, b]) node.clock.wall += 1
    await a.put('f', 'of a')
    await b.put('f', 'of b')
    assert.equal(a.at('f').meaning.newest!.time, b.at('f').meaning.newest!.time)
    const winner = Buffer.compare(a.keys.publicKey, b.keys.publicKey) > 0 ? 'of a' : 'of b'
    await agree([a, b], [`f=${winner}!`])
  })

  test('by the same author in two epochs at the same time still has one winner', async () => {
    const [a, b] = await pair()
    const twin = await a.lab.blank('n1', { seed: 99 })
    await twin.pull(a)
    await b.put('f', 'of one epoch')
    await twin.put('f', 'of the other')
    assert.notEqual(twin.replica.epoch, b.replica.epoch)
    await meet([a, b, twin])
    assert.deepEqual(await a.tree(), await b.tree())
    assert.deepEqual(await twin.tree(), await b.tree())
    assert.equal(a.losers('f').length, 1)
  })

  test('three times: all three stand, and a write that saw two of them leaves the third', async () => {
    const [a, b, c] = await trio()
    for (const [index, node] of [a, b, c].entries()) {
      node.clock.wall += index
      await node.put('f', `of ${index}`)
    }
    await a.pull(b)
    const seen = seenOf(a, 'f')
    await meet([a, b, c])
    assert.deepEqual(a.losers('f'), ['of 0', 'of 1'])
    a.clock.wall += 1_000
    await a.put('f', 'after two', { seen })
    await agree([a, b, c], ['f=after two!'])
    assert.deepEqual(b.losers('f'), ['of 2'])
  })
})

describe('clocks', () => {
  for (const [what, skew] of [
    ['ten years ahead', 10 * YEAR_MS],
    ['ten years behind', -10 * YEAR_MS]
  ] as const) {
    test(`${what}: what is causally later wins all the same`, async () => {
      const [a, b] = await pair()
      a.clock.wall = LAB_TIME + skew
      await a.put('f', 'first')
      await b.pull(a)
      await b.put('f', 'second')
      await a.pull(b)
      await a.put('f', 'third')
      await agree([a, b], ['f=third'])
      await a.move('f', 'g')
      await b.pull(a)
      await b.move('g', 'h')
      await agree([a, b], ['h=third'])
      await b.remove('h')
      await agree([a, b], [])
    })
  }

  test('a clock that is set back never makes a node write the same time twice', async () => {
    const [a] = await pair()
    const first = await a.put('f', '1')
    a.clock.wall -= YEAR_MS
    const second = await a.put('f', '2')
    assert.ok(second.record!.time > first.record!.time)
  })
})

describe('edit against delete', () => {
  test('the edit wins, keeps name and content it did not write, and is flagged until somebody writes', async () => {
    const [a, b] = await pair()
    await a.put('d/f', 'base', { exec: true })
    await b.pull(a)
    await a.remove('d/f')
    await b.put('d/f', 'edited', { exec: true })
    await agree([a, b], ['d=dir', 'd/f=edited!'])
    assert.equal(a.at('d/f').meaning.exec, true)
    assert.equal(a.at('d/f').meaning.editDelete, true)
    assert.equal(a.replica.catalog.conflicts, 1)
    await a.put('d/f', 'edited', { exec: true })
    await agree([a, b], ['d=dir', 'd/f=edited'])
    assert.equal(b.replica.catalog.conflicts, 0)
  })

  test('a move against a delete: the entry lives at its new place with its content', async () => {
    const [a, b] = await pair()
    await a.put('f', 'base')
    await b.pull(a)
    await a.remove('f')
    await b.move('f', 'g')
    await agree([a, b], ['g=base!'])
    await b.remove('g')
    await agree([a, b], [])
    assert.equal(a.replica.catalog.conflicts, 0)
  })

  test('deleted by both: gone, and no conflict', async () => {
    const [a, b] = await pair()
    await a.put('f', 'base')
    await b.pull(a)
    await a.remove('f')
    await b.remove('f')
    await agree([a, b], [])
    assert.equal(a.replica.catalog.conflicts, 0)
    assert.equal(a.replica.catalog.entries, 0)
  })

  test('deleted by two and edited by one: the edit wins over both, and the next write ends it', async () => {
    const [a, b, c] = await trio()
    await a.put('f', 'base')
    await meet([a, b, c])
    await a.remove('f')
    await b.remove('f')
    await c.put('f', 'kept')
    await agree([a, b, c], ['f=kept!'])
    await a.put('f', 'again')
    await agree([a, b, c], ['f=again'])
  })

  test('what was deleted and is written again at its path is the same entry, with its history', async () => {
    const [a, b] = await pair()
    const { result: first } = await a.put('f', 'old', { exec: true })
    await a.remove('f')
    const { result: second } = await a.put('f', 'new')
    assert.equal(second.id, first.id)
    await agree([a, b], ['f=new'])
    assert.equal(b.at('f').meaning.exec, false)
    assert.equal((await b.replica.reader.history(first.id)).length, 3)
  })

  test('revived by both apart: one entry, a conflict of their contents', async () => {
    const [a, b] = await pair()
    await a.put('f', 'old')
    await a.remove('f')
    await b.pull(a)
    await a.put('f', 'of a')
    a.clock.wall += 10
    b.clock.wall += 20
    await b.put('f', 'of b')
    await agree([a, b], ['f=of b!'])
    assert.deepEqual(a.losers('f'), ['of a'])
  })
})

describe('a container', () => {
  test('deleted while something was put into it lives as long as that does', async () => {
    const [a, b] = await pair()
    await a.put('d/old', 'x')
    await b.pull(a)
    await a.remove('d')
    await b.put('d/new', 'y')
    await agree([a, b], ['d=dir', 'd/new=y'])
    await a.remove('d/new')
    await agree([a, b], [])
    assert.equal(b.replica.catalog.entries, 0)
  })

  test('kept only by what is in it can be made again, and stays when it is empty', async () => {
    const [a, b] = await pair()
    await a.mkdir('d')
    await b.pull(a)
    await a.remove('d')
    await b.put('d/f', 'y')
    await meet([a, b])
    await a.mkdir('d')
    await a.remove('d/f')
    await agree([a, b], ['d=dir'])
  })

  test('deleted several levels deep lives with all that leads to what was written below', async () => {
    const [a, b] = await pair()
    await a.put('a/b/c/f', 'x')
    await b.pull(a)
    await a.remove('a')
    await b.put('a/b/c/g', 'y')
    await agree([a, b], ['a=dir', 'a/b=dir', 'a/b/c=dir', 'a/b/c/g=y'])
  })

  test('that lives elsewhere by its children does not give its first name away', async () => {
    const [a, b] = await pair()
    await a.mkdir('x')
    await a.move('x', 'y')
    await b.pull(a)
    await a.remove('y')
    await b.put('y/child', '1')
    await meet([a, b])
    assert.deepEqual(await a.tree(), ['y=dir', 'y/child=1'])
    await a.mkdir('x')
    await agree([a, b], ['x=dir', 'y=dir', 'y/child=1'])
  })
})

describe('moves that make a cycle', () => {
  /** Directories `a`, `b`, ... at the root, known to all. */
  async function directories(nodes: readonly LabNode[], names: string): Promise<void> {
    for (const name of names) await nodes[0]!.mkdir(name)
    for (const name of names) await nodes[0]!.put(`${name}/in ${name}`, name)
    await meet(nodes)
  }

  test('A below B and B below A: the later one goes back where it came from, and nothing is lost', async () => {
    const [a, b] = await pair()
    await directories([a, b], 'ab')
    a.clock.wall += 1_000
    b.clock.wall += 2_000
    await a.move('a', 'b/a')
    await b.move('b', 'a/b')
    await agree([a, b], ['b=dir', 'b/a=dir', 'b/a/in a=a', 'b/in b=b'])
    assert.equal(a.replica.catalog.conflicts, 1)
  })

  test('is resolved by a later move of either, and what was set aside takes effect again', async () => {
    const [a, b] = await pair()
    await directories([a, b], 'abc')
    a.clock.wall += 1_000
    b.clock.wall += 2_000
    await a.move('a', 'b/a')
    await b.move('b', 'a/b')
    await meet([a, b])
    a.clock.wall += 5_000
    await a.move('b/a', 'c/a')
    await agree([a, b], ['c=dir', 'c/a=dir', 'c/a/b=dir', 'c/a/b/in b=b', 'c/a/in a=a', 'c/in c=c'])
    assert.equal(a.replica.catalog.conflicts, 0)
  })

  test('of three: only the latest is set aside', async () => {
    const [a, b, c] = await trio()
    await directories([a, b, c], 'abc')
    for (const [index, node] of [a, b, c].entries()) node.clock.wall += 1_000 * (index + 1)
    await a.move('a', 'b/a')
    await b.move('b', 'c/b')
    await c.move('c', 'a/c')
    await agree([a, b, c], ['c=dir', 'c/b=dir', 'c/b/a=dir', 'c/b/a/in a=a', 'c/b/in b=b', 'c/in c=c'])
  })

  test('whose way back makes a cycle again ends at the root', async () => {
    const [a, b, c] = await trio()
    await directories([a], 'abc')
    await a.move('b', 'c/b')
    await meet([a, b, c])
    // b leaves c for a; a goes below b; c goes below a: without the first two b's way back leads through c
    a.clock.wall += 3_000
    b.clock.wall += 1_000
    c.clock.wall += 2_000
    await a.move('c/b', 'a/b')
    await b.move('a', 'c/b/a')
    await c.move('c', 'a/c')
    await meet([a, b, c])
    const lines = await a.tree()
    assert.deepEqual(
      lines
        .filter((line) => line.includes('in '))
        .map((line) => line.split('=')[1])
        .toSorted(),
      ['a', 'b', 'c']
    )
    await agree([a, b, c], lines)
  })

  test('a directory cannot be moved below itself by one author', async () => {
    const [a] = await pair()
    await a.put('a/b/f', 'x')
    await assert.rejects(a.move('a', 'a/b/c'), { code: 'move-into-itself' })
    await assert.rejects(a.move('a', 'a/a'), { code: 'move-into-itself' })
  })
})

describe('two entries of one name', () => {
  test('a file and a directory made apart: one owns the name, the other shows beside it, both can be reached', async () => {
    const [a, b] = await pair()
    await a.put('x', 'file')
    b.clock.wall += 1_000
    await b.put('x/f', 'inside')
    await meet([a, b])
    const [dir] = b.replica.reader.atName('0'.repeat(32), 'x').filter((entry) => entry.meaning.body === undefined)
    const marked = `x.conflict-${dir!.id.slice(0, 8)}`
    await agree([a, b], ['x=file', `${marked}=dir`, `${marked}/f=inside`])
    assert.equal(a.replica.catalog.conflicts, 1)
    assert.equal(a.text(`${marked}/f`), 'inside')
  })

  test('two files moved to one name: the first there owns it, and when it goes the other takes over', async () => {
    const [a, b] = await pair()
    await a.put('one.txt', '1')
    await a.put('two.txt', '2')
    await b.pull(a)
    a.clock.wall += 1_000
    await a.move('one.txt', 'same.txt')
    b.clock.wall += 2_000
    await b.move('two.txt', 'same.txt')
    await meet([a, b])
    const other = a.replica.reader.atName('0'.repeat(32), 'same.txt')[1]!
    const marked = `same.conflict-${other.id.slice(0, 8)}.txt`
    await agree([a, b], [`${marked}=2`, 'same.txt=1'].toSorted())
    await b.move('same.txt', 'away.txt')
    await agree([a, b], ['away.txt=1', 'same.txt=2'])
    assert.equal(a.replica.catalog.conflicts, 0)
    assert.equal(a.replica.catalog.entries, 2)
  })

  test('the one that is marked can be renamed or deleted by the name it shows', async () => {
    const [a, b] = await pair()
    await a.put('x', 'file')
    b.clock.wall += 1_000
    await b.mkdir('x')
    await meet([a, b])
    const marked = (await a.tree()).find((line) => line.startsWith('x.conflict'))!.split('=')[0]!
    await a.move(marked, 'y')
    await agree([a, b], ['x=file', 'y=dir'])
    assert.equal(a.replica.catalog.conflicts, 0)
  })

  test('the marked name of a name of 255 bytes is no longer than a name may be, and can be reached', async () => {
    const [a, b] = await pair()
    const long = `${'ü'.repeat(125)}x.tar`
    assert.equal(Buffer.byteLength(long), 255)
    await a.put(long, 'file')
    b.clock.wall += 1_000
    await b.mkdir(long)
    await meet([a, b])
    const shown = (await a.tree()).map((line) => line.split('=')[0]!)
    assert.equal(shown.length, 2)
    for (const name of shown) {
      assert.ok(Buffer.byteLength(name) <= 255, `${Buffer.byteLength(name)} bytes`)
      assert.equal(a.replica.reader.pathOf(a.at(name).id), name)
    }
  })
})

describe('equal content', () => {
  test('is no change, also while a conflict of another field is open', async () => {
    const [a, b] = await pair()
    await a.put('f', 'x')
    await b.pull(a)
    await a.move('f', 'g')
    await b.move('f', 'h')
    await meet([a, b])
    const path = (await a.tree())[0]!.split('=')[0]!
    assert.equal((await a.put(path, 'x')).record, null)
    assert.equal((await a.put(path, 'y')).record === null, false)
    assert.equal((await a.put(path, 'y')).record, null)
  })

  test('of the winner, put by somebody who sees the conflict, ends it', async () => {
    const [a, b] = await pair()
    await a.put('f', 'of a')
    b.clock.wall += 10
    await b.put('f', 'of b')
    await meet([a, b])
    assert.notEqual((await a.put('f', 'of b')).record, null)
    await agree([a, b], ['f=of b'])
    assert.equal((await a.put('f', 'of b')).record, null)
  })
})
