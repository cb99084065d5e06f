/** What is noticed without a word, and what is not. The numbers are those of REAL-SYSTEMS.md. */
import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { describe, test } from 'node:test'
import { until } from '../e2e/until.js'
import { SLD, worldOf, type World } from './world.js'

const NEWER = 4_000_000_000
const OLDER = 1_000_000_000
const OTHER_SLD = SLD.replace('buoy', 'light')

/** The hash of the style's body that a map shows now. */
const bodyOf = async (world: World): Promise<string> => (await world.drawn('coast:contours'))[0]!.body

describe('without being told, GeoServer notices', () => {
  test('the body of a style within ten seconds, and not before it looks', async (t) => {
    const world = await worldOf(t)
    const before = await bodyOf(world)
    await world.write('styles/line.sld', OTHER_SLD, NEWER)
    // 1.10: SLD and other style files in <= 10 s
    world.clock.advance(9_999)
    assert.deepEqual(world.clock.sleeping, [1])
    assert.equal(await bodyOf(world), before)
    world.clock.advance(1)
    await until('the style is noticed', async () => (await bodyOf(world)) !== before)
  })

  test('a graphic of a style, and that it is gone', async (t) => {
    const world = await worldOf(t)
    const graphic = async (): Promise<string | null> =>
      (await world.drawn('coast:contours'))[0]!.graphics['symbols/buoy.svg']!
    const before = await graphic()
    await world.write('styles/symbols/buoy.svg', '<svg><g/></svg>', NEWER)
    assert.equal(await graphic(), before)
    await world.standIn.server.notice()
    assert.notEqual(await graphic(), before)
    await rm(world.at('styles/symbols/buoy.svg'))
    await world.standIn.server.notice()
    assert.equal(await graphic(), null)
  })

  test('nothing that has an older time', async (t) => {
    const world = await worldOf(t)
    const before = await bodyOf(world)
    await world.write('styles/line.sld', OTHER_SLD, OLDER)
    await world.write('gwc-layers/La-1.xml', '<GeoServerTileLayer><name>other</name></GeoServerTileLayer>', OLDER)
    await world.standIn.server.notice()
    // 1.9: a new SLD with an older mtime was not noticed; after touch it was
    assert.equal(await bodyOf(world), before)
    assert.deepEqual(world.standIn.server.tiles.names, ['coast:contours'])
    await world.write('styles/line.sld', OTHER_SLD, NEWER)
    await world.standIn.server.notice()
    assert.notEqual(await bodyOf(world), before)
  })

  test('a template with the next request', async (t) => {
    const world = await worldOf(t)
    const template = async (): Promise<string> => (await world.drawn('coast:contours'))[0]!.templates['content']!
    const before = await template()
    // 1.10: *.ftl at once (next request)
    await world.write('workspaces/coast/depth/contours/content.ftl', 'deeper', OLDER)
    const after = await template()
    assert.notEqual(after, before)
    // the nearest one counts
    await world.write('workspaces/coast/content.ftl', 'far')
    await world.write('templates/title.ftl', 'farther')
    assert.equal(await template(), after)
    assert.match((await world.drawn('coast:contours'))[0]!.templates['title']!, /^[0-9a-f]{64}$/)
  })

  test('a tile layer that is new, that is changed and that is gone', async (t) => {
    const world = await worldOf(t)
    const names = async (): Promise<string[]> => {
      await world.standIn.server.notice()
      return world.standIn.server.tiles.names
    }
    // 1.10: gwc-layers/*.xml in <= 10 s
    await world.write('gwc-layers/Gr-1.xml', '<GeoServerTileLayer><name>coast:all</name></GeoServerTileLayer>')
    assert.deepEqual(await names(), ['coast:all', 'coast:contours'])
    await world.change('gwc-layers/Gr-1.xml', 'coast:all', 'coast:some')
    await world.write('gwc-layers/Gr-1.xml', await world.text('gwc-layers/Gr-1.xml'), NEWER)
    assert.deepEqual(await names(), ['coast:contours', 'coast:some'])
    await world.write('gwc-layers/broken.xml', '<GeoServerTileLayer>')
    await rm(world.at('gwc-layers/Gr-1.xml'))
    assert.deepEqual(await names(), ['coast:contours'])
    assert.match(world.standIn.report().log.at(-1)!, /^WARN Failed to load tile layer gwc-layers\/broken.xml/)
  })

  test('no file of the catalog, whatever its time', async (t) => {
    const world = await worldOf(t)
    // 1.10: what needs telling: every catalog XML, global.xml, services, settings
    const { defaultStyle, size } = { defaultStyle: 'line', size: world.standIn.server.catalog.size }
    await world.write('workspaces/coast/workspace.xml', '<workspace/>', NEWER)
    await world.write('styles/line.xml', '<style/>', NEWER)
    await world.write('global.xml', '<global/>', NEWER)
    await world.write('styles/new.xml', '<style><id>S</id><name>new</name></style>', NEWER)
    await world.standIn.server.notice()
    assert.equal((await world.drawn('coast:contours'))[0]!.style, defaultStyle)
    assert.equal(world.standIn.server.catalog.size, size)
    assert.equal(world.standIn.server.global.charset, 'UTF-8')
  })
})
