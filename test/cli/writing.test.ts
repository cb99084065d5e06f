import assert from 'node:assert/strict'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { GrapevineError } from '../../src/errors.js'
import { MAX_INVITE_USES } from '../../src/control/limits.js'
import { INVITE, NODE_B, RECORD } from '../control/fake-target.js'
import { tempHome } from '../control/world.js'
import { shellWithDaemon, shellWithoutDaemon } from './shell.js'

test('put stores a file with its exec bit', async (t) => {
  const { run, target, home } = await shellWithDaemon(t)
  await writeFile(join(home, 'plain'), 'text')
  await writeFile(join(home, 'tool'), '#!/bin/sh', { mode: 0o755 })
  const { code, stdout } = await run('put', '/a/plain', 'plain')
  assert.equal(code, 0)
  assert.match(stdout, /^put a\/plain \(record abababababab…, seq \d+\)\n$/)
  assert.equal((await run('put', 'tool', join(home, 'tool'))).code, 0)
  assert.deepEqual(target.files.get('a/plain'), { bytes: Buffer.from('text'), exec: false })
  assert.equal(target.files.get('tool')!.exec, true)
})

test('put of the same content says that nothing changed', async (t) => {
  const { run, home } = await shellWithDaemon(t)
  await writeFile(join(home, 'f'), 'text')
  await run('put', 'a', 'f')
  assert.equal((await run('put', 'a', 'f')).stdout, 'unchanged a\n')
  assert.equal(JSON.parse((await run('put', 'a', 'f', '--json')).stdout).changed, false)
})

test('put reads stdin with - and without a file when stdin is no terminal', async (t) => {
  const { run, target } = await shellWithDaemon(t, { stdin: 'from stdin' })
  assert.equal((await run('put', 'a', '-')).code, 0)
  assert.equal((await run('put', 'b')).code, 0)
  assert.deepEqual(
    [...target.files.values()].map(({ bytes }) => bytes.toString()),
    ['from stdin', 'from stdin']
  )
})

test('put without a file on a terminal is a usage error instead of silence', async (t) => {
  const { run } = await shellWithDaemon(t, { stdin: { isTTY: true } })
  const { code, stderr } = await run('put', 'a')
  assert.equal(code, 2)
  assert.match(stderr, /nothing to put\n  next: name a file, as in `grapevine put a FILE`/)
})

test('put of what is no readable file is refused before the daemon is asked', async (t) => {
  const { run, target, home } = await shellWithDaemon(t)
  await mkdir(join(home, 'dir'))
  assert.match((await run('put', 'a', 'dir')).stderr, /^grapevine: not-a-file: /)
  assert.match((await run('put', 'a', 'none')).stderr, /^grapevine: not-found: there is no file /)
  assert.equal((await run('put', '/', 'none')).code, 2)
  assert.deepEqual(target.calls, [])
})

