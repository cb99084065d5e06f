/** A fork that is found by a daemon that cannot take note of it. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { withCluster } from '../e2e/cluster.js'
import { until } from '../e2e/until.js'
import { asSnapshot, copyHome, problem } from '../node/clones.js'
import { DaemonFaults } from './daemon.js'

async function* once(content: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(content)
}

test(
  'a fork that cannot be noted in the home is told, and stops its node all the same',
  withCluster(async (cluster) => {
    const faults = new DaemonFaults(cluster.place)
    const a = await cluster.found('a')
    const b = await cluster.join('b', faults.options)
    await b.client.put('f', once('1'))
    await b.stop()
    const copy = join(cluster.place, 'copy')
    copyHome(b.home, copy)
    await b.start()
    await b.client.put('f', once('known to a'))
    await cluster.equal()
    await a.stop()
    await b.stop()
    copyHome(copy, b.home)
    asSnapshot(b.home)
    faults.set({ op: 'create', path: 'parted.json' })
    await b.start()
    await b.client.put('f', once('written by the rolled back one'))
    await a.start()
    await problem(b, 'fork')
    await until('it is told', () => /A fork could not be noted in the home/.test(b.tail()))
    assert.ok(!existsSync(join(b.home, 'parted.json')))
    assert.ok(faults.hits().length > 0)
    assert.equal((await b.status()).state, 'read-only')
  })
)
