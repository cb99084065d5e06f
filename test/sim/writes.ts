/** What users of a simulated node do: write, move and delete at paths that collide often. */
import { PathEditor, ROOT_ID } from '../../src/catalog/index.js'
import { GrapevineError, type ErrorCode } from '../../src/errors.js'
import type { Replica, Written } from '../../src/replica/index.js'
import type { SimNode } from './node.js'
import type { SeededRandom } from './random.js'
import type { World } from './world.js'

const DIRECTORIES = ['a', 'b', 'a/c', 'b/d', 'a/b', 'b/a', 'x']
const PARENTS = ['', 'a/', 'b/', 'a/c/', 'b/d/']

/** Refusals a user may meet; anything else is a fault. */
const EXPECTED: readonly ErrorCode[] = [
  'not-found',
  'path-taken',
  'not-a-directory',
  'not-a-file',
  'move-into-itself',
  'stopped',
  'store-failed',
  'disk-full',
  'catching-up',
  'identity-duplicated',
  // a record of the members space rotted: until it is back nobody is a member
  'role-forbids'
]

const filePath = (random: SeededRandom): string => `${random.pick(PARENTS)}f${random.below(6)}`

/** What a user is about to do; drawn before, so that several nodes can be told the same. */
export interface Wish {
  readonly what: number
  readonly path: string
  readonly other: string
  readonly moved: string
  readonly removed: string
}

export function wish(random: SeededRandom): Wish {
  const what = random.float()
  const path = filePath(random)
  const other = random.chance(0.3) ? random.pick(DIRECTORIES) : filePath(random)
  const moved = random.chance(0.4) ? random.pick(DIRECTORIES.slice(0, 3)) : path
  const removed = random.chance(0.2) ? random.pick(DIRECTORIES.slice(0, 2)) : path
  return { what, path, other, moved, removed }
}

/** One change; resolves when it is acknowledged, refused, or its process is gone. */
export async function writeOne(
  world: World,
  node: SimNode,
  replica: Replica,
  { what, path, other, moved, removed }: Wish = wish(world.random)
): Promise<void> {
  const bytes = world.random.bytes(1 + world.random.below(40))
  await changeOnce(world, node, async () => {
    const below = what < 0.8 ? [] : await listBelow(replica, removed)
    return replica.change((draft) => {
      const edit = new PathEditor(draft, replica.reader)
      if (what < 0.55) return edit.put(path, draft.body(bytes))
      return what < 0.8 ? edit.move(moved, other) : edit.remove(removed, below)
    }, 200)
  })
}

/** An honest member renames, fills or deletes a directory that the liar made. */
export async function buildOnLie(world: World, node: SimNode, replica: Replica): Promise<void> {
  const { random } = world
  const what = random.float()
  const bytes = random.bytes(8)
  const choice = random.float()
  await changeOnce(world, node, async () => {
    const shown = (await replica.reader.children(ROOT_ID))
      .map(({ name }) => name)
      .filter((name) => name.startsWith('liar-'))
    const path = shown[Math.floor(choice * shown.length)]
    if (path === undefined) return { record: null }
    const below = what < 0.7 ? [] : await listBelow(replica, path)
    return replica.change((draft) => {
      const edit = new PathEditor(draft, replica.reader)
      if (what < 0.4) return edit.put(`${path}/f`, draft.body(bytes))
      return what < 0.7 ? edit.move(path, `kept-${path.slice(5)}`) : edit.remove(path, below)
    }, 200)
  })
}

async function changeOnce(
  world: World,
  node: SimNode,
  change: () => Promise<Pick<Written<unknown>, 'record'>>
): Promise<void> {
  const { life } = node
  try {
    const { record } = await change()
    if (record === null || node.life !== life) return
    node.home.acknowledged.push(record.id)
    world.always.acknowledged(node, record)
    world.happened(`node ${node.index} acknowledged ${record.id}`)
  } catch (error) {
    if (node.life === life && !(error instanceof GrapevineError && EXPECTED.includes(error.code))) world.failed(error)
  }
}

async function listBelow({ reader }: Replica, path: string): Promise<string[]> {
  const found = reader.resolve(path)
  const below: string[] = []
  if (found !== undefined) for await (const { entry } of reader.walk(found.id, path)) below.push(entry.id)
  return below
}
