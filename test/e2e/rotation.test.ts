/** The secret of the cluster changes while everybody works, while one is away, and after one was removed. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { RotationView } from '../../src/control/target.js'
import { succeeded, withCluster } from './cluster.js'
import { failsWith } from './failure.js'
import type { Node } from './node.js'
import { until } from './until.js'

const phase = async (node: Node): Promise<string | undefined> =>
  (await node.json<RotationView[]>('rotate', 'ls'))[0]?.phase

const secretsOf = (node: Node): string[] => readFileSync(join(node.home, 'cluster.secret'), 'utf8').trim().split('\n')

/** Everything in a home but the file that holds the secrets, as one text. */
function stored(node: Node): string {
  const files = readdirSync(node.home, { recursive: true, withFileTypes: true })
  const kept = files.filter((file) => file.isFile() && file.name !== 'cluster.secret')
  return kept.map((file) => readFileSync(join(file.parentPath, file.name), 'latin1')).join('\n')
}

test(
  'another secret reaches every member and the old one is dropped, without a connection lost; newcomers get the new one',
  withCluster(async (cluster) => {
    const [a, b, c] = await cluster.of(3)
    await cluster.equal()
    assert.match(succeeded(await b!.cli('rotate', 'ls')), /the one the cluster was founded with/)
    failsWith(await b!.cli('rotate', 'secret'), 'role-forbids')
    failsWith(await a!.cli('rotate', 'secret', '--drop'), 'not-found')
    const [founding] = secretsOf(a!)
    assert.match(succeeded(await a!.cli('rotate', 'secret')), /published|held|used/)
    await until('the old one is dropped', async () => (await phase(b!)) === 'used')
    for (const node of [a!, b!, c!])
      await until(`${node.name} holds it`, () => secretsOf(node)[0] !== founding && secretsOf(node)[1] === founding)
    writeFileSync(join(b!.dir, 'f.txt'), 'still here')
    await cluster.equal()
    await cluster.connected()

    await c!.restart()
    await cluster.connected()
    const d = await cluster.join('d')
    await cluster.equal()
    assert.deepEqual(secretsOf(d).slice(0, 1), secretsOf(a!).slice(0, 1))
    await cluster.verified()

    const canaries = secretsOf(a!).flatMap((hex) => [hex, Buffer.from(hex, 'hex').toString('latin1')])
    for (const node of [a!, b!, c!, d])
      for (const secret of canaries)
        assert.equal(stored(node).includes(secret), false, `${node.name} keeps it elsewhere`)
    for (const node of [a!, b!, c!, d])
      for (const secret of canaries) assert.equal(readFileSync(node.logFile, 'latin1').includes(secret), false)
  })
)

test(
  'who was away for the whole of it, twice, comes back by itself with all it wrote; who was removed does not',
  withCluster(async (cluster) => {
    const [a, b, c, d] = await cluster.of(4)
    await cluster.equal()
    await c!.stop()
    await d!.stop()
    succeeded(await a!.cli('revoke', 'd'))
    for (let time = 0; time < 2; time++) {
      succeeded(await a!.cli('rotate', 'secret'))
      await until('it waits for c alone', async () => {
        const [newest] = await a!.json<RotationView[]>('rotate', 'ls')
        return newest!.phase === 'published' && newest!.missing.map(({ name }) => name).join() === 'c'
      })
      succeeded(await a!.cli('rotate', 'secret', '--drop'))
    }
    writeFileSync(join(a!.dir, 'f.txt'), 'meanwhile')
    await cluster.equal([a!, b!])
    writeFileSync(join(c!.dir, 'of-c.txt'), 'written alone')
    await c!.start()
    await d!.start()
    await cluster.equal([a!, b!, c!])
    assert.equal(readFileSync(join(a!.dir, 'of-c.txt'), 'utf8'), 'written alone')
    // a secret is put into the home after what was said of it is applied
    await until('c holds what a uses', () => secretsOf(c!)[0] === secretsOf(a!)[0])
    await until('nothing is waited for', async () => (await phase(a!)) === 'used')
    assert.equal(secretsOf(d!).length, 1)
    assert.equal(
      (await d!.status()).peers.some(({ connected }) => connected),
      false
    )
  })
)

test(
  'secrets that are asked for all at once leave a home that its node starts from again',
  withCluster(async (cluster) => {
    const [a, b] = await cluster.of(2)
    await cluster.equal()
    await Promise.all(Array.from({ length: 8 }, () => a!.client.rotateSecret()))
    await until('the old ones are dropped', async () => (await phase(b!)) === 'used')
    await until('b holds what a uses', () => secretsOf(b!)[0] === secretsOf(a!)[0])
    await a!.restart()
    await b!.restart()
    await cluster.connected()
    await cluster.equal()
  })
)
