/** Which directory a node shares: another one than before is met, and nothing it lacks is taken for deleted. */
import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { entriesOf, settled } from './catalog.js'
import { withCluster } from './cluster.js'
import { reports, reportsNothing } from './failure.js'
import { copyFixture } from './fixtures.js'

test(
  'a node that is given another directory fills it, adds what is there, and deletes nothing anywhere',
  withCluster(async (cluster) => {
    const a = await cluster.found('a', { before: copyFixture })
    const b = await cluster.join('b')
    await cluster.equal()
    const before = await entriesOf(b)
    await a.stop()
    const moved = cluster.fresh('moved', { home: a.home })
    writeFileSync(join(moved.dir, 'only here.txt'), 'only here')
    writeFileSync(join(moved.dir, 'global.xml'), 'something else')
    await moved.start()
    await settled(moved)
    await cluster.equal()
    const after = await entriesOf(b)
    assert.deepEqual(
      after.filter(({ path }) => path !== 'only here.txt').map(({ path, hash }) => [path, hash]),
      before.map(({ path, hash }) => [path, hash])
    )
    assert.equal(readFileSync(join(b.dir, 'only here.txt'), 'utf8'), 'only here')
    assert.ok(after.find(({ path }) => path === 'global.xml')!.conflict, 'what was there is one side of a conflict')
    // and back: what was removed from the directory meanwhile comes back, for nobody looked when that happened
    await moved.stop()
    rmSync(join(a.dir, 'global.xml'))
    await a.start()
    await settled(a)
    await cluster.equal()
    assert.equal((await entriesOf(b)).length, after.length)
  })
)

test(
  'a directory that was replaced is left alone until somebody says that it is the right one, and is then filled',
  withCluster(async (cluster) => {
    const a = await cluster.found('a', { before: copyFixture })
    await settled(a)
    const before = (await entriesOf(a)).length
    await a.stop()
    renameSync(a.dir, `${a.dir} before`)
    mkdirSync(a.dir)
    await a.start()
    await reports(a, 'target-missing')
    await a.restart()
    await reports(a, 'target-missing')
    await a.stop()
    rmSync(join(a.home, 'root-identity.json'))
    await a.start()
    await settled(a)
    await reportsNothing(a)
    assert.equal((await entriesOf(a)).length, before)
  })
)
