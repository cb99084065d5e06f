/** The rules of tell/teller.ts, cited by number, against the stand-in for GeoServer. */
import assert from 'node:assert/strict'
import { renameSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { describe, test } from 'node:test'
import {
  MAX_RELOAD_REST_MS,
  NOTICED_MS,
  RELOAD_QUIET_MS,
  RELOAD_REST
} from '../../../../src/adapters/geoserver/tell/pace.js'
import { WINDOW_MS } from '../../../../src/adapters/geoserver/tell/windows.js'
import { until } from '../../../e2e/until.js'
import { smallTree } from '../../../geoserver/world.js'
import { calls, counts, FEATURE, LAYER, layerFiles, rig, STYLE_BODY, type Rig } from './rig.js'

describe('rule 2: what comes together is told together, by the cheapest call', () => {
  test('a changed layer is one PUT of its file, and the file stays as it is', async (t) => {
    const made = await rig(t)
    const changed = (await made.world.text(LAYER)).replace('<type>', '<path>/sea</path>\n  <type>')
    await made.write({ [LAYER]: changed })
    assert.equal(made.teller.view().state, 'telling')
    await made.settled()
    assert.deepEqual(calls(made), ['PUT /rest/layers/coast%3Acontours.xml'])
    assert.match((await made.world.call('GET', '/rest/layers/coast:contours.xml')).text, /sea/)
    assert.match(await made.world.text(LAYER), /sea/)
    assert.equal(made.rows.rows.size, 0)
  })

  test('settings of all that changed beside an object outlive that GeoServer writes its own with every change', async (t) => {
    const made = await rig(t)
    const settings = (await made.world.text('global.xml')).replace('>4<', '>6<')
    const changed = (await made.world.text(LAYER)).replace('<type>', '<path>/sea</path>\n  <type>')
    await made.write({ [LAYER]: changed, 'global.xml': settings })
    await made.settled()

    assert.match(await made.world.text('global.xml'), /<numDecimals>6</)
    assert.match((await made.world.call('GET', '/rest/settings')).text, /<numDecimals>6</)
  })

  test('settings of all do not wait for a reload that is due', async (t) => {
    const made = await rig(t, { turn: () => ({ rank: 1, nodes: 2, share: 0.5 }) })
    const settings = (await made.world.text('global.xml')).replace('>4<', '>6<')
    await made.write({ ...layerFiles('wrecks'), 'global.xml': settings })
    await made.settled(() => made.teller.view().owed === 2)
    assert.equal(made.teller.view().state, 'reload-due')
    assert.deepEqual(calls(made), ['PUT /rest/settings'])
    await made.settled()
    assert.deepEqual(calls(made), ['PUT /rest/settings', 'POST /rest/reload'])
  })

  test('a template, a graphic and what came and went need no word', async (t) => {
    const made = await rig(t)
    await made.write({ 'styles/symbols/new.svg': '<svg/>', 'workspaces/coast/depth/contours/title.ftl': 't' })
    await made.write({ 'styles/symbols/gone.svg': 'x' })
    await made.write({ 'styles/symbols/gone.svg': null })
    await made.settled()
    assert.deepEqual(calls(made), [])
  })

  test('what GeoServer deleted itself meanwhile is gone, and no reason for a reload', async (t) => {
    const made = await rig(t)
    await made.world.call('DELETE', '/rest/workspaces/coast/layergroups/all')
    await made.world.write('workspaces/coast/layergroups/all.xml', 'again')
    await made.write({ 'workspaces/coast/layergroups/all.xml': null })
    await made.settled()
    assert.equal(counts(made).reloads, 0)
  })

  test('what is gone is deleted, and what GeoServer never had is none the worse', async (t) => {
    const made = await rig(t)
    await made.write({ 'workspaces/coast/layergroups/all.xml': null })
    await made.settled()
    assert.deepEqual(calls(made), ['DELETE /rest/workspaces/coast/layergroups/all.xml'])
    await made.write({ 'styles/never.xml': '' })
    await made.settled()
    assert.equal((await made.world.call('GET', '/rest/workspaces/coast/layergroups/all.xml')).status, 404)
  })
})

test('rule 2: settings that changed with something else stay: GeoServer writes global.xml at every change', async (t) => {
  const made = await rig(t)
  const layer = (await made.world.text(LAYER)).replace('<type>', '<path>/sea</path>\n  <type>')
  const settings = (await made.world.text('global.xml')).replace('<numDecimals>4', '<numDecimals>6')
  await made.write({ [LAYER]: layer, 'global.xml': settings })
  await made.settled()
  assert.match(await made.world.text('global.xml'), /<numDecimals>6/)
  assert.match((await made.world.call('GET', '/rest/settings')).text, /<numDecimals>6/)
  assert.match((await made.world.call('GET', '/rest/layers/coast:contours.xml')).text, /sea/)
})

test('rule 2: what changes while a call is under way is written after it, and told by the next', async (t) => {
  let layer = ''
  let again: Promise<void> | undefined
  const made: Rig = await rig(t, {
    beforeCall: async () => {
      // the call has its bytes already: were the file written now, GeoServer would write the older ones over it
      again ??= made.write({ [LAYER]: layer.replace('<type>', '<path>/second</path>\n  <type>') })
      for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve))
    }
  })
  layer = await made.world.text(LAYER)
  await made.write({ [LAYER]: layer.replace('<type>', '<path>/first</path>\n  <type>') })
  await made.settled()
  await again
  await made.settled()
  assert.match(await made.world.text(LAYER), /second/)
  assert.match((await made.world.call('GET', '/rest/layers/coast:contours.xml')).text, /second/)
  assert.equal(calls(made).length, 2)
})

