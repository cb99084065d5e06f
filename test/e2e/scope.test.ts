/** An author that may write to a part of the catalog: from the invitation to its directory. */
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { InvitationView } from '../../src/control/target.js'
import { succeeded, withCluster } from './cluster.js'
import { failsWith } from './failure.js'
import { until } from './until.js'

test(
  'an author with a scope writes there, elsewhere it is refused and its local changes are drift',
  withCluster(async (cluster) => {
    const a = await cluster.found('a')
    writeFileSync(join(a.dir, 'secret.txt'), 'of a')
    mkdirSync(join(a.dir, 'road'))
    writeFileSync(join(a.dir, 'road', 'x.txt'), 'of a')
    const b = cluster.fresh('b')

    failsWith(await a.cli('invite', '--role', 'public', '--scope', 'roads'), 'usage')
    failsWith(await a.cli('invite', '--scope', '../roads'), 'name-not-allowed')
    failsWith(await a.cli('invite', '--scope', '/'), 'usage')
    const invited = await a.cli('invite', '--scope', '/roads/', '--scope', 'workspaces/topp')
    assert.match(invited.stderr, /admits author nodes for roads, workspaces\/topp, once/)
    const [listed] = await a.json<InvitationView[]>('invite', 'ls')
    assert.deepEqual(listed!.scope, ['roads', 'workspaces/topp'])
    succeeded(await b.cli('join', succeeded(invited).trim(), '--name', 'b', '--no-mdns'))
    await b.start()
    await cluster.equal()

    assert.deepEqual((await b.status()).scope, ['roads', 'workspaces/topp'])
    const peers = succeeded(await a.cli('peers'))
    assert.match(peers, /author\*/)
    assert.match(peers, /\* 12D3…\w{6} writes below roads, workspaces\/topp/)

    mkdirSync(join(b.dir, 'workspaces', 'topp'), { recursive: true })
    writeFileSync(join(b.dir, 'workspaces', 'topp', 'layer.xml'), 'of b')
    succeeded(await b.cli('put', 'roads/new.txt', join(b.dir, 'workspaces', 'topp', 'layer.xml')))
    await until('a has what b may write', () => existsSync(join(a.dir, 'workspaces', 'topp', 'layer.xml')))
    await cluster.equal()
    assert.equal(readFileSync(join(a.dir, 'roads', 'new.txt'), 'utf8'), 'of b')

    failsWith(await b.cli('put', 'secret.txt', join(b.dir, 'roads', 'new.txt')), 'out-of-scope')
    failsWith(await b.cli('rm', 'road/x.txt'), 'out-of-scope')
    failsWith(await b.cli('mv', 'roads/new.txt', 'new.txt'), 'out-of-scope')
    writeFileSync(join(b.dir, 'secret.txt'), 'changed by b')
    writeFileSync(join(b.dir, 'road', 'y.txt'), 'made by b')
    await until('b says so', async () => (await b.status()).target!.drift.length === 2)
    assert.deepEqual((await b.status()).target!.drift.toSorted(), ['road/y.txt', 'secret.txt'])
    writeFileSync(join(a.dir, 'secret.txt'), 'of a, later')
    await until('b has what a wrote', () => readFileSync(join(b.dir, 'secret.txt'), 'utf8') === 'of a, later')
    assert.equal(existsSync(join(a.dir, 'road', 'y.txt')), false)
    await until('that is no drift any more', async () => (await b.status()).target!.drift.join() === 'road/y.txt')
  })
)
