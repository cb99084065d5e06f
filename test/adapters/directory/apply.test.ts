import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { appendFileSync, readdirSync, renameSync, symlinkSync } from 'node:fs'
import { chmod, chown, lstat, mkdir, readdir, readFile, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { afterEach, beforeEach, describe, test, type TestContext } from 'node:test'
import type { ApplyItem, BodySource, TargetEntry } from '../../../src/adapters/index.js'
import { independentGroups } from '../../../src/adapters/directory/apply.js'
import { Bodies, fileAt, isError, outcomes } from '../../contract/adapter.js'
import { makeWorld, type World } from './world.js'

const NOBODY = 65_534
const isRoot = process.geteuid?.() === 0

/** Runs `work` on a tiny file system of its own mounted at `at`, or skips the test with the reason. */
async function onTinyDisk(context: TestContext, at: string, size: string, work: () => Promise<void>): Promise<void> {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', at], { stdio: 'pipe' })
  } catch {
    context.skip('needs the right to mount a tmpfs')
    return
  }
  await work().finally(() => execFileSync('umount', ['-l', at]))
}

describe('applying to a directory', () => {
  let world: World
  let bodies: Bodies

  beforeEach(async () => {
    world = await makeWorld()
    bodies = new Bodies()
  })
  afterEach(() => world.dispose())

  const write = (path: string, content: string | Uint8Array, expect: TargetEntry | null, exec = false): ApplyItem => ({
    do: 'write',
    path,
    body: bodies.add(content),
    exec,
    expect
  })
  const apply = (items: ApplyItem[], source: BodySource = bodies.source) => world.adapter.apply(items, source)

  /** Serves the body in two halves and does something between them. */
  const between = (interfere: () => Promise<unknown>): BodySource =>
    async function* (body) {
      const pieces: Uint8Array[] = []
      for await (const piece of bodies.source(body)) pieces.push(piece)
      const all = Buffer.concat(pieces)
      yield all.subarray(0, all.length >> 1)
      await interfere()
      yield all.subarray(all.length >> 1)
    }

  /** Every name in the target and outside, scratch files too. */
  const everything = () =>
    [...readdirSync(world.root, { recursive: true }), ...readdirSync(world.outside)].map(String).sort()

  describe('is not led astray by symlinks', () => {
    test('swapped in for the directory while the file is being written', async () => {
      await world.makeDir('d')
      const swap = async () => {
        await rename(world.at('d'), world.at('away'))
        await symlink(world.outside, world.at('d'))
      }
      const [result] = await apply([write('d/a', 'content', null)], between(swap))
      assert.equal(result!.outcome, 'differs')
      assert.deepEqual(everything(), ['away', 'd'])
    })

    test('and back: what was written meanwhile is removed with the next set', async () => {
      await world.makeDir('d')
      const swap = (): void => {
        renameSync(world.at('d'), world.at('away'))
        symlinkSync(world.outside, world.at('d'))
      }
      // asked once between the last staging and the first change
      const signal = {
        get aborted() {
          if (readdirSync(world.at('d')).length > 0) swap()
          return false
        },
        throwIfAborted: () => undefined
      } as unknown as AbortSignal
      const [result] = await world.adapter.apply([write('d/a', 'content', null)], bodies.source, signal)
      assert.equal(result!.outcome, 'differs')
      assert.equal(everything().length, 3)
      await rm(world.at('d'))
      await rename(world.at('away'), world.at('d'))
      await apply([write('b', 'other', null)])
      assert.deepEqual(everything(), ['b', 'd'])
    })

    test('in the place of a parent, for any kind of change', async () => {
      await world.makeDir('d')
      await world.put('d/a', 'x')
      const { entries } = await world.adapter.scan()
      await rename(world.at('d'), world.at('away'))
      await symlink(world.outside, world.at('d'))
      await writeFile(`${world.outside}/a`, 'x')
      const results = await apply([
        write('d/a', 'new', entries.get('d/a')!),
        write('d/b', 'new', null),
        { do: 'mkdir', path: 'd/e', expect: null },
        { do: 'move', from: 'd/a', path: 'b', expect: entries.get('d/a')! },
        { do: 'move', from: 'away', path: 'd/away', expect: entries.get('d')! },
        { do: 'remove', path: 'd/a', expect: entries.get('d/a')! }
      ])
      assert.deepEqual(outcomes(results).slice(0, 5), Array(5).fill('differs'))
      assert.deepEqual(await readdir(world.outside), ['a'])
      assert.equal(await readFile(`${world.outside}/a`, 'utf8'), 'x')
      await assert.rejects(world.adapter.setAside('d/a', world.outside), isError('file-changed'))
    })

    test('further up than the parent', async () => {
      await mkdir(world.at('d/e'), { recursive: true })
      await world.put('d/e/a', 'x')
      const expect = await fileAt(world.adapter, 'd/e/a')
      await mkdir(`${world.outside}/e`)
      await writeFile(`${world.outside}/e/a`, 'x')
      await rm(world.at('d'), { recursive: true })
      await symlink(world.outside, world.at('d'))
      assert.deepEqual(outcomes(await apply([write('d/e/a', 'new', expect), write('d/e/b', 'new', null)])), [
        'differs',
        'differs'
      ])
      assert.deepEqual(await readdir(`${world.outside}/e`), ['a'])
      const { entries, problems } = await world.adapter.scan({ paths: ['d/e/a'] })
      assert.deepEqual([entries.size, problems[0]?.path], [0, 'd'])
    })

    test('in the place of the file', async () => {
      await writeFile(`${world.outside}/a`, 'x')
      await symlink(`${world.outside}/a`, world.at('link'))
      const results = await apply([write('link', 'new', null)])
      assert.deepEqual(outcomes(results), ['differs'])
      assert.equal(await readFile(`${world.outside}/a`, 'utf8'), 'x')
    })
  })

  describe('never loses an edit that comes in between', () => {
    test('when the file is changed while its new content arrives', async () => {
      await world.put('a', 'old')
      const expect = await fileAt(world.adapter, 'a')
      const edit = async () => appendFileSync(world.at('a'), ' and mine')
      const [result] = await apply([write('a', 'content', expect)], between(edit))
      assert.equal(result!.outcome, 'differs')
      assert.equal(await readFile(world.at('a'), 'utf8'), 'old and mine')
      assert.deepEqual(everything(), ['a'])
    })

    test('when a file is made where there was none', async () => {
      const [result] = await apply(
        [write('a', 'content', null)],
        between(() => world.put('a', 'mine'))
      )
      assert.equal(result!.outcome, 'differs')
      assert.equal(await readFile(world.at('a'), 'utf8'), 'mine')
      assert.deepEqual(everything(), ['a'])
    })

    test('when only the exec bit was changed', async () => {
      await world.put('a', 'old')
      const expect = await fileAt(world.adapter, 'a')
      await chmod(world.at('a'), 0o755)
      assert.deepEqual(outcomes(await apply([write('a', 'new', expect)])), ['differs'])
    })

    test('when the directory vanishes meanwhile', async () => {
      await world.makeDir('d')
      const vanish = () => rm(world.at('d'), { recursive: true })
      const [result] = await apply([write('d/a', 'content', null)], between(vanish))
      assert.notEqual(result!.outcome, 'done')
      assert.deepEqual(everything(), [])
    })
  })

  describe('takes care of', () => {
    test('the mtime, which always moves forward', async () => {
      await world.put('a', 'old')
      const future = new Date(Date.now() + 3_600_000)
      await utimes(world.at('a'), future, future)
      assert.deepEqual(outcomes(await apply([write('a', 'new', await fileAt(world.adapter, 'a'))])), ['done'])
      const { mtimeMs } = await lstat(world.at('a'))
      assert.ok(mtimeMs > future.getTime() && mtimeMs < future.getTime() + 100)
    })

    test('permissions: given whatever the umask, kept when a file is replaced', async () => {
      await world.put('kept', 'old')
      await chmod(world.at('kept'), 0o640)
      const expect = await fileAt(world.adapter, 'kept')
      const mask = process.umask(0o077)
      const modeOf = async (path: string) => ((await lstat(world.at(path))).mode & 0o7777).toString(8)
      try {
        await apply([
          { do: 'mkdir', path: 'd', expect: null },
          write('d/plain', 'x', null),
          write('d/run', 'x', null, true),
          write('kept', 'new', expect)
        ])
      } finally {
        process.umask(mask)
      }
      const modes = await Promise.all(['d', 'd/plain', 'd/run', 'kept'].map(modeOf))
      assert.deepEqual(modes, ['755', '644', '755', '640'])
      await apply([write('kept', 'new', await fileAt(world.adapter, 'kept'), true)])
      assert.equal(await modeOf('kept'), '750')
    })

    test('owners, so that the server beside us can go on writing', { skip: !isRoot && 'needs root' }, async () => {
      await chown(world.root, NOBODY, NOBODY)
      await world.put('theirs', 'old')
      await chown(world.at('theirs'), 1234, 2345)
      await apply([{ do: 'mkdir', path: 'd', expect: null }, write('d/new', 'x', null)])
      await apply([write('theirs', 'new', await fileAt(world.adapter, 'theirs'))])
      const owners = await Promise.all(['d', 'd/new', 'theirs'].map((path) => lstat(world.at(path))))
      assert.deepEqual(
        owners.map((stat) => [stat.uid, stat.gid]),
        [
          [NOBODY, NOBODY],
          [NOBODY, NOBODY],
          [1234, 2345]
        ]
      )
    })

    test('the next scan: it neither hashes nor reports what was just written', async () => {
      const items = [write('a', 'x', null), write('b', 'y', null), write('empty', '', null)]
      const results = await apply(items)
      world.cache.written.length = 0
      const { entries, problems } = await world.adapter.scan({ paths: ['a', 'b', 'empty'] })
      assert.deepEqual(new Map(results.map((result) => [result.item.path, result.entry])), entries)
      assert.deepEqual([world.cache.written, problems], [[], []])
    })

    test('its own clock tick: a later full scan reads once more what was just written', async () => {
      await apply([write('a', 'x', null)])
      assert.equal(world.cache.get('a')!.recheck, true)
      const { hash } = world.cache.get('a')!
      world.cache.set('a', { ...world.cache.get('a')!, hash: 'f'.repeat(64) })
      const entry = (await world.adapter.scan()).entries.get('a')
      assert.equal(entry?.kind === 'file' && entry.body.hash, hash)
    })

    test('scratch files: none is left after success, failure or abort', async () => {
      await world.put('b', 'mine')
      const abort = new AbortController()
      const items = [write('a', 'content', null), write('b', 'new', null)]
      await apply(items)
      await apply(
        [write('c', 'content', null)],
        between(() => Promise.reject(new Error('source broke')))
      )
      const stop = between(async () => abort.abort())
      const results = await world.adapter.apply([write('d', 'content', null)], stop, abort.signal)
      isError('stopped')(results[0]!.error)
      assert.deepEqual(everything(), ['a', 'b'])
    })

    test('scratch files of a run that died: removed at start, only those with a name of ours', async () => {
      const ours = `.grapevine-tmp-${'0a'.repeat(12)}`
      await world.makeDir('d')
      for (const path of [ours, `d/${ours}`, '.grapevine-tmp-notes', 'a']) await world.put(path, 'x')
      await world.makeDir(`d/${ours.replace('0a', '0b')}`)
      await world.adapter.start()
      assert.deepEqual(everything(), ['.grapevine-tmp-notes', 'a', 'd', `d/${ours.replace('0a', '0b')}`])
    })
  })

  test('takes what went together with its directory for removed', async () => {
    await world.makeDir('d')
    await world.put('d/a', 'x')
    const { entries } = await world.adapter.scan()
    await world.remove('d')
    const gone = ['d/a', 'd'].map((path): ApplyItem => ({ do: 'remove', path, expect: entries.get(path)! }))
    assert.deepEqual(outcomes(await apply(gone)), ['done', 'done'])
  })

  test('stops reading a body at its declared size', async () => {
    let pieces = 0
    const endless: BodySource = async function* () {
      for (; pieces < 1_000; pieces++) yield Buffer.alloc(10)
    }
    const [result] = await apply([write('a', 'x'.repeat(20), null)], endless)
    isError('blob-damaged')(result!.error)
    assert.equal(pieces, 2)
  })

  test('reports a full disk, leaves no scratch file, and goes on when there is space', async (context) => {
    await world.makeDir('small')
    await onTinyDisk(context, world.at('small'), '256k', async () => {
      const adapter = world.again({ root: world.at('small') })
      const big = write('big', Buffer.alloc(1_000_000, 1), null)
      const results = await adapter.apply([big, write('little', 'x', null)], bodies.source)
      assert.deepEqual(outcomes(results), ['failed', 'done'])
      isError('disk-full')(results[0]!.error)
      assert.deepEqual(await readdir(world.at('small')), ['little'])
      execFileSync('mount', ['-o', 'remount,size=4m', world.at('small')])
      assert.deepEqual(outcomes(await adapter.apply([big], bodies.source)), ['done'])
    })
  })

  test('sets aside across file systems, whole directories too', async (context) => {
    await onTinyDisk(context, world.outside, '1m', async () => {
      await world.makeDir('d')
      await world.put('d/a', 'x')
      await symlink('a', world.at('d/link'))
      await world.adapter.setAside('d', world.outside)
      assert.deepEqual(everything(), ['d'])
      assert.equal(await readFile(`${world.outside}/d/a`, 'utf8'), 'x')
      await world.put('d', 'now a file')
      await world.adapter.setAside('d', world.outside)
      assert.equal(await readFile(`${world.outside}/d.1`, 'utf8'), 'now a file')
    })
  })

  test('sets a file aside below one that was saved under the name of its directory', async () => {
    await world.put('d', 'was a file')
    await world.adapter.setAside('d', world.outside)
    await world.makeDir('d')
    await world.put('d/a', 'x')
    await world.adapter.setAside('d/a', world.outside)
    assert.equal(await readFile(`${world.outside}/d`, 'utf8'), 'was a file')
    assert.equal(await readFile(`${world.outside}/again.1/d/a`, 'utf8'), 'x')
  })

  test('to a root that is gone fails for every item and makes nothing', async () => {
    await world.adapter.scan()
    await rename(world.root, `${world.root}.away`)
    await mkdir(world.root)
    const results = await apply([write('a', 'x', null), { do: 'mkdir', path: 'd', expect: null }])
    assert.deepEqual(outcomes(results), ['failed', 'failed'])
    for (const result of results) isError('target-missing')(result.error)
    assert.deepEqual(await readdir(world.root), [])
  })

  test('writes together only what cannot depend on each other', () => {
    const items = [write('a', '1', null), write('b', '2', null), write('a', '3', null)]
    const dir: ApplyItem = { do: 'mkdir', path: 'd', expect: null }
    const all = [...items, dir, dir, write('d/x', '4', null)]
    const groups = independentGroups(all.map((item) => ({ item })))
    assert.deepEqual(
      groups.map((group) => group.map(({ item }) => item.path)),
      [['a', 'b'], ['a'], ['d'], ['d'], ['d/x']]
    )
    const ranked = independentGroups(
      ['1a', '1b', '2a', '1c', '1d'].map((path) => ({ item: write(path, 'x', null) })),
      (a, b) => a[0] === b[0]
    )
    assert.deepEqual(
      ranked.map((group) => group.map(({ item }) => item.path)),
      [['1a', '1b'], ['2a'], ['1c', '1d']]
    )
  })
})