test('rule 1: a round that falls into the middle of a change does not take its files for told', async (t) => {
  const made = await rig(t)
  await made.write({ [STYLE_BODY]: '<StyledLayerDescriptor version="1.1.0"/>' })
  await made.settled()
  const files = layerFiles('new')
  await made.teller.changing(Object.keys(files), async () => {
    // the tiles of the style are due now, and the files of the layer are not in place yet
    for (let turn = 0; turn < 300; turn++) await made.clock.pass(NOTICED_MS / 200)
    for (const [path, text] of Object.entries(files)) await made.world.write(path, text)
  })
  await made.settled(() => made.rows.rows.size === 0)
  assert.equal((await made.world.call('GET', '/rest/layers/coast:new.xml')).status, 200)
  assert.ok(made.world.standIn.report().truncated.includes('coast:contours'))
})

describe('rule 3: reloads are gathered and wait for their turn', () => {
  test('twenty new layers, in four sets, are one reload, and every one is read back', async (t) => {
    const made = await rig(t)
    for (let set = 0; set < 4; set++) {
      await made.write(Object.assign({}, ...Array.from({ length: 5 }, (_, at) => layerFiles(`l${set * 5 + at}`))))
      await made.clock.pass(RELOAD_QUIET_MS / 2)
    }
    assert.equal(made.teller.view().state, 'reload-due')
    await made.settled()
    assert.equal(counts(made).reloads, 1)
    assert.equal(made.teller.view().reloads, 1)
    const read = made.world.standIn
      .report()
      .asked.filter(({ method, path }) => method === 'GET' && /%3Al\d+\.xml$/.test(path))
    assert.equal(read.length, 20)
    assert.equal((await made.world.call('GET', '/rest/layers/coast:l19.xml')).status, 200)
    assert.deepEqual(made.teller.view().failed, [])
  })

  test('a node whose turn it is not waits for it', async (t) => {
    const made = await rig(t, { turn: () => ({ rank: 2, nodes: 3, share: 0.34 }) })
    await made.write(layerFiles('new'))
    await made.settled(() => made.clock.monotonic() > WINDOW_MS)
    assert.equal(counts(made).reloads, 0)
    await made.settled()
    assert.equal(counts(made).reloads, 1)
    assert.ok(made.clock.monotonic() >= 2 * WINDOW_MS)
  })

  test('what has nothing to do with a reload that is due does not wait for it', async (t) => {
    const made = await rig(t, { turn: () => ({ rank: 2, nodes: 3, share: 0.34 }) })
    const layer = (await made.world.text(LAYER)).replace('<type>', '<path>/sea</path>\n  <type>')
    await made.write({ ...layerFiles('new'), [LAYER]: layer })
    await made.settled(() => made.teller.view().owed === 2)
    assert.equal(made.teller.view().state, 'reload-due')
    assert.deepEqual(calls(made), ['PUT /rest/layers/coast%3Acontours.xml'])
    await made.settled()
    assert.deepEqual(calls(made).slice(1), ['POST /rest/reload'])
  })

  for (const [took, rest] of [
    [1_000, 1_000 * RELOAD_REST],
    [10_000, MAX_RELOAD_REST_MS]
  ] as const)
    test(`after a reload of ${took} ms the next waits for ${rest} ms`, async (t) => {
      let ms: number = took
      const made: Rig = await rig(t, {
        beforeCall: async () => {
          const end = made.clock.monotonic() + ms
          await until('the call is answered', () => made.clock.monotonic() >= end)
        }
      })
      await made.write(layerFiles('one'))
      await made.settled(() => made.teller.view().reloads === 1)
      ms = 0
      await made.settled()
      const before = made.clock.monotonic()
      await made.write(layerFiles('two'))
      await made.settled(() => made.teller.view().state === 'reload-due')
      await made.clock.pass(rest - 3_000 - (made.clock.monotonic() - before))
      assert.equal(made.teller.view().reloads, 1)
      await made.settled()
      assert.equal(made.teller.view().reloads, 2)
    })
})

