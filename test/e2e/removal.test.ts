/** A node is removed from a running cluster: cut off at once, undone where it did harm, and back only by an invitation. */
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { RecordLine, RemovalView, SalvageLine } from '../../src/control/target.js'
import { succeeded, withCluster } from './cluster.js'
import { failsWith } from './failure.js'
import { until } from './until.js'

test(
  'who is removed is cut off at every member, its late work is undone everywhere and can be salvaged, and an invitation brings it back',
  withCluster(async (cluster) => {
    const [a, b, c] = await cluster.of(3)
    writeFileSync(join(a!.dir, 'f.txt'), 'good')
    writeFileSync(join(b!.dir, 'early.txt'), 'of b, before')
    await cluster.equal()
    const { node } = await b!.status()
    const own = (await b!.json<RecordLine[]>('inspect', 'log')).filter((line) => line.author === node)
    const before = own.toSorted((x, y) => y.seq - x.seq)[0]!
    writeFileSync(join(b!.dir, 'f.txt'), 'harm')
    writeFileSync(join(b!.dir, 'late.txt'), 'of b, late')
    await cluster.equal()

    failsWith(await b!.cli('revoke', (await a!.status()).node), 'role-forbids')
    failsWith(await a!.cli('revoke', (await a!.status()).node), 'usage')
    const removal = await a!.json<RemovalView>('revoke', node, '--since', String(before.seq + 1))
    assert.ok(removal.voided > 0)
    for (const other of [a!, c!]) {
      await until(`${other.name} has undone it`, () => readFileSync(join(other.dir, 'f.txt'), 'utf8') === 'good')
      await until(`${other.name} has dropped it`, () => !existsSync(join(other.dir, 'late.txt')))
      assert.equal(readFileSync(join(other.dir, 'early.txt'), 'utf8'), 'of b, before')
      await until(`${other.name} has cut it off`, async () => {
        const { peers } = await other.status()
        return peers.every((peer) => peer.node !== node)
      })
    }
    await cluster.equal([a!, c!])
    await until('b knows', async () => (await b!.status()).peers.every(({ connected }) => !connected))
    const saysRemoved = async (): Promise<boolean> =>
      (await b!.status()).problems.some(({ code }) => code === 'removed')
    await until('b says so', saysRemoved)
    assert.equal((await b!.status()).role, 'none')
    assert.match(
      await b!.cli('status').then(({ stdout }) => stdout),
      /removed from the cluster[^]*grapevine join TOKEN/
    )
    failsWith(await b!.cli('rm', 'f.txt'), 'role-forbids')
    writeFileSync(join(b!.dir, 'f.txt'), 'more harm')
    writeFileSync(join(a!.dir, 'on.txt'), 'life goes on')
    await cluster.equal([a!, c!])
    assert.equal(readFileSync(join(c!.dir, 'f.txt'), 'utf8'), 'good')

    const lines = await c!.json<SalvageLine[]>('salvage')
    assert.deepEqual([...new Set(lines.map(({ path }) => path))].toSorted(), ['f.txt', 'late.txt'])
    const to = join(cluster.place, 'salvaged')
    succeeded(await c!.cli('salvage', '--to', to))
    assert.ok(readdirSync(to).some((name) => readFileSync(join(to, name), 'utf8') === 'of b, late'))

    await c!.stop()
    await c!.start()
    await cluster.equal([a!, c!])
    assert.equal(readFileSync(join(c!.dir, 'f.txt'), 'utf8'), 'good')

    await b!.stop()
    const token = succeeded(await a!.cli('invite')).trim()
    succeeded(await b!.cli('join', token, '--no-mdns'))
    await b!.start()
    await until('b is back', async () => (await a!.status()).peers.some((peer) => peer.node === node && peer.connected))
    assert.equal(await saysRemoved(), false)
    assert.equal((await b!.status()).role, 'author')
    writeFileSync(join(b!.dir, 'again.txt'), 'welcome back')
    await until('c hears b', () => existsSync(join(c!.dir, 'again.txt')))
    await cluster.equal()
  })
)
