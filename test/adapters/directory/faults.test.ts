/** Each call for a file that fails once, whatever the system says: no result is wrong, no content half, and a rescan mends it. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { chown, mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import type { ApplyItem, ApplyResult, ScanResult } from '../../../src/adapters/contract.js'
import type { DirectoryAdapter } from '../../../src/adapters/index.js'
import { GrapevineError } from '../../../src/errors.js'
import { Bodies, isError, outcomes } from '../../contract/adapter.js'
import { until } from '../../e2e/until.js'
import { callsOf, openBelow, withFaults } from '../../faults/files.js'
import { makeWorld, type World } from './world.js'

const CODES = ['EIO', 'ENOENT', 'EEXIST', 'EPERM', 'EMFILE'] as const
/** Every so many of the calls is tried with one code. */
const STEP = 3
const TEMPORARY = /(^|\/)\.grapevine-tmp-[0-9a-f]{24}$/
const MARKS = ['old a', 'new a', 'b', 'x', 'new', 'deep']

async function withWorld(work: (world: World) => Promise<void>): Promise<void> {
  const world = await makeWorld()
  try {
    await work(world)
  } finally {
    await world.dispose()
  }
}

/** Files as they are before the set. */
async function fill(world: World): Promise<void> {
  for (const dir of ['d', 'e']) await mkdir(world.at(dir))
  await writeFile(world.at('a.txt'), 'old a')
  await writeFile(world.at('b.txt'), 'b')
  await writeFile(world.at('d/x.txt'), 'x')
}

/** What lies there and a scan neither has nor says why: it would be taken for deleted. */
function unexplained(world: World, { entries, problems }: ScanResult): string[] {
  const paths = readdirSync(world.root, { recursive: true }).map(String)
  const hidden = (path: string): boolean =>
    problems.some((problem) => problem.path === '' || path === problem.path || path.startsWith(`${problem.path}/`))
  return paths.filter((path) => !TEMPORARY.test(path) && !entries.has(path) && !hidden(path))
}

/** A start, a scan, a set of every kind of change, a scan, a look at every file and a stop. */
async function everything(adapter: DirectoryAdapter, scans: (scan: ScanResult) => void = () => {}): Promise<void> {
  const bodies = new Bodies()
  await adapter.start()
  const first = await adapter.scan()
  scans(first)
  const { entries } = first
  const write = (path: string, content: string): ApplyItem => ({
    do: 'write',
    path,
    body: bodies.add(content),
    exec: false,
    expect: entries.get(path) ?? null
  })
  const known = (path: string): ApplyItem[] =>
    entries.has(path) ? [{ do: 'remove', path, expect: entries.get(path)! }] : []
  const items: ApplyItem[] = [
    write('a.txt', 'new a'),
    write('d/new.txt', 'new'),
    { do: 'mkdir', path: 'made', expect: null },
    write('made/deep.txt', 'deep'),
    ...(entries.has('d/x.txt')
      ? [{ do: 'move', from: 'd/x.txt', path: 'e/x.txt', expect: entries.get('d/x.txt')! } as const]
      : []),
    ...known('b.txt')
  ]
  const results = await adapter.apply(items, bodies.source)
  assert.equal(results.length, items.length)
  for (const { outcome, error } of results) if (outcome === 'failed') assert.ok(error instanceof GrapevineError)
  await adapter.settled()
  const scanned = await adapter.scan()
  scans(scanned)
  for (const problem of scanned.problems) assert.ok(problem.error instanceof GrapevineError)
  for (const entry of scanned.entries.values())
    if (entry.kind === 'file') for await (const piece of adapter.read(entry)) assert.ok(piece.length > 0)
  await adapter.stop()
}

