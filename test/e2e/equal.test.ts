/** One directory on many nodes: the first promise, on a small directory of ours and on real ones. */
import assert from 'node:assert/strict'
import {
  accessSync,
  constants,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync
} from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { settled } from './catalog.js'
import { withCluster } from './cluster.js'
import { copyFixture, NO_SHARED_DATA, sharedData } from './fixtures.js'
import { History, type Step } from './history.js'
import { replay } from './replay.js'
import { directories, treeHash } from './tree.js'
import { until } from './until.js'

const AODN_TREE = '68be4e61c5b843845eaedda99f016695886702aeaec741d74f1a2087091d03af'

test(
  'a directory on the first node is the same on two that join, with empty directories and exec bits',
  withCluster(async (cluster) => {
    const a = await cluster.found('a', { before: copyFixture })
    const [b, c] = [await cluster.join('b'), await cluster.join('c')]
    const tree = await cluster.equal()
    assert.equal(tree, await treeHash(a.dir))
    await cluster.verified()
    for (const node of [b, c]) {
      assert.deepEqual(directories(node.dir), directories(a.dir))
      accessSync(join(node.dir, 'scripts/seed.sh'), constants.X_OK)
      assert.equal(statSync(join(node.dir, 'global.xml')).mode & 0o100, 0)
      assert.equal(statSync(join(node.dir, 'workspaces/coast/depth/contours/title.ftl')).size, 0)
    }
    const { entries } = await b.space()
    assert.equal((await a.json<unknown[]>('ls')).length, entries)
  })
)

test(
  'a node that is started third finds the others by itself, and what happened while it was away',
  withCluster(async (cluster) => {
    const a = await cluster.found('a', { before: copyFixture })
    const b = await cluster.join('b')
    const c = await cluster.admit('c')
    await cluster.equal()
    await a.stop()
    writeFileSync(join(b.dir, 'while c was away.txt'), 'b wrote this')
    await settled(b)
    await a.start()
    await c.start()
    await cluster.connected()
    await cluster.equal()
    assert.ok(existsSync(join(c.dir, 'while c was away.txt')))
    writeFileSync(join(c.dir, 'from c.txt'), 'c writes, too')
    await until('it is on a', () => existsSync(join(a.dir, 'from c.txt')))
    await cluster.equal()
  })
)

test(
  'a folder that GeoServer renames is one move, and a file it writes empty first is one change',
  withCluster(async (cluster) => {
    const a = await cluster.found('a', { before: copyFixture })
    const b = await cluster.join('b')
    await cluster.equal()
    const layer = 'workspaces/coast/shore store/beaches'
    const moved = 'workspaces/coast/shore store/sandy beaches'
    const before = await a.client.entry(`${layer}/layer.xml`)
    const vector = Object.values((await a.space()).vector).reduce((sum, seq) => sum + seq, 0)
    renameSync(join(a.dir, layer), join(a.dir, moved))
    await until('b has the folder', () => existsSync(join(b.dir, moved, 'layer.xml')))
    await cluster.equal()
    assert.equal((await b.client.entry(`${moved}/layer.xml`)).id, before.id)
    assert.deepEqual((await b.client.entry(`${moved}/layer.xml`)).tuples, before.tuples)
    const after = Object.values((await a.space()).vector).reduce((sum, seq) => sum + seq, 0)
    assert.equal(after - vector, 1)

    const file = join(a.dir, moved, 'new.xml')
    writeFileSync(file, '')
    writeFileSync(`${file}.6a7f0a52-9d0c-4a3f-8f55-3f1c0d1f2a11.tmp`, '<new/>')
    renameSync(`${file}.6a7f0a52-9d0c-4a3f-8f55-3f1c0d1f2a11.tmp`, file)
    await until('b has the file', () => existsSync(join(b.dir, moved, 'new.xml')))
    await cluster.equal()
    assert.equal((await b.client.history(`${moved}/new.xml`)).filter((line) => line.hash !== undefined).length, 1)
  })
)