test('rm and mv tell what they did; --json is the receipt', async (t) => {
  const { run, target } = await shellWithDaemon(t)
  target.add('a', '1')
  target.add('b', '2')
  assert.match((await run('mv', './a', 'c', '--before', 'b')).stdout, /^moved to c \(record /)
  assert.ok(target.calls.includes('move a c b'))
  assert.match((await run('rm', 'c')).stdout, /^removed c \(record /)
  assert.equal(JSON.parse((await run('rm', 'b', '--json')).stdout).record, RECORD)
  assert.equal((await run('rm', 'b')).code, 5)
  assert.equal(target.files.size, 0)
})

test("the daemon's refusals keep their exit codes", async (t) => {
  const { run, target } = await shellWithDaemon(t)
  target.add('a', '1')
  for (const [code, exit] of [
    ['role-forbids', 6],
    ['move-into-itself', 5],
    ['disk-full', 11],
    ['stopped', 13]
  ] as const) {
    target.fails = undefined
    target.move = async () => {
      throw new GrapevineError(code, 'no', { next: 'do something else' })
    }
    const { code: got, stderr } = await run('mv', 'a', 'b')
    assert.equal(got, exit)
    assert.equal(stderr, `grapevine: ${code}: no\n  next: do something else\n`)
  }
})

test('invite prints the token alone on stdout and the rest on stderr', async (t) => {
  const { run, target } = await shellWithDaemon(t)
  const { code, stdout, stderr } = await run('invite')
  assert.equal(code, 0)
  assert.equal(stdout, 'gv1-token\n')
  assert.equal(stderr, 'grapevine: admits author nodes, once, until 2026-11-21 19:13:05 UTC\n')
  assert.ok(target.calls.includes('invite author 3600000 1'))
  await run('invite', '--role', 'relay', '--expires', '7d', '--uses', String(MAX_INVITE_USES))
  assert.ok(target.calls.includes(`invite relay 604800000 ${MAX_INVITE_USES}`))
  assert.deepEqual(Object.keys(JSON.parse((await run('invite', '--json')).stdout)), [
    'token',
    'expires',
    'role',
    'uses'
  ])
  assert.equal((await run('invite', '--expires', '367d')).code, 2)
})

test('invite ls shows every invitation, invite revoke takes one back by as much of its id as is needed', async (t) => {
  const { run, target } = await shellWithDaemon(t)
  const other = `1a${'2b'.repeat(15)}`
  target.invites.set(other, { ...target.invites.get(INVITE)!, invite: other, state: 'used', used: 1, role: 'relay' })
  assert.deepEqual((await run('invite', 'ls')).stdout.split('\n'), [
    'id            state  role      used  until (UTC)          issuer',
    '1a1a1a1a1a1a  open   author  0 of 1  2026-11-21 19:13:05  12D3…c6iDEp',
    '1a2b2b2b2b2b  used   relay   1 of 1  2026-11-21 19:13:05  12D3…c6iDEp',
    ''
  ])
  assert.equal(JSON.parse((await run('invite', 'ls', '--json')).stdout).length, 2)
  const taken = await run('invite', 'revoke', '1a1a')
  assert.deepEqual([taken.code, taken.stdout, taken.stderr], [0, `revoked ${INVITE}\n`, ''])
  assert.ok(target.calls.includes(`revokeInvitation ${INVITE}`))
  assert.equal(JSON.parse((await run('invite', 'revoke', other, '--json')).stdout).state, 'revoked')
  for (const [id, code, exit] of [
    ['1a1', 'usage', 2],
    [`${INVITE}0`, 'usage', 2],
    ['1A1A', 'usage', 2],
    ['ffff', 'not-found', 5]
  ] as const) {
    const refused = await run('invite', 'revoke', id)
    assert.equal(refused.code, exit)
    assert.match(refused.stderr, new RegExp(`^grapevine: ${code}: `))
  }
  const twin = `1a1a${'0'.repeat(28)}`
  target.invites.set(twin, { ...target.invites.get(INVITE)!, invite: twin })
  assert.match((await run('invite', 'revoke', '1a1a')).stderr, /usage: 2 invitations begin with 1a1a/)
})

test('revoke removes a member by its name or id, and says what counts no more', async (t) => {
  const { run, target } = await shellWithDaemon(t)
  const gone = await run('revoke', 'beta')
  assert.deepEqual(
    [gone.code, gone.stdout],
    [0, `beta is no member any more: ${NODE_B}\nall that this node held of it counts on\n`]
  )
  assert.match(
    (await run('revoke', NODE_B, '--since', '3')).stdout,
    /^1 of its records count no more; see: grapevine salvage$/m
  )
  assert.ok(target.calls.includes(`removeMember ${NODE_B} 3`))
  assert.equal(JSON.parse((await run('revoke', NODE_B, '--json')).stdout).name, 'beta')
  for (const [args, code] of [
    [['nobody'], 'not-found'],
    [[NODE_B, '--since', '0'], 'usage'],
    [[NODE_B, '--since', 'x'], 'usage']
  ] as const)
    assert.match((await run('revoke', ...args)).stderr, new RegExp(`^grapevine: ${code}: `))
})

test('salvage lists what counts no more, and saves it under names that lead nowhere else', async (t) => {
  const { run, target } = await shellWithDaemon(t)
  const [line] = target.salvaged
  target.salvaged = [line!, { ...line!, path: '../../etc/pass wd', change: 'content 4 B' }]
  assert.deepEqual((await run('salvage')).stdout.split('\n'), [
    'time (UTC)           author       path               change',
    '2026-11-21 19:13:05  12D3…CVe2Xo  styles/a.sld       content 4 B',
    '2026-11-21 19:13:05  12D3…CVe2Xo  ../../etc/pass wd  content 4 B',
    ''
  ])
  const to = join(await tempHome(t), 'out')
  const saved = await run('salvage', '--to', to)
  assert.equal(saved.code, 0, saved.stderr)
  assert.deepEqual(await readdir(to), ['0001-a.sld', '0002-pass_wd'])
  assert.equal(await readFile(join(to, '0002-pass_wd'), 'utf8'), 'text')
  // what was saved before is never written over
  assert.match((await run('salvage', '--to', to)).stderr, /^grapevine: store-failed: /)
  target.salvaged = []
  assert.equal((await run('salvage')).stdout, 'nothing\n')
})

test('quarantine lists what could not be applied, tries it again and leaves entries be', async (t) => {
  const { run, target } = await shellWithDaemon(t, { columns: 120 })
  const [record] = target.quarantined.records
  target.quarantined.records = [{ ...record!, reason: 'bo\u001b[31mom', paths: ['a\u001b[2J'] }]
  const { stdout } = await run('quarantine', 'ls')
  assert.deepEqual(stdout.split('\n'), [
    'record        since (UTC)          author       seq  waiting  log',
    `${RECORD.slice(0, 12)}  2026-11-21 19:13:05  12D3…CVe2Xo    3        2  ${record!.log}`,
    `${RECORD.slice(0, 12)}  bo\\x1b[31mom`,
    '  a\\x1b[2J',
    'path          state  since (UTC)          reason',
    'styles/b.sld  held   2026-11-21 19:13:05  TypeError: x is not a function',
    ''
  ])
  assert.equal(JSON.parse((await run('quarantine', 'ls', '--json')).stdout).records[0].waiting, 2)
  assert.equal((await run('quarantine', 'retry')).stdout, 'nothing\n')
  await run('quarantine', 'retry', 'a b')
  await run('quarantine', 'drop', 'a b')
  for (const call of ['retryQuarantined', 'retryQuarantined a b', 'dropQuarantined a b'])
    assert.ok(target.calls.includes(call), call)
  assert.match((await run('quarantine', 'drop')).stderr, /^grapevine: usage: /)
})

test('drift lists what was changed here, lets it make way and proposes it', async (t) => {
  const { run, target } = await shellWithDaemon(t, { columns: 120 })
  target.drifting = [
    { ...target.drifting[0]!, path: 'a\u001b[2J' },
    { path: 'd', kind: 'dir', change: 'added', since: target.drifting[0]!.since, policy: 'report' }
  ]
  assert.deepEqual((await run('drift', 'ls')).stdout.split('\n'), [
    'path      change  policy  since (UTC)',
    'a\\x1b[2J  moved   adopt   2026-11-21 19:13:05',
    'd/        added   report  2026-11-21 19:13:05',
    'a\\x1b[2J was not taken over: beta: its rules about drift do not say "adopt" for this path',
    ''
  ])
  assert.equal(JSON.parse((await run('drift', 'ls', '--json')).stdout)[1].change, 'added')
  assert.match((await run('drift', 'restore', '/a b/', 'c')).stdout, /^a\\x1b\[2J restored; kept as \/home\/aside/)
  assert.match(
    (await run('drift', 'adopt')).stdout,
    /taken over by beta\n.* not taken over: no node that may write there is connected\n/
  )
  for (const call of ['restoreDrift a b,c', 'adoptDrift']) assert.ok(target.calls.includes(call), call)
  target.drifting = []
  for (const word of ['ls', 'restore', 'adopt']) assert.equal((await run('drift', word)).stdout, 'nothing\n')
})

test('invite revoke works on a home whose daemon is stopped', async (t) => {
  const { run, lifecycle, home } = await shellWithoutDaemon(t)
  assert.equal((await run('invite', 'revoke', INVITE)).stdout, `revoked ${INVITE}\n`)
  assert.deepEqual(lifecycle.calls.at(-1), ['revokeInviteOffline', { home, invite: INVITE }])
})

test('invite works on a home whose daemon is stopped', async (t) => {
  const { run, lifecycle, home } = await shellWithoutDaemon(t)
  assert.equal((await run('invite', '--uses', '3')).stdout, 'offline-token\n')
  assert.deepEqual(lifecycle.calls, [['createInviteOffline', { home, role: 'author', expiresMs: 3_600_000, uses: 3 }]])
})

test('init makes a home and prints node and cluster id; a second one is refused', async (t) => {
  const { run, lifecycle } = await shellWithoutDaemon(t)
  const { code, stdout } = await run('init', '--cluster', 'maps', '--name', 'alpha')
  assert.equal(code, 0)
  assert.match(stdout, /^node +12D3KooW\w+\ncluster +(9f){16}\ncalled +maps\nhome +/)
  assert.equal((lifecycle.calls[0] as [string, { nodeName: string }])[1].nodeName, 'alpha')
  const again = await run('init', '--json')
  assert.equal(again.code, 3)
  assert.equal(JSON.parse(again.stderr).error.code, 'home-exists')
})

test('join passes token, peers and what becomes of present files on', async (t) => {
  const { run, lifecycle, home } = await shellWithoutDaemon(t, {
    stdin: '  piped-token\n',
    env: { GRAPEVINE_PEERS: '/ip4/192.0.2.9/tcp/1' }
  })
  const { code, stdout } = await run(
    'join',
    'tok',
    '--adopt',
    'cluster',
    '--no-mdns',
    '--peer',
    '/ip4/192.0.2.1/tcp/4470',
    '--peer',
    '/dns4/x.example/tcp/4470',
    '--timeout',
    '5s',
    '--name',
    'beta'
  )
  assert.equal(code, 0)
  assert.match(stdout, /role +author/)
  assert.deepEqual(lifecycle.calls[0], [
    'joinCluster',
    {
      home,
      token: 'tok',
      adopt: 'cluster',
      mdns: false,
      peers: ['/ip4/192.0.2.1/tcp/4470', '/dns4/x.example/tcp/4470'],
      timeoutMs: 5_000,
      nodeName: 'beta'
    }
  ])
  await run('join', '-')
  assert.deepEqual(lifecycle.calls[1], [
    'joinCluster',
    { home, token: 'piped-token', adopt: 'merge', mdns: true, peers: ['/ip4/192.0.2.9/tcp/1'], timeoutMs: 30_000 }
  ])
})

test('join tells apart a bad token and a bad setting', async (t) => {
  const { run } = await shellWithoutDaemon(t)
  const expired = await run('join', 'expired')
  assert.equal(expired.code, 7)
  assert.match(expired.stderr, /^grapevine: token-expired: /)
  assert.match((await run('join', 'x', '--adopt', 'none')).stderr, /config-invalid: the setting adopt in --adopt/)
  assert.equal((await run('join', 'x', '--peer', 'localhost:4470')).code, 2)
})
