/** What GeoServer writes besides what it is told: never over something newer (rule 10 of tell/teller.ts). */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { GrapevineError } from '../../../../src/errors.js'
import { calls, counts, LAYER, layerFiles, rig, TILE_LAYER, type Rig } from './rig.js'

const SETTINGS = 'global.xml'

const withPath = (text: string): string => text.replace('<type>', '<path>/sea</path>\n  <type>')
const withGutter = (text: string, gutter: number): string =>
  text.replace('</name>', `</name>\n  <gutter>${gutter}</gutter>`)

test('a tile layer that changes between two calls of a round is not overwritten by that of its layer', async (t) => {
  let first = true
  let later: Promise<void> | undefined
  const beforeCall = async (): Promise<void> => {
    if (!first) return
    first = false
    later = made.write({ [TILE_LAYER]: withGutter(tiles, 18) })
  }
  const made: Rig = await rig(t, { beforeCall })
  const tiles = await made.world.text(TILE_LAYER)
  await made.write({ [TILE_LAYER]: withGutter(tiles, 17), [LAYER]: withPath(await made.world.text(LAYER)) })
  await made.settled()
  await later
  await made.settled()
  assert.match(await made.world.text(TILE_LAYER), /<gutter>18</)
  assert.match((await made.world.call('GET', '/gwc/rest/layers/coast:contours.xml')).text, /<gutter>18/)
  assert.match((await made.world.call('GET', '/rest/layers/coast:contours.xml')).text, /sea/)
})

test('settings of all that change between two calls of a round are not overwritten by the next', async (t) => {
  let first = true
  let later: Promise<void> | undefined
  const beforeCall = async (): Promise<void> => {
    if (!first) return
    first = false
    later = made.world.text(SETTINGS).then((text) => made.write({ [SETTINGS]: text.replace('>4<', '>6<') }))
  }
  const made: Rig = await rig(t, { beforeCall })
  const feature = 'workspaces/coast/depth/contours/featuretype.xml'
  const titled = (await made.world.text(feature)).replace('>Contours<', '>Lines<')
  await made.write({ [feature]: titled, [LAYER]: withPath(await made.world.text(LAYER)) })
  await made.settled()
  await later
  await made.settled()
  assert.match(await made.world.text(SETTINGS), /<numDecimals>6</)
  assert.match((await made.world.call('GET', '/rest/settings')).text, /<numDecimals>6</)
  assert.equal(calls(made).filter((call) => call.startsWith('PUT /rest/layers')).length, 1)
})

const sixDecimals = (text: string): string => text.replace('>4<', '>6<')

test('settings of all that change under a reload are written after it', async (t) => {
  const made: Rig = await rig(t)
  const settings = sixDecimals(await made.world.text(SETTINGS))
  let later: Promise<unknown> | undefined
  made.world.onStep = ({ to }) => {
    // the first of several times, all with what it read when it began
    if (to === SETTINGS) later ??= made.write({ [SETTINGS]: settings })
  }
  await made.write(layerFiles('wrecks'))
  await made.settled(() => later !== undefined)
  await later
  await made.settled()
  assert.match(await made.world.text(SETTINGS), /<numDecimals>6</)
  assert.match((await made.world.call('GET', '/rest/settings')).text, /<numDecimals>6</)
  assert.equal(counts(made).reloads, 1)
})

test('settings of all wait no longer for a reload that failed', async (t) => {
  let later: Promise<unknown> | undefined
  const beforeCall = async (): Promise<void> => {
    if (later !== undefined || made.teller.view().state !== 'reload-due') return
    const settings = sixDecimals(await made.world.text(SETTINGS))
    later = made.write({ [SETTINGS]: settings })
    throw new GrapevineError('geoserver-unreachable', 'GeoServer died', { next: 'start it' })
  }
  const made: Rig = await rig(t, { beforeCall })
  await made.write(layerFiles('wrecks'))
  await made.settled(() => later !== undefined)
  await later
  assert.match(await made.world.text(SETTINGS), /<numDecimals>6</)
  await made.settled()
  assert.match((await made.world.call('GET', '/rest/settings')).text, /<numDecimals>6</)
})
