/** What GeoServer writes into a tile layer by itself because it was told of the layer is no edit; what a person does there is. */
import '../../../src/polyfill.js'
import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { fillInsOf } from '../../../src/adapters/geoserver/fill-ins.js'
import { meaningOf } from '../../../src/adapters/geoserver/travel.js'
import { WAKE_MS } from '../../../src/adapters/geoserver/wake.js'
import { readXml, type XmlElement } from '../../../src/adapters/geoserver/xml.js'
import {
  GeoServerAdapter,
  MemoryStatCache,
  MemoryTextMemory,
  MemoryTravelMemory,
  type WatchHint
} from '../../../src/adapters/index.js'
import { silentLogger } from '../../../src/runtime.js'
import type { ApplyItem } from '../../../src/adapters/contract.js'
import { Bodies, fileAt, outcomes } from '../../contract/adapter.js'
import { until } from '../../e2e/until.js'
import { worldOf, type World } from '../../geoserver/world.js'
import { HandClock } from '../../net/hand-clock.js'

const LAYER = 'workspaces/coast/depth/contours/layer.xml'
const TILES = 'gwc-layers/La-1.xml'

interface Rig {
  readonly world: World
  readonly clock: HandClock
  readonly adapter: GeoServerAdapter
  readonly hints: WatchHint[]
  /** Writes as another node's change does, and lets GeoServer be told. */
  change(path: string, from: string, to: string): Promise<void>
}

async function rig(t: TestContext): Promise<Rig> {
  const world = await worldOf(t)
  const clock = new HandClock()
  const home = await mkdtemp(join(tmpdir(), 'gv-fill-ins-'))
  t.after(() => rm(home, { recursive: true }))
  await writeFile(join(home, 'password'), 'geoserver', { mode: 0o600 })
  const adapter = new GeoServerAdapter(
    {
      clock,
      logger: silentLogger,
      cache: new MemoryStatCache(),
      memory: new MemoryTravelMemory(),
      facts: new MemoryTextMemory(),
      environment: {},
      telling: {
        access: { url: world.standIn.url, user: 'admin', passwordFile: join(home, 'password') },
        memory: new MemoryTextMemory(),
        turn: () => ({ rank: 0, nodes: 1, share: 1 })
      }
    },
    { root: world.dir, secretsFile: join(home, 'secrets.json'), journalDir: join(home, 'journal') }
  )
  const hints: WatchHint[] = []
  adapter.onHint((hint) => hints.push(hint))
  await adapter.start()
  t.after(() => adapter.stop())
  await adapter.scan()
  const change = async (path: string, from: string, to: string): Promise<void> => {
    const bodies = new Bodies()
    const text = (await world.text(path)).replace(from, to)
    const item: ApplyItem = {
      do: 'write',
      path,
      body: bodies.add(text),
      exec: false,
      expect: await fileAt(adapter, path)
    }
    assert.deepEqual(outcomes(await adapter.apply([item], bodies.source)), ['done'])
    await until('GeoServer is told', async () => {
      await clock.pass(50)
      return adapter.telling()!.state === 'told' && adapter.telling()!.owed === 0
    })
  }
  return { world, clock, adapter, hints, change }
}

const covers = (hints: readonly WatchHint[], path: string): boolean =>
  hints.some((hint) => 'paths' in hint && hint.paths.includes(path))

test('a grid that GeoServer fills in where nobody said one is no edit, however it is looked at', async (t) => {
  const { world, adapter, clock, change } = await rig(t)
  const before = await fileAt(adapter, TILES)
  await change(LAYER, '<type>', '<path>/sea</path>\n  <type>')
  assert.match(await world.text(TILES), /EPSG:4326/)
  assert.deepEqual((await fileAt(adapter, TILES)).body, before.body)
  assert.deepEqual(((await adapter.scan()).entries.get(TILES) as typeof before).body, before.body)
  await clock.pass(WAKE_MS)
  assert.deepEqual((await fileAt(adapter, TILES)).body, before.body)
  // a person who changes it says so
  await world.change(TILES, 'EPSG:4326', 'EPSG:900913')
  assert.notDeepEqual((await fileAt(adapter, TILES)).body, before.body)
})

test('what the author says meanwhile takes the place of what GeoServer filled in', async (t) => {
  const { world, adapter, change } = await rig(t)
  await change(LAYER, '<type>', '<path>/sea</path>\n  <type>')
  await change(TILES, '<enabled>true', '<gutter>3</gutter>\n  <enabled>true')
  assert.match(await world.text(TILES), /<gutter>3</)
  assert.match(JSON.stringify([...(await adapter.scan()).entries.keys()]), /La-1/)
})

test('any other difference in the wake of a call shows itself when that is over, also to a scan of everything', async (t) => {
  const { world, adapter, clock, hints, change } = await rig(t)
  const before = await fileAt(adapter, TILES)
  await change(LAYER, '<type>', '<path>/sea</path>\n  <type>')
  await world.change(TILES, '<enabled>true', '<enabled>false')
  assert.deepEqual((await fileAt(adapter, TILES)).body, before.body)
  assert.deepEqual(((await adapter.scan()).entries.get(TILES) as typeof before).body, before.body)
  hints.length = 0
  await clock.pass(WAKE_MS)
  assert.equal(covers(hints, TILES), true)
  assert.notDeepEqual((await fileAt(adapter, TILES)).body, before.body)
})

test('what may have been filled in is told from what else changed', () => {
  const rootOf = (inner: string): XmlElement => {
    const read = readXml(Buffer.from(`<GeoServerTileLayer><id>L</id>${inner}</GeoServerTileLayer>`))
    assert.ok(read.ok)
    return read.value.root
  }
  const fills = (before: string, after: string): boolean => {
    const { lacks } = fillInsOf('tile-layer', rootOf(before), meaningOf)
    return lacks !== undefined && fillInsOf('tile-layer', rootOf(after), meaningOf).mayFill.includes(lacks)
  }
  const grids = (...inner: string[]): string =>
    `<gridSubsets>${inner.map((each) => `<gridSubset>${each}</gridSubset>`).join('')}</gridSubsets>`
  const [name, other] = ['<gridSetName>A</gridSetName>', '<gridSetName>B</gridSetName>']
  const extent = '<extent><coords><double>1</double></coords></extent>'
  assert.equal(fills('', grids(name, other + extent)), true)
  assert.equal(fills(grids(name), grids(name + extent)), true)
  assert.equal(fills(grids(name, other + extent), grids(name + extent, other + extent)), true)
  // another grid, another field, and an extent in the place of one that was there
  assert.equal(fills(grids(name), grids(name + extent, other)), false)
  assert.equal(fills('', `${grids(name)}<gutter>1</gutter>`), false)
  assert.equal(fills(grids(name + extent), grids(name + extent.replace('1', '2'))), false)
  assert.equal(fills(grids(name), ''), false)
  assert.deepEqual(fillInsOf('layer', rootOf(''), meaningOf), { mayFill: [] })
})
