/** Reload, reset and the lock. The numbers are those of REAL-SYSTEMS.md. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { until } from '../e2e/until.js'
import { measuredReloadMs } from './geoserver.js'
import { mostOutagesAtOnce } from './journal.js'
import { smallTree, worldOf, type World } from './world.js'

const RELOAD_MS = 1_000

/** A reload that lasts until the test moves the clock. */
async function reloading(world: World): Promise<Promise<{ status: number }>[]> {
  const answer = world.call('POST', '/rest/reload')
  await until('the reload sleeps', () => world.clock.sleeping.includes(RELOAD_MS))
  return [answer]
}

describe('a reload', () => {
  test('breaks maps while it runs, and nothing else: REST calls wait', async (t) => {
    const world = await worldOf(t, undefined, { reloadMs: () => RELOAD_MS })
    assert.equal((await world.map('coast:contours')).status, 200)
    const [reload] = await reloading(world)
    // 1.3: nearly all HTTP 500 NullPointerException
    const map = await world.map('coast:contours')
    assert.equal(map.status, 500)
    assert.match(map.text, /NullPointerException/)
    assert.equal((await world.call('GET', '/wms?request=GetCapabilities')).status, 500)
    // 1.3: REST calls do not fail, they wait (catalog lock)
    const waiting = world.call('GET', '/rest/layers/coast:contours')
    await until('the call waits', () => world.standIn.server.lock.waiting === 1)
    // 2.6: probe; a raw file needs no catalog
    assert.equal((await world.call('GET', '/rest/about/version.xml')).status, 200)
    assert.equal((await world.call('GET', '/rest/resource/styles/line.sld')).status, 200)
    world.clock.advance(RELOAD_MS)
    assert.equal((await reload)!.status, 200)
    assert.equal((await waiting).status, 200)
    assert.equal((await world.map('coast:contours')).status, 200)
    const { counts, outages } = world.standIn.report()
    assert.deepEqual([counts.maps, counts.failedMaps, counts.reloads], [3, 1, 1])
    assert.equal(outages[0]!.end! - outages[0]!.begin, RELOAD_MS)
  })

  test('counts up by 6 to 11 and writes global.xml six times', async (t) => {
    const world = await worldOf(t)
    const counts: number[] = []
    for (let reload = 0; reload < 6; reload++) {
      const { updateSequence, globalWrites } = { ...world.standIn.report().counts }
      assert.equal((await world.call('PUT', '/rest/reload')).status, 200)
      const after = world.standIn.report().counts
      counts.push(after.updateSequence - updateSequence)
      // 1.2: one /rest/reload = 6-11 increments and 6 rewrites
      assert.equal(after.globalWrites - globalWrites, 6)
    }
    assert.deepEqual(
      counts.toSorted((a, b) => a - b),
      [6, 7, 8, 9, 10, 11]
    )
  })

  test('begins with the counter that lies on the disk', async (t) => {
    const world = await worldOf(t)
    await world.change('global.xml', '>7<', '>500<')
    await world.call('POST', '/rest/reload')
    // 1.2: replicated as bytes it gives a storm
    assert.equal(world.standIn.report().counts.updateSequence, 506)
  })

  test('takes as long as was measured for so many layers', () => {
    // 1.3: 0.6-1.8 s at 30 layers, 1.2-4.6 s at 398, 3.7-8.2 s at 1,267
    const measured = [
      [30, 600, 1_800],
      [398, 1_200, 4_600],
      [1_267, 3_700, 8_200]
    ] as const
    for (const [layers, least, most] of measured) {
      const ms = measuredReloadMs(layers)
      assert.ok(ms >= least && ms <= most, `${ms} ms for ${layers} layers`)
    }
  })

  test('takes in what was changed on the disk, and drops the samples of legends', async (t) => {
    const world = await worldOf(t)
    await world.write('legendsamples/a.png', 'x')
    await world.change('workspaces/coast/depth/contours/featuretype.xml', '<title>Contours', '<title>Lines')
    const path = '/rest/workspaces/coast/datastores/depth/featuretypes/contours'
    assert.match((await world.call('GET', path)).text, /<title>Contours/)
    await world.call('POST', '/rest/reload')
    assert.match((await world.call('GET', path)).text, /<title>Lines/)
    // 2.3: legendsamples: GeoServer deleted 549 files of it at start/reload
    assert.equal(world.has('legendsamples/a.png'), false)
  })

  test('that cannot write ends the outage all the same', async (t) => {
    const world = await worldOf(t)
    world.onStep = () => {
      throw new Error('no space left')
    }
    assert.equal((await world.call('POST', '/rest/reload')).status, 500)
    world.onStep = () => {}
    assert.equal((await world.map('coast:contours')).status, 200)
    assert.match(world.standIn.report().log.at(-1)!, /^SEVERE Error: no space left/)
  })

  test('of several nodes at once is seen', async (t) => {
    const worlds = [
      await worldOf(t, undefined, { reloadMs: () => RELOAD_MS }),
      await worldOf(t, undefined, { reloadMs: () => RELOAD_MS })
    ]
    const most = (): number => mostOutagesAtOnce(worlds.map(({ standIn }) => standIn.report()))
    for (const world of worlds) {
      const [answer] = await reloading(world)
      for (const each of worlds) each.clock.advance(RELOAD_MS)
      await answer
    }
    // 1.3: never on all nodes at once
    assert.equal(most(), 1)
    const both = [await reloading(worlds[0]!), await reloading(worlds[1]!)]
    assert.equal(most(), 2)
    for (const world of worlds) world.clock.advance(RELOAD_MS)
    await Promise.all(both.flat())
    assert.equal(most(), 2)
  })
})

