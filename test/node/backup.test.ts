/** A backup is made while the node works, and what is restored from it never writes where it may have written before. */
import assert from 'node:assert/strict'
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync
} from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { succeeded, withCluster, type Cluster } from '../e2e/cluster.js'
import type { Node } from '../e2e/node.js'
import { until } from '../e2e/until.js'
import { epochOf, logsOf, noForks } from './logs.js'

async function* from(text: string | Uint8Array): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text)
}

/** A node object over a home that a backup was restored into. */
async function restored(cluster: Cluster, name: string, file: string): Promise<Node> {
  const node = cluster.fresh(name)
  succeeded(await node.cli('restore', file))
  // it must not share the directory of the one it was made from
  rmSync(join(node.home, 'config.json'), { force: true })
  return node
}

test(
  'a backup made in the middle of a burst holds everything acknowledged before it, and is one consistent state',
  withCluster(async (cluster) => {
    const a = await cluster.found('a')
    await a.client.put('large', from(Buffer.alloc(700_000, 'L')))
    let acknowledged = 0
    let stop = false
    const writing = (async () => {
      for (let at = 0; !stop; at++) {
        await a.client.put(`f${at}`, from(`text ${at}`))
        acknowledged = at + 1
      }
    })()
    await until('some are written', () => acknowledged > 50)
    const before = acknowledged
    const file = join(cluster.place, 'a.backup')
    succeeded(await a.cli('backup', file))
    assert.ok(acknowledged > before, 'writing went on meanwhile')
    stop = true
    await writing
    assert.equal(statSync(file).mode & 0o777, 0o600)
    assert.deepEqual(
      readdirSync(cluster.place).filter((name) => name.includes('partial')),
      []
    )
    await a.stop()

    const node = await restored(cluster, 'r', file)
    const lines = await node.json<Array<{ path: string }>>('ls')
    const paths = new Set(lines.map(({ path }) => path))
    for (let at = 0; at < before; at++) assert.ok(paths.has(`f${at}`), `f${at} was acknowledged before the backup`)
    assert.ok(paths.has('large'))
    const out = join(cluster.place, 'out')
    succeeded(await node.cli('export', out))
    assert.equal(statSync(join(out, 'large')).size, 700_000)
    const verdict = await node.json<{ damaged: number; lost: unknown[] }>('scrub')
    assert.deepEqual([verdict.damaged, verdict.lost], [0, []])
  })
)

test(
  'a restored node asks its peers first, writes under another epoch, and nothing that was acknowledged is lost',
  withCluster(async (cluster) => {
    const [a, b] = (await cluster.of(2)) as [Node, Node]
    await cluster.connected()
    await a.client.put('before', from('1'))
    const file = join(cluster.place, 'a.backup')
    succeeded(await a.cli('backup', file))
    await a.client.put('after', from('2'))
    await a.client.put('before', from('changed after the backup'))
    await cluster.equal()
    const epoch = await epochOf(a)
    await a.stop()
    const node = await restored(cluster, 'r', file)
    await node.start()
    assert.equal(node.id, a.id)
    await until('it is in step with its peer and may write', async () => (await node.status()).state === 'running')
    await node.client.put('new', from('3'))
    await cluster.equal([node, b])
    assert.deepEqual(
      (await b.json<Array<{ path: string }>>('ls')).map(({ path }) => path),
      ['after', 'before', 'new']
    )
    assert.equal((await b.cli('cat', 'before')).stdout, 'changed after the backup')
    assert.notEqual(await epochOf(node), epoch)
    await noForks([node, b])
    // and once begun it goes on under that epoch
    const now = await epochOf(node)
    await node.restart()
    await node.client.put('newer', from('4'))
    assert.equal(await epochOf(node), now)
    await cluster.equal([node, b])
    await noForks([node, b])
  })
)

test(
  'a node restored while nobody is there begins another epoch before its first write, and meets its later self without a fork',
  withCluster(async (cluster) => {
    const [a, b] = (await cluster.of(2)) as [Node, Node]
    await cluster.connected()
    await a.client.put('f', from('1'))
    await cluster.equal()
    const file = join(cluster.place, 'a.backup')
    succeeded(await a.cli('backup', file))
    await a.client.put('f', from('known to b only'))
    await cluster.equal()
    await a.stop()
    await b.stop()
    const node = await restored(cluster, 'r', file)
    await node.start()
    await until('it may write though nobody answered', async () => (await node.status()).state === 'running')
    await node.client.put('g', from('alone'))
    await b.start()
    await cluster.equal([node, b])
    await noForks([node, b])
    assert.equal((await node.cli('cat', 'f')).stdout, 'known to b only')
    assert.equal((await b.cli('cat', 'g')).stdout, 'alone')
    // every record stands where it stood: author, epoch and seq name one record on both
    assert.deepEqual(await logsOf(node), await logsOf(b))
  })
)

test(
  'a backup of a stopped home is the same, replaces an older backup, and never another file',
  withCluster(async (cluster) => {
    const a = await cluster.found('a')
    await a.client.put('f', from('1'))
    await a.stop()
    const file = join(cluster.place, 'a.backup')
    succeeded(await a.cli('backup', file))
    const first = readFileSync(file)
    await a.start()
    await a.client.put('g', from('2'))
    await a.stop()
    succeeded(await a.cli('backup', file))
    assert.notDeepEqual(readFileSync(file), first)
    const other = join(cluster.place, 'letter.txt')
    writeFileSync(other, 'dear')
    const refused = await a.cli('backup', other)
    assert.equal(refused.code, 5)
    assert.match(refused.stderr, /^grapevine: not-empty: .* is no backup\n/)
    assert.equal(readFileSync(other, 'utf8'), 'dear')
    const nowhere = await a.cli('backup', join(cluster.place, 'no/such/dir'))
    assert.equal(nowhere.code, 11)
  })
)

test(
  'a damaged, cut or foreign file is refused by name, and leaves no home behind; so is a home that holds something',
  withCluster(async (cluster) => {
    const a = await cluster.found('a')
    await a.client.put('f', from(Buffer.alloc(300_000, 1)))
    const file = join(cluster.place, 'a.backup')
    succeeded(await a.cli('backup', file))
    const bad = join(cluster.place, 'bad')
    const node = cluster.fresh('r')
    const damage: Array<() => void> = [
      () => truncateSync(bad, statSync(bad).size - 1),
      () => truncateSync(bad, Math.floor(statSync(bad).size / 2)),
      () => truncateSync(bad, 0),
      () => {
        const bytes = readFileSync(bad)
        bytes[Math.floor(bytes.length / 2)]! ^= 4
        writeFileSync(bad, bytes)
      },
      () => writeFileSync(bad, 'something else entirely')
    ]
    for (const harm of damage) {
      cpSync(file, bad)
      harm()
      const { code, stderr } = await node.cli('restore', bad)
      assert.equal(code, 11)
      assert.match(stderr, /^grapevine: backup-damaged: the backup is not usable: /)
      assert.equal(existsSync(node.home), false)
    }
    assert.equal((await node.cli('restore', join(cluster.place, 'missing'))).code, 5)
    // onto the living node itself, and into a directory with something in it
    assert.match((await a.cli('restore', file)).stderr, /^grapevine: home-locked: /)
    mkdirSync(node.home, { mode: 0o700 })
    chmodSync(node.home, 0o700)
    writeFileSync(join(node.home, 'mine'), '')
    assert.match((await node.cli('restore', file)).stderr, /^grapevine: not-empty: /)
    assert.deepEqual(readdirSync(node.home), ['mine'])
  })
)