function checkContents(world: World): void {
  for (const entry of readdirSync(world.root, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    if (!entry.isFile()) continue
    assert.ok(!TEMPORARY.test(path), `${path} is left`)
    assert.ok(MARKS.includes(readFileSync(path, 'utf8')), `${path} holds ${readFileSync(path, 'utf8')}`)
  }
}

// each code at other calls: all of them together take a minute more and have shown nothing else
for (const [offset, code] of CODES.entries())
  test(`${code} at any one call leaves whole files and no open one, and the next start goes on`, async () => {
    let calls = 0
    await withWorld(async (world) => {
      await fill(world)
      const adapter = world.again({ journalDir: join(world.outside, 'journal') })
      calls = (await callsOf(() => everything(adapter))).length
    })
    assert.ok(calls > 50)
    for (let skip = offset % STEP; skip < calls; skip += STEP) {
      await withWorld(async (world) => {
        await fill(world)
        const adapter = world.again({ journalDir: join(world.outside, 'journal') })
        const missed: string[] = []
        const scans = (scan: ScanResult): void => void missed.push(...unexplained(world, scan))
        await withFaults({ path: 'grapevine-test-', skip, times: 1, code }, () => everything(adapter, scans)).catch(
          (error: unknown) => assert.ok(error instanceof Error, String(error))
        )
        // what the system says is gone is gone, as far as anybody can tell
        if (code !== 'ENOENT') assert.deepEqual(missed, [], 'would be taken for deleted')
        await adapter.stop()
        const next = world.again({ journalDir: join(world.outside, 'journal') })
        await next.start()
        await next.settled()
        await next.stop()
        checkContents(world)
      }).catch((error: unknown) => {
        throw new Error(`call ${skip + 1} of ${calls}`, { cause: error })
      })
      assert.deepEqual(openBelow('grapevine-test-'), [], `open after a failure of call ${skip + 1} of ${calls}`)
    }
  })

describe('a directory', () => {
  test('whose parent cannot be read is not looked at as if it were gone', () =>
    withWorld(async (world) => {
      await fill(world)
      await withFaults({ op: 'lstat', path: 'd/x.txt' }, async () => {
        const { problems } = await world.adapter.scan({ paths: ['d/x.txt'] })
        assert.deepEqual(
          problems.map(({ path, error }) => [path, error.code]),
          [['d/x.txt', 'file-unreadable']]
        )
      })
      await withFaults({ op: 'open', path: '/d$' }, async () => {
        const { problems } = await world.adapter.scan({ paths: ['d/x.txt'] })
        assert.equal(problems[0]?.error.code, 'file-unreadable')
      })
    }))

  test('is watched as far as the system has watches', () =>
    withWorld(async (world) => {
      await fill(world)
      await withFaults({ op: 'watch', code: 'ENOSPC' }, () => world.adapter.start())
      assert.equal(world.log.filter(({ message }) => /no more directory watches/.test(message)).length, 1)
    }))

  test('whose file is gone between the look and the reading has changed, and nothing is written over it', () =>
    withWorld(async (world) => {
      await fill(world)
      const bodies = new Bodies()
      const expect = (await world.adapter.scan()).entries.get('a.txt')!
      await writeFile(world.at('a.txt'), 'dlo a')
      const item: ApplyItem = { do: 'write', path: 'a.txt', body: bodies.add('new a'), exec: false, expect }
      for (const [code, outcome] of [
        ['ENOENT', 'differs'],
        ['EIO', 'failed']
      ] as const) {
        const results: ApplyResult[] = await withFaults({ op: 'open', path: 'a.txt', code }, () =>
          world.adapter.apply([item], bodies.source)
        )
        assert.deepEqual(outcomes(results), [outcome])
      }
      await rm(world.at('a.txt'))
    }))

  test('whose root cannot be made out says so', () =>
    withWorld(async (world) => {
      await withFaults({ op: 'realpath', code: 'ENOENT' }, () =>
        assert.rejects(world.adapter.scan(), isError('target-missing'))
      )
      await withFaults({ op: 'realpath' }, () => assert.rejects(world.adapter.scan()))
    }))
})

test('where nobody can be given a file, it is written all the same', { skip: process.geteuid?.() !== 0 }, () =>
  withWorld(async (world) => {
    await fill(world)
    const NOBODY = 65_534
    await chown(world.root, NOBODY, NOBODY)
    const bodies = new Bodies()
    const items: ApplyItem[] = [
      { do: 'write', path: 'new.txt', body: bodies.add('new'), exec: false, expect: null },
      { do: 'mkdir', path: 'made', expect: null }
    ]
    const results: ApplyResult[] = await withFaults({ op: 'chown', code: 'EPERM' }, () =>
      world.adapter.apply(items, bodies.source)
    )
    assert.deepEqual(outcomes(results), ['done', 'done'])
  })
)

test('a set that is not written down is given up, also where what was staged for it cannot be reached any more', () =>
  withWorld(async (world) => {
    const adapter = world.again({ journalDir: join(world.outside, 'journal') })
    await adapter.start()
    const bodies = new Bodies()
    const item = (): ApplyItem => ({ do: 'write', path: 'new.txt', body: bodies.add('new'), exec: false, expect: null })
    const begin = { op: 'create', path: 'set.journal' }
    const open = { op: 'open', path: 'target$' }
    const opens = (await callsOf(() => withFaults(begin, () => adapter.apply([item()], bodies.source)))).filter(
      (call) => /^open .*target$/.test(call)
    ).length
    const results: ApplyResult[] = await withFaults([begin, { ...open, skip: opens - 1 }], () =>
      adapter.apply([item()], bodies.source)
    )
    assert.deepEqual(outcomes(results), ['failed'])
    await adapter.stop()
    const next = world.again({ journalDir: join(world.outside, 'journal') })
    await next.start()
    assert.deepEqual(readdirSync(world.root), [])
    await next.stop()
  }))

test('a fault while changes are looked at is told, and they are found by the next scan', () =>
  withWorld(async (world) => {
    await fill(world)
    await world.adapter.start()
    await withFaults({ op: 'lstat', path: 'late.txt' }, async () => {
      await writeFile(world.at('late.txt'), 'x')
      await until('it is told', () => world.log.some(({ message }) => /could not be looked at/.test(message)))
    })
    assert.ok((await world.adapter.scan()).entries.has('late.txt'))
  }))

test('what lies in a directory that cannot be opened is hinted all the same: the scan says what is wrong with it', () =>
  withWorld(async (world) => {
    await fill(world)
    await world.adapter.start()
    await withFaults({ op: 'open', path: 'target/d$' }, async () => {
      await writeFile(world.at('d/new.txt'), 'new')
      await until('it is hinted', () => JSON.stringify(world.hints).includes('d/new.txt'))
      const { problems } = await world.adapter.scan({ paths: ['d/new.txt'] })
      assert.equal(problems[0]?.error.code, 'file-unreadable')
    })
    assert.ok((await world.adapter.scan()).entries.has('d/new.txt'))
  }))

test('a fault over one item is told as one, and the others of its set are put in place', async () => {
  await withWorld(async (world) => {
    const bodies = new Bodies()
    const bad = bodies.add('bad')
    const source: typeof bodies.source = (body) => {
      if (body.hash === bad.hash) throw new TypeError('bo\nom')
      return bodies.source(body)
    }
    await world.adapter.start()
    const write = (path: string, body = bodies.add(path)): ApplyItem => ({
      do: 'write',
      path,
      body,
      exec: false,
      expect: null
    })
    const results = await world.adapter.apply([write('a'), write('b', bad), write('c')], source)
    assert.deepEqual(
      results.map(({ outcome, error }) => [outcome, error?.code, error?.message]),
      [
        ['done', undefined, undefined],
        ['failed', 'internal', 'b cannot be applied: TypeError: bo om'],
        ['done', undefined, undefined]
      ]
    )
    assert.deepEqual(readdirSync(world.root).toSorted(), ['a', 'c'])
  })
})
