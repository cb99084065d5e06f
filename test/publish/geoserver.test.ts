/** What went wrong between GeoServers that were clustered otherwise: each story with real directories. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdtemp, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, test } from 'node:test'
import type { GeoServerAdapter } from '../../src/adapters/index.js'
import type { BrokenReferences } from '../../src/adapters/geoserver/broken-rule.js'
import { smallTree, type Tree } from '../adapters/geoserver/tree.js'
import { makeWorld, type World } from '../adapters/geoserver/world.js'
import { eyes } from '../e2e/references.js'
import { until } from '../e2e/until.js'
import { Lab } from '../replica/lab.js'
import { share, Site } from './site.js'

interface Place {
  readonly world: World
  readonly site: Site<GeoServerAdapter>
}

let cleanUp: Array<() => Promise<void>> = []

afterEach(async () => {
  for (const each of cleanUp.toReversed()) await each()
  cleanUp = []
})

const UNTIL_MENDED: BrokenReferences = { rule: 'hold', afterMs: 0 }

/** Nodes with a data directory each, all running. */
async function places(count: number, broken = UNTIL_MENDED): Promise<Place[]> {
  const made: Place[] = []
  const nodes = await new Lab().nodes(count, {
    each: (index) => ({ events: { entriesChanged: (ids) => made[index]?.site.changed(ids) } })
  })
  const aside = await mkdtemp(join(tmpdir(), 'grapevine-aside-'))
  cleanUp.push(() => rm(aside, { recursive: true, force: true }))
  for (const [index, node] of nodes.entries()) {
    const world = await makeWorld({ broken })
    const site = new Site(node, world.adapter, join(aside, `${index}`))
    made.push({ world, site })
    await site.start()
    cleanUp.push(
      () => world.dispose(),
      () => site.stop()
    )
  }
  return made
}

async function write({ world }: Place, tree: Tree): Promise<void> {
  for (const [path, text] of Object.entries(tree)) await world.make(path, text)
}

/** Everybody looks at everything, exchanges and applies until nothing moves; nothing leads nowhere afterwards. */
async function settle(all: readonly Place[]): Promise<void> {
  for (const { site } of all) await site.rescan()
  await share(all.map(({ site }) => site))
}

async function brokenIn({ world }: Place): Promise<string[]> {
  const eye = await eyes()
  const state = new eye.References()
  for (const path of eye.filesBelow(world.root)) state.set(path, eye.textAt(world.root, path))
  return [...state.broken]
}

async function filesOf({ world }: Place): Promise<string[]> {
  return (await eyes()).filesBelow(world.root).toSorted()
}

const waitingAt = ({ site }: Place): string[] => site.sync.waiting.list().map(({ path }) => path)

function pick(tree: Tree, ...names: string[]): Tree {
  return Object.fromEntries(Object.entries(tree).filter(([path]) => names.some((name) => path.endsWith(name))))
}

const STYLE = '<style><id>Style-7</id><name>dots</name><filename>dots.sld</filename></style>'
const SLD = '<StyledLayerDescriptor/>'

describe('a style is written in two steps, its entry and its body (GEOS-11348)', () => {
  for (const first of ['styles/dots.xml', 'styles/dots.sld'] as const)
    test(`${first} first, each on another node: a third has nothing of the style before it has all`, async () => {
      const [a, b, c] = (await places(3)) as [Place, Place, Place]
      const parts: Tree = { 'styles/dots.xml': STYLE, 'styles/dots.sld': SLD }
      const second = first === 'styles/dots.xml' ? 'styles/dots.sld' : 'styles/dots.xml'
      await write(a, { [first]: parts[first]! })
      await settle([a, b, c])
      assert.equal(existsSync(b.world.at('styles/dots.xml')), false)
      assert.deepEqual(waitingAt(b), first === 'styles/dots.xml' ? ['styles/dots.xml'] : [])
      await write(c, { [second]: parts[second]! })
      await settle([a, b, c])
      for (const place of [a, b, c]) {
        assert.deepEqual(await filesOf(place), ['styles/dots.sld', 'styles/dots.xml'])
        assert.deepEqual(waitingAt(place), [])
        assert.deepEqual(place.world.adapter.broken(10), { count: 0, references: [] })
      }
    })
})

