/** The stand-in as a process, its noise in the directory, its journal, and real directories. */
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { until } from '../e2e/until.js'
import { copyFixture, NO_SHARED_DATA, sharedData } from '../e2e/fixtures.js'
import { realClock } from './clock.js'
import type { Report } from './journal.js'
import { REPORT_PATH, startStandIn } from './server.js'
import { worldOf } from './world.js'
import { parseXml, writeXml } from './xml.js'

/** This file runs compiled and from its source. */
const HERE = fileURLToPath(import.meta.url)
const PROGRAM = join(dirname(HERE), HERE.endsWith('.ts') ? 'stand-in.ts' : 'stand-in.js')

describe('as a process of its own', () => {
  test('it says where it is, answers, reports and ends when it is told to', async (t) => {
    const dir = mkdtempSync(join(tmpdir(), 'gv-stand-in-'))
    t.after(() => rmSync(dir, { recursive: true, force: true }))
    copyFixture(dir)
    const child = spawn(process.execPath, [...process.execArgv, PROGRAM, '--dir', dir, '--reload-share', '0'], {
      stdio: ['ignore', 'pipe', 'inherit']
    })
    t.after(() => child.kill('SIGKILL'))
    const [line] = (await once(createInterface(child.stdout), 'line')) as [string]
    const { url } = JSON.parse(line) as { url: string }
    const authorization = `Basic ${Buffer.from('admin:geoserver').toString('base64')}`
    assert.equal((await fetch(`${url}/rest/reload`, { method: 'POST', headers: { authorization } })).status, 200)
    const report = (await (await fetch(new URL(REPORT_PATH, url))).json()) as Report
    assert.deepEqual([report.counts.reloads, report.asked[0]!.path], [1, '/rest/reload'])
    child.kill('SIGTERM')
    assert.deepEqual(await once(child, 'exit'), [0, null])
  })

  test('it needs a directory', () => {
    const run = (): unknown =>
      execFileSync(process.execPath, [...process.execArgv, PROGRAM], { stdio: ['ignore', 'pipe', 'pipe'] })
    assert.throws(run, /say which data directory: --dir D/)
  })
})

describe('beside its answers', () => {
  test('it leaves its own files: log, tile cache, keystore', async (t) => {
    const world = await worldOf(t)
    // 2.3: logs; gwc/geowebcache.xml is touched at every start; keystore and master password
    assert.equal(await world.text('logs/geoserver.log'), 'INFO started with 7 objects\n')
    for (const path of ['gwc/geowebcache.xml', 'security/geoserver.jceks', 'security/masterpw/default/passwd'])
      assert.equal(world.has(path), true, path)
    const before = await world.text('gwc/geowebcache.xml')
    await world.standIn.stop()
    await world.start()
    assert.equal(await world.text('gwc/geowebcache.xml'), before)
  })

  test('it ends a reload that runs before it stops', async (t) => {
    const world = await worldOf(t, undefined, { reloadMs: () => 1_000 })
    const answer = world.call('POST', '/rest/reload').catch(() => null)
    await until('the reload sleeps', () => world.clock.sleeping.includes(1_000))
    await world.standIn.stop()
    assert.equal(world.standIn.report().counts.globalWrites, 6)
    assert.equal(await answer, null)
    await world.start()
  })

  test('it counts what it was asked, by kind', async (t) => {
    const world = await worldOf(t)
    await world.call('POST', '/rest/workspaces', '<workspace><name>sea</name></workspace>')
    await world.call('PUT', '/rest/workspaces/sea', '<workspace/>')
    await world.call('PUT', '/rest/workspaces/none', '<workspace/>')
    await world.call('DELETE', '/rest/workspaces/sea')
    await world.call('POST', '/rest/reload')
    await world.call('GET', '/rest/resource/global.xml')
    const { posts, puts, deletes, reloads, starts } = world.standIn.report().counts
    assert.deepEqual(
      { posts, puts, deletes, reloads, starts },
      { posts: 1, puts: 1, deletes: 1, reloads: 1, starts: 1 }
    )
    assert.deepEqual(
      world.standIn.report().asked.map(({ method, path, status }) => `${method} ${path} ${status}`),
      [
        'POST /rest/workspaces 201',
        'PUT /rest/workspaces/sea 200',
        'PUT /rest/workspaces/none 404',
        'DELETE /rest/workspaces/sea 200',
        'POST /rest/reload 200',
        'GET /rest/resource/global.xml 200'
      ]
    )
  })
})

describe('the real clock', () => {
  test('sleeps no longer than it is let', async () => {
    const life = new AbortController()
    const asleep = realClock.sleep(60_000, life.signal)
    life.abort()
    await asleep
    await realClock.sleep(60_000, life.signal)
    const before = realClock.now()
    await realClock.sleep(5, new AbortController().signal)
    assert.equal(realClock.now() >= before + 4, true)
  })
})

describe('a real data directory', () => {
  test('written by GeoServer is written byte for byte as it was, but for what people wrote', (t) => {
    const data = sharedData('osm-datadir')
    if (data === undefined) return t.skip(NO_SHARED_DATA)
    const files = readdirSync(data, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.xml'))
    const others = files.filter((name) => {
      const text = readFileSync(join(data, name), 'utf8')
      return writeXml(parseXml(text)) !== text
    })
    assert.equal(files.length, 129)
    assert.deepEqual(others.toSorted(), [
      'pregeneralized.xml',
      'pregeneralized_lowres.xml',
      'workspaces/osm/osm/datastore.xml'
    ])
  })

  for (const { name, objects, layers } of [
    { name: 'aodn-datadir', objects: 1_003, layers: 398 },
    { name: 'osm-datadir', objects: 113, layers: 23 }
  ] as const)
    test(`${name} loads whole and every layer is drawn`, async (t) => {
      const data = sharedData(name)
      if (data === undefined) return t.skip(NO_SHARED_DATA)
      const dir = mkdtempSync(join(tmpdir(), 'gv-stand-in-'))
      t.after(() => rmSync(dir, { recursive: true, force: true }))
      cpSync(data, dir, { recursive: true })
      const standIn = await startStandIn({ dir, reloadMs: () => 0 })
      t.after(() => standIn.stop())
      // 2.2: aodn 1,003 objects, 1,659 references, 0 dangling
      assert.equal(standIn.server.catalog.size, objects)
      assert.deepEqual(standIn.report().log, [`INFO started with ${objects} objects`])
      const names = standIn.server.catalog.list('layer').map((layer) => `${layer.workspace}:${layer.name}`)
      assert.equal(names.length, layers)
      for (const layer of names) {
        const answer = await fetch(`${standIn.url}/wms?request=GetMap&layers=${layer}`)
        assert.equal(answer.status, 200, `${layer}: ${await answer.text()}`)
      }
    })
})
