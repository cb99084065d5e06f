/** A daemon that cannot do all of its start, and a backup of a damaged home. */
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { SegmentLog } from '../../src/log/index.js'
import { checkBackup, restoreHome } from '../../src/node/restore.js'
import { NodeDisk } from '../../src/runtime-node.js'
import { silentLogger } from '../../src/runtime.js'
import { succeeded, withCluster } from '../e2e/cluster.js'
import { reportsNothing } from '../e2e/failure.js'
import { until } from '../e2e/until.js'
import { DaemonFaults } from './daemon.js'
import { callsOf, withFaults } from './files.js'

async function* once(content: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(content)
}

test(
  'a daemon whose port is taken ends with the reason, and leaves nothing that keeps it from starting elsewhere',
  withCluster(async (cluster) => {
    const a = await cluster.found('a')
    const b = await cluster.join('b')
    const listen = (await a.status()).listen[0]!.replace(/\/p2p\/.*/, '')
    await b.stop()
    await b.start('--listen', listen).then(
      () => assert.fail('it started'),
      (error: Error) => assert.match(error.message, /listen-failed/)
    )
    await b.start()
    await cluster.connected()
  })
)

test(
  'a daemon that cannot take note of its life, or not of its directory, says so and serves what it has',
  withCluster(async (cluster) => {
    const faults = new DaemonFaults(cluster.place)
    const a = await cluster.found('a', faults.options)
    await a.client.put('f', once('x'))
    await a.stop()
    faults.set({ op: 'readFile', path: 'life.json', skip: 1, times: 1 })
    await a.start()
    await until('it is told', () => /could not take note of this life/.test(a.tail()))
    assert.equal((await a.cli('cat', 'f')).stdout, 'x')
    await a.stop()
    faults.set({ op: 'create', path: 'root-identity' })
    await a.start('--dir', join(cluster.place, 'another'))
    await until('the other is told', () => /shared directory cannot be used/.test(a.tail()))
    assert.equal((await a.cli('cat', 'f')).stdout, 'x')
    faults.clear()
    await a.restart()
    await reportsNothing(a)
  })
)

test(
  'a backup of a home in which a blob is damaged names it, and is restored without it; each call that fails leaves no home',
  withCluster(async (cluster) => {
    const a = await cluster.found('a')
    await a.client.put('large.bin', once('0123456789abcdef'.repeat(40_000)))
    await a.client.put('f', once('x'))
    await a.stop()
    // and a record of a later version
    const log = await SegmentLog.open(new NodeDisk(join(a.home, 'log')), { logger: silentLogger })
    await log.append([Uint8Array.of(1, 2, 3)])
    await log.close()
    const blobs = join(a.home, 'blobs')
    const [blob] = readdirSync(blobs, { recursive: true })
      .map(String)
      .filter((name) => /[0-9a-f]{64}$/.test(name))
    const bytes = readFileSync(join(blobs, blob!))
    bytes[300_000]! ^= 1
    writeFileSync(join(blobs, blob!), bytes)
    const file = join(cluster.place, 'backup')
    const made = await a.cli('backup', file)
    assert.equal(made.code, 11, made.stderr)
    assert.equal((await checkBackup(file)).missingBlobs.length, 1)
    const home = join(cluster.place, 'restored')
    const calls = (await callsOf(() => restoreHome({ file, home }))).filter((call) => call.includes(home)).length
    for (let skip = 0; skip < calls; skip += 4) {
      await rm(home, { recursive: true, force: true })
      await withFaults({ path: home, skip, times: 1 }, () => restoreHome({ file, home })).then(
        () => undefined,
        () => assert.deepEqual(existsSync(home) ? readdirSync(home) : [], [], `call ${skip + 1}`)
      )
    }
    await rm(home, { recursive: true, force: true })
    succeeded(await cluster.fresh('r', { home }).cli('restore', file))
  })
)
