/** Real directories kept in step: what the target in memory cannot tell about inodes, renames and file systems. */
import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, test } from 'node:test'
import type { DirectoryAdapter } from '../../src/adapters/index.js'
import { Lab } from '../replica/lab.js'
import { makeWorld, type World } from '../adapters/directory/world.js'
import { Site, share } from './site.js'

interface Place {
  readonly world: World
  readonly site: Site<DirectoryAdapter>
  at(path: string): string
}

let cleanUp: Array<() => Promise<void>> = []

afterEach(async () => {
  for (const each of cleanUp.toReversed()) await each()
  cleanUp = []
})

/** Nodes with a directory each, all running. */
async function places(count: number, ignore: readonly string[] = []): Promise<Place[]> {
  const made: Place[] = []
  const nodes = await new Lab().nodes(count, {
    each: (index) => ({ events: { entriesChanged: (ids) => made[index]?.site.changed(ids) } })
  })
  const aside = await mkdtemp(join(tmpdir(), 'grapevine-aside-'))
  cleanUp.push(() => rm(aside, { recursive: true, force: true }))
  for (const [index, node] of nodes.entries()) {
    const world = await makeWorld({ ignore: [...ignore] })
    const site = new Site(node, world.adapter, join(aside, `${index}`))
    made.push({ world, site, at: (path) => world.at(path) })
    await site.start()
    cleanUp.push(
      () => world.dispose(),
      () => site.stop()
    )
  }
  return made
}

/** Looks at everything, exchanges, and writes, until nothing moves. */
async function settle(all: readonly Place[]): Promise<void> {
  for (const { site } of all) await site.rescan()
  await share(all.map(({ site }) => site))
}

/** `path=text` or `path/`, sorted. */
async function picture({ world }: Place): Promise<string[]> {
  const found = await readdir(world.root, { recursive: true, withFileTypes: true })
  const lines = found.map(async (entry) => {
    const path = join(entry.parentPath, entry.name)
    const shown = path.slice(world.root.length + 1)
    return entry.isDirectory() ? `${shown}/` : `${shown}=${await readFile(path, 'utf8')}`
  })
  return (await Promise.all(lines)).toSorted()
}

async function agree(all: readonly Place[], expected: readonly string[]): Promise<void> {
  await settle(all)
  for (const place of all) assert.deepEqual(await picture(place), expected)
  const before = all.map(({ site }) => site.records)
  await settle(all)
  assert.deepEqual(
    all.map(({ site }) => site.records),
    before,
    'looking again at directories in step wrote records'
  )
}

describe('two directories', () => {
  test('with files written, renamed, swapped and re-typed end equal, and a rescan writes nothing', async () => {
    const [a, b] = (await places(2)) as [Place, Place]
    await mkdir(a.at('d/deep'), { recursive: true })
    for (const path of ['one', 'two', 'd/f', 'd/deep/g', 'kind']) await writeFile(a.at(path), `first ${path}`)
    await agree(
      [a, b],
      ['d/', 'd/deep/', 'd/deep/g=first d/deep/g', 'd/f=first d/f', 'kind=first kind', 'one=first one', 'two=first two']
    )

    await rename(a.at('one'), a.at('spare'))
    await rename(a.at('two'), a.at('one'))
    await rename(a.at('spare'), a.at('two'))
    await rename(a.at('d'), a.at('e'))
    await writeFile(a.at('e/f'), 'edited')
    await rm(a.at('kind'))
    await mkdir(a.at('kind'))
    await writeFile(a.at('kind/inside'), 'now a directory')
    const after = [
      'e/',
      'e/deep/',
      'e/deep/g=first d/deep/g',
      'e/f=edited',
      'kind/',
      'kind/inside=now a directory',
      'one=first two',
      'two=first one'
    ]
    await agree([a, b], after)

    await rm(b.at('kind'), { recursive: true })
    await writeFile(b.at('kind'), 'a file again')
    await rename(b.at('e/deep'), b.at('deep'))
    await rename(b.at('e'), b.at('deep/e'))
    await agree(
      [a, b],
      [
        'deep/',
        'deep/e/',
        'deep/e/f=edited',
        'deep/g=first d/deep/g',
        'kind=a file again',
        'one=first two',
        'two=first one'
      ]
    )
  })

  test('of which one takes the inode of one that went: it is a new one, and nothing moves into it', async () => {
    const [a, b] = (await places(2)) as [Place, Place]
    for (const name of ['old', 'old/x', 'old/y']) await mkdir(a.at(name))
    for (const name of ['x', 'y']) await writeFile(a.at(`old/${name}/${name}`), name)
    await agree([a, b], ['old/', 'old/x/', 'old/x/x=x', 'old/y/', 'old/y/y=y'])
    a.site.imported.length = 0
    await rm(a.at('old'), { recursive: true })
    for (const name of ['one', 'one/two', 'one/two/three']) await mkdir(a.at(name))
    await writeFile(a.at('one/z'), 'z')
    await agree([a, b], ['one/', 'one/two/', 'one/two/three/', 'one/z=z'])
    assert.deepEqual(
      a.site.imported.filter((line) => line.startsWith('moved')),
      []
    )
  })

  test('that trade places in the catalog are moved, not written anew', async () => {
    const [a, b] = (await places(2)) as [Place, Place]
    for (const name of ['one', 'two']) {
      await mkdir(a.at(name))
      await writeFile(a.at(`${name}/f`), `in ${name}`)
    }
    await settle([a, b])
    const written = b.site.written.length
    await a.site.node.move('one', 'spare')
    await a.site.node.move('two', 'one')
    await a.site.node.move('spare', 'two')
    await agree([a, b], ['one/', 'one/f=in two', 'two/', 'two/f=in one'])
    assert.deepEqual([...new Set(b.site.written.slice(written).map((line) => line.split(' ')[0]))], ['move'])
  })

  test('edited apart: both contents are kept, and what one removed while the other wrote to it comes back', async () => {
    const [a, b] = (await places(2)) as [Place, Place]
    await mkdir(a.at('d'))
    for (const path of ['both', 'd/f']) await writeFile(a.at(path), 'base')
    await settle([a, b])
    b.site.node.clock.wall = a.site.node.clock.wall + 86_400_000
    await writeFile(a.at('both'), 'of a')
    await writeFile(b.at('both'), 'of b')
    await rm(a.at('d'), { recursive: true })
    await writeFile(b.at('d/f'), 'edited')
    await agree([a, b], ['both=of b', 'd/', 'd/f=edited'])
    assert.deepEqual(a.site.node.losers('both'), ['of a'])
  })

  test('of which one holds ignored files: they stay where they are, whatever happens around them', async () => {
    const [a, b] = (await places(2, ['*.log'])) as [Place, Place]
    await mkdir(a.at('d'))
    await writeFile(a.at('d/f'), 'x')
    await settle([a, b])
    await writeFile(b.at('d/own.log'), 'private')
    await rm(a.at('d'), { recursive: true })
    await settle([a, b])
    assert.deepEqual(await picture(a), [])
    assert.deepEqual(await picture(b), ['d/', 'd/own.log=private'])
    await mkdir(a.at('d'))
    await writeFile(a.at('d/g'), 'again')
    await settle([a, b])
    assert.deepEqual(await picture(b), ['d/', 'd/g=again', 'd/own.log=private'])
  })
})
