import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, watch, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { smallTree, writeTree } from '../adapters/geoserver/tree.js'
import { until } from '../e2e/until.js'
import { StandIn } from './geoserver.js'
import { REWRITES } from './reload.js'
import { writeAsGeoServer } from './writing.js'

const LAYER = 'workspaces/coast/depth/contours/layer.xml'
const STORE = 'workspaces/coast/depth/datastore.xml'

describe('the stand-in for GeoServer', () => {
  let dir: string
  let standIn: StandIn
  const text = (path: string): string => readFileSync(join(dir, path), 'utf8')
  const put = (path: string, content: string): void => writeFileSync(join(dir, path), content)
  const counter = (): number => Number(/<updateSequence>(\d+)</.exec(text('global.xml'))![1])

  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), 'gv-standin-'))
    writeTree(dir, smallTree())
    standIn = await StandIn.start(dir)
  })
  afterEach(async () => {
    await standIn.stop()
    rmSync(dir, { recursive: true, force: true })
  })

  test('serves maps of what it loaded', async () => {
    assert.equal((await standIn.ask('GET', '/wms?layers=coast:contours')).status, 200)
    assert.equal((await standIn.ask('GET', '/wms?layers=coast:nothing')).status, 404)
    assert.equal((await standIn.ask('GET', '/rest/about/version')).status, 200)
    assert.match((await standIn.ask('GET', '/rest/layers/coast:contours')).text, /La-1/)
  })

  test('writes a new file empty first, and everything through a temporary name', async () => {
    const seen = new Set<string>()
    const watcher = watch(dir, (_event, name) => seen.add(String(name)))
    try {
      writeAsGeoServer(join(dir, 'new.xml'), '<a/>')
      await until(
        'both names were seen',
        () => seen.has('new.xml') && [...seen].some((name) => /^new\.xml\.[0-9a-f-]{36}\.tmp$/.test(name))
      )
    } finally {
      watcher.close()
    }
    assert.equal(text('new.xml'), '<a/>')
    const { ino } = statSync(join(dir, 'new.xml'))
    writeAsGeoServer(join(dir, 'new.xml'), '<b/>')
    assert.notEqual(statSync(join(dir, 'new.xml')).ino, ino)
  })

  test('counts up and writes global.xml at every change, and not at a reset', async () => {
    const before = counter()
    assert.equal((await standIn.ask('PUT', '/rest/layers/coast:contours', text(LAYER))).status, 200)
    assert.equal(counter(), before + 1)
    assert.equal((await standIn.ask('POST', '/rest/reset')).status, 200)
    assert.equal(counter(), before + 1)
  })

  test('writes memory over the disk: an edit of the file that it was not told of is lost', async () => {
    put(LAYER, text(LAYER).replace('</name>', '</name><title>by hand</title>'))
    await standIn.ask('PUT', '/rest/layers/coast:contours', '<layer><abstract>by REST</abstract></layer>')
    assert.match(text(LAYER), /by REST/)
    assert.match(text(LAYER), /La-1/)
    assert.doesNotMatch(text(LAYER), /by hand/)
  })

  test('adds a date once, keeps one that is there, and never changes an id', async () => {
    await standIn.ask('PUT', '/rest/layers/coast:contours', text(LAYER).replace('La-1', 'La-2'))
    const first = text(LAYER)
    assert.match(first, /<id>La-1<\/id>/)
    assert.match(first, /<dateModified>\d{4}-/)
    await standIn.ask('PUT', '/rest/layers/coast:contours', first)
    assert.equal(text(LAYER), first)
    assert.equal((await standIn.ask('PUT', '/rest/layers/coast:contours', '<style/>')).status, 400)
    assert.equal((await standIn.ask('PUT', '/rest/layers/coast:contours', '')).status, 400)
  })

  test('encrypts a password anew at every save', async () => {
    const withPassword = text(STORE).replace(
      '</dataStore>',
      '<connectionParameters><entry key="passwd">plain:x</entry></connectionParameters></dataStore>'
    )
    const seen = new Set<string>()
    for (let at = 0; at < 3; at++) {
      await standIn.ask('PUT', '/rest/workspaces/coast/datastores/depth', withPassword)
      seen.add(/crypt1:[^<]+/.exec(text(STORE))![0])
    }
    assert.equal(seen.size, 3)
  })

  test('reads the disk at a reload alone, fails maps while it does, and writes global.xml six times', async () => {
    writeTree(dir, { 'legendsamples/x.png': '' })
    put(LAYER, text(LAYER).replaceAll('contours', 'lines'))
    assert.equal((await standIn.ask('GET', '/wms?layers=coast:lines')).status, 404)
    const before = counter()
    const reloading = standIn.ask('POST', '/rest/reload')
    await until('a map failed', async () => (await standIn.ask('GET', '/wms?layers=coast:contours')).status === 500)
    assert.equal((await reloading).status, 200)
    assert.equal(counter(), before + REWRITES)
    assert.equal((await standIn.ask('GET', '/wms?layers=coast:lines')).status, 200)
    assert.equal(existsSync(join(dir, 'legendsamples')), false)
  })

  test('answers 200 to a reload that dropped objects, and 500 for one whose style is unknown', async () => {
    put('styles/line.xml', text('styles/line.xml').replace('Style-1', 'Style-2'))
    assert.equal((await standIn.ask('PUT', '/rest/reload')).status, 200)
    assert.equal((await standIn.ask('GET', '/rest/layers/coast:contours')).status, 500)
    put('workspaces/coast/workspace.xml', text('workspaces/coast/workspace.xml').replace('Ws-1', 'Ws-2'))
    assert.equal((await standIn.ask('PUT', '/rest/reload')).status, 200)
    for (const path of [
      '/rest/workspaces/coast/datastores/depth',
      '/rest/workspaces/coast/datastores/depth/featuretypes/contours',
      '/rest/layers/coast:contours'
    ])
      assert.equal((await standIn.ask('GET', path)).status, 404, path)
    assert.equal((await standIn.ask('GET', '/rest/workspaces/coast')).status, 200)
    put('workspaces/coast/workspace.xml', text('workspaces/coast/workspace.xml').replace('Ws-2', 'Ws-1'))
    rmSync(join(dir, LAYER))
    assert.equal((await standIn.ask('PUT', '/rest/reload')).status, 200)
    assert.equal((await standIn.ask('GET', '/rest/workspaces/coast/datastores/depth')).status, 200)
    assert.equal(
      (await standIn.ask('GET', '/rest/workspaces/coast/datastores/depth/featuretypes/contours')).status,
      404
    )
    assert.equal((await standIn.ask('DELETE', '/rest/workspaces/coast')).status, 405)
  })
})
