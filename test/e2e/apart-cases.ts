/** What two nodes do to one directory while they cannot hear each other, and what must come of it. */
import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { EntryLine, EntryView } from '../../src/control/target.js'

/** One side's hands: changes files below the case's own folder and remembers every content it wrote. */
export class Side {
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
export interface End {
  readonly files: ReadonlyMap<string, string>
  readonly entries: readonly EntryLine[]
  readonly conflicts: readonly EntryView[]
  readonly exec: (path: string) => boolean
}

export interface Case {
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

/** Everything two sides may do to each other while they are apart, each in a folder of its own. */
export const CASES: readonly Case[] = [
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
