/** What every adapter does, whatever system it writes to. Run with each implementation. */
import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import type {
  Adapter,
  ApplyItem,
  ApplyResult,
  BodySource,
  TargetEntry,
  WatchHint
} from '../../src/adapters/contract.js'
import { GrapevineError, type ErrorCode } from '../../src/errors.js'
import { bodyRefOf, EMPTY_BODY, type BodyRef } from '../../src/wire/index.js'

/** The adapter, and hands that change its target behind its back as another program would. */
export interface AdapterUnderTest {
  readonly adapter: Adapter
  /** An empty directory outside the target. */
  readonly outside: string
  put(path: string, bytes: Uint8Array | string, options?: { exec?: boolean }): Promise<void>
  makeDir(path: string): Promise<void>
  remove(path: string): Promise<void>
  rename(from: string, to: string): Promise<void>
  /** What the target holds at a path; null when nothing. */
  bytesAt(path: string): Promise<{ bytes: Buffer; exec: boolean } | null>
  dispose(): Promise<void>
}

export type FileEntry = TargetEntry & { kind: 'file' }

/** Longest wait for something that must happen, ms. */
const PATIENCE_MS = 8_000

/** Bodies held in memory; `source` serves them in small pieces. */
export class Bodies {
  readonly #held = new Map<string, Buffer>()

  add(content: Uint8Array | string): BodyRef {
    const bytes = Buffer.from(content)
    const ref = bodyRefOf(bytes)
    this.#held.set(ref.hash, bytes)
    return ref
  }

  readonly source: BodySource = async function* (this: Bodies, body: BodyRef) {
    const bytes = this.#held.get(body.hash)!
    for (let at = 0; at < bytes.length; at += 100_000) yield bytes.subarray(at, at + 100_000)
  }.bind(this)
}

