import assert from 'node:assert/strict'
import { existsSync, readdirSync } from 'node:fs'
import { lstat, mkdir, readdir, readFile, rename, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import {
  createDirectoryAdapter,
  type ApplyItem,
  type ApplyResult,
  type DirectoryAdapter,
  type TargetEntry
} from '../../../src/adapters/index.js'
import { Journal, JOURNAL_FILE, type JournalEntry } from '../../../src/adapters/directory/journal.js'
import { systemClock } from '../../../src/runtime-node.js'
import { silentLogger } from '../../../src/runtime.js'
import { Bodies, isError, outcomes } from '../../contract/adapter.js'
import { makeWorld, type World } from './world.js'

const TEMP = /^\.grapevine-tmp-/

describe('the journal of a directory', () => {
  let world: World
  let bodies: Bodies
  let journalDir: string

  beforeEach(async () => {
    world = await makeWorld()
    bodies = new Bodies()
    journalDir = join(dirname(world.root), 'home', 'journal')
    await mkdir(dirname(journalDir))
  })
  afterEach(() => world.dispose())

  const adapter = (): DirectoryAdapter => world.again({ journalDir })
  const entryFile = () => join(journalDir, JOURNAL_FILE)
  const names = () => readdirSync(world.root, { recursive: true }).map(String).sort()
  const text = (path: string) => readFile(world.at(path), 'utf8')
  const write = (path: string, content: string, expect: TargetEntry | null): ApplyItem => ({
    do: 'write',
    path,
    body: bodies.add(content),
    exec: false,
    expect,
    mark: `mark of ${path}`
  })

  /** Two files changed, one made below a new directory, one moved, one removed. */
  async function someSet(): Promise<ApplyItem[]> {
    for (const path of ['a', 'b', 'gone', 'old']) await world.put(path, `first ${path}`)
    const { entries } = await world.adapter.scan()
    return [
      { do: 'remove', path: 'gone', expect: entries.get('gone')!, mark: 'mark of gone' },
      { do: 'mkdir', path: 'd', expect: null },
      { do: 'move', from: 'old', path: 'd/moved', expect: entries.get('old')! },
      write('a', 'second a', entries.get('a')!),
      write('b', 'second b', entries.get('b')!),
      write('d/new', 'second new', null)
    ]
  }

  async function isWhole(): Promise<void> {
    assert.deepEqual(names(), ['a', 'b', 'd', 'd/moved', 'd/new'])
    assert.deepEqual(await Promise.all(['a', 'b', 'd/new', 'd/moved'].map(text)), [
      'second a',
      'second b',
      'second new',
      'first old'
    ])
  }

  /** Stops the set where the journal is written and nothing is in place: what a crash right then leaves. */
  async function crashBeforeTheFirstChange(items: readonly ApplyItem[]): Promise<void> {
    const begin = Journal.prototype.begin
    Journal.prototype.begin = async function (entry: JournalEntry) {
      await begin.call(this, entry)
      // the process is gone here: nothing is put in place and nothing is cleaned up
      await new Promise(() => {})
    }
    try {
      // not one of the world's: it would wait for its end
      const dying = createDirectoryAdapter(
        { clock: systemClock, logger: silentLogger, cache: world.cache },
        { root: world.root, journalDir }
      )
      void dying.apply(items, bodies.source)
      await untilTrue(async () => existsSync(entryFile()) && (await stat(entryFile())).size > 0)
      await untilTrue(async () => (await new Journal(journalDir).read()) !== 'torn')
    } finally {
      Journal.prototype.begin = begin
    }
  }

  const restarted = async (): Promise<{ adapter: DirectoryAdapter; recovered: readonly ApplyResult[] }> => {
    const again = adapter()
    await again.start()
    return { adapter: again, recovered: again.recovered }
  }

  test('holds a set from the first change until the caller has taken note of it', async () => {
    const items = await someSet()
    const first = adapter()
    const results = await first.apply(items, bodies.source)
    assert.deepEqual(outcomes(results), Array(6).fill('done'))
    assert.ok((await stat(entryFile())).size > 0)
    await first.settled()
    assert.equal((await stat(entryFile())).size, 0)
    assert.deepEqual((await restarted()).recovered, [])
    await isWhole()
  })

  test('is private to the node', async () => {
    await adapter().apply(await someSet(), bodies.source)
    assert.equal((await lstat(journalDir)).mode & 0o777, 0o700)
    assert.equal((await lstat(entryFile())).mode & 0o777, 0o600)
  })

  test('is not written for a set that changes nothing', async () => {
    await world.put('a', 'same')
    assert.deepEqual(outcomes(await adapter().apply([write('a', 'same', null)], bodies.source)), ['done'])
    assert.equal(existsSync(entryFile()), false)
  })

  test('hands the results out again, marks and all, when the caller died before it took note', async () => {
    const items = await someSet()
    const results = await adapter().apply(items, bodies.source)
    const { adapter: again, recovered } = await restarted()
    assert.deepEqual(recovered, results)
    assert.equal(recovered[0]!.item.mark, 'mark of gone')
    await again.settled()
    assert.deepEqual((await restarted()).recovered, [])
  })

  test('finishes a set that was cut short before its first change', async () => {
    const items = await someSet()
    await crashBeforeTheFirstChange(items)
    assert.equal(await text('a'), 'first a')
    const { recovered } = await restarted()
    assert.deepEqual(outcomes(recovered), Array(6).fill('done'))
    await isWhole()
    assert.deepEqual(outcomes((await restarted()).recovered), Array(6).fill('done'))
    await isWhole()
  })

  test('takes a set back whose entry was not whole', async () => {
    await crashBeforeTheFirstChange(await someSet())
    await truncate(entryFile(), (await stat(entryFile())).size - 1)
    const { recovered } = await restarted()
    assert.deepEqual(recovered, [])
    assert.deepEqual(names(), ['a', 'b', 'gone', 'old'])
    assert.equal((await stat(entryFile())).size, 0)
  })

  test('takes a set back when a staged content is missing or damaged and none is in place', async () => {
    for (const harm of [(path: string) => rm(path), (path: string) => writeFile(path, 'second ?')]) {
      await crashBeforeTheFirstChange(await someSet())
      const [temp] = names().filter((name) => TEMP.test(name))
      await harm(world.at(temp!))
      assert.deepEqual((await restarted()).recovered, [])
      assert.deepEqual(names(), ['a', 'b', 'gone', 'old'])
      assert.equal((await stat(entryFile())).size, 0)
    }
  })

  test('leaves alone what somebody edited after the crash, and finishes the rest', async () => {
    await crashBeforeTheFirstChange(await someSet())
    await world.put('a', 'mine')
    await world.put('gone', 'mine too')
    const { recovered } = await restarted()
    assert.deepEqual(
      recovered.map(({ item }) => item.path),
      ['d', 'd/moved', 'b', 'd/new']
    )
    assert.deepEqual(names(), ['a', 'b', 'd', 'd/moved', 'd/new', 'gone'])
    assert.deepEqual([await text('a'), await text('b'), await text('gone')], ['mine', 'second b', 'mine too'])
  })

  test('counts what was in place and edited since as done, so that the edit is one of its content', async () => {
    await adapter().apply(await someSet(), bodies.source)
    await world.put('a', 'mine')
    const { recovered } = await restarted()
    assert.equal(recovered.length, 6)
    const entry = recovered.find(({ item }) => item.path === 'a')!.entry
    assert.ok(entry?.kind === 'file')
    assert.equal(entry.body.hash, bodies.add('second a').hash)
    assert.equal(await text('a'), 'mine')
  })

  test('does not touch another directory', async () => {
    await crashBeforeTheFirstChange(await someSet())
    await rename(world.root, `${world.root}.before`)
    await mkdir(world.root)
    assert.deepEqual((await restarted()).recovered, [])
    assert.deepEqual(names(), [])
    assert.ok((await readdir(`${world.root}.before`)).includes('gone'))
  })

  test('of a newer version is left for that version', async () => {
    await crashBeforeTheFirstChange(await someSet())
    await writeFile(entryFile(), (await readFile(entryFile(), 'utf8')).replace('grapevine-set 1', 'grapevine-set 2'))
    await assert.rejects(restarted(), isError('store-newer'))
    assert.equal(await text('a'), 'first a')
  })

  test('that cannot be written stops the set before its first change', async () => {
    await writeFile(journalDir, 'in the way')
    const results = await adapter().apply(await someSet(), bodies.source)
    assert.deepEqual(outcomes(results), Array(6).fill('failed'))
    for (const result of results) isError('store-failed')(result.error)
    assert.deepEqual(names(), ['a', 'b', 'gone', 'old'])
  })

  test('holds one set at a time, whoever asks', async () => {
    const items = await someSet()
    const one = adapter()
    const all = await Promise.all([
      one.apply(items.slice(0, 3), bodies.source),
      one.apply(items.slice(3), bodies.source)
    ])
    assert.deepEqual(outcomes(all.flat()), Array(6).fill('done'))
    const entry = await new Journal(journalDir).read()
    assert.ok(entry !== null && entry !== 'torn')
    assert.equal(entry.steps.length, 3)
  })

  test('lets a set that is under way end when the node stops', async () => {
    const items = await someSet()
    const abort = new AbortController()
    const one = adapter()
    const begin = Journal.prototype.begin
    Journal.prototype.begin = async function (entry: JournalEntry) {
      await begin.call(this, entry)
      abort.abort()
    }
    try {
      const [results] = await Promise.all([one.apply(items, bodies.source, abort.signal), one.stop()])
      assert.deepEqual(outcomes(results), Array(6).fill('done'))
    } finally {
      Journal.prototype.begin = begin
    }
    await isWhole()
  })

  test('and the staged content is put beside directories that the set itself makes or moves', async () => {
    await mkdir(world.at('ws/old'), { recursive: true })
    const { entries } = await world.adapter.scan()
    const one = adapter()
    const results = await one.apply(
      [
        { do: 'mkdir', path: 'ws/new', expect: null },
        { do: 'mkdir', path: 'ws/new/deep', expect: null },
        { do: 'move', from: 'ws/old', path: 'ws/renamed', expect: entries.get('ws/old')! },
        write('ws/new/deep/a', 'a', null),
        write('ws/renamed/b', 'b', null)
      ],
      bodies.source
    )
    assert.deepEqual(outcomes(results), Array(5).fill('done'))
    const entry = (await new Journal(journalDir).read()) as JournalEntry
    assert.deepEqual(
      entry.steps.flatMap(({ staged }) => staged?.dir ?? []),
      ['ws', 'ws']
    )
    assert.deepEqual(names(), ['ws', 'ws/new', 'ws/new/deep', 'ws/new/deep/a', 'ws/renamed', 'ws/renamed/b'])
  })
})

async function untilTrue(condition: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 60_000
  while (!(await condition())) {
    assert.ok(performance.now() < deadline, 'waited in vain')
    await new Promise((done) => setTimeout(done, 5))
  }
}
