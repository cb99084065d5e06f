/** What a GeoServer of another version makes of what it is told: no edit, and nothing of it is lost for others. */
import '../../../src/polyfill.js'
import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { DirectoryAdapter, MemoryStatCache } from '../../../src/adapters/index.js'
import { Classifier } from '../../../src/adapters/geoserver/classify.js'
import { MemoryTextMemory, MemoryTravelMemory } from '../../../src/adapters/geoserver/memory.js'
import { MAX_WAY_CHARS, Outside, type FileEntry } from '../../../src/adapters/geoserver/outside.js'
import { sayingsOf } from '../../../src/adapters/geoserver/tell/taken.js'
import type { TellingView } from '../../../src/adapters/geoserver/tell/telling-view.js'
import { silentLogger } from '../../../src/runtime.js'
import { systemClock } from '../../../src/runtime-node.js'
import { Bodies, bytesOf, fileAt } from '../../contract/adapter.js'
import { until } from '../../e2e/until.js'
import { startStandIn, type StandIn } from '../../geoserver/server.js'
import { smallTree } from '../../geoserver/world.js'
import { makeWorld, type World } from './world.js'

const FEATURE = 'workspaces/coast/depth/contours/featuretype.xml'
const REST = '/rest/workspaces/coast/datastores/depth/featuretypes/contours.xml'
/** As a newer GeoServer, with a plugin that this one does not have, writes it. */
const NEWER = smallTree()[FEATURE]!.replace(
  '<title>Contours',
  '<metadata>\n    <entry key="shade">1</entry>\n    <future>2</future>\n  </metadata>\n  <title>Depth'
)

const toldAll = ({ state, owed }: TellingView): boolean => state === 'told' && owed === 0

interface Rig {
  readonly world: World
  readonly geoserver: StandIn
  readonly bodies: Bodies
  /** Writes the feature type as it arrives from another node, and waits until GeoServer was told. */
  arrive(text: string, isTold?: (view: TellingView) => boolean): Promise<void>
  travels(): Promise<string>
  /** As it lies there. */
  written(): Promise<string>
  text(path: string): Promise<string>
}

async function rigOf(t: TestContext, isDeaf = (): boolean => false): Promise<Rig> {
  const passwords = await mkdtemp(join(tmpdir(), 'gv-told-'))
  const passwordFile = join(passwords, 'password')
  await writeFile(passwordFile, 'geoserver', { mode: 0o600 })
  const access = { url: '', user: 'admin', passwordFile }
  const telling = { access, memory: new MemoryTextMemory(), turn: () => ({ rank: 0, nodes: 1, share: 1 }) }
  const first = await makeWorld()
  for (const [path, text] of Object.entries(smallTree())) await first.make(path, text)
  const geoserver = await startStandIn({
    dir: first.root,
    reloadMs: () => 0,
    noticeEveryMs: 3_600_000,
    isDeaf,
    dialect: { drops: ['future'], adds: { padWithZeros: 'false' } }
  })
  access.url = geoserver.url
  const world = await makeWorld({ root: first.root }, { telling })
  t.after(async () => {
    await world.dispose()
    await geoserver.stop()
    await first.dispose()
    await rm(passwords, { recursive: true })
  })
  await world.adapter.start()
  await world.adapter.scan()
  const bodies = new Bodies()
  return {
    world,
    geoserver,
    bodies,
    arrive: async (text, isTold = toldAll) => {
      const expect = await fileAt(world.adapter, FEATURE)
      const [result] = await world.adapter.apply(
        [{ do: 'write', path: FEATURE, body: bodies.add(text), exec: false, expect }],
        bodies.source
      )
      assert.equal(result!.outcome, 'done')
      await until('GeoServer is told', () => Promise.resolve(isTold(world.adapter.telling()!)))
    },
    written: () => first.text(FEATURE),
    text: (path) => first.text(path),
    travels: async () => (await bytesOf(world.adapter.read(await fileAt(world.adapter, FEATURE)))).toString()
  }
}

/** As it travels: without the date. */
const travelling = (text: string): string => text.replace(/\s*<dateModified>.*<\/dateModified>/, '')

