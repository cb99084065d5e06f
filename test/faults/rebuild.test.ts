/** A daemon whose index is damaged, and cannot be made again. */
import assert from 'node:assert/strict'
import { closeSync, fstatSync, openSync, readdirSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { withCluster } from '../e2e/cluster.js'
import { until } from '../e2e/until.js'
import { DaemonFaults } from './daemon.js'

async function* once(content: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(content)
}

/**
 * The first half of every table, in place: the daemon has them open, and reads from them what is not in memory yet. Not
 * zeros: over those LevelDB ends the whole process.
 */
function spoilTables(index: string): void {
  for (const name of readdirSync(index).filter((each) => each.endsWith('.ldb'))) {
    const file = openSync(join(index, name), 'r+')
    const half = Buffer.alloc(Math.floor(fstatSync(file).size / 2), 0xff)
    writeSync(file, half, 0, half.length, 0)
    closeSync(file)
  }
}

test(
  'a daemon that cannot make its damaged index again ends with the reason, and makes it with the next start',
  withCluster(async (cluster) => {
    const faults = new DaemonFaults(cluster.place)
    const a = await cluster.found('a', faults.options)
    for (let at = 0; at < 60; at++) await a.client.put(`f${at}`, once(`text ${at}`))
    // what was written last lies in a table from now on
    await a.restart()
    spoilTables(join(a.home, 'index'))
    faults.set({ op: 'stat', path: '/life$' })
    await a.cli('scrub')
    await until('it has ended', () => !a.running)
    assert.match(a.tail(), /made again from the log/)
    assert.match(a.tail(), /grapevine: store-failed: .*life cannot be looked at/)
    faults.clear()
    await a.start()
    assert.equal((await a.cli('cat', 'f7')).stdout, 'text 7')
  })
)