test(
  'names that become something else, and folders that trade places, are the same everywhere',
  withCluster(async (cluster) => {
    const a = await cluster.found('a', {
      before: (dir) => {
        for (const folder of ['one', 'two', 'gone', 'deep/deeper', 'becomes a file']) {
          mkdirSync(join(dir, folder), { recursive: true })
          for (const file of ['x', 'y']) writeFileSync(join(dir, folder, file), `${folder}/${file}`)
        }
        writeFileSync(join(dir, 'becomes a folder'), 'a file at first')
        writeFileSync(join(dir, 'makes way'), 'for a folder')
      }
    })
    const [b] = [await cluster.join('b'), await cluster.join('c')]
    await cluster.equal()
    const at = (path: string): string => join(a.dir, path)
    await a.stop()
    rmSync(at('becomes a file'), { recursive: true })
    writeFileSync(at('becomes a file'), 'now a file')
    rmSync(at('becomes a folder'))
    mkdirSync(at('becomes a folder/below'), { recursive: true })
    writeFileSync(at('becomes a folder/below/z'), 'in a folder now')
    rmSync(at('makes way'))
    renameSync(at('gone'), at('makes way'))
    renameSync(at('one'), at('spare'))
    renameSync(at('two'), at('one'))
    renameSync(at('spare'), at('two'))
    renameSync(at('deep/deeper'), at('deepest'))
    renameSync(at('deep'), at('deepest/was above'))
    await a.start()
    await settled(a)
    await until('b has followed', () => existsSync(join(b.dir, 'becomes a folder/below/z')))
    await cluster.equal()
    for (const node of cluster.nodes) assert.deepEqual(directories(node.dir), directories(a.dir))
    assert.equal(readFileSync(join(b.dir, 'one/x'), 'utf8'), 'two/x')
    assert.equal(readFileSync(join(b.dir, 'makes way/x'), 'utf8'), 'gone/x')
    assert.equal((await a.space()).conflicts, 0)
  })
)

test('a real data directory of 1,502 files is the same on three nodes, byte for byte', async (t) => {
  const data = sharedData('aodn-datadir')
  if (data === undefined) return t.skip(NO_SHARED_DATA)
  await withCluster(async (cluster) => {
    await cluster.found('a', { before: (dir) => cpSync(data, dir, { recursive: true }) })
    await cluster.join('b')
    await cluster.join('c')
    assert.equal(await cluster.equal(), AODN_TREE)
    await cluster.verified()
  })(t)
})

test('the newest steps of a real history are the same on three nodes, each written by another one', async (t) => {
  const data = sharedData('aodn-history')
  if (data === undefined) return t.skip(NO_SHARED_DATA)
  await withCluster(async (cluster) => {
    const history = new History(data)
    const first = history.steps.length - 40
    let rest: readonly Step[] = []
    await cluster.found('a', { before: (dir) => void (rest = history.begin(dir, first)) })
    await cluster.join('b')
    await cluster.join('c')
    assert.equal(await cluster.equal(), history.steps[first - 1]!.tree)
    const summary = await replay(cluster.nodes, history, rest, { writing: 'plain', rotate: true })
    t.diagnostic(JSON.stringify(summary))
    assert.equal(summary.mismatches, 0)
  })(t)
})

test('the newest steps of another history, written the way GeoServer writes, are the same on three nodes', async (t) => {
  const data = sharedData('osm-history')
  if (data === undefined) return t.skip(NO_SHARED_DATA)
  await withCluster(async (cluster) => {
    const history = new History(data)
    const first = history.steps.length - 11
    let rest: readonly Step[] = []
    await cluster.found('a', { before: (dir) => void (rest = history.begin(dir, first)) })
    await cluster.join('b')
    await cluster.join('c')
    assert.equal(await cluster.equal(), history.steps[first - 1]!.tree)
    const summary = await replay(cluster.nodes, history, rest, { writing: 'geoserver', rotate: true })
    t.diagnostic(JSON.stringify(summary))
    assert.equal(summary.mismatches, 0)
  })(t)
})