test('two workspaces with layers and styles of the same names stay two (GEOS-7259, GEOS-7267)', async () => {
  const [a, b] = (await places(2)) as [Place, Place]
  const coast = smallTree()
  const river = Object.fromEntries(
    Object.entries(coast)
      .filter(([path]) => /^(workspaces\/coast|gwc-layers)\//.test(path))
      .map(([path, text]) => [
        path.replace('/coast/', '/river/').replace('La-1', 'La-2'),
        text.replaceAll(/\b(Ws|Ns|Ds|Ft|La|Gr)-1\b/g, '$1-2').replaceAll('coast', 'river')
      ])
  )
  const style = { 'workspaces/river/styles/line.xml': STYLE.replace('dots<', 'line<').replace('dots.sld', 'line.sld') }
  await write(a, { ...coast, ...river, ...style, 'workspaces/river/styles/line.sld': SLD })
  await settle([a, b])
  assert.deepEqual(await filesOf(b), await filesOf(a))
  const layer = 'workspaces/river/depth/contours/layer.xml'
  await write(b, { [layer]: river[layer]!.replace('Style-1', 'Style-7') })
  await settle([a, b])
  assert.match(await a.world.text(layer), /<id>La-2<\/id><defaultStyle><id>Style-7</)
  assert.match(
    await a.world.text('workspaces/coast/depth/contours/layer.xml'),
    /<id>La-1<\/id><defaultStyle><id>Style-1</
  )
  for (const place of [a, b]) assert.deepEqual(await brokenIn(place), [])
})

test('coverages, groups of groups, styles of a workspace and tile layers arrive complete (GEOS-10912)', async () => {
  const [a, b] = (await places(2)) as [Place, Place]
  const tree: Tree = {
    ...smallTree(),
    'workspaces/coast/relief/coveragestore.xml':
      '<coverageStore><id>Cs-1</id><name>relief</name><workspace><id>Ws-1</id></workspace></coverageStore>',
    'workspaces/coast/relief/shade/coverage.xml':
      '<coverage><id>Co-1</id><name>shade</name><namespace><id>Ns-1</id></namespace><store class="coverageStore"><id>Cs-1</id></store></coverage>',
    'workspaces/coast/relief/shade/layer.xml':
      '<layer><name>shade</name><id>La-9</id><defaultStyle><id>Style-7</id></defaultStyle><resource class="coverage"><id>Co-1</id></resource></layer>',
    'workspaces/coast/styles/dots.xml': STYLE,
    'workspaces/coast/styles/dots.sld': SLD,
    'workspaces/coast/layergroups/outer.xml':
      '<layerGroup><id>Gr-9</id><name>outer</name><publishables><published><id>Gr-1</id></published><published><id>La-9</id></published></publishables><styles><style/><style><id>Style-7</id></style></styles></layerGroup>',
    'gwc-layers/La-9.xml': '<GeoServerTileLayer><id>La-9</id><name>coast:shade</name></GeoServerTileLayer>',
    'gwc-layers/Gr-9.xml': '<GeoServerTileLayer><id>Gr-9</id><name>coast:outer</name></GeoServerTileLayer>'
  }
  await write(a, tree)
  await settle([a, b])
  assert.deepEqual(await filesOf(b), Object.keys(tree).toSorted())
  for (const path of Object.keys(tree).filter((each) => each !== 'global.xml'))
    assert.equal(await b.world.text(path), tree[path], path)
  assert.deepEqual(waitingAt(b), [])
})

test('a tile layer that is added alone is on the other node, and goes alone', async () => {
  const [a, b] = (await places(2)) as [Place, Place]
  const path = 'gwc-layers/La-1.xml'
  const { [path]: tiles, ...rest } = smallTree()
  await write(a, rest)
  await settle([a, b])
  await write(a, { [path]: tiles! })
  await settle([a, b])
  assert.equal(await b.world.text(path), tiles)
  await rm(a.world.at(path))
  await settle([a, b])
  assert.equal(existsSync(b.world.at(path)), false)
  assert.deepEqual(await brokenIn(b), [])
})

test('a workspace that is renamed is renamed everywhere, with all that lies in it', async () => {
  const [a, b] = (await places(2)) as [Place, Place]
  await write(a, smallTree())
  await settle([a, b])
  await rename(a.world.at('workspaces/coast'), a.world.at('workspaces/shore'))
  for (const path of ['workspaces/shore/namespace.xml', 'workspaces/shore/workspace.xml', 'gwc-layers/La-1.xml'])
    await write(a, { [path]: (await a.world.text(path)).replaceAll('coast', 'shore') })
  await write(a, { 'workspaces/default.xml': await a.world.text('workspaces/shore/workspace.xml') })
  await settle([a, b])
  assert.deepEqual(await filesOf(b), await filesOf(a))
  assert.match(await b.world.text('workspaces/shore/namespace.xml'), /<id>Ns-1<\/id><prefix>shore</)
  assert.match(await b.world.text('gwc-layers/La-1.xml'), /<id>La-1<\/id><name>shore:contours</)
  assert.deepEqual(await brokenIn(b), [])
  assert.deepEqual(waitingAt(b), [])
})

test('a folder that is renamed while a file in it is written anew keeps that file on every node', async () => {
  const [a, b] = (await places(2)) as [Place, Place]
  await write(a, smallTree())
  await settle([a, b])
  const [from, to] = ['workspaces/coast/depth/contours', 'workspaces/coast/depth/lines']
  await rename(a.world.at(from), a.world.at(to))
  const text = (await a.world.text(`${to}/featuretype.xml`)).replace('<name>contours', '<name>lines')
  for (const [name, content] of [
    ['featuretype.xml', text],
    // the same in another file, as after a save without a change
    ['layer.xml', await a.world.text(`${to}/layer.xml`)]
  ] as const) {
    await a.world.make(`${to}/anew.tmp`, content)
    await rename(a.world.at(`${to}/anew.tmp`), a.world.at(`${to}/${name}`))
  }
  await settle([a, b])
  assert.equal(await b.world.text(`${to}/featuretype.xml`), text)
  // nor is it gone for a moment
  assert.deepEqual(
    b.site.written.filter((line) => line.startsWith('remove')),
    []
  )
  assert.deepEqual(await filesOf(b), await filesOf(a))
  assert.deepEqual(await brokenIn(b), [])
})

test('a workspace, a store, a resource, a layer and a group end alike in whatever order they are heard of', async () => {
  const [place] = (await places(1)) as [Place]
  const { site, world } = place
  const tree = smallTree()
  const parts = [
    pick(tree, 'workspace.xml', 'namespace.xml'),
    pick(tree, 'datastore.xml'),
    pick(tree, 'featuretype.xml'),
    pick(tree, '/layer.xml'),
    pick(tree, 'layergroups/all.xml')
  ]
  const put = async (part: Tree): Promise<void> => {
    site.hold()
    for (const [path, text] of Object.entries(part)) await site.node.put(path, text)
    site.release()
    await site.rest()
  }
  await put(pick(tree, 'styles/line.xml', 'styles/line.sld'))
  const before = await filesOf(place)
  let waited = 0
  for (const order of orders(parts)) {
    for (const part of order) {
      await put(part)
      assert.deepEqual(await brokenIn(place), [])
      waited += site.sync.waiting.size
    }
    assert.deepEqual(waitingAt(place), [])
    assert.deepEqual(await filesOf(place), [...before, ...parts.flatMap((part) => Object.keys(part))].toSorted())
    for (const path of ['workspaces', 'gwc-layers']) await site.node.remove(path).catch(() => undefined)
    await site.rest()
    assert.deepEqual(await filesOf(place), before)
    assert.equal(existsSync(world.at('workspaces')), false)
  }
  assert.ok(waited > 0)
})

function* orders<T>(items: readonly T[]): Generator<T[]> {
  if (items.length === 0) yield []
  for (const [at, item] of items.entries())
    for (const rest of orders(items.filter((_, other) => other !== at))) yield [item, ...rest]
}

test('what is broken at its source is passed on and named on every node, and mended like anything', async () => {
  const [a, b] = (await places(2, { rule: 'pass', afterMs: 0 })) as [Place, Place]
  const layer = 'workspaces/coast/depth/contours/layer.xml'
  const tree = smallTree()
  await write(a, { ...tree, [layer]: tree[layer]!.replace('Style-1', 'Style-99') })
  await settle([a, b])
  const expected = { count: 1, references: [{ path: layer, missing: 'default style Style-99' }] }
  for (const { world } of [a, b]) assert.deepEqual(world.adapter.broken(10), expected)
  assert.deepEqual(b.world.adapter.broken(0), { count: 1, references: [] })
  assert.deepEqual(await filesOf(b), await filesOf(a))
  await write(a, { [layer]: tree[layer]! })
  await settle([a, b])
  for (const [at, place] of [a, b].entries()) {
    assert.deepEqual(await brokenIn(place), [], `in the directory of node ${at}`)
    assert.deepEqual(place.world.adapter.broken(10), { count: 0, references: [] }, `as node ${at} knows it`)
  }
})

test('what is broken at its source waits until it is mended where the operator wants that, and stops nothing', async () => {
  const [a, b] = (await places(2)) as [Place, Place]
  const layer = 'workspaces/coast/depth/contours/layer.xml'
  const tree = smallTree()
  await write(a, { ...tree, [layer]: tree[layer]!.replace('Style-1', 'Style-99') })
  await settle([a, b])
  // the group and the tile layer are of that layer, and wait with it
  const held = [layer, 'gwc-layers/La-1.xml', 'workspaces/coast/layergroups/all.xml'].toSorted()
  assert.deepEqual(waitingAt(b).toSorted(), held)
  assert.deepEqual(
    await filesOf(b),
    (await filesOf(a)).filter((path) => !held.includes(path))
  )
  await write(a, { [layer]: tree[layer]! })
  await settle([a, b])
  assert.deepEqual(waitingAt(b), [])
  assert.deepEqual(await filesOf(b), await filesOf(a))
})

test('what a person removes from a node by hand is known to be gone, folders and graphics, too', async () => {
  const [a] = (await places(1)) as [Place]
  await write(a, { ...smallTree(), 'styles/mast.svg': '<svg/>' })
  await settle([a])
  const { adapter } = a.world
  await rm(a.world.at('workspaces/coast/depth'), { recursive: true })
  await rm(a.world.at('styles/line.sld'))
  await settle([a])
  await until(
    'what refers to it is known to be broken',
    () =>
      assert.deepEqual(
        adapter.broken(10).references.map(({ path }) => path),
        ['styles/line.xml', 'workspaces/coast/layergroups/all.xml']
      ) === undefined
  )
})

const GLOBAL = (decimals: number, ...own: string[]): string =>
  `<global>\n  <settings>\n    <numDecimals>${decimals}</numDecimals>\n  </settings>\n${own.join('')}  <updateSequence>1</updateSequence>\n</global>\n`
const COG = '  <metadata>\n    <map>\n      <CogSettings/>\n    </map>\n  </metadata>\n'
const JAIEXT = '  <jai>\n    <jaiext>\n      <jaiExtOperations/>\n    </jaiext>\n  </jai>\n'

test('what a GeoServer of another version or without a plugin drops and adds, it drops and adds at home', async () => {
  const [a, b] = (await places(2)) as [Place, Place]
  await write(a, { 'global.xml': GLOBAL(4, COG) })
  await settle([a, b])
  assert.equal(await b.world.text('global.xml'), GLOBAL(4).replace('  <updateSequence>1</updateSequence>\n', ''))
  // the one of b adds its own when it saves, and knows nothing of the plugin
  await write(b, { 'global.xml': GLOBAL(4, JAIEXT) })
  const { records } = a.site
  await settle([a, b])
  assert.equal(a.site.records, records)
  await write(b, { 'global.xml': GLOBAL(6, JAIEXT) })
  await settle([a, b])
  assert.equal(await a.world.text('global.xml'), GLOBAL(6, COG))
  await write(a, { 'global.xml': GLOBAL(8, COG) })
  await settle([a, b])
  assert.equal(await b.world.text('global.xml'), GLOBAL(8, JAIEXT))
})

test('what a purged style leaves behind stays where it lies, also when its workspace goes and comes again', async () => {
  const [a, b] = (await places(2)) as [Place, Place]
  const folder = 'workspaces/coast/styles'
  const tree = { ...smallTree(), [`${folder}/dots.xml`]: STYLE, [`${folder}/dots.sld`]: SLD }
  await write(a, tree)
  await settle([a, b])
  for (const { world } of [a, b]) {
    // each GeoServer does this when it is told to purge
    await rename(world.at(`${folder}/dots.sld`), world.at(`${folder}/dots.sld.bak`))
    await rm(world.at(`${folder}/dots.xml`))
  }
  await settle([a, b])
  for (const place of [a, b])
    assert.deepEqual(
      (await filesOf(place)).filter((path) => path.startsWith(folder)),
      [`${folder}/dots.sld.bak`]
    )
  await write(b, { [`${folder}/dots.sld.bak`]: 'of b' })
  await rm(a.world.at('workspaces/coast'), { recursive: true })
  await rm(a.world.at('gwc-layers'), { recursive: true })
  await rm(a.world.at('workspaces/default.xml'))
  await settle([a, b])
  assert.deepEqual(
    (await filesOf(b)).filter((path) => path.startsWith('workspaces/')),
    [`${folder}/dots.sld.bak`]
  )
  await write(a, tree)
  await settle([a, b])
  assert.equal(await b.world.text(`${folder}/dots.sld`), SLD)
  assert.equal(await b.world.text(`${folder}/dots.sld.bak`), 'of b')
  assert.deepEqual((await filesOf(a)).toSorted(), Object.keys(tree).toSorted())
  for (const place of [a, b]) assert.deepEqual(waitingAt(place), [])
})

test('the body of a style edited at two nodes apart is one of both, whole, on both, until somebody decides', async () => {
  const [a, b] = (await places(2)) as [Place, Place]
  const path = 'styles/dots.sld'
  const body = (text: string): string => SLD.replace('/>', `>${text}</StyledLayerDescriptor>`)
  await write(a, { 'styles/dots.xml': STYLE, [path]: body('one') })
  await settle([a, b])
  await write(a, { [path]: body('one of a') })
  await write(b, { [path]: body('one of b') })
  await settle([a, b])
  const held = await a.world.text(path)
  assert.ok([body('one of a'), body('one of b')].includes(held))
  assert.equal(await b.world.text(path), held)
  for (const { site } of [a, b]) assert.equal(site.node.at(path).meaning.conflicts.length, 1)
  // whoever saves it next has seen both
  await write(b, { [path]: body('one of both') })
  await settle([a, b])
  for (const { site, world } of [a, b]) {
    assert.equal(await world.text(path), body('one of both'))
    assert.equal(site.node.at(path).meaning.conflicts.length, 0)
  }
})

test('the default workspace gets another id in place: its copy, its stores and all else follow in one step', async () => {
  const [a, b] = (await places(2)) as [Place, Place]
  await write(a, smallTree())
  await settle([a, b])
  const renewed = Object.fromEntries(
    Object.entries(smallTree())
      .filter(([, text]) => text.includes('<id>Ws-1</id>'))
      .map(([path, text]) => [path, text.replaceAll('<id>Ws-1</id>', '<id>Ws-9</id>')])
  )
  assert.ok('workspaces/default.xml' in renewed && Object.keys(renewed).length > 3)
  await write(a, renewed)
  await settle([a, b])
  for (const place of [a, b]) {
    for (const path of Object.keys(renewed)) assert.match(await place.world.text(path), /<id>Ws-9<\/id>/)
    assert.deepEqual(await brokenIn(place), [])
    assert.deepEqual(waitingAt(place), [])
  }
})
