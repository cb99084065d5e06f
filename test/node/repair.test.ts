/** Damage under a running node: healed from a peer, or named, and writing stops until somebody knows. */
import assert from 'node:assert/strict'
import { closeSync, openSync, readdirSync, readSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { ScrubReport } from '../../src/control/target.js'
import { succeeded, withCluster } from '../e2e/cluster.js'
import type { Node } from '../e2e/node.js'
import { until } from '../e2e/until.js'

async function* from(text: string | Uint8Array): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text)
}

/** Flips a bit of every byte of `text` where it stands in the log. */
function spoil(node: Node, text: string): void {
  const directory = join(node.home, 'log')
  for (const name of readdirSync(directory)) {
    const file = openSync(join(directory, name), 'r+')
    const bytes = Buffer.alloc(4 * 1024 * 1024)
    const size = readSync(file, bytes, 0, bytes.length, 0)
    const at = bytes.subarray(0, size).indexOf(text)
    if (at >= 0)
      writeSync(
        file,
        Buffer.from(text).map((byte) => byte ^ 1),
        0,
        text.length,
        at
      )
    closeSync(file)
    if (at >= 0) return
  }
  throw new Error(`"${text}" is not in the log`)
}

const scrub = (node: Node): Promise<ScrubReport> => node.json<ScrubReport>('scrub')

test(
  'a scrub finds a damaged record, fetches it again and stores it anew; the next one finds nothing, a rebuild neither',
  withCluster(async (cluster) => {
    const [a, b] = (await cluster.of(2)) as [Node, Node]
    await cluster.connected()
    for (let at = 0; at < 5; at++) await b.client.put(`f${at}`, from(`the bytes of file ${at}`))
    await cluster.equal()
    spoil(b, 'the bytes of file 2')
    const report = await scrub(b)
    assert.deepEqual([report.damaged, report.healed, report.lost], [1, 1, []])
    assert.ok(report.checked.records >= 5 && report.checked.rows > 20)
    assert.deepEqual((await scrub(b)).damaged, 0)
    await b.stop()
    succeeded(await b.cli('rebuild'))
    await b.start()
    await cluster.equal()
    assert.deepEqual((await b.status()).problems, [])
    assert.equal((await a.cli('cat', 'f2')).stdout, 'the bytes of file 2')
  })
)

test(
  'a damaged record is healed without a scrub, by whoever runs into it',
  withCluster(async (cluster) => {
    const [a, b] = (await cluster.of(2)) as [Node, Node]
    await cluster.connected()
    await b.client.put('f', from('the one that is damaged'))
    await cluster.equal()
    const c = await cluster.admit('c')
    await a.stop()
    spoil(b, 'the one that is damaged')
    // only b can be asked for it, and runs into the damage
    const [address] = (await b.status()).listen
    await c.start('--peer', address!)
    await until('b says what is lost', async () =>
      (await b.status()).problems.some(({ code }) => code === 'records-lost')
    )
    assert.equal((await c.cli('cat', 'f')).code, 5)
    await a.start()
    await until('b has it back', async () => (await b.status()).state === 'running')
    await cluster.equal([a, b, c])
    assert.equal((await c.cli('cat', 'f')).stdout, 'the one that is damaged')
    assert.equal((await scrub(b)).damaged, 0)
  })
)

test(
  'alone, a lost record is named with log, author, seq and paths; the node is read-only, also after a restart, until that is acknowledged',
  withCluster(async (cluster) => {
    const a = await cluster.found('a')
    await a.client.put('kept', from('this one stays'))
    await a.client.put('dir/gone', from('this one is damaged'))
    spoil(a, 'this one is damaged')
    const { code, stdout, stderr } = await a.cli('scrub', '--json')
    assert.equal(code, 11)
    assert.equal((JSON.parse(stderr) as { error: { code: string } }).error.code, 'records-lost')
    const [loss, ...more] = (JSON.parse(stdout) as ScrubReport).lost
    assert.deepEqual(more, [])
    assert.ok(loss?.kind === 'record')
    assert.equal(loss.author, a.id)
    assert.ok(loss.paths.includes('dir/gone') && !loss.paths.includes('kept'))
    const logs = (await a.client.inspect('vector')) as Array<{ log: string; space: string }>
    assert.ok(logs.some(({ log, space }) => log === loss.log && space === 'catalog'))
    for (const restart of [false, true]) {
      if (restart) await a.restart()
      const status = await a.status()
      assert.equal(status.state, 'read-only')
      assert.match(
        status.problems[0]!.message,
        new RegExp(`record ${loss.seq} of log ${loss.log} by ${a.id} \\(.*dir/gone`)
      )
      await assert.rejects(a.client.put('x', from('y')), { code: 'records-lost' })
      assert.equal((await a.cli('cat', 'kept')).stdout, 'this one stays')
    }
    succeeded(await a.cli('scrub', '--acknowledge'))
    assert.equal((await a.status()).state, 'running')
    await a.client.put('x', from('y'))
    await a.restart()
    assert.equal((await a.status()).state, 'running')
  })
)