test('rule 1: what GeoServer was not told while it was down it is told when it is back', async (t) => {
  const made = await rig(t)
  const port = Number(new URL(made.world.standIn.url).port)
  await made.world.standIn.stop()
  await made.write({ [LAYER]: (await made.world.text(LAYER)).replace('<type>', '<path>/sea</path>\n  <type>') })
  await made.settled(() => made.teller.view().state === 'unreachable')
  assert.equal(made.teller.view().owed, 1)
  const until = made.clock.monotonic() + 10_000
  await made.settled(() => made.clock.monotonic() > until)
  await made.world.start({ port })
  await made.settled()
  assert.deepEqual(calls(made), ['PUT /rest/layers/coast%3Acontours.xml'])
  assert.equal(made.lines.filter(({ message }) => message.startsWith('GeoServer cannot be told now')).length, 1)
})

test('rule 1: what was noted before a node died is told by the next process', async (t) => {
  const first = await rig(t)
  await first.write({
    [LAYER]: (await first.world.text(LAYER)).replace('<type>', '<path>/sea</path>\n  <type>'),
    ...layerFiles('new')
  })
  await first.teller.stop()
  assert.deepEqual(calls(first), [])
  const second = await rig(t, { world: first.world, rows: first.rows })
  assert.equal(second.teller.view().owed, 3)
  await second.settled()
  assert.equal(counts(second).reloads, 1)
  assert.equal((await first.world.call('GET', '/rest/layers/coast:new.xml')).status, 200)
})

test('what a crash left half done is told by a reload: what GeoServer knows of it is not known', async (t) => {
  const made = await rig(t, { recovered: [LAYER] })
  await made.settled()
  assert.deepEqual(calls(made), ['POST /rest/reload'])
})

test('rule 4: what GeoServer does not know where it is named is reloaded', async (t) => {
  const { [FEATURE]: feature, ...tree } = smallTree() as Record<string, string>
  const made = await rig(t, { tree })
  // beside the teller, so that it takes the layer for known
  await made.world.write(FEATURE, feature!)
  await made.write({ [LAYER]: (await made.world.text(LAYER)).replace('<type>', '<path>/sea</path>\n  <type>') })
  await made.settled()
  assert.deepEqual(calls(made), ['PUT /rest/layers/coast%3Acontours.xml', 'POST /rest/reload'])
  assert.equal((await made.world.call('GET', '/rest/layers/coast:contours.xml')).status, 200)
})

