import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { appendFileSync, writeFileSync } from 'node:fs'
import { chmod, chown, mkdir, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { bodyRefOf } from '../../../src/wire/index.js'
import { bytesOf, eventually, fileAt, isError, type FileEntry } from '../../contract/adapter.js'
import { makeWorld, type World } from './world.js'

const NOBODY = 65_534
const isRoot = process.geteuid?.() === 0

/** Runs `work` without the rights of root, for whom no file is unreadable. */
async function asNobody<T>(world: World, work: () => Promise<T>): Promise<T> {
  if (!isRoot) return work()
  await chmod(world.at('..'), 0o755)
  process.seteuid!(NOBODY)
  try {
    return await work()
  } finally {
    process.seteuid!(0)
  }
}

describe('the scan of a directory', () => {
  let world: World

  beforeEach(async () => {
    world = await makeWorld()
  })
  afterEach(() => world.dispose())

  /** Scans until no file is hashed any more: those just written are read again on purpose. */
  async function settledScan() {
    return eventually(async () => {
      world.cache.written.length = 0
      const result = await world.adapter.scan()
      const before = world.cache.written.length
      await world.adapter.scan()
      return before === 0 && world.cache.get('a') !== undefined && result
    })
  }

  test('does not hash a file again whose stat is unchanged', async () => {
    await world.put('a', 'x')
    await world.makeDir('d')
    await world.put('d/b', 'y')
    await settledScan()
    world.cache.written.length = 0
    assert.equal((await world.adapter.scan()).entries.size, 3)
    assert.deepEqual(world.cache.written, [])
    // a row that is plainly wrong shows that it is used
    world.cache.set('a', { ...world.cache.get('a')!, hash: 'f'.repeat(64) })
    assert.equal((await fileAt(world.adapter, 'a')).body.hash, 'f'.repeat(64))
  })

  test('finds the same content when every file is touched', async () => {
    await world.makeDir('d')
    for (const path of ['a', 'd/b', 'd/c']) await world.put(path, `content of ${path}`)
    const before = await settledScan()
    for (const path of ['a', 'd/b', 'd/c', 'd']) await utimes(world.at(path), new Date(), new Date())
    assert.deepEqual(await world.adapter.scan(), before)
  })

  test('sees a change of the same length right behind the last scan', async () => {
    for (let i = 100; i < 160; i++) {
      writeFileSync(world.at('a'), `content ${i}`)
      assert.deepEqual((await fileAt(world.adapter, 'a')).body, bodyRefOf(Buffer.from(`content ${i}`)))
    }
  })

  test('forgets the rows of files that are gone', async () => {
    await world.put('a', 'x')
    await world.makeDir('d')
    await world.put('d/b', 'y')
    await settledScan()
    await world.remove('d')
    await world.adapter.scan()
    assert.equal(world.cache.get('d/b'), undefined)
    assert.notEqual(world.cache.get('a'), undefined)
  })

  test('never follows a symlink, and leaves out what is no file', async () => {
    await writeFile(`${world.outside}/secret`, 'secret')
    await symlink(world.outside, world.at('to-dir'))
    await symlink(`${world.outside}/secret`, world.at('to-file'))
    await symlink('nowhere', world.at('dangling'))
    execFileSync('mkfifo', [world.at('fifo')])
    const server = createServer().listen(world.at('socket'))
    try {
      await eventually(async () => (await world.adapter.scan()).problems.length === 5)
    } finally {
      server.close()
    }
    const { entries, problems } = await world.adapter.scan({ paths: ['to-dir', 'to-dir/secret', 'to-file', 'fifo'] })
    assert.equal(entries.size, 0)
    assert.deepEqual(problems.map((problem) => problem.path).sort(), ['fifo', 'to-dir', 'to-file'])
    for (const { error } of problems) isError('file-not-shared')(error)
    assert.deepEqual(
      (await world.adapter.scan({ paths: ['to-dir/secret'] })).problems.map((p) => p.path),
      ['to-dir']
    )
  })

  test('does not read through a directory that was swapped for a symlink', async () => {
    await world.makeDir('d')
    await world.put('d/a', 'mine')
    const entry = await fileAt(world.adapter, 'd/a')
    await writeFile(`${world.outside}/a`, 'mine')
    await rename(world.at('d'), world.at('e'))
    await symlink(world.outside, world.at('d'))
    await assert.rejects(bytesOf(world.adapter.read(entry)), isError('file-changed'))
  })

  test('reports names that are not UTF-8 or hold control characters, escaped', async () => {
    writeFileSync(Buffer.concat([Buffer.from(world.root), Buffer.from('/caf\xe9', 'latin1')]), 'x')
    await world.put('two\nlines', 'x')
    await world.put('ok', 'x')
    const { entries, problems } = await world.adapter.scan()
    assert.deepEqual([...entries.keys()], ['ok'])
    assert.deepEqual(problems.map((problem) => problem.path).sort(), ['caf\\xe9', 'two\\x0alines'])
    for (const { error } of problems) isError('name-not-allowed')(error)
  })

  test('reports what cannot be read, so that nothing in it passes for deleted', async () => {
    await world.put('open', 'x')
    await world.put('locked', 'x')
    await world.makeDir('locked-dir')
    await world.put('locked-dir/in', 'x')
    await chmod(world.at('locked'), 0)
    await chmod(world.at('locked-dir'), 0)
    const { entries, problems } = await asNobody(world, () => world.adapter.scan())
    assert.deepEqual([...entries.keys()], ['open'])
    assert.deepEqual(problems.map((problem) => problem.path).sort(), ['locked', 'locked-dir'])
    for (const { error } of problems) isError('file-unreadable')(error)
    const below = await asNobody(world, () => world.adapter.scan({ paths: ['locked-dir/in'] }))
    assert.equal(below.problems.length, 1)
    await chmod(world.at('locked-dir'), 0o755)
  })

  test('reports a file that does not come to rest, and takes it when it does', async () => {
    writeFileSync(world.at('growing'), Buffer.alloc(24 * 1024 * 1024))
    let writing = true
    const writer = (async () => {
      while (writing) {
        appendFileSync(world.at('growing'), 'more')
        await new Promise((resolve) => setImmediate(resolve))
      }
    })()
    const { entries, problems } = await world.adapter.scan().finally(() => (writing = false))
    await writer
    assert.equal(entries.size, 0)
    assert.equal(problems[0]?.path, 'growing')
    isError('file-changed')(problems[0]?.error)
    assert.equal((await world.adapter.scan()).entries.size, 1)
  })

  test('takes files that vanish while it reads for absent', async () => {
    await world.makeDir('d')
    let busy = true
    const churn = (async () => {
      for (let i = 0; busy; i++) {
        await writeFile(world.at(`d/${i % 40}`), 'x'.repeat(i % 9))
        await rm(world.at(`d/${(i + 20) % 40}`), { force: true })
        if (i % 50 === 49) {
          await rename(world.at('d'), world.at('gone'))
          await rm(world.at('gone'), { recursive: true })
          await mkdir(world.at('d'))
        }
      }
    })()
    try {
      for (let i = 0; i < 60; i++) {
        const { problems } = await world.adapter.scan()
        for (const { error } of problems) isError('file-changed')(error)
      }
    } finally {
      busy = false
      await churn
    }
  })

  test('holds back a file that is empty and young, and does not let it pass for deleted', async () => {
    const adapter = world.again({ emptySettleMs: 600_000 })
    await world.put('filled', 'x')
    await world.put('new', '')
    await writeFile(world.at('filled'), '')
    const { entries, problems } = await adapter.scan()
    assert.equal(entries.size, 0)
    assert.deepEqual(problems.map((problem) => problem.path).sort(), ['filled', 'new'])
    for (const { error } of problems) assert.equal(error.facts['transient'], true)
  })

  test('of a missing, replaced or foreign root throws instead of showing nothing', async () => {
    await world.put('a', 'x')
    await world.adapter.scan()
    const identity = world.adapter.rootIdentity!
    await rename(world.root, `${world.root}.away`)
    for (const paths of [undefined, ['a']]) {
      await assert.rejects(world.adapter.scan(paths === undefined ? {} : { paths }), isError('target-missing'))
    }
    await mkdir(world.root)
    await assert.rejects(world.adapter.scan(), isError('target-missing'))
    await assert.rejects(world.again({ expectRoot: identity }).start(), isError('target-missing'))
    await rm(world.root, { recursive: true })
    await writeFile(world.root, 'a file')
    await assert.rejects(world.again().scan(), isError('target-missing'))
    await rm(world.root)
    await rename(`${world.root}.away`, world.root)
    assert.equal((await world.adapter.scan()).entries.size, 1)
    // another device number is what a reboot may bring
    const again = world.again({ expectRoot: { ...identity, dev: '1' } })
    assert.equal((await again.scan()).entries.size, 1)
  })

  test(
    'of a file owned by somebody else and readable is nothing special',
    { skip: !isRoot && 'needs root' },
    async () => {
      await world.put('a', 'x')
      await chown(world.at('a'), NOBODY, NOBODY)
      assert.equal(((await world.adapter.scan()).entries.get('a') as FileEntry).body.size, 1)
    }
  )
})