/** Waits until `check` gives something else than undefined or false. */
export async function eventually<T>(check: () => Promise<T | undefined | false> | T | undefined | false): Promise<T> {
  const end = performance.now() + PATIENCE_MS
  for (;;) {
    const found = await check()
    if (found !== undefined && found !== false) return found
    if (performance.now() > end) throw new Error(`did not happen within ${PATIENCE_MS} ms: ${check.toString()}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

export async function fileAt(adapter: Adapter, path: string): Promise<FileEntry> {
  const entry = (await adapter.scan({ paths: [path] })).entries.get(path)
  assert.equal(entry?.kind, 'file', `${path} is not there as a file`)
  return entry as FileEntry
}

export async function bytesOf(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = []
  for await (const piece of stream) pieces.push(piece)
  return Buffer.concat(pieces)
}

export function outcomes(results: readonly ApplyResult[]): string[] {
  return results.map((result) => result.outcome)
}

export function isError(code: ErrorCode): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof GrapevineError, `not a GrapevineError: ${String(error)}`)
    assert.equal(error.code, code)
    assert.ok(error.next.length > 0)
    return true
  }
}

/** True when the hint asks to look at `path`. */
export function covers(hint: WatchHint, path: string): boolean {
  return 'all' in hint || hint.paths.some((hinted) => hinted === path || path.startsWith(`${hinted}/`))
}

export function adapterContract(name: string, make: () => Promise<AdapterUnderTest>): void {
  describe(`the adapter contract, ${name}`, () => {
    let made: AdapterUnderTest
    let adapter: Adapter
    let bodies: Bodies

    beforeEach(async () => {
      made = await make()
      adapter = made.adapter
      bodies = new Bodies()
    })
    afterEach(() => made.dispose())

    const write = (
      path: string,
      content: Uint8Array | string,
      expect: TargetEntry | null,
      exec = false
    ): ApplyItem => ({
      do: 'write',
      path,
      body: bodies.add(content),
      exec,
      expect
    })
    const apply = (...items: ApplyItem[]) => adapter.apply(items, bodies.source)

    describe('a scan', () => {
      test('finds nothing in an empty target', async () => {
        const { entries, problems } = await adapter.scan()
        assert.deepEqual([entries.size, problems.length], [0, 0])
      })

      test('lists files and directories with their content ids, parents before children', async () => {
        await made.makeDir('a')
        await made.makeDir('a/deep')
        await made.makeDir('empty dir')
        await made.put('a/deep/x.xml', '<x/>')
        await made.put('a/run.sh', '#!/bin/sh\n', { exec: true })
        const { entries, problems } = await adapter.scan()
        assert.deepEqual(problems, [])
        assert.deepEqual([...entries.keys()].sort(), ['a', 'a/deep', 'a/deep/x.xml', 'a/run.sh', 'empty dir'])
        const order = [...entries.keys()]
        assert.ok(order.indexOf('a') < order.indexOf('a/deep'))
        assert.ok(order.indexOf('a/deep') < order.indexOf('a/deep/x.xml'))
        assert.deepEqual((entries.get('a/deep/x.xml') as FileEntry).body, bodyRefOf(Buffer.from('<x/>')))
        assert.equal((entries.get('a/deep/x.xml') as FileEntry).exec, false)
        assert.equal((entries.get('a/run.sh') as FileEntry).exec, true)
        assert.equal(entries.get('empty dir')?.kind, 'dir')
      })

      test('takes names with spaces, accents, emoji and signs that only Windows refuses', async () => {
        const names = [
          ' a b ',
          'Grüße.txt',
          '\u0041\u030a',
          '\u00c5',
          '🍇.svg',
          'ring_buoy.png?',
          'aux.xml',
          '-rf',
          '#x',
          '!y'
        ]
        for (const each of names) await made.put(each, each)
        const { entries, problems } = await adapter.scan()
        assert.deepEqual(problems, [])
        assert.deepEqual([...entries.keys()].sort(), [...names].sort())
      })

      test('lists an empty file once it has come to rest', async () => {
        await made.put('empty.ftl', '')
        const entry = await eventually(async () => (await adapter.scan()).entries.get('empty.ftl'))
        assert.deepEqual((entry as FileEntry).body, EMPTY_BODY)
      })

      test('gives the same answer when nothing changed', async () => {
        await made.makeDir('d')
        for (let i = 0; i < 20; i++) await made.put(`d/${i}`, `content ${i}`)
        const first = await adapter.scan()
        assert.deepEqual(await adapter.scan(), first)
      })

      test('of some paths looks at these and below, and a path that is gone is simply absent', async () => {
        await made.makeDir('a')
        await made.put('a/1', 'one')
        await made.put('b', 'two')
        const { entries, problems } = await adapter.scan({ paths: ['a', 'gone', 'gone/below', 'b/not-a-dir'] })
        assert.deepEqual([...entries.keys()], ['a', 'a/1'])
        assert.deepEqual(problems, [])
      })

      test('ends when it is aborted', async () => {
        await made.put('a', 'x')
        await assert.rejects(adapter.scan({ signal: AbortSignal.abort() }), { name: 'AbortError' })
      })
    })

    describe('reading', () => {
      test('gives the bytes of a file of several chunks', async () => {
        const content = Buffer.alloc(700_000, 'grapevine ')
        await made.put('big', content)
        const entry = await fileAt(adapter, 'big')
        assert.deepEqual(entry.body, bodyRefOf(content))
        assert.ok((await bytesOf(adapter.read(entry))).equals(content))
      })

      test('of a file that changed or went since the scan throws file-changed', async () => {
        await made.put('a', 'before')
        const entry = await fileAt(adapter, 'a')
        await made.put('a', 'after!')
        await assert.rejects(bytesOf(adapter.read(entry)), isError('file-changed'))
        await made.remove('a')
        await assert.rejects(bytesOf(adapter.read(entry)), isError('file-changed'))
      })
    })

    describe('applying', () => {
      test('makes directories and files, and a scan then shows what the results say', async () => {
        const results = await apply(
          { do: 'mkdir', path: 'ws', expect: null },
          { do: 'mkdir', path: 'ws/öffentlich', expect: null },
          write('ws/öffentlich/a b.xml', 'x', null),
          write('ws/run', 'y', null, true),
          write('ws/empty', '', null),
          write('ws/big', Buffer.alloc(600_000, 7), null)
        )
        assert.deepEqual(outcomes(results), Array(6).fill('done'))
        const { entries, problems } = await adapter.scan()
        assert.deepEqual(problems, [])
        assert.deepEqual(new Map(results.map((result) => [result.item.path, result.entry])), new Map(entries))
        assert.deepEqual(await made.bytesAt('ws/run'), { bytes: Buffer.from('y'), exec: true })
      })

      test('gives one result an item, in the order of the items', async () => {
        const items = Array.from({ length: 50 }, (_, i) => write(`f${i}`, `content ${i}`, null))
        const results = await apply(...items)
        assert.deepEqual(
          results.map((result) => result.item),
          items
        )
      })

      test('replaces what is as expected', async () => {
        await made.put('a', 'old')
        const [result] = await apply(write('a', 'new', await fileAt(adapter, 'a'), true))
        assert.equal(result!.outcome, 'done')
        assert.deepEqual(await made.bytesAt('a'), { bytes: Buffer.from('new'), exec: true })
      })

      test('changes the exec bit alone', async () => {
        await made.put('a', 'same')
        assert.deepEqual(outcomes(await apply(write('a', 'same', await fileAt(adapter, 'a'), true))), ['done'])
        assert.equal((await made.bytesAt('a'))!.exec, true)
        assert.deepEqual(outcomes(await apply(write('a', 'same', await fileAt(adapter, 'a'), false))), ['done'])
        assert.equal((await made.bytesAt('a'))!.exec, false)
      })

      test('leaves alone what was changed, made, removed or re-typed behind its back', async () => {
        for (const path of ['changed', 'removed', 'retyped']) await made.put(path, 'old')
        const [changed, removed, retyped] = await Promise.all(
          ['changed', 'removed', 'retyped'].map((path) => fileAt(adapter, path))
        )
        await made.put('changed', 'own')
        await made.put('made', 'own')
        await made.remove('removed')
        await made.remove('retyped')
        await made.makeDir('retyped')
        const results = await apply(
          write('changed', 'new', changed!),
          write('made', 'new', null),
          write('removed', 'new', removed!),
          write('retyped', 'new', retyped!),
          { do: 'remove', path: 'changed', expect: changed! },
          { do: 'move', from: 'changed', path: 'elsewhere', expect: changed! },
          { do: 'mkdir', path: 'made', expect: null }
        )
        assert.deepEqual(outcomes(results), Array(7).fill('differs'))
        assert.equal((await made.bytesAt('changed'))!.bytes.toString(), 'own')
        assert.equal((await made.bytesAt('made'))!.bytes.toString(), 'own')
        assert.equal(await made.bytesAt('removed'), null)
        assert.equal(await made.bytesAt('elsewhere'), null)
      })

      test('puts a file in the place of an empty directory and a directory in the place of a file', async () => {
        await made.makeDir('was-dir')
        await made.put('was-file', 'x')
        const { entries } = await adapter.scan()
        const results = await apply(write('was-dir', 'now a file', entries.get('was-dir')!), {
          do: 'mkdir',
          path: 'was-file',
          expect: entries.get('was-file')!
        })
        assert.deepEqual(outcomes(results), ['done', 'done'])
        const after = (await adapter.scan()).entries
        assert.deepEqual([after.get('was-dir')?.kind, after.get('was-file')?.kind], ['file', 'dir'])
      })

      test('removes children before their directory, and never a directory that holds something', async () => {
        await made.makeDir('d')
        await made.put('d/a', 'x')
        const { entries } = await adapter.scan()
        const dir: ApplyItem = { do: 'remove', path: 'd', expect: entries.get('d')! }
        const [kept] = await apply(dir)
        assert.equal(kept!.outcome, 'differs')
        assert.match(kept!.error!.message, /d\/a/)
        const results = await apply({ do: 'remove', path: 'd/a', expect: entries.get('d/a')! }, dir)
        assert.deepEqual(outcomes(results), ['done', 'done'])
        assert.deepEqual(
          results.map((result) => result.entry),
          [null, null]
        )
        assert.equal((await adapter.scan()).entries.size, 0)
      })

      test('moves files and whole directories, and refuses a place that is taken', async () => {
        await made.makeDir('ws')
        await made.put('ws/a', 'x')
        await made.put('b', 'y')
        await made.put('taken', 'z')
        const { entries } = await adapter.scan()
        const results = await apply(
          { do: 'move', from: 'ws', path: 'new ws', expect: entries.get('ws')! },
          { do: 'move', from: 'b', path: 'new ws/b', expect: entries.get('b')! },
          { do: 'move', from: 'new ws/b', path: 'taken', expect: entries.get('b')! }
        )
        assert.deepEqual(outcomes(results), ['done', 'done', 'differs'])
        const after = (await adapter.scan()).entries
        assert.deepEqual([...after.keys()].sort(), ['new ws', 'new ws/a', 'new ws/b', 'taken'])
        assert.deepEqual(results[1]!.entry, after.get('new ws/b'))
        assert.equal((await made.bytesAt('taken'))!.bytes.toString(), 'z')
      })

      test('refuses to move a directory below itself', async () => {
        await made.makeDir('d')
        const expect = (await adapter.scan()).entries.get('d')!
        const [result] = await apply({ do: 'move', from: 'd', path: 'd/e', expect })
        assert.equal(result!.outcome, 'failed')
        isError('move-into-itself')(result!.error)
      })

      test('of the same set again, as after a crash, is done without a change', async () => {
        await made.put('old', 'x')
        await made.put('gone', 'y')
        const { entries } = await adapter.scan()
        const set: ApplyItem[] = [
          { do: 'mkdir', path: 'd', expect: null },
          write('d/a', 'new', null),
          { do: 'move', from: 'old', path: 'd/moved', expect: entries.get('old')! },
          { do: 'remove', path: 'gone', expect: entries.get('gone')! }
        ]
        assert.deepEqual(outcomes(await apply(...set)), Array(4).fill('done'))
        const before = await adapter.scan()
        assert.deepEqual(outcomes(await apply(...set)), Array(4).fill('done'))
        assert.deepEqual(await adapter.scan(), before)
      })

      test('never writes bytes that do not match their hash, be they wrong, short or too many', async () => {
        await made.put('a', 'old')
        const expect = await fileAt(adapter, 'a')
        for (const wrong of ['nEw', 'ne', 'new and more']) {
          const source: BodySource = async function* () {
            yield Buffer.from(wrong)
          }
          const results = await adapter.apply([write('a', 'new', expect), write('b', 'new', null)], source)
          assert.deepEqual(outcomes(results), ['failed', 'failed'])
          for (const result of results) isError('blob-damaged')(result.error)
        }
        assert.equal((await made.bytesAt('a'))!.bytes.toString(), 'old')
        assert.deepEqual([...(await adapter.scan()).entries.keys()], ['a'])
      })

      test('reports bytes that are not there, and goes on with the rest', async () => {
        const missing = bodies.add('missing')
        const source: BodySource = (body) => {
          if (body.hash !== missing.hash) return bodies.source(body)
          throw new GrapevineError('blob-missing', 'not here yet', { next: 'wait' })
        }
        const results = await adapter.apply([write('a', 'missing', null), write('b', 'here', null)], source)
        assert.deepEqual(outcomes(results), ['failed', 'done'])
        isError('blob-missing')(results[0]!.error)
      })

      test('refuses names that would leave the target or that no system can hold', async () => {
        const paths = [
          '../escape',
          'a/../../escape',
          '/etc/escape',
          'a//b',
          './a',
          'a\\b',
          'a\0b',
          'a\nb',
          '',
          'x'.repeat(256),
          '\ud800'
        ]
        const results = await apply(...paths.map((path) => write(path, 'x', null)))
        for (const result of results) {
          assert.equal(result.outcome, 'failed', JSON.stringify(result.item.path))
          isError('name-not-allowed')(result.error)
        }
        assert.equal((await adapter.scan()).entries.size, 0)
        assert.deepEqual(await readdir(made.outside), [])
      })

      test('answers every item when it is aborted', async () => {
        const results = await adapter.apply(
          [write('a', 'x', null), write('b', 'y', null)],
          bodies.source,
          AbortSignal.abort()
        )
        assert.deepEqual(outcomes(results), ['failed', 'failed'])
        for (const result of results) isError('stopped')(result.error)
      })
    })

    describe('watching', () => {
      test('hints at what is made, changed, moved and removed', async () => {
        const hints: WatchHint[] = []
        adapter.onHint((hint) => hints.push(hint))
        await adapter.start()
        const hinted = (path: string) => eventually(() => hints.some((hint) => covers(hint, path)))
        await made.put('a', 'one')
        await hinted('a')
        hints.length = 0
        await made.put('a', 'two')
        await hinted('a')
        hints.length = 0
        await made.rename('a', 'b')
        await hinted('a')
        await hinted('b')
        hints.length = 0
        await made.remove('b')
        await hinted('b')
        hints.length = 0
        await made.makeDir('d')
        await made.put('d/in it', 'x')
        await hinted('d/in it')
        hints.length = 0
        await made.put('d/in it', 'y')
        await hinted('d/in it')
      })

      test('may be started and stopped twice, and is silent afterwards', async () => {
        const hints: WatchHint[] = []
        adapter.onHint((hint) => hints.push(hint))
        await Promise.all([adapter.start(), adapter.start()])
        await adapter.stop()
        await adapter.stop()
        await made.put('a', 'x')
        const other = await make()
        try {
          // another adapter that hints shows that time enough has passed
          let seen = false
          other.adapter.onHint(() => (seen = true))
          await other.adapter.start()
          await other.put('a', 'x')
          await eventually(() => seen)
        } finally {
          await other.dispose()
        }
        assert.deepEqual(hints, [])
      })
    })

    describe('setting aside', () => {
      test('keeps the bytes outside the target and never replaces what was saved earlier', async () => {
        await made.makeDir('d')
        for (const content of ['first', 'second', 'third']) {
          await made.put('d/a', content)
          await adapter.setAside('d/a', made.outside)
          assert.equal(await made.bytesAt('d/a'), null)
        }
        const saved = await Promise.all(
          ['a', 'a.1', 'a.2'].map((name) => readFile(join(made.outside, 'd', name), 'utf8'))
        )
        assert.deepEqual(saved, ['first', 'second', 'third'])
        assert.deepEqual([...(await adapter.scan()).entries.keys()], ['d'])
      })

      test('as a copy leaves the file where it is, and says where the copy lies', async () => {
        await made.makeDir('d')
        const places: string[] = []
        for (const content of ['first', 'second']) {
          await made.put('d/a', content)
          places.push(await adapter.keepCopy('d/a', made.outside))
          assert.equal((await made.bytesAt('d/a'))?.bytes.toString(), content)
        }
        assert.deepEqual(await Promise.all(places.map((place) => readFile(place, 'utf8'))), ['first', 'second'])
        await assert.rejects(adapter.keepCopy('gone', made.outside), isError('file-changed'))
        await assert.rejects(adapter.keepCopy('d', made.outside), isError('file-changed'))
        await assert.rejects(adapter.keepCopy('../x', made.outside), isError('name-not-allowed'))
      })

      test('of something that is gone says so', async () => {
        await assert.rejects(adapter.setAside('gone', made.outside), isError('file-changed'))
        await assert.rejects(adapter.setAside('../x', made.outside), isError('name-not-allowed'))
      })
    })
  })
}
