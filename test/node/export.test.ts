/** Getting out: the catalog as plain files, from a running node and from a home nobody runs. */
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { conflictPath } from '../../src/cli/export-tree.js'
import { succeeded, withCluster } from '../e2e/cluster.js'
import { until } from '../e2e/until.js'

interface Report {
  files: number
  directories: number
  conflictValues: number
  failed: Array<{ path: string; code: string }>
}

function tree(dir: string, below = ''): string[] {
  return readdirSync(join(dir, below), { withFileTypes: true })
    .flatMap((entry) => {
      const path = below === '' ? entry.name : `${below}/${entry.name}`
      if (entry.isDirectory()) return [`${path}/`, ...tree(dir, path)]
      const mode = (statSync(join(dir, path)).mode & 0o111) === 0 ? '' : '*'
      return [`${path}${mode}=${readFileSync(join(dir, path), 'latin1').slice(0, 20)}`]
    })
    .toSorted()
}

test(
  'an export is the shared directory again, exec bits, empty directories and large files included, with the daemon running or not',
  withCluster(async (cluster) => {
    const a = await cluster.found('a', {
      before: (dir) => {
        mkdirSync(join(dir, 'bin/empty'), { recursive: true })
        writeFileSync(join(dir, 'bin/run'), '#!/bin/sh\n', { mode: 0o755 })
        writeFileSync(join(dir, 'straße 東.txt'), 'x')
        writeFileSync(join(dir, 'large'), Buffer.alloc(900_000, 'l'))
        writeFileSync(join(dir, 'nothing'), '')
      }
    })
    await until('all is in the catalog', async () => (await a.space()).entries === 6)
    const running = join(cluster.place, 'running')
    const report = await a.json<Report>('export', running)
    assert.deepEqual([report.files, report.directories, report.failed], [4, 2, []])
    assert.deepEqual(tree(running), tree(a.dir))
    await a.stop()
    const stopped = join(cluster.place, 'deep/er/stopped')
    succeeded(await a.cli('export', stopped))
    assert.deepEqual(tree(stopped), tree(a.dir))
    assert.equal(statSync(join(stopped, 'large')).size, 900_000)
  })
)

test(
  'an export goes into an empty or missing directory only, and leaves any other as it is',
  withCluster(async (cluster) => {
    const a = await cluster.found('a', { before: (dir) => writeFileSync(join(dir, 'f'), '1') })
    await until('the file is in the catalog', async () => (await a.space()).entries === 1)
    const there = join(cluster.place, 'there')
    mkdirSync(there)
    writeFileSync(join(there, 'mine'), 'mine')
    const refused = await a.cli('export', there)
    assert.equal(refused.code, 5)
    assert.match(refused.stderr, /^grapevine: not-empty: /)
    assert.deepEqual(tree(there), ['mine=mine'])
    const file = join(cluster.place, 'file')
    writeFileSync(file, '')
    assert.match((await a.cli('export', file)).stderr, /not-empty/)
    const empty = join(cluster.place, 'empty')
    mkdirSync(empty)
    succeeded(await a.cli('export', empty))
    assert.deepEqual(tree(empty), ['f=1'])
  })
)

test(
  'the other values of a conflict lie beside the file, under names that say so',
  withCluster(async (cluster) => {
    const [a, b] = (await cluster.of(2)) as [
      Awaited<ReturnType<typeof cluster.found>>,
      Awaited<ReturnType<typeof cluster.found>>
    ]
    await cluster.connected()
    await a.client.put('doc.xml', from('common'))
    await cluster.equal()
    await b.stop()
    await a.client.put('doc.xml', from('of a'))
    await a.stop()
    await b.start()
    await b.client.put('doc.xml', from('of b'))
    await a.start()
    await cluster.equal()
    await until('both values are there', async () => (await a.space()).conflicts === 1)
    const out = join(cluster.place, 'out')
    const report = await a.json<Report>('export', out)
    assert.equal(report.conflictValues, 1)
    const names = readdirSync(out)
    assert.equal(names.length, 2)
    assert.ok(names.includes('doc.xml'))
    assert.ok(
      names.some((name) => /^doc\.conflict-[0-9a-f]{8}\.xml$/.test(name)),
      names.join()
    )
    assert.deepEqual(names.map((name) => readFileSync(join(out, name), 'utf8')).toSorted(), ['of a', 'of b'])
  })
)

test(
  'a file whose bytes are not here is named, the rest is written, and the exit code says that something lacks',
  withCluster(async (cluster) => {
    const a = await cluster.found('a', {
      before: (dir) => {
        writeFileSync(join(dir, 'large'), Buffer.alloc(400_000, 'x'))
        writeFileSync(join(dir, 'small'), 's')
      }
    })
    await until('both are in the catalog', async () => (await a.space()).entries === 2)
    await a.stop()
    const { rmSync } = await import('node:fs')
    rmSync(join(a.home, 'blobs'), { recursive: true })
    const out = join(cluster.place, 'out')
    const { code, stdout, stderr } = await a.cli('export', out)
    assert.equal(code, 9)
    assert.match(stdout, /missing {2}large {2}blob-missing/)
    assert.match(stderr, /^grapevine: blob-missing: 1 files/)
    assert.deepEqual(tree(out), ['small=s'])
    assert.equal(existsSync(join(out, 'large')), false)
  })
)

test('a name for a value beside another never exceeds what a file system takes', () => {
  const hash = 'ab'.repeat(32)
  assert.equal(conflictPath('a/report.xml', hash), 'a/report.conflict-abababab.xml')
  assert.equal(conflictPath('.hidden', hash), '.hidden.conflict-abababab')
  for (const name of ['x'.repeat(255), `${'東'.repeat(84)}.xml`, `a.${'x'.repeat(253)}`]) {
    const made = conflictPath(`dir/${name}`, hash).slice(4)
    assert.ok(Buffer.byteLength(made) <= 255, name)
    assert.ok(made.includes('.conflict-abababab'))
    assert.ok(made.isWellFormed())
  }
})

async function* from(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text)
}