describe('a reset', () => {
  test('drops caches, reads no file of the catalog and does not count up', async (t) => {
    const world = await worldOf(t)
    const before = (await world.drawn('coast:contours'))[0]!
    await world.write('styles/line.sld', '<StyledLayerDescriptor/>', 1_000_000_000)
    await world.change('styles/line.xml', 'line.sld', 'gone.sld')
    assert.equal((await world.call('POST', '/rest/reset')).status, 200)
    // 2.6: drops caches only, reads no catalog file; no updateSequence
    assert.notEqual((await world.drawn('coast:contours'))[0]!.body, before.body)
    const { counts } = world.standIn.report()
    assert.deepEqual([counts.resets, counts.updateSequence, counts.globalWrites], [1, 7, 0])
  })
})

describe('the configuration lock', () => {
  test('gives up after its time, and the call that gave up is never done', async (t) => {
    const world = await worldOf(t, undefined, { reloadMs: () => 60_000 })
    const reload = world.call('POST', '/rest/reload')
    await until('the reload sleeps', () => world.clock.sleeping.includes(60_000))
    const reset = world.call('POST', '/rest/reset')
    await until('the call waits', () => world.clock.sleeping.filter((ms) => ms === 30_000).length === 1)
    // 2.6: configuration calls wait for one lock, default 30 s
    world.clock.advance(29_999)
    assert.equal(world.standIn.server.lock.waiting, 1)
    world.clock.advance(1)
    assert.equal((await reset).status, 503)
    world.clock.advance(30_000)
    await reload
    assert.equal((await world.call('GET', '/rest/workspaces/coast')).status, 200)
    assert.equal(world.standIn.report().counts.resets, 0)
  })
})

describe('the door', () => {
  test('opens for the right password only', async (t) => {
    const world = await worldOf(t, smallTree(), { user: 'root', password: 'secret' })
    const login = (name: string): Record<string, string> => ({
      authorization: `Basic ${Buffer.from(name).toString('base64')}`
    })
    for (const path of ['/rest/workspaces', '/rest/about/version', '/gwc/rest/layers', '/rest/resource/global.xml']) {
      assert.equal((await world.call('GET', path, undefined, login('admin:geoserver'))).status, 401)
      assert.equal((await world.call('GET', path, undefined, login('root:secret'))).status, 200)
    }
    assert.equal((await world.map('coast:contours')).status, 200)
  })

  test('says which version is behind it', async (t) => {
    const world = await worldOf(t)
    assert.match((await world.call('GET', '/rest/about/version')).text, /<Version>2\.26\.2<\/Version>/)
    assert.match((await world.call('GET', '/rest/about/version.json')).text, /"Version":"2\.26\.2"/)
    assert.match((await world.call('GET', '/rest/about/status')).text, /<isAvailable>true/)
  })
})