test('what it leaves out and puts in is no change, and is named', async (t) => {
  const rig = await rigOf(t)
  const { adapter } = rig.world
  await rig.arrive(travelling(NEWER))
  const text = await rig.written()
  assert.doesNotMatch(text, /future/)
  assert.match(text, /padWithZeros/)
  assert.deepEqual((await fileAt(adapter, FEATURE)).body, rig.bodies.add(travelling(NEWER)))
  assert.deepEqual(adapter.telling()!.leftOut, [{ path: FEATURE, elements: ['metadata/future'] }])
  // after a restart, too
  assert.deepEqual((await fileAt(rig.world.again(), FEATURE)).body, rig.bodies.add(travelling(NEWER)))
})

test('an edit of what it wrote is the same edit of all that it was told', async (t) => {
  const rig = await rigOf(t)
  await rig.arrive(travelling(NEWER))
  await rig.geoserver.ask('PUT', REST, '<featureType><title>Wrecks</title></featureType>')
  assert.match(await rig.written(), /Wrecks/)
  const text = await rig.travels()
  assert.match(text, /<title>Wrecks/)
  assert.match(text, /<future>2/)
  assert.match(text, /<entry key="shade">1/)
  assert.doesNotMatch(text, /padWithZeros/)
  // and once more, on top of it
  await rig.geoserver.ask('PUT', REST, '<featureType><abstract>old</abstract></featureType>')
  const again = await rig.travels()
  for (const part of [/<title>Wrecks/, /<future>2/, /<abstract>old/]) assert.match(again, part)
})

test('a field that it put in by itself is not missed by the next change, which needs no reload', async (t) => {
  const rig = await rigOf(t)
  await rig.arrive(travelling(NEWER))
  await rig.arrive(travelling(NEWER).replace('Depth', 'Deep'))
  const { reloads } = rig.geoserver.report().counts
  assert.equal(reloads, 0)
  assert.match(await rig.written(), /Deep/)
})

test('what it was told whole again is named no more', async (t) => {
  const rig = await rigOf(t)
  await rig.arrive(travelling(NEWER))
  await rig.arrive(travelling(smallTree()[FEATURE]!))
  assert.deepEqual(rig.world.adapter.telling()!.leftOut, [])
})

const NO_WAKE = { holds: (): boolean => false, later: (): void => undefined }

interface Told {
  readonly outside: Outside
  readonly world: World
  readonly memory: MemoryTravelMemory
  entry(): Promise<FileEntry>
}

/** The border alone, over a directory with one feature type that the catalog has as it lies there. */
async function toldOf(t: TestContext, text: string): Promise<Told> {
  const world = await makeWorld()
  t.after(() => world.dispose())
  await world.make(FEATURE, text)
  const inner = new DirectoryAdapter(
    { clock: systemClock, logger: silentLogger, cache: new MemoryStatCache() },
    { root: world.root, journalDir: world.journalDir }
  )
  t.after(() => inner.stop())
  const memory = new MemoryTravelMemory()
  const outside = new Outside({ inner, classifier: new Classifier(), memory, wake: NO_WAKE })
  const entry = async (): Promise<FileEntry> => {
    const found = (await inner.scan({ paths: [dirname(FEATURE)] })).entries.get(FEATURE)
    assert.ok(found?.kind === 'file')
    return found
  }
  await outside.travelOf(await entry())
  return { outside, world, memory, entry }
}

const feature = (title: string, more = ''): string =>
  `<featureType>\n  <id>F</id>\n  <name>f</name>\n  <title>${title}</title>${more}\n</featureType>\n`

test('somebody else who edits it while it is told is heard', async (t) => {
  const { outside, world, entry } = await toldOf(t, feature('one', '<future/>'))
  const before = await outside.travelOf(await entry())
  await outside.told(FEATURE, Buffer.from(feature('one', '<future/>')), () => world.make(FEATURE, feature('two')))
  assert.notEqual((await outside.travelOf(await entry())).hash, before.hash)
  assert.equal(outside.leftOut.size, 0)
})

