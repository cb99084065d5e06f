import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { smallTree, writeTree, type Tree } from '../adapters/geoserver/tree.js'
import { shellWithDaemon, shellWithoutDaemon } from './shell.js'

async function directoryOf(t: TestContext, tree: Tree): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'grapevine-cli-'))
  t.after(() => rm(dir, { recursive: true, force: true }))
  writeTree(dir, tree)
  return dir
}

test('geoserver check of a sound directory ends with 0 and says what there is', async (t) => {
  const { run } = await shellWithoutDaemon(t)
  const { code, stdout, stderr } = await run('geoserver', 'check', await directoryOf(t, smallTree()))
  assert.deepEqual([code, stderr], [0, ''])
  assert.match(stdout, /^objects {4}7 with 8 references$/m)
  assert.match(stdout, /^faults {5}0$/m)
})

test('geoserver check lists faults before notes, and ends with an exit code of its own', async (t) => {
  const { run } = await shellWithoutDaemon(t)
  const dir = await directoryOf(t, { ...smallTree(), 'styles/a\u202e.sld': '', 'styles/b.sld.bak': '' })
  const { code, stdout, stderr } = await run('geoserver', 'check', dir)
  assert.equal(code, 14)
  assert.match(stderr, /directory-faulty: .* holds 1 fault\n/)
  const fault = stdout.indexOf('fault  broken-file  styles/a\\u{202e}.sld: is empty\n')
  assert.ok(fault > 0 && stdout.indexOf('note  node-local  styles/b.sld.bak: ') > fault, stdout)
})

test('geoserver check --json answers with everything, however much it is', async (t) => {
  const { run } = await shellWithoutDaemon(t)
  const broken = Object.fromEntries(Array.from({ length: 150 }, (_, at) => [`styles/s${at}.sld`, '']))
  const dir = await directoryOf(t, { ...smallTree(), ...broken })
  const text = await run('geoserver', 'check', dir)
  assert.match(text.stdout, /^fault {2}and 50 more; see --json$/m)
  const { code, stdout, stderr } = await run('geoserver', 'check', dir, '--json')
  const report = JSON.parse(stdout) as {
    dir: string
    faults: number
    findings: Array<{ word: string; severity: string }>
  }
  assert.deepEqual([code, report.dir, report.faults], [14, dir, 150])
  assert.equal(report.findings.filter(({ word }) => word === 'broken-file').length, 150)
  assert.equal((JSON.parse(stderr) as { error: { code: string } }).error.code, 'directory-faulty')
})

test('geoserver check goes by --rule, and refuses one it does not understand', async (t) => {
  const { run } = await shellWithoutDaemon(t)
  const dir = await directoryOf(t, { ...smallTree(), 'data/a.tif': '' })
  const { code, stdout } = await run('geoserver', 'check', dir, '--rule', 'local data/*', '--rule', 'local gwc-gs.xml')
  assert.equal(code, 0)
  assert.match(stdout, /^note {2}node-local {2}data\/a\.tif: the configuration says: local data\/\*$/m)
  assert.equal((await run('geoserver', 'check', dir, '--rule', 'hide data')).code, 2)
  assert.equal((await run('geoserver', 'check', join(dir, 'none'))).code, 5)
})

test('geoserver ls lists the objects of the catalog, all of them or of one kind', async (t) => {
  const { run, target } = await shellWithDaemon(t, { columns: 80 })
  assert.equal((await run('geoserver', 'ls')).stdout, 'nothing\n')
  for (const [path, kind, name] of [
    ['workspaces/coast/depth/datastore.xml', 'datastore', 'coast:depth'],
    ['workspaces/coast/depth/contours/layer.xml', 'layer', 'coast:con\u001b[2Jtours']
  ] as const) {
    target.add(path, 'x')
    target.objects.set(path, { kind, name })
  }
  target.add('www/index.html', 'x')
  target.conflict = true
  assert.deepEqual((await run('geoserver', 'ls')).stdout.split('\n'), [
    'kind       changed (UTC)        author       !  name',
    'layer      2026-11-21 19:13:05  12D3…c6iDEp  !  coast:con\\x1b[2Jtours',
    'datastore  2026-11-21 19:13:05  12D3…c6iDEp  !  coast:depth',
    ''
  ])
  assert.doesNotMatch((await run('geoserver', 'ls', 'layers')).stdout, /datastore/)
  const stores = JSON.parse((await run('geoserver', 'ls', 'stores', '--json')).stdout) as Array<{ path: string }>
  assert.deepEqual(
    stores.map(({ path }) => path),
    ['workspaces/coast/depth/datastore.xml']
  )
  assert.match((await run('geoserver', 'ls', 'maps')).stderr, /usage: there are no objects of the kind "maps"/)
})
