/** The rules of tell/ask-first.ts, cited by number, against the stand-in for GeoServer. */
import assert from 'node:assert/strict'
import { readdir, rm } from 'node:fs/promises'
import { describe, test } from 'node:test'
import { QUIET_MS } from '../../../../src/adapters/geoserver/tell/pace.js'
import { SHARED_TURN_MS } from '../../../../src/adapters/geoserver/tell/windows.js'
import { calls, counts, FEATURE, LAYER, layerFiles, rig, type Rig } from './rig.js'

const TILES = 'gwc-layers/La-1.xml'

/** Files that others wrote; null: removed. Then everything is told. */
async function others(made: Rig, files: Readonly<Record<string, string | null>>): Promise<void> {
  for (const [path, text] of Object.entries(files))
    if (text === null) await rm(made.world.at(path))
    else await made.world.write(path, text)
  await noticed(made, Object.keys(files))
}

async function noticed(made: Rig, paths: readonly string[]): Promise<void> {
  await made.teller.changed(paths)
  await made.settled()
}

const told = (made: Rig): string[] => calls(made).filter((call) => !call.includes('truncate'))

describe('rule 1: what this GeoServer did itself costs no reload', () => {
  test('a layer that it made, and took away again', async (t) => {
    const made = await rig(t, { shared: true })
    await made.world.call(
      'POST',
      '/rest/workspaces/coast/datastores/depth/featuretypes',
      '<featureType><name>wrecks</name></featureType>'
    )
    const before = told(made).length
    const [feature, layer] = [FEATURE, LAYER].map((path) => path.replace('contours', 'wrecks')) as [string, string]
    await noticed(made, [feature, layer])
    assert.deepEqual(told(made).slice(before), [
      'PUT /rest/workspaces/coast/datastores/depth/featuretypes/wrecks.xml',
      'PUT /rest/layers/coast%3Awrecks.xml'
    ])
    await made.world.call('DELETE', '/rest/layers/coast:wrecks.xml?recurse=true')
    const after = told(made).length
    await noticed(made, [feature, layer])
    assert.deepEqual(told(made).slice(after), [])
    assert.equal(counts(made).reloads, 0)
  })

  test('a namespace that went with its workspace, by itself', async (t) => {
    const made = await rig(t, { shared: true })
    await made.world.call('DELETE', '/rest/workspaces/coast?recurse=true')
    const before = told(made).length
    await noticed(made, ['workspaces/coast/namespace.xml'])
    assert.deepEqual(told(made).slice(before), [])
  })

  test('a field that it took out, but not one that others did', async (t) => {
    const made = await rig(t, { shared: true })
    const text = await made.world.text(FEATURE)
    const without = text.replace(/ *<title>.*<\/title>\n/, '')
    await others(made, { [FEATURE]: without })
    assert.equal(counts(made).reloads, 1)
    await others(made, { [FEATURE]: text })
    await made.world.write(FEATURE, without)
    await made.world.call('POST', '/rest/reload')
    await noticed(made, [FEATURE])
    assert.equal(counts(made).reloads, 2)
  })
})

describe('rule 2: it is never told to delete', () => {
  test('a layer that others made, and took away, is a reload each', async (t) => {
    const made = await rig(t, { shared: true })
    const files = layerFiles('wrecks')
    await others(made, files)
    assert.equal((await made.world.call('GET', '/rest/layers/coast:wrecks.xml')).status, 200)
    await others(made, Object.fromEntries(Object.keys(files).map((path) => [path, null])))
    assert.equal((await made.world.call('GET', '/rest/layers/coast:wrecks.xml')).status, 404)
    assert.deepEqual(told(made), ['POST /rest/reload', 'POST /rest/reload'])
  })

  test('what others made anew at once stays', async (t) => {
    const made = await rig(t, { shared: true })
    await others(made, { 'styles/line.xml': null })
    await made.world.write(
      'styles/line.xml',
      '<style><id>Style-9</id><name>line</name><filename>line.sld</filename></style>'
    )
    await noticed(made, ['styles/line.xml'])
    assert.ok((await readdir(made.world.at('styles'))).includes('line.xml'))
    assert.equal(
      told(made).some((call) => call.startsWith('DELETE')),
      false
    )
  })

  test('of a tile layer that is gone only the tile layers are read again', async (t) => {
    const made = await rig(t, { shared: true })
    await others(made, { [TILES]: null })
    assert.deepEqual(told(made), ['POST /gwc/rest/reload'])
  })
})

test('which workspace is the default one is told by name, and a reload makes good what is refused', async (t) => {
  const made = await rig(t)
  await made.world.call('POST', '/rest/workspaces', '<workspace><name>shore</name></workspace>')
  await made.teller.noticed(['workspaces/shore/workspace.xml', 'workspaces/shore/namespace.xml'])
  const before = told(made).length
  const shore = await made.world.text('workspaces/shore/workspace.xml')
  await made.write({ 'workspaces/default.xml': shore })
  await made.settled()
  assert.deepEqual(told(made).slice(before), ['PUT /rest/workspaces/default'])
  assert.equal(await made.world.text('workspaces/default.xml'), shore)
  // a copy that only follows its workspace is written by GeoServer itself
  const isolated = shore.replace('</name>', '</name>\n  <isolated>true</isolated>')
  await made.write({ 'workspaces/shore/workspace.xml': isolated, 'workspaces/default.xml': isolated })
  await made.settled()
  assert.deepEqual(told(made).slice(before + 1), ['PUT /rest/workspaces/shore.xml'])
  await made.write({ 'workspaces/default.xml': shore.replace('shore', 'nowhere') })
  await made.settled()
  assert.deepEqual(told(made).slice(before + 2), ['PUT /rest/workspaces/default', 'POST /rest/reload'])
  await made.write({ 'workspaces/default.xml': null })
  await made.settled()
  assert.deepEqual(told(made).slice(before + 4), ['POST /rest/reload'])
})

for (const [shared, rank, waits] of [
  [true, 0, QUIET_MS],
  [true, 2, QUIET_MS + 2 * SHARED_TURN_MS],
  [true, 11, QUIET_MS + 10 * SHARED_TURN_MS],
  [false, 2, QUIET_MS]
] as const)
  test(`GeoServer number ${rank} over ${shared ? 'a' : 'no'} shared directory is told after ${waits} ms`, async (t) => {
    let first: number | undefined
    const beforeCall = async (): Promise<void> => void (first ??= made.clock.monotonic())
    const made = await rig(t, { shared, beforeCall, turn: () => ({ rank, nodes: 12, share: 1 }) })
    const began = made.clock.monotonic()
    await others(made, { [LAYER]: (await made.world.text(LAYER)).replace('<type>', '<path>/sea</path>\n  <type>') })
    assert.ok(first! - began >= waits && first! - began < waits + SHARED_TURN_MS, `${first! - began} ms`)
  })