test('who looks while it is told waits for what comes of it', async (t) => {
  const { outside, world, entry } = await toldOf(t, feature('one', '<future/>'))
  const before = await outside.travelOf(await entry())
  const answered = Promise.withResolvers<void>()
  const told = outside.told(FEATURE, Buffer.from(feature('one', '<future/>')), async () => {
    await world.make(FEATURE, feature('one'))
    await answered.promise
  })
  await until('it is written', async () => !(await world.text(FEATURE)).includes('future'))
  const looked = outside.travelOf(await entry())
  answered.resolve()
  await told
  assert.deepEqual(await looked, before)
})

test('a call that fails leaves everything as it is, and what was sent when it was another is not judged', async (t) => {
  const { outside, world, entry } = await toldOf(t, feature('one', '<future/>'))
  const failing = outside.told(FEATURE, Buffer.from(feature('one', '<future/>')), async () => {
    await world.make(FEATURE, feature('one'))
    throw new Error('refused')
  })
  await assert.rejects(failing, /refused/)
  await outside.told(FEATURE, Buffer.from(feature('one', '<other/>')), () => Promise.resolve())
  await outside.told('styles/a.sld', Buffer.from('x'), () => Promise.resolve())
  assert.equal((await outside.travelOf(await entry())).size, Buffer.byteLength(feature('one')))
})

test('of a very long document its own way is taken as well, and an edit of it is as it lies there', async (t) => {
  for (const [length, isKept] of [
    [MAX_WAY_CHARS, true],
    [MAX_WAY_CHARS + 1, false]
  ] as const) {
    const bare = feature('one', '<future/><title2></title2>').length
    const text = feature('one', `<future/><title2>${'x'.repeat(length - bare)}</title2>`)
    assert.equal(text.length, length)
    const { outside, world, memory, entry } = await toldOf(t, text)
    const before = await outside.travelOf(await entry())
    await outside.told(FEATURE, Buffer.from(text), () => world.make(FEATURE, text.replace('<future/>', '')))
    assert.deepEqual(await outside.travelOf(await entry()), before)
    assert.equal(memory.get(FEATURE)!.way !== undefined, isKept)
    assert.deepEqual(outside.leftOut.get(FEATURE), ['future'])
  }
})

test('the id that it keeps for a service is no change', async (t) => {
  const rig = await rigOf(t)
  const { adapter } = rig.world
  await rig.geoserver.ask('PUT', '/rest/services/wms/settings', '<wms><title>Own</title></wms>')
  const expect = await fileAt(adapter, 'wms.xml')
  const arrived = '<wms>\n  <enabled>true</enabled>\n  <title>Of another</title>\n</wms>'
  const bodies = new Bodies()
  await adapter.apply([{ do: 'write', path: 'wms.xml', body: bodies.add(arrived), exec: false, expect }], bodies.source)
  await until('GeoServer is told', () => Promise.resolve(adapter.telling()!.state === 'told'))
  assert.match(await rig.text('wms.xml'), /<id>ServiceInfoImpl/)
  assert.match(await rig.text('wms.xml'), /Of another/)
  assert.deepEqual((await fileAt(adapter, 'wms.xml')).body, bodies.add(arrived))
})

const GLOBAL = (title: string, more = ''): string =>
  `<global>\n  <settings>\n    <charset>UTF-8</charset>\n    <title>${title}</title>\n  </settings>${more}\n</global>`

test('the id that it makes for settings of all, and what it has a default for, is no change', async (t) => {
  const rig = await rigOf(t)
  const { adapter } = rig.world
  await rig.geoserver.ask('POST', '/rest/workspaces', '<workspace><name>own</name></workspace>')
  assert.match(await rig.text('global.xml'), /<id>SettingsInfoImpl/)
  const expect = await fileAt(adapter, 'global.xml')
  const bodies = new Bodies()
  const body = bodies.add(GLOBAL('Of another'))
  await adapter.apply([{ do: 'write', path: 'global.xml', body, exec: false, expect }], bodies.source)
  await until('GeoServer is told', () => Promise.resolve(adapter.telling()!.state === 'told'))
  assert.match(await rig.text('global.xml'), /<id>SettingsInfoImpl/)
  assert.match(await rig.text('global.xml'), /resourceErrorHandling/)
  assert.match(await rig.text('global.xml'), /Of another/)
  assert.deepEqual((await fileAt(adapter, 'global.xml')).body, body)
  // and what a person sets in its place is one
  const other = '<resourceErrorHandling>OGC_EXCEPTION_REPORT</resourceErrorHandling>'
  await rig.geoserver.ask('PUT', '/rest/settings', `<global>${other}</global>`)
  assert.notDeepEqual((await fileAt(adapter, 'global.xml')).body, body)
})