test(
  'what was lost alone is healed as soon as a node that has it is connected, and writing goes on by itself',
  withCluster(async (cluster) => {
    const [a, b] = (await cluster.of(2)) as [Node, Node]
    await cluster.connected()
    await b.client.put('f', from('this one is damaged'))
    await b.client.put('large', from(Buffer.alloc(400_000, 'L')))
    await cluster.equal()
    // catalogs are equal before contents are there
    await until('the other node has the content, too', async () => (await a.status()).blobs.stored === 1)
    await a.stop()
    spoil(b, 'this one is damaged')
    await b.stop()
    rmSync(join(b.home, 'blobs'), { recursive: true })
    await b.start()
    const { stdout } = await b.cli('scrub', '--json')
    const { lost } = JSON.parse(stdout) as ScrubReport
    assert.deepEqual(lost.map(({ kind }) => kind).toSorted(), ['blob', 'record'])
    assert.equal((await b.status()).state, 'read-only')
    await a.start()
    await until('all is back', async () => {
      const { state, problems, blobs, peers } = await b.status()
      assert.equal(state, 'running', JSON.stringify({ problems, blobs, peers }))
      return true
    })
    await b.client.put('g', from('again'))
    await cluster.equal()
    assert.deepEqual((await scrub(b)).lost, [])
  })
)

test(
  'an index that is damaged under a daemon is made again by that same process, and what was open goes on',
  withCluster(async (cluster) => {
    const a = await cluster.found('a')
    for (let at = 0; at < 40; at++) await a.client.put(`f${at}`, from(`text ${at}`))
    await a.stop()
    const index = join(a.home, 'index')
    const names = readdirSync(index)
    const table = names.find((name) => name.endsWith('.ldb')) ?? names.find((name) => /^\d+\.log$/.test(name))!
    const file = openSync(join(index, table), 'r+')
    const bytes = Buffer.alloc(1024 * 1024)
    const size = readSync(file, bytes, 0, bytes.length, 0)
    const at = Math.floor(size / 2)
    writeSync(file, Buffer.from([bytes[at]! ^ 1]), 0, 1, at)
    closeSync(file)
    await a.start()
    const { pid } = a
    // it may be found at the start already, or under the scrub, which then breaks off or tells
    await scrub(a).catch(() => undefined)
    await until('it runs again, and all is sound', async () => (await scrub(a)).damaged === 0)
    assert.equal((await a.status()).state, 'running')
    assert.equal(a.pid, pid)
    assert.equal((await a.cli('cat', 'f7')).stdout, 'text 7')
    assert.match(a.tail(), /made again from the log|rebuilt from the log/)
  })
)

test(
  'rebuild asks for the daemon to be stopped, and then makes the same catalog again',
  withCluster(async (cluster) => {
    const a = await cluster.found('a')
    await a.client.put('f', from('1'))
    const refused = await a.cli('rebuild')
    assert.equal(refused.code, 3)
    assert.match(
      refused.stderr,
      /^grapevine: home-locked: a daemon runs on .*\n {2}next: run `.* stop --home \S+`, then `.* rebuild --home/
    )
    const { root } = await a.space()
    await a.stop()
    const view = await a.json<{ records: number; root: string }>('rebuild')
    assert.equal(view.root, root)
    assert.ok(view.records >= 2)
  })
)
