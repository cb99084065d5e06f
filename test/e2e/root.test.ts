/** The root key, kept apart: the only admin is lost, and another is made with it. */
import assert from 'node:assert/strict'
import { chmodSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { succeeded, withCluster } from './cluster.js'
import { failsWith } from './failure.js'
import { until } from './until.js'

test(
  'with the root key kept offline another admin is made when the only one is lost, and it outranks that one',
  withCluster(async (cluster) => {
    const [a, b, c] = await cluster.of(3)
    await cluster.equal()
    const key = join(cluster.place, 'vault.key')
    failsWith(await a!.cli('root', 'move', key), 'home-locked')
    await a!.stop()
    const inHome = join(a!.home, 'root.key')
    const seed = readFileSync(inHome, 'utf8').trim()
    writeFileSync(key, '')
    failsWith(await a!.cli('root', 'move', key), 'not-empty')
    failsWith(await a!.cli('root', 'move', join(cluster.place, 'no', 'such')), 'store-failed')
    assert.ok(existsSync(inHome))
    const vault = join(cluster.place, 'offline.key')
    succeeded(await a!.cli('root', 'move', vault))
    assert.equal(existsSync(inHome), false)
    assert.equal(statSync(vault).mode & 0o777, 0o600)
    failsWith(await a!.cli('root', 'move', join(cluster.place, 'again')), 'not-found')
    await a!.start()
    await cluster.equal()
    await a!.stop()

    failsWith(await b!.cli('invite'), 'role-forbids')
    const request = succeeded(await b!.cli('root', 'request')).trim()
    failsWith(await b!.cli('root', 'sign', request.slice(0, -1), '--key', vault), 'token-malformed')
    failsWith(await b!.cli('root', 'sign', request, '--key', join(cluster.place, 'nothing')), 'not-found')
    failsWith(await b!.cli('root', 'sign', request, '--key', join(b!.home, 'node.key')), 'token-foreign')
    chmodSync(key, 0o600)
    failsWith(await b!.cli('root', 'sign', request, '--key', key), 'store-damaged')
    chmodSync(vault, 0o640)
    failsWith(await b!.cli('root', 'sign', request, '--key', vault), 'home-unsafe')
    chmodSync(vault, 0o600)
    const signed = await b!.cli('root', 'sign', request, '--key', vault)
    assert.equal(`${signed.stdout}${signed.stderr}`.includes(seed), false)
    const certificate = succeeded(signed).trim()
    failsWith(await c!.cli('root', 'appoint', request), 'token-malformed')
    const other = certificate[40] === 'x' ? 'y' : 'x'
    const altered = `${certificate.slice(0, 40)}${other}${certificate.slice(41)}`
    failsWith(await c!.cli('root', 'appoint', altered), 'token-malformed')
    assert.match(succeeded(await c!.cli('root', 'appoint', certificate)), /^b is an admin: 12D3/)
    await until('b knows', async () => (await b!.status()).role === 'admin')

    succeeded(await b!.cli('revoke', (await a!.status().catch(() => undefined))?.node ?? 'a'))
    await until('c knows', async () => (await c!.status()).peers.every(({ name }) => name !== 'a'))
    const token = succeeded(await b!.cli('invite')).trim()
    const d = cluster.fresh('d')
    succeeded(await d.cli('join', token, '--name', 'd', '--no-mdns'))
    await d.start()
    await cluster.equal([b!, c!, d])

    // the same again, after another removal: what was signed before that does not help
    succeeded(await d.cli('root', 'request'))
    const before = succeeded(
      await c!.cli('root', 'sign', succeeded(await c!.cli('root', 'request')).trim(), '--key', vault)
    )
    succeeded(await b!.cli('revoke', 'c'))
    await until('d knows', async () => (await d.status()).peers.every(({ name }) => name !== 'c'))
    failsWith(await d.cli('root', 'appoint', before.trim()), 'role-forbids')
  })
)
