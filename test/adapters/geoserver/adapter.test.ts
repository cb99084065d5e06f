import assert from 'node:assert/strict'
import { chmod, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import type { ApplyItem, TargetEntry } from '../../../src/adapters/contract.js'
import { MemoryTravelMemory } from '../../../src/adapters/geoserver/memory.js'
import { MAX_XML_BYTES } from '../../../src/adapters/geoserver/xml.js'
import { GrapevineError } from '../../../src/errors.js'
import { bodyRefOf } from '../../../src/wire/index.js'
import { Bodies, bytesOf, eventually, fileAt, isError, outcomes } from '../../contract/adapter.js'
import { makeWorld, type World } from './world.js'

const LAYER = 'workspaces/w/s/l/layer.xml'
const STORE = 'workspaces/w/s/datastore.xml'
const layer = (title: string, more = ''): string =>
  `<layer>\n  <name>l</name>\n  <id>L</id>\n  <title>${title}</title>${more}\n</layer>\n`
const store = (password: string, more = ''): string =>
  `<dataStore>\n  <id>D</id>\n  <name>s</name>${more}\n  <connectionParameters>\n    <entry key="passwd">${password}</entry>\n  </connectionParameters>\n</dataStore>\n`
const global = (counter: number, charset = 'UTF-8', address = 'a'): string =>
  `<global>\n  <settings>\n    <charset>${charset}</charset>\n    <proxyBaseUrl>${address}</proxyBaseUrl>\n  </settings>\n  <updateSequence>${counter}</updateSequence>\n</global>\n`
const shared = (charset = 'UTF-8'): string =>
  `<global>\n  <settings>\n    <charset>${charset}</charset>\n  </settings>\n</global>\n`

describe('a GeoServer data directory as a target', () => {
  let world: World
  let bodies: Bodies

  beforeEach(async () => {
    world = await makeWorld()
    bodies = new Bodies()
  })
  afterEach(() => world.dispose())

  const write = (path: string, text: string, expect: TargetEntry | null): ApplyItem & { do: 'write' } => ({
    do: 'write',
    path,
    body: bodies.add(text),
    exec: false,
    expect
  })
  const apply = (...items: ApplyItem[]) => world.adapter.apply(items, bodies.source)
  const travels = async (path: string): Promise<string> =>
    (await bytesOf(world.adapter.read(await fileAt(world.adapter, path)))).toString()

  test('shows of a file by field what travels, and its bytes are those', async () => {
    await world.make('global.xml', global(7))
    const entry = await fileAt(world.adapter, 'global.xml')
    assert.deepEqual(entry.body, bodyRefOf(Buffer.from(shared())))
    assert.equal(await travels('global.xml'), shared())
  })

  test('shows nothing new when GeoServer counts up, sets dates, encrypts anew or writes the same in other letters', async () => {
    await world.make('global.xml', global(7))
    await world.make(LAYER, layer('one'))
    await world.make(STORE, store('plain:hunter2'))
    const before = await world.adapter.scan()
    await world.make('global.xml', global(8, 'UTF-8', 'elsewhere'))
    await world.make(LAYER, layer('one', '\n  <dateModified>2026</dateModified>').replaceAll('\n  ', '\n\t'))
    await world.make(STORE, store('crypt1:xyz'))
    const after = await world.adapter.scan()
    assert.deepEqual(after, before)
    await world.make(LAYER, layer('two'))
    assert.notDeepEqual((await world.adapter.scan()).entries.get(LAYER), before.entries.get(LAYER))
    assert.equal(await travels(LAYER), layer('two'))
  })

  test('what was written anew with the same meaning can be read after the next scan, whatever is remembered', async () => {
    await world.make(LAYER, layer('one'))
    const entry = await fileAt(world.adapter, LAYER)
    await world.make(LAYER, layer('one').replaceAll('\n  ', '\n'))
    assert.deepEqual(await fileAt(world.adapter, LAYER), {
      ...entry,
      inode: (await fileAt(world.adapter, LAYER)).inode
    })
    world.hints.length = 0
    await assert.rejects(bytesOf(world.adapter.read(entry)), isError('file-changed'))
    assert.deepEqual(world.hints, [{ paths: [LAYER] }])
    assert.equal(await travels(LAYER), layer('one').replaceAll('\n  ', '\n'))
  })

  test('reads no file by field again that did not change', async () => {
    await world.make(LAYER, layer('one'))
    const { memory } = world
    await eventually(async () => {
      await world.adapter.scan()
      let asked = 0
      world.memory.set = (): never => assert.fail('read again')
      memory.get = (path) => (asked++, Object.getPrototypeOf(memory).get.call(memory, path))
      await world.adapter.scan()
      return asked === 1
    })
  })

  test('a scan of everything finds out what is broken and what is mended, also where no hint came', async () => {
    const grouped = (id: string): string =>
      `<layer>\n  <name>l</name>\n  <id>L</id>\n  <defaultStyle>\n    <id>${id}</id>\n  </defaultStyle>\n</layer>\n`
    const missing = (): number => world.adapter.broken(0).count
    await world.make('styles/s.sld', '<StyledLayerDescriptor/>')
    await world.make('styles/s.xml', '<style><id>S</id><name>s</name><filename>s.sld</filename></style>')
    await world.make(LAYER, grouped('S'))
    await world.adapter.start()
    // a set waits until the directory has been read
    await apply()
    assert.equal(missing(), 0)
    await world.make(LAYER, grouped('T'))
    await world.adapter.scan()
    assert.equal(missing(), 1)
    await world.make(LAYER, grouped('S'))
    await world.adapter.scan()
    assert.equal(missing(), 0)
  })

  test('what the adapter wrote itself is not read again by a scan of everything', async () => {
    await world.adapter.start()
    for (const directory of ['workspaces/w/s/l', 'styles']) await mkdir(world.at(directory), { recursive: true })
    const made = await apply(write(LAYER, layer('one'), null), write('styles/s.sld', '<StyledLayerDescriptor/>', null))
    assert.deepEqual(outcomes(made), ['done', 'done'])
    await world.adapter.scan()
    assert.deepEqual(world.looked, [])
  })

  test('writes what arrives with the fields of this node, and shows it as it arrived', async () => {
    await world.make('global.xml', global(7))
    const [result] = await apply(write('global.xml', shared('UTF-16'), await fileAt(world.adapter, 'global.xml')))
    assert.equal(result!.outcome, 'done')
    assert.deepEqual((result!.entry as { body: unknown }).body, bodyRefOf(Buffer.from(shared('UTF-16'))))
    assert.equal(await world.text('global.xml'), global(7, 'UTF-16'))
    assert.deepEqual(await fileAt(world.adapter, 'global.xml'), result!.entry)
  })

  test('shows what arrived in a form of its own as it arrived, also when GeoServer writes it anew', async () => {
    const foreign = '<layer><name>l</name><id>L</id><dateModified>1</dateModified><title>x</title></layer>'
    const [result] = await apply(
      { do: 'mkdir', path: 'workspaces', expect: null },
      { do: 'mkdir', path: 'workspaces/w', expect: null },
      { do: 'mkdir', path: 'workspaces/w/s', expect: null },
      { do: 'mkdir', path: 'workspaces/w/s/l', expect: null },
      write(LAYER, foreign, null)
    ).then((all) => all.slice(-1))
    assert.equal(result!.outcome, 'done')
    assert.deepEqual((await fileAt(world.adapter, LAYER)).body, bodyRefOf(Buffer.from(foreign)))
    await world.make(LAYER, layer('x', '\n  <dateModified>2</dateModified>'))
    assert.deepEqual((await fileAt(world.adapter, LAYER)).body, bodyRefOf(Buffer.from(foreign)))
  })

  test('is not stopped by a counter that moved since the scan, and is by a real edit', async () => {
    await world.make('global.xml', global(7))
    const expect = await fileAt(world.adapter, 'global.xml')
    await world.make('global.xml', global(8))
    assert.deepEqual(outcomes(await apply(write('global.xml', shared('UTF-16'), expect))), ['done'])
    assert.equal(await world.text('global.xml'), global(8, 'UTF-16'))
    await world.make('global.xml', global(9, 'ASCII'))
    assert.deepEqual(
      outcomes(await apply(write('global.xml', shared('UTF-8'), expect), { do: 'remove', path: 'global.xml', expect })),
      ['differs', 'differs']
    )
    assert.equal(await world.text('global.xml'), global(9, 'ASCII'))
  })

  test('writes nothing when the meaning is there already', async () => {
    await world.make('global.xml', global(7))
    const before = await stat(world.at('global.xml'), { bigint: true })
    assert.deepEqual(outcomes(await apply(write('global.xml', shared(), null))), ['done'])
    assert.equal((await stat(world.at('global.xml'), { bigint: true })).ino, before.ino)
    // the exec bit alone is a change, and the fields of this node stay
    assert.deepEqual(
      outcomes(
        await apply({ ...write('global.xml', shared(), await fileAt(world.adapter, 'global.xml')), exec: true })
      ),
      ['done']
    )
    assert.deepEqual(await world.bytesAt('global.xml'), { bytes: Buffer.from(global(7)), exec: true })
  })

  test('removes and moves a file by field by what travels of it', async () => {
    await world.make(LAYER, layer('one', '\n  <dateModified>1</dateModified>'))
    await mkdir(world.at('workspaces/w/s/m'))
    const expect = await fileAt(world.adapter, LAYER)
    const [moved] = await apply({ do: 'move', from: LAYER, path: 'workspaces/w/s/m/layer.xml', expect })
    assert.equal(moved!.outcome, 'done')
    assert.deepEqual((moved!.entry as { body: unknown }).body, expect.body)
    const now = await fileAt(world.adapter, 'workspaces/w/s/m/layer.xml')
    assert.deepEqual(now.body, expect.body)
    assert.match(await world.text('workspaces/w/s/m/layer.xml'), /dateModified/)
    assert.deepEqual(outcomes(await apply({ do: 'remove', path: now.path, expect: now })), ['done'])
    assert.equal(await world.bytesAt(now.path), null)
  })

  test('a file that moves out of reach of the rules takes no field and no password of this node along', async () => {
    await world.make(STORE, store('plain:hunter2'))
    const expect = await fileAt(world.adapter, STORE)
    bodies.add(store('grapevine-secret:passwd'))
    const [result] = await apply({ do: 'move', from: STORE, path: 'copy.txt', expect, mark: 'mine' })
    assert.equal(result!.outcome, 'done')
    assert.equal(await world.text('copy.txt'), store('grapevine-secret:passwd'))
    assert.equal(await world.bytesAt(STORE), null)
    await writeFile(world.secretsFile, '{"w/s/passwd": "again"}', { mode: 0o600 })
    const [back] = await apply({
      do: 'move',
      from: 'copy.txt',
      path: STORE,
      expect: await fileAt(world.adapter, 'copy.txt')
    })
    assert.equal(back!.outcome, 'done')
    assert.equal(await world.text(STORE), store('plain:again'))
    assert.deepEqual(
      (await fileAt(world.adapter, STORE)).body,
      bodyRefOf(Buffer.from(store('grapevine-secret:passwd')))
    )
  })

  test('a store that is new here gets its password from the secrets, and without one is held back by name', async () => {
    await world.make('workspaces/w/s/x', '')
    const [held] = await apply(write(STORE, store('grapevine-secret:passwd'), null))
    assert.equal(held!.outcome, 'failed')
    isError('secret-missing')(held!.error)
    assert.match(`${held!.error!.message} ${held!.error!.next}`, /w\/s\/passwd.*GRAPEVINE_SECRET_W_S_PASSWD/)
    assert.equal(await world.bytesAt(STORE), null)
    world.environment['GRAPEVINE_SECRET_W_S_PASSWD'] = 'hunter2'
    assert.deepEqual(outcomes(await apply(write(STORE, store('grapevine-secret:passwd'), null))), ['done'])
    assert.equal(await world.text(STORE), store('plain:hunter2'))
  })

  test('a store that works here keeps its password when it changes elsewhere', async () => {
    await world.make(STORE, store('crypt1:own'))
    const expect = await fileAt(world.adapter, STORE)
    assert.deepEqual(
      outcomes(await apply(write(STORE, store('grapevine-secret:passwd', '\n  <enabled>false</enabled>'), expect))),
      ['done']
    )
    assert.equal(await world.text(STORE), store('crypt1:own', '\n  <enabled>false</enabled>'))
  })

  test('a store with a password from the environment stays one when GeoServer encrypts it, whoever wrote it', async () => {
    const parameter = store('plain:${DB}')
    for (const path of [STORE, STORE.replace('/s/', '/t/')]) {
      await mkdir(join(world.at(path), '..'), { recursive: true })
      if (path === STORE) await world.make(path, parameter)
      else assert.deepEqual(outcomes(await apply(write(path, parameter, null))), ['done'])
      const before = await fileAt(world.adapter, path)
      assert.deepEqual(before.body, bodyRefOf(Buffer.from(parameter)))
      for (const cipher of ['crypt1:x', 'crypt1:y']) {
        await world.make(path, store(cipher))
        assert.deepEqual((await fileAt(world.adapter, path)).body, before.body)
        assert.equal(await travels(path), parameter)
      }
      // what somebody changes beside it travels with the parameter, and what arrives leaves the ciphertext
      await world.make(path, store('crypt1:y', '\n  <type>t</type>'))
      assert.equal(await travels(path), store('plain:${DB}', '\n  <type>t</type>'))
      const results = await apply(
        write(path, store('plain:${DB}', '\n  <type>u</type>'), await fileAt(world.adapter, path))
      )
      assert.deepEqual(outcomes(results), ['done'])
      assert.equal(await world.text(path), store('crypt1:y', '\n  <type>u</type>'))
      assert.equal(await travels(path), store('plain:${DB}', '\n  <type>u</type>'))
      assert.equal(world.memory.get(path)?.parameters?.['passwd'], 'plain:${DB}')
    }
  })

  test('a file that was set aside gives its fields and its password to the one that takes its place', async () => {
    await world.make('global.xml', global(7))
    await world.make(STORE, store('crypt1:own'))
    await world.make(LAYER, layer('one', '\n  <dateModified>1</dateModified>'))
    for (const path of ['global.xml', STORE, LAYER]) await world.adapter.setAside(path, world.outside)
    assert.deepEqual((await world.adapter.scan()).problems, [])
    // one of them is thrown away by somebody, and the daemon is started anew
    await rm(join(world.outside, LAYER))
    const after = world.again()
    const results = await after.apply(
      [
        write('global.xml', shared('UTF-16'), null),
        write(STORE, store('grapevine-secret:passwd', '\n  <enabled>false</enabled>'), null),
        write(LAYER, layer('two'), null)
      ],
      bodies.source
    )
    assert.deepEqual(outcomes(results), ['done', 'done', 'done'])
    assert.equal(await world.text('global.xml'), global(7, 'UTF-16'))
    assert.equal(await world.text(STORE), store('crypt1:own', '\n  <enabled>false</enabled>'))
    assert.equal(await world.text(LAYER), layer('two'))
    // it was for that one alone
    assert.deepEqual(outcomes(await apply({ do: 'remove', path: STORE, expect: await fileAt(after, STORE) })), ['done'])
    isError('secret-missing')((await apply(write(STORE, store('grapevine-secret:passwd'), null)))[0]!.error)
  })

  test('what was set aside and cannot be read holds back what is to take its place', async () => {
    await world.make('global.xml', global(7))
    await world.adapter.setAside('global.xml', world.outside)
    await rm(join(world.outside, 'global.xml'))
    await mkdir(join(world.outside, 'global.xml'))
    const [result] = await apply(write('global.xml', shared(), null))
    isError('file-unreadable')(result!.error)
    assert.equal(await world.bytesAt('global.xml'), null)
  })

  test('a secrets file that is open to others holds back what needs it and nothing else', async () => {
    await world.make('workspaces/w/s/x', '')
    await writeFile(world.secretsFile, '{}')
    await chmod(world.secretsFile, 0o644)
    const results = await apply(write(STORE, store('grapevine-secret:passwd'), null), write('www.txt', 'x', null))
    assert.deepEqual(outcomes(results), ['failed', 'done'])
    isError('home-unsafe')(results[0]!.error)
  })

  test('what is broken here is a problem and not gone, and what arrives broken changes nothing', async () => {
    await world.make(LAYER, layer('one'))
    const expect = await fileAt(world.adapter, LAYER)
    for (const text of ['<layer>', '<layer/', '<style/>']) {
      const [result] = await apply(write(LAYER, text, expect))
      assert.equal(result!.outcome, 'failed')
      isError('file-broken')(result!.error)
    }
    assert.equal(await world.text(LAYER), layer('one'))
    await world.make(LAYER, '<layer>')
    const { entries, problems } = await world.adapter.scan()
    assert.equal(entries.has(LAYER), false)
    assert.deepEqual(
      problems.map(({ path, error }) => [path, error.code]),
      [[LAYER, 'file-broken']]
    )
    // it is not what anybody expects, so it is left as it is
    assert.deepEqual(outcomes(await apply(write(LAYER, layer('two'), expect))), ['differs'])
    await assert.rejects(bytesOf(world.adapter.read(expect)), isError('file-broken'))
  })

  test('a file by field may be as long as the limit, here and on its way', async () => {
    const long = (length: number): string => `<layer><id>L</id>${' '.repeat(length - 25)}</layer>`
    await world.make(LAYER, long(MAX_XML_BYTES))
    const expect = await fileAt(world.adapter, LAYER)
    await world.make('workspaces/w/s/m/layer.xml', long(MAX_XML_BYTES + 1))
    const { problems } = await world.adapter.scan({ paths: ['workspaces/w/s/m'] })
    assert.deepEqual(
      problems.map(({ error }) => error.code),
      ['file-broken']
    )
    const [result] = await apply(write(LAYER, long(MAX_XML_BYTES + 1), expect))
    isError('file-broken')(result!.error)
    assert.deepEqual(outcomes(await apply(write(LAYER, long(MAX_XML_BYTES).replace('<id>L', '<id>M'), expect))), [
      'done'
    ])
  })

  test('bytes that do not match their hash are not merged into anything', async () => {
    await world.make(LAYER, layer('one'))
    const expect = await fileAt(world.adapter, LAYER)
    const results = await world.adapter.apply([write(LAYER, layer('two'), expect)], async function* () {
      yield Buffer.from(layer('2wo'))
    })
    assert.deepEqual(outcomes(results), ['failed'])
    isError('blob-damaged')(results[0]!.error)
    assert.equal(await world.text(LAYER), layer('one'))
  })

  test('leaves out what is local, secret or not opted in, with all that is below, and nothing else', async () => {
    for (const path of [
      'security/masterpw/x',
      'security/role/default/roles.xml',
      'logs/x.log',
      'gwc/geowebcache.xml',
      'a.bak/layer.xml',
      'x.lock',
      'www/index.html'
    ])
      await world.make(path, '<a/>')
    const { entries } = await world.adapter.scan()
    assert.deepEqual([...entries.keys()].toSorted(), ['www', 'www/index.html'])
    for (const path of ['security/role/default/roles.xml', 'a.bak/layer.xml', 'logs/deep/x']) {
      assert.ok(world.adapter.ignores(path, 'file'), path)
      isError('file-not-shared')((await apply(write(path, 'x', null)))[0]!.error)
    }
    const own = world.again({ rules: ['share security/role/default/roles.xml', 'local www/**'] })
    const seen = [...(await own.scan()).entries.keys()]
    assert.deepEqual(seen, ['security', 'security/role', 'security/role/default', 'security/role/default/roles.xml'])
  })

  test('puts a set in place in an order in which nothing refers to what is still to come', async () => {
    const style = '<style><id>S</id><name>n</name><filename>n.sld</filename></style>'
    const groupOf = (id: string, shows: string): string =>
      `<layerGroup><id>${id}</id><name>${id}</name><publishables><published><id>${shows}</id></published></publishables></layerGroup>`
    for (const path of ['styles', 'workspaces', 'workspaces/w', 'layergroups', 'workspaces/w/s', 'workspaces/w/s/l'])
      await mkdir(world.at(path))
    const set: Array<[string, string]> = [
      ['global.xml', shared()],
      ['layergroups/a outer.xml', groupOf('G3', 'G2')],
      ['layergroups/b middle.xml', groupOf('G2', 'G1')],
      ['layergroups/c inner.xml', groupOf('G1', 'L')],
      [LAYER, layer('one')],
      ['styles/n.xml', style],
      ['styles/n.sld', '<a/>']
    ]
    world.written.length = 0
    const results = await apply(...set.map(([path, text]) => write(path, text, null)))
    assert.deepEqual(outcomes(results), Array(7).fill('done'))
    assert.deepEqual(
      results.map(({ item }) => item.path),
      set.map(([path]) => path)
    )
    assert.deepEqual(world.written, set.map(([path]) => path).toReversed())
  })

  test('what a crash left half done is finished and handed out as what travels', async () => {
    await world.make('global.xml', global(7))
    await world.make(LAYER, layer('one', '\n  <dateModified>1</dateModified>'))
    await mkdir(world.at('workspaces/w/s/m'))
    const [first, second] = [await fileAt(world.adapter, 'global.xml'), await fileAt(world.adapter, LAYER)]
    const set: ApplyItem[] = [
      { ...write('global.xml', shared('UTF-16'), first), mark: 'mine' },
      { do: 'move', from: LAYER, path: 'workspaces/w/s/m/layer.xml', expect: second, mark: 'moved' },
      { ...write('plain.txt', 'x', null), mark: 'plain' }
    ]
    await apply(...set)
    const crashed = await readFile(join(world.journalDir, 'set.journal'))
    assert.ok(crashed.length > 0)
    // everything that was known of the directory is lost with the crash
    world.memory = new MemoryTravelMemory()
    const after = world.again()
    await after.start()
    const { entries } = await after.scan()
    const recovered = new Map(after.recovered.map((result) => [result.item.mark, result]))
    assert.deepEqual([...recovered.keys()].toSorted(), ['mine', 'moved', 'plain'])
    for (const [mark, path] of [
      ['mine', 'global.xml'],
      ['moved', 'workspaces/w/s/m/layer.xml'],
      ['plain', 'plain.txt']
    ] as const) {
      const { entry, item } = recovered.get(mark)!
      assert.deepEqual(entry, entries.get(path), mark)
      assert.equal(item.path, path)
      if (item.do === 'write') assert.deepEqual(item.body, (entry as { body: unknown }).body)
    }
    await after.settled()
    assert.equal((await readFile(join(world.journalDir, 'set.journal'))).length, 0)
  })

  test('a directory that went missing, or a node that stops, fails every item with the reason', async () => {
    await world.make(LAYER, layer('one'))
    const expect = await fileAt(world.adapter, LAYER)
    const stopping = await world.adapter.apply([write(LAYER, layer('two'), expect)], bodies.source, AbortSignal.abort())
    isError('stopped')(stopping[0]!.error)
    await world.rename('', '../elsewhere')
    const missing = await apply(write(LAYER, layer('two'), expect), write('b', 'x', null))
    assert.deepEqual(outcomes(missing), ['failed', 'failed'])
    for (const { error } of missing) isError('target-missing')(error)
    assert.deepEqual(await readdir(world.outside), [])
  })

  test('refuses rules it does not understand before anything is looked at', () => {
    assert.throws(() => world.again({ rules: ['nonsense'] }), GrapevineError)
  })
})
