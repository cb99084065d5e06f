/** 200 changes of every kind a daemon takes, the same in each run, and what must be there after each of them. */
import { chmodSync, existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { bodyRefOf } from '../../src/wire/index.js'
import type { Node } from './node.js'
import { until } from './until.js'

/** Path -> content of every file of the catalog. */
export type Model = Map<string, string>

export interface Change {
  readonly what: string
  /** What the catalog holds once the change is acknowledged. */
  apply(model: Model): void
  /**
   * Makes the change; resolves when it is acknowledged, throws when the daemon dies before. `made` is called once the
   * change lies in the shared directory: somebody else made it there, so it stays whatever dies.
   */
  run(node: Node, made: () => void): Promise<void>
}

export const SCRIPT_LENGTH = 200
/** Files that are only ever written together, and so must always show the same generation. */
const SET_SIZE = 5
const SETS = 4
/** Larger than what travels in a record, bytes: stored as a blob. */
const LARGE_BYTES = 200_000

/** The whole script. */
export function script(): Change[] {
  return Array.from({ length: SCRIPT_LENGTH }, (_, n) => changeOf(n))
}

export function setPaths(set: number): string[] {
  return Array.from({ length: SET_SIZE }, (_, at) => `sets/${set}/${at % 2 === 0 ? '' : 'deep/'}part ${at}.xml`)
}

/** Sets of which some files show one generation and some another, in a directory or a catalog. */
export function halfSets(read: (path: string) => string | undefined): string[] {
  return Array.from({ length: SETS }, (_, set) => set).flatMap((set) => {
    const generations = setPaths(set).map((path) => read(path)?.split(' of ')[0] ?? 'absent')
    return new Set(generations).size === 1 ? [] : [`set ${set}: ${generations.join(', ')}`]
  })
}

function changeOf(n: number): Change {
  const generation = Math.floor(n / 10)
  switch (n % 10) {
    case 0:
    case 5:
      return putSet((n / 5) % SETS, n)
    case 1:
      return put(`single/${generation % 7}.txt`, `single ${n}\n`)
    case 2:
      return put(`new/${n}/deep/file.txt`, `new ${n}\n`)
    case 3:
      return edit(`edited/${generation % 3}.txt`, `edited ${n}\n`)
    case 4:
      return put('same.txt', `same ${Math.floor(generation / 2)}\n`)
    case 6:
      return move(`new/${n - 4}`, `moved/${n}`)
    case 7:
      return generation % 4 === 0 ? put(`large/${generation}.bin`, large(n)) : put('often.txt', `often ${n}\n`)
    case 8:
      return remove(generation % 2 === 0 ? `moved/${n - 2}/deep/file.txt` : `moved/${n - 2}`)
    default:
      return renamed(`edited/${generation % 3}.txt`, `edited/renamed ${n}.txt`)
  }
}

function put(path: string, content: string): Change {
  return {
    what: `put ${path}`,
    apply: (model) => void model.set(path, content),
    run: async (node) => void (await node.client.put(path, once(content)))
  }
}

function putSet(set: number, n: number): Change {
  const files = setPaths(set).map((path) => ({ path, content: `generation ${n} of ${path}\n` }))
  return {
    what: `put set ${set}`,
    apply: (model) => files.forEach(({ path, content }) => model.set(path, content)),
    run: async (node) =>
      void (await node.client.putMany(files.map(({ path, content }) => ({ path, body: Buffer.from(content) }))))
  }
}

function remove(path: string): Change {
  return {
    what: `remove ${path}`,
    apply: (model) => [...below(model, path)].forEach((each) => model.delete(each)),
    run: async (node) => void (await node.client.remove(path))
  }
}

function move(from: string, to: string): Change {
  return {
    what: `move ${from} to ${to}`,
    apply: (model) => relocate(model, from, to),
    run: async (node) => void (await node.client.move(from, to))
  }
}

/** Somebody saves a file in the shared directory. */
function edit(path: string, content: string): Change {
  return {
    what: `edit ${path}`,
    apply: (model) => void model.set(path, content),
    run: async (node, made) => {
      const file = join(node.dir, path)
      mkdirSync(dirname(file), { recursive: true })
      writeFileSync(join(node.dir, '.grapevine-tmp-edit'), content)
      chmodSync(join(node.dir, '.grapevine-tmp-edit'), 0o644)
      renameSync(join(node.dir, '.grapevine-tmp-edit'), file)
      made()
      await whileUp(
        node,
        `${path} is in the catalog`,
        async () => (await node.client.entry(path)).hash === hashOf(content)
      )
    }
  }
}

/** Somebody renames a file in the shared directory. */
function renamed(from: string, to: string): Change {
  return {
    what: `rename ${from}`,
    apply: (model) => relocate(model, from, to),
    run: async (node, made) => {
      await whileUp(node, `${from} is in the directory`, () => existsSync(join(node.dir, from)))
      renameSync(join(node.dir, from), join(node.dir, to))
      made()
      await whileUp(node, `${to} is in the catalog`, async () => !(await node.client.entry(to)).deleted)
    }
  }
}

/** Waits like `until`, and no longer than the daemon lives. */
async function whileUp(node: Node, what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const end = await until(what, async () => (node.running ? (await condition()) && 'yes' : 'died'), undefined, 5)
  if (end === 'died') throw new Error(`${node.name} died before ${what}`)
}

/** As the catalog names a content. */
export function hashOf(content: string): string {
  return bodyRefOf(Buffer.from(content)).hash
}

function relocate(model: Model, from: string, to: string): void {
  for (const path of [...below(model, from)]) {
    model.set(to + path.slice(from.length), model.get(path)!)
    model.delete(path)
  }
}

function* below(model: Model, path: string): Generator<string> {
  for (const each of model.keys()) if (each === path || each.startsWith(`${path}/`)) yield each
}

function large(n: number): string {
  return `large ${n} `.padEnd(LARGE_BYTES, 'x')
}

async function* once(content: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(content)
}
