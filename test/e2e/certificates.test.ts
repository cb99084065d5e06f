/** Certificates end for who stays away too long, are renewed for all others, and a new invitation mends it without a loss. */
import assert from 'node:assert/strict'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { succeeded, withCluster } from './cluster.js'
import { until } from './until.js'

/** Sixteen rounds of half a second. */
const LIFE = ['--certificate-life-ms', '8000']

test(
  'who is away for longer than a certificate lasts is shut out, those who are seen never are, and an invitation mends it',
  withCluster(async (cluster) => {
    const [a, b, c] = await cluster.of(3, { also: LIFE })
    await cluster.equal()
    await c!.stop()
    const isExpired = async (of: string): Promise<boolean> =>
      (await a!.status()).peers.some(({ name, expired }) => name === of && expired === true)
    await until('the certificate of c has run out', () => isExpired('c'))
    assert.match(succeeded(await a!.cli('peers')), /author, expired/)
    writeFileSync(join(a!.dir, 'meanwhile.txt'), 'of a')
    await cluster.equal([a!, b!])
    assert.equal(await isExpired('b'), false)

    // what it writes alone is not lost, and it is not let in
    await c!.start()
    writeFileSync(join(c!.dir, 'alone.txt'), 'of c')
    await until('c knows why', async () =>
      (await c!.status()).problems.some(({ code }) => code === 'certificate-expired')
    )
    assert.equal(existsSync(join(a!.dir, 'alone.txt')), false)
    assert.equal(existsSync(join(c!.dir, 'meanwhile.txt')), false)

    await c!.stop()
    const token = succeeded(await a!.cli('invite')).trim()
    succeeded(await c!.cli('join', token, '--no-mdns'))
    await c!.start()
    await until('a has what c wrote alone', () => existsSync(join(a!.dir, 'alone.txt')))
    await cluster.equal()
    assert.equal(await isExpired('c'), false)
    assert.ok(existsSync(join(c!.dir, 'meanwhile.txt')))
    assert.equal((await c!.status()).role, 'author')
    assert.deepEqual((await c!.status()).problems, [])
  })
)