describe('rule 4: a fault of GeoServer itself', () => {
  /** Another GeoServer saves the same tile layer, and takes the temporary file of this one along: so many times. */
  function elsewhere({ world }: Rig, times: number): void {
    let left = times
    world.onStep = ({ what, to = '' }) => {
      if (what !== 'rename' || !to.endsWith('.xml.tmp') || left-- <= 0) return
      renameSync(world.at(to), world.at(to.replace(/\.tmp$/, '')))
    }
  }
  const PUT = 'PUT /rest/layers/coast%3Acontours.xml'

  for (const [times, asked] of [
    [1, [PUT, PUT]],
    [2, [PUT, PUT, 'POST /rest/reload']]
  ] as const)
    test(`that happens ${times === 1 ? 'once is no reason for a reload' : 'twice is mended by a reload'}`, async (t) => {
      const made = await rig(t)
      elsewhere(made, times)
      await made.write({ [LAYER]: (await made.world.text(LAYER)).replace('<type>', '<path>/sea</path>\n  <type>') })
      await made.settled()
      assert.deepEqual(calls(made), asked)
      assert.match((await made.world.call('GET', '/rest/layers/coast:contours.xml')).text, /sea/)
      assert.equal(made.rows.rows.size, 0)
    })
})

test('rule 4: a style that GeoServer found by itself is refused with 403: that is no question of who we are', async (t) => {
  const made = await rig(t)
  const style = '<style>\n  <id>Style-9</id>\n  <name>new</name>\n  <filename>line.sld</filename>\n</style>'
  await made.world.write('styles/new.xml', style)
  await made.world.call('POST', '/rest/reload')
  await made.write({ 'styles/new.xml': style })
  await made.settled()
  assert.deepEqual(calls(made).slice(1), ['POST /rest/styles', 'POST /rest/reload'])
  assert.equal(made.lines.filter(({ message }) => message.includes('cannot be told')).length, 0)
})

test('rules 5 and 6: what a reload did not load is shown with its reason, until it is mended', async (t) => {
  const made = await rig(t)
  const files = layerFiles('new')
  const [featurePath] = Object.keys(files) as [string]
  const whole = files[featurePath]!
  await made.write({
    ...files,
    ...layerFiles('fine'),
    [featurePath]: whole.replace('<id>Ds-1</id>', '<id>nobody</id>')
  })
  await made.settled(() => made.teller.view().failed.length > 0)
  const { failed } = made.teller.view()
  assert.ok(
    failed.every(({ path }) => path.includes('/new/')),
    JSON.stringify(failed)
  )
  assert.match(failed[0]!.reason, /404|500/)
  assert.equal((await made.world.call('GET', '/rest/layers/coast:fine.xml')).status, 200)
  assert.equal(counts(made).reloads, 1)
  await made.write({ [featurePath]: whole })
  await made.settled()
  assert.deepEqual(made.teller.view().failed, [])
  assert.equal(counts(made).reloads, 2)
})

test('a user that is not let in is told so, and everything stays owed', async (t) => {
  const made = await rig(t, { password: 'wrong' })
  await made.write({ [LAYER]: (await made.world.text(LAYER)).replace('<type>', '<path>/sea</path>\n  <type>') })
  await made.settled(() => made.teller.view().state === 'unauthorized')
  assert.equal(made.teller.view().owed, 1)
  assert.match(made.teller.view().reason!, /does not know this user and password/)
  await writeFile(made.passwordFile, 'geoserver')
  await made.settled()
  assert.equal(made.teller.view().reason, undefined)
  await made.write({ [LAYER]: (await made.world.text(LAYER)).replace('/sea', '/lake') })
  await rm(made.passwordFile)
  await made.settled(() => made.teller.view().reason !== undefined)
  assert.match(made.teller.view().reason!, /cannot be read/)
  await writeFile(made.passwordFile, 'geoserver', { mode: 0o600 })
  await made.settled()
})

test('what GeoServer wrote itself is known without being told', async (t) => {
  const made = await rig(t)
  for (const [path, text] of Object.entries(layerFiles('byhand'))) await made.world.write(path, text)
  await made.teller.noticed(Object.keys(layerFiles('byhand')))
  await made.world.call('POST', '/rest/reload')
  const path = LAYER.replace('contours', 'byhand')
  await made.write({ [path]: (await made.world.text(path)).replace('<type>', '<path>/sea</path>\n  <type>') })
  await made.settled()
  assert.deepEqual(calls(made), ['POST /rest/reload', 'PUT /rest/layers/coast%3Abyhand.xml'])
})
