import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { MAX_IGNORE_FILE_BYTES } from '../../../src/adapters/directory/ignore-file.js'
import { Rules } from '../../../src/adapters/directory/rules.js'
import { Bodies, eventually, isError, outcomes } from '../../contract/adapter.js'
import { makeWorld, type World } from './world.js'

describe('ignore rules', () => {
  const uuid = '0aF3c1d2-1234-5678-9abc-def012345678'

  test('leave out the home, our scratch files and those of GeoServer, and nothing that only looks similar', () => {
    const rules = new Rules([])
    const ignored = ['.grapevine', '.grapevine/key', 'a/.grapevine-tmp-12', `ws/layer.xml.${uuid}.tmp`]
    ignored.push(`gwc-layers/L.xml.tmp.${uuid}.tmp`, 'gwc-layers/L.xml.tmp')
    for (const path of ignored) assert.ok(rules.ignores(path, path === '.grapevine' ? 'dir' : 'file'), path)
    for (const path of [
      'a.tmp',
      'ws/.grapevine/x',
      'x.swp',
      '.grapevineignore',
      `${uuid}.tmp.xml`,
      'ws/a.xml.tmp',
      '.git'
    ]) {
      assert.ok(!rules.ignores(path, 'file'), path)
    }
  })

  test('leave out besides what whoever knows the directory leaves out, and never the root', () => {
    const rules = new Rules(['*.log'], (path, kind) => path === 'mine' && kind === 'file')
    assert.ok(rules.ignores('mine', 'file') && rules.ignores('a.log', 'file'))
    assert.ok(!rules.ignores('mine', 'dir') && !rules.ignores('other', 'file'))
    assert.ok(!new Rules([], () => true).ignores('', 'dir'))
  })

  test('have the syntax of gitignore and tell capitals apart', () => {
    const rules = new Rules(['*.log', '!keep.log', '/logs/', 'tmp/'])
    const answers = [
      ['a/b.log', 'file', true],
      ['a/keep.log', 'file', false],
      ['A.LOG', 'file', false],
      ['logs', 'dir', true],
      ['logs', 'file', false],
      ['logs/keep.log', 'file', true],
      ['a/logs/x', 'file', false],
      ['a/tmp/x', 'file', true]
    ] as const
    for (const [path, kind, expected] of answers) assert.equal(rules.ignores(path, kind), expected, path)
  })

  test('that are built in cannot be undone', () => {
    const rules = new Rules(['!.grapevine/'])
    rules.read('!/.grapevine/\n!.grapevine/key\n')
    assert.ok(rules.ignores('.grapevine/key', 'file'))
  })
})

describe('an ignored path', () => {
  let world: World

  beforeEach(async () => {
    world = await makeWorld({ ignore: ['*.bak'] })
  })
  afterEach(() => world.dispose())

  test('is not in a scan, neither as an entry nor as a problem', async () => {
    await world.put('a.bak', 'x')
    await world.makeDir('.grapevine')
    await world.put('.grapevine/key', 'secret')
    await world.put('b', 'x')
    for (const paths of [undefined, ['a.bak', '.grapevine', '.grapevine/key', 'b']]) {
      const { entries, problems } = await world.adapter.scan(paths === undefined ? {} : { paths })
      assert.deepEqual([...entries.keys()], ['b'])
      assert.deepEqual(problems, [])
    }
    assert.ok(world.adapter.ignores('a.bak', 'file'))
    assert.ok(!world.adapter.ignores('b', 'file'))
  })

  test('is never written, moved or removed', async () => {
    await world.put('a.bak', 'x')
    await world.put('b', 'y')
    const bodies = new Bodies()
    const b = (await world.adapter.scan()).entries.get('b')!
    const fake = { ...b, path: 'a.bak' }
    const results = await world.adapter.apply(
      [
        { do: 'write', path: 'a.bak', body: bodies.add('z'), exec: false, expect: null },
        { do: 'remove', path: 'a.bak', expect: fake },
        { do: 'move', from: 'b', path: 'b.bak', expect: b }
      ],
      bodies.source
    )
    assert.deepEqual(outcomes(results), ['failed', 'failed', 'failed'])
    for (const result of results) isError('file-not-shared')(result.error)
    assert.equal((await world.bytesAt('a.bak'))!.bytes.toString(), 'x')
  })

  test('keeps its directory from being removed, and the result names it', async () => {
    await world.makeDir('d')
    await world.put('d/own.bak', 'x')
    const expect = (await world.adapter.scan()).entries.get('d')!
    const [result] = await world.adapter.apply([{ do: 'remove', path: 'd', expect }], new Bodies().source)
    assert.equal(result!.outcome, 'differs')
    assert.match(result!.error!.message, /d\/own\.bak/)
    assert.ok(await world.bytesAt('d/own.bak'))
  })

  test('may be named in a file of the directory, which is shared itself and read again when it changes', async () => {
    await world.put('x.log', 'x')
    await world.put('.grapevineignore', '# noise\n*.log\n')
    assert.deepEqual([...(await world.adapter.scan()).entries.keys()], ['.grapevineignore'])
    await writeFile(world.at('.grapevineignore'), '')
    await eventually(async () => (await world.adapter.scan()).entries.has('x.log'))
    await world.remove('.grapevineignore')
    assert.deepEqual([...(await world.adapter.scan()).entries.keys()], ['x.log'])
  })

  test('stays ignored while the file with the rules is too large to be one', async () => {
    await world.put('x.log', 'x')
    await world.put('.grapevineignore', '*.log\n'.padEnd(MAX_IGNORE_FILE_BYTES, '#'))
    assert.ok(!(await world.adapter.scan()).entries.has('x.log'))
    await world.put('.grapevineignore', '#'.repeat(MAX_IGNORE_FILE_BYTES + 1))
    assert.ok(!(await world.adapter.scan()).entries.has('x.log'))
    assert.equal(world.log.filter((line) => line.level === 'warn').length, 1)
  })

  test('includes a home that lies in the shared directory under a name of its own', async () => {
    await world.makeDir('my [home]')
    await world.put('my [home]/key', 'secret')
    await world.put('my h', 'x')
    const { entries } = await world.again({ home: world.at('my [home]') }).scan()
    assert.deepEqual([...entries.keys()], ['my h'])
  })
})
