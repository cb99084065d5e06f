/** Becoming a member: tokens that do not work, and directories that are not empty. */
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { entriesOf, keptBodies } from './catalog.js'
import { succeeded, withCluster } from './cluster.js'
import { failsWith } from './failure.js'
import { sha256 } from './tree.js'
import type { InvitationView } from '../../src/control/target.js'
import { until } from './until.js'

test(
  'a token that is cut short, expired, used up or of another cluster is refused for what it is, and a good one works still',
  withCluster(async (cluster) => {
    const a = await cluster.found('a')
    const newcomer = cluster.fresh('newcomer')
    const join_ = (token: string, ...flags: string[]) =>
      newcomer.cli('join', token, '--no-mdns', '--timeout', '10s', ...flags)

    const token = succeeded(await a.cli('invite')).trim()
    assert.match(token, /^\S+$/)
    failsWith(await join_(token.slice(0, -20)), 'token-malformed')
    failsWith(await join_('no token at all'), 'token-malformed')

    const short = await a.json<{ token: string; expires: string }>('invite', '--expires', '1s')
    await until('the invitation has expired', () => Date.now() > Date.parse(short.expires))
    failsWith(await join_(short.token), 'token-expired')

    const single = succeeded(await a.cli('invite', '--uses', '1')).trim()
    const first = cluster.fresh('first')
    succeeded(await first.cli('join', single, '--no-mdns'))
    failsWith(await join_(single), 'token-used')

    const leaked = succeeded(await a.cli('invite', '--role', 'public')).trim()
    const listed = await a.json<InvitationView[]>('invite', 'ls')
    assert.deepEqual(listed.map(({ state, role }) => `${state} ${role}`).toSorted(), [
      'expired author',
      'open author',
      'open public',
      'used author'
    ])
    const { invite } = listed.find(({ role }) => role === 'public')!
    succeeded(await a.cli('invite', 'revoke', invite.slice(0, 12)))
    failsWith(await join_(leaked), 'token-revoked')

    const stranger = cluster.fresh('stranger')
    succeeded(await stranger.cli('init', '--cluster', 'another'))
    const foreign = succeeded(await stranger.cli('invite')).trim()
    failsWith(await first.cli('join', foreign, '--no-mdns'), 'token-foreign')
    failsWith(await first.cli('join', token, '--no-mdns'), 'already-member')
    failsWith(await join_(foreign, '--timeout', '1s'), 'issuer-unreachable')

    succeeded(await join_(token))
    await newcomer.start()
    await first.start()
    await cluster.connected([a, first, newcomer])
    await cluster.verified([a, first, newcomer])
  })
)

test(
  'an issuer that is not there is named as such, and the same token works when it is back',
  withCluster(async (cluster) => {
    const a = await cluster.found('a')
    const token = succeeded(await a.cli('invite')).trim()
    await a.stop()
    const b = cluster.fresh('b')
    failsWith(await b.cli('join', token, '--no-mdns', '--timeout', '2s'), 'issuer-unreachable')
    await a.start()
    succeeded(await b.cli('join', token, '--no-mdns'))
  })
)

/** What lies in the newcomer's directory before it joins: one file as everywhere, one that differs, one of its own. */
function ownFiles(dir: string): void {
  writeFileSync(join(dir, 'same.txt'), 'the same')
  writeFileSync(join(dir, 'differs.txt'), 'as the newcomer has it')
  writeFileSync(join(dir, 'own.txt'), "the newcomer's own")
}

function clusterFiles(dir: string): void {
  writeFileSync(join(dir, 'same.txt'), 'the same')
  writeFileSync(join(dir, 'differs.txt'), 'as the cluster has it')
  writeFileSync(join(dir, 'theirs.txt'), "the cluster's own")
}

test(
  'a newcomer with files merges: equal ones meet, a differing one is a conflict with both kept, its own are shared',
  withCluster(async (cluster) => {
    const a = await cluster.found('a', { before: clusterFiles })
    const b = await cluster.join('b', { before: ownFiles })
    await until("the newcomer's file is shared", () => existsSync(join(a.dir, 'own.txt')))
    await cluster.equal()
    assert.deepEqual(readdirSync(a.dir).sort(), ['differs.txt', 'own.txt', 'same.txt', 'theirs.txt'])
    assert.equal(readFileSync(join(b.dir, 'differs.txt'), 'utf8'), 'as the cluster has it')
    for (const node of [a, b]) {
      const kept = await keptBodies(node)
      for (const content of ['as the newcomer has it', 'as the cluster has it']) assert.ok(kept.has(sha256(content)))
      assert.deepEqual(
        (await entriesOf(node)).filter(({ conflict }) => conflict).map(({ path }) => path),
        ['differs.txt']
      )
      assert.equal((await node.space()).conflicts, 1)
    }
    assert.equal((await a.client.history('same.txt')).length, 1)
  })
)

test(
  "a newcomer that adopts the cluster's content keeps its own bytes aside and sends nothing",
  withCluster(async (cluster) => {
    const a = await cluster.found('a', { before: clusterFiles })
    const b = await cluster.join('b', { before: ownFiles, join: ['--no-mdns', '--adopt', 'cluster'] })
    await until('the cluster has come', () => existsSync(join(b.dir, 'theirs.txt')))
    await cluster.equal()
    assert.deepEqual(readdirSync(a.dir).sort(), ['differs.txt', 'same.txt', 'theirs.txt'])
    assert.equal((await b.space()).conflicts, 0)
    assert.equal(readFileSync(join(b.home, 'aside/differs.txt'), 'utf8'), 'as the newcomer has it')
    assert.equal(readFileSync(join(b.home, 'aside/own.txt'), 'utf8'), "the newcomer's own")
    assert.equal(existsSync(join(b.home, 'aside/same.txt')), false)
  })
)
