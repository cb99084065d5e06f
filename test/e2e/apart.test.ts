/** Two nodes change a directory while they cannot hear each other: whatever they do, all end equal and nothing is lost. */
import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import type { EntryLine, EntryView } from '../../src/control/target.js'
import { entriesOf, keptBodies, settled } from './catalog.js'
import { withCluster, type Cluster } from './cluster.js'
import type { Node } from './node.js'
import { sha256 } from './tree.js'

/** One side's hands: changes files below the case's own folder and remembers every content it wrote. */
class Side {
  readonly written: string[] = []
  readonly #root: string

  constructor(root: string) {
    this.#root = root
  }

  write(path: string, content: string): void {
    const file = join(this.#root, path)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, content)
    this.written.push(content)
  }

  move(from: string, to: string): void {
    mkdirSync(dirname(join(this.#root, to)), { recursive: true })
    renameSync(join(this.#root, from), join(this.#root, to))
  }

  remove(path: string): void {
    rmSync(join(this.#root, path), { recursive: true })
  }

  mkdir(path: string): void {
    mkdirSync(join(this.#root, path), { recursive: true })
  }

  exec(path: string): void {
    chmodSync(join(this.#root, path), 0o755)
  }
}

/** What a case ends with: files as they then lie below its folder, and every entry the catalog has there. */
interface End {
  readonly files: ReadonlyMap<string, string>
  readonly entries: readonly EntryLine[]
  readonly conflicts: readonly EntryView[]
  readonly exec: (path: string) => boolean
}

interface Case {
  readonly name: string
  readonly before: (side: Side) => void
  readonly a: (side: Side) => void
  readonly b: (side: Side) => void
  readonly after: (end: End) => void
}

const one = (side: Side): void => side.write('f.txt', `the beginning of ${Math.random()}`)
const folder = (side: Side): void => {
  side.write('d/x.txt', `x ${Math.random()}`)
  side.write('d/y.txt', `y ${Math.random()}`)
}
const names = (end: End): string[] => [...end.files.keys()].sort()
const kinds = (end: End): string[] =>
  [...new Set(end.conflicts.flatMap((entry) => entry.conflicts.map(({ kind }) => kind)))].sort()

/** Each edit, move and delete of the one file by one side. */
const DEEDS = {
  edit: (side: Side, who: string) => side.write('f.txt', `edited by ${who} ${Math.random()}`),
  move: (side: Side, who: string) => side.move('f.txt', `moved by ${who}.txt`),
  delete: (side: Side) => side.remove('f.txt')
}
type Deed = keyof typeof DEEDS

/** What must come of each pair, whichever side does which. */
const PAIRS: Record<Deed, Partial<Record<Deed, (end: End) => void>>> = {
  edit: {
    edit: (end) => {
      assert.deepEqual(names(end), ['f.txt'])
      assert.deepEqual(kinds(end), ['field'])
    },
    move: (end) => {
      assert.match(names(end).join(), /^moved by [ab]\.txt$/)
      assert.match([...end.files.values()].join(), /^edited by/)
      assert.deepEqual(kinds(end), [])
    },
    delete: (end) => {
      assert.deepEqual(names(end), ['f.txt'])
      assert.match(end.files.get('f.txt')!, /^edited by/)
      assert.deepEqual(kinds(end), ['edit-delete'])
    }
  },
  move: {
    move: (end) => {
      assert.match(names(end).join(), /^moved by [ab]\.txt$/)
      assert.deepEqual(kinds(end), ['field'])
    },
    delete: (end) => {
      assert.match(names(end).join(), /^moved by [ab]\.txt$/)
      assert.deepEqual(kinds(end), ['edit-delete'])
    }
  },
  delete: {
    delete: (end) => {
      assert.deepEqual(names(end), [])
      assert.deepEqual(kinds(end), [])
    }
  }
}

function pairCases(): Case[] {
  const deeds = Object.keys(DEEDS) as Deed[]
  return deeds.flatMap((a) =>
    deeds.map((b) => ({
      name: `${a} against ${b}`,
      before: one,
      a: (side: Side) => DEEDS[a](side, 'a'),
      b: (side: Side) => DEEDS[b](side, 'b'),
      after: (PAIRS[a][b] ?? PAIRS[b][a])!
    }))
  )
}

const CASES: Case[] = [
  ...pairCases(),
  {
    name: 'different files',
    before: one,
    a: (side) => side.write('by a.txt', 'a alone'),
    b: (side) => side.write('by b.txt', 'b alone'),
    after: (end) => {
      assert.deepEqual(names(end), ['by a.txt', 'by b.txt', 'f.txt'])
      assert.deepEqual(kinds(end), [])
    }
  },
  {
    name: 'the same path made with equal content',
    before: one,
    a: (side) => side.write('new/n.txt', 'both wrote this'),
    b: (side) => side.write('new/n.txt', 'both wrote this'),
    after: (end) => {
      assert.deepEqual(names(end), ['f.txt', 'new/n.txt'])
      assert.deepEqual(kinds(end), [])
    }
  },
  {
    name: 'the same path made with different content',
    before: one,
    a: (side) => side.write('new/n.txt', 'a made this one'),
    b: (side) => side.write('new/n.txt', 'b made that one'),
    after: (end) => {
      assert.deepEqual(names(end), ['f.txt', 'new/n.txt'])
      assert.deepEqual(kinds(end), ['field'])
    }
  },
  {
    name: 'a file where the other makes a folder',
    before: one,
    a: (side) => side.write('n', 'a file by a'),
    b: (side) => side.write('n/inside.txt', 'in a folder by b'),
    after: (end) => {
      assert.equal(end.files.size, 3)
      assert.deepEqual(kinds(end), ['name'])
    }
  },
  {
    name: 'a folder where the other makes a file',
    before: one,
    a: (side) => side.mkdir('n'),
    b: (side) => side.write('n', 'a file by b'),
    after: (end) => {
      assert.equal(end.files.size, 2)
      assert.equal(end.entries.filter(({ path }) => /(^|\/)n(\.conflict-[0-9a-f]+)?$/.test(path)).length, 2)
      assert.deepEqual(kinds(end), ['name'])
    }
  },
  {
    name: 'a file moved to where the other makes one',
    before: one,
    a: (side) => side.move('f.txt', 'g.txt'),
    b: (side) => side.write('g.txt', 'made at the destination by b'),
    after: (end) => {
      assert.equal(end.files.size, 2)
      assert.deepEqual(kinds(end), ['name'])
    }
  },
  {
    name: 'a folder renamed while a file in it is edited',
    before: folder,
    a: (side) => side.move('d', 'e'),
    b: (side) => side.write('d/x.txt', 'edited in the old folder'),
    after: (end) => {
      assert.deepEqual(names(end), ['e/x.txt', 'e/y.txt'])
      assert.equal(end.files.get('e/x.txt'), 'edited in the old folder')
      assert.deepEqual(kinds(end), [])
    }
  },
  {
    name: 'a folder renamed while a file is added to it',
    before: folder,
    a: (side) => side.move('d', 'e'),
    b: (side) => side.write('d/z.txt', 'added to the old folder'),
    after: (end) => assert.deepEqual(names(end), ['e/x.txt', 'e/y.txt', 'e/z.txt'])
  },
  {
    name: 'a folder renamed by both',
    before: folder,
    a: (side) => side.move('d', 'named by a'),
    b: (side) => side.move('d', 'named by b'),
    after: (end) => {
      assert.match(names(end).join(), /^(named by [ab])\/x\.txt,\1\/y\.txt$/)
      assert.deepEqual(kinds(end), ['field'])
    }
  },
  {
    name: 'a folder deleted while a file in it is edited',
    before: folder,
    a: (side) => side.remove('d'),
    b: (side) => side.write('d/x.txt', 'edited in a deleted folder'),
    after: (end) => {
      assert.deepEqual(names(end), ['d/x.txt'])
      assert.deepEqual(kinds(end), ['edit-delete'])
    }
  },
  {
    name: 'a folder deleted while a file is added to it',
    before: folder,
    a: (side) => side.remove('d'),
    b: (side) => side.write('d/z.txt', 'added to a deleted folder'),
    after: (end) => assert.deepEqual(names(end), ['d/z.txt'])
  },
  {
    name: 'two folders moved into each other',
    before: (side) => {
      side.write('p/p.txt', `p ${Math.random()}`)
      side.write('q/q.txt', `q ${Math.random()}`)
    },
    a: (side) => side.move('p', 'q/p'),
    b: (side) => side.move('q', 'p/q'),
    after: (end) => {
      assert.equal(end.files.size, 2, names(end).join(', '))
      // who scans after having heard of the other's move makes a folder of the old name instead of a cycle
      assert.match(kinds(end).join(), /^(cycle)?$/)
    }
  },
  {
    name: 'the exec bit set while the content is edited',
    before: one,
    a: (side) => side.exec('f.txt'),
    b: (side) => side.write('f.txt', '#!/bin/sh\necho edited by b\n'),
    after: (end) => {
      assert.match(end.files.get('f.txt')!, /edited by b/)
      assert.ok(end.exec('f.txt'))
      assert.deepEqual(kinds(end), [])
    }
  }
]

const place = (at: number): string => `case ${String(at).padStart(2, '0')}`

/** Three nodes that agree on what every case begins with. */
async function begin(cluster: Cluster): Promise<[Node, Node, Node]> {
  const a = await cluster.found('a', {
    before: (dir) => CASES.forEach((each, at) => each.before(new Side(join(dir, place(at)))))
  })
  const [b, c] = [await cluster.join('b'), await cluster.join('c')]
  await cluster.equal()
  await Promise.all([a, b, c].map(settled))
  return [a, b, c]
}

/** One case after the other; `then` runs after each. */
async function act(node: Node, who: 'a' | 'b', then = async (): Promise<void> => undefined): Promise<string[]> {
  const written: string[] = []
  for (const [at, each] of CASES.entries()) {
    const side = new Side(join(node.dir, place(at)))
    each[who](side)
    written.push(...side.written)
    await then()
  }
  return written
}

async function expectEnd(cluster: Cluster, written: readonly string[]): Promise<void> {
  const [a, b, c] = cluster.nodes as [Node, Node, Node]
  await cluster.connected()
  await cluster.equal()
  await Promise.all([a, b, c].map(settled))
  await cluster.equal()
  await cluster.verified()
  for (const node of [a, b, c]) {
    const kept = await keptBodies(node)
    const lost = written.filter((content) => !kept.has(sha256(content)))
    assert.deepEqual(lost, [], `${node.name} lost what was written`)
    assert.ok((await node.space()).conflicts > 0)
  }
  for (const [at, each] of CASES.entries()) {
    try {
      each.after(await endOf(c, place(at)))
    } catch (error) {
      throw new Error(`${each.name}: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
    }
  }
}

async function endOf(node: Node, below: string): Promise<End> {
  const all = await entriesOf(node)
  const entries = all.filter(({ path }) => path.startsWith(`${below}/`))
  const conflicts = await Promise.all(
    entries.filter(({ conflict }) => conflict).map(({ path }) => node.client.entry(path))
  )
  const files = new Map<string, string>()
  for (const { path, kind } of entries) {
    if (kind === 'file') files.set(path.slice(below.length + 1), readFileSync(join(node.dir, path), 'utf8'))
  }
  return { files, entries, conflicts, exec: (path) => (statSync(join(node.dir, below, path)).mode & 0o100) !== 0 }
}

test(
  'two daemons that worked apart become equal with every conflict shown and no byte lost',
  withCluster(async (cluster) => {
    const [a, b, c] = await begin(cluster)
    await Promise.all([b.stop(), c.stop()])
    const written = await act(a, 'a', () => settled(a))
    await a.stop()
    await b.start()
    written.push(...(await act(b, 'b', () => settled(b))))
    await Promise.all([a.start(), c.start()])
    await expectEnd(cluster, written)
  })
)

test(
  'two directories changed while their daemons were stopped become equal with every conflict shown and no byte lost',
  withCluster(async (cluster) => {
    const [a, b, c] = await begin(cluster)
    await Promise.all([a.stop(), b.stop(), c.stop()])
    const written = [...(await act(a, 'a')), ...(await act(b, 'b'))]
    await Promise.all([a.start(), b.start(), c.start()])
    await expectEnd(cluster, written)
  })
)