test('a field at its default is not missed by a change without it, which needs no reload', async (t) => {
  const rig = await rigOf(t)
  const travels = travelling(smallTree()[FEATURE]!)
  await rig.arrive(travels.replace('Contours', 'Depth'))
  assert.match(await rig.written(), /padWithZeros/)
  assert.equal(
    rig.bodies.add(travels.replace('Contours', 'Depth')).hash,
    (await fileAt(rig.world.adapter, FEATURE)).body.hash
  )
  await rig.arrive(travels.replace('Contours', 'Deep'))
  assert.equal(rig.geoserver.report().counts.reloads, 0)
})

test('what it answers well to and does not take stays as it was told, is named, and is told until it takes it', async (t) => {
  let deaf = true
  const rig = await rigOf(t, () => deaf)
  const { adapter } = rig.world
  const travels = travelling(smallTree()[FEATURE]!).replace('Contours', 'Depth')
  await rig.arrive(travels, ({ failed }) => failed.length > 0)
  const [failed, ...others] = adapter.telling()!.failed
  assert.deepEqual([failed!.path, others], [FEATURE, []])
  assert.match(failed!.reason, /wrote what it had before: title/)
  assert.ok(rig.geoserver.report().asked.filter(({ method, path }) => method === 'PUT' && path === REST).length > 1)
  assert.equal(rig.geoserver.report().counts.reloads, 0)
  // nobody hears of it as an edit
  assert.match(await rig.written(), /Depth/)
  assert.deepEqual((await fileAt(adapter, FEATURE)).body, rig.bodies.add(travels))
  assert.equal(await rig.travels(), travels)
  deaf = false
  await until('it is told', () => Promise.resolve(toldAll(adapter.telling()!)))
  assert.deepEqual(adapter.telling()!.failed, [])
  assert.match((await rig.geoserver.ask('GET', REST)).text, /Depth/)
  assert.deepEqual((await fileAt(adapter, FEATURE)).body, rig.bodies.add(travels))
})

test('what it does not take once is told again, and nobody is troubled', async (t) => {
  let times = 1
  const rig = await rigOf(t, () => times-- > 0)
  const travels = travelling(smallTree()[FEATURE]!).replace('Contours', 'Depth')
  const seen: string[] = []
  await rig.arrive(travels, (view) => {
    seen.push(...view.failed.map(({ reason }) => reason))
    return toldAll(view)
  })
  assert.deepEqual(seen, [])
  assert.match((await rig.geoserver.ask('GET', REST)).text, /Depth/)
})

test('what it says that it made and did not make is named', async (t) => {
  let deaf = true
  const rig = await rigOf(t, () => deaf)
  const { adapter } = rig.world
  const body = rig.bodies.add(
    '<style>\n  <id>Style-2</id>\n  <name>dots</name>\n  <filename>line.sld</filename>\n</style>'
  )
  await adapter.apply([{ do: 'write', path: 'styles/dots.xml', body, exec: false, expect: null }], rig.bodies.source)
  await until('it is missed', () => Promise.resolve(adapter.telling()!.failed.length > 0))
  const [failed] = adapter.telling()!.failed
  assert.equal(failed!.path, 'styles/dots.xml')
  assert.match(failed!.reason, /404/)
  deaf = false
  await until('it is told', () => Promise.resolve(toldAll(adapter.telling()!)))
  assert.deepEqual(adapter.telling()!.failed, [])
})

test('what somebody saves while it is told is not put back', async (t) => {
  const { outside, world, entry } = await toldOf(t, feature('two'))
  const was = sayingsOf({ path: FEATURE, kind: 'featuretype' }, Buffer.from(feature('one')))
  const edited = feature('one', '<abstract>by a person</abstract>').replace('<name>f', '<name>g')
  await outside.told(FEATURE, Buffer.from(feature('two')), () => world.make(FEATURE, edited), was)
  assert.equal(await world.text(FEATURE), edited)
  assert.equal((await outside.travelOf(await entry())).size, Buffer.byteLength(edited))
})
