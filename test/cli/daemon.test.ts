import assert from 'node:assert/strict'
import { access, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { GrapevineError } from '../../src/errors.js'
import { NODE_A } from '../control/fake-target.js'
import { tempHome } from '../control/world.js'
import { shellWithDaemon, shellWithoutDaemon, until } from './shell.js'

const RUNNING = /^grapevine: running node=(\S+) listen=(\S+) shares=(.+)$/m

test('the first start makes a node, shares ./catalog and says in three lines what it did and how to invite', async (t) => {
  const cwd = await tempHome(t)
  const shell = await shellWithoutDaemon(t, { cwd, home: join(cwd, '.grapevine'), env: { GRAPEVINE_HOME: '' } })
  const run = shell.run('start')
  await until(() => shell.soFar().split('\n').length === 4)
  assert.equal((await shell.lifecycle.target.status()).state, 'running')
  shell.interrupt.abort()
  const { code, stdout, stderr } = await run
  assert.equal(code, 0)
  assert.equal(stderr, '')
  assert.deepEqual(stdout.split('\n'), [
    'grapevine: made a node key and the cluster "grapevine" in .grapevine',
    `grapevine: running node=${NODE_A} listen=/ip4/127.0.0.1/tcp/4470 shares=${join(cwd, 'catalog')}`,
    'grapevine: invite the next node with: grapevine invite',
    ''
  ])
  await access(join(cwd, 'catalog'))
  assert.ok(shell.lifecycle.stops >= 1)
  await assert.rejects(access(join(cwd, '.grapevine', 'control.sock')), { code: 'ENOENT' })
})

test('a later start prints the running line alone and shares the directory of the first, from wherever it is started', async (t) => {
  const first = await shellWithoutDaemon(t)
  const run = first.run('start', '--dir', 'data')
  await until(() => RUNNING.test(first.soFar()))
  first.interrupt.abort()
  assert.match((await run).stdout, /invite the next node with: grapevine invite --home \S+\n$/)
  assert.equal(JSON.parse(await readFile(join(first.home, 'config.json'), 'utf8')).dir, join(first.home, 'data'))

  const second = await shellWithoutDaemon(t, { home: first.home, cwd: await tempHome(t) })
  const again = second.run('start')
  await until(() => RUNNING.test(second.soFar()))
  second.interrupt.abort()
  assert.equal((await again).stdout.split('\n').length, 2)
  assert.equal(second.lifecycle.config!.dir, join(first.home, 'data'))
})

test('flags of start reach the node as settings', async (t) => {
  const shell = await shellWithoutDaemon(t)
  const run = shell.run(
    'start',
    '--json',
    '--dir',
    '/tmp',
    '--listen',
    '/ip4/127.0.0.1/tcp/0',
    '--listen',
    '/ip6/::1/tcp/0',
    '--peer',
    '/ip4/192.0.2.1/tcp/1',
    '--no-mdns',
    '--log-level',
    'debug',
    '--adopt',
    'cluster',
    '--settle-ms',
    '10',
    '--name',
    'x'
  )
  await until(() => shell.soFar() !== '')
  shell.interrupt.abort()
  const line = JSON.parse((await run).stdout)
  assert.deepEqual([line.event, line.node, line.made], ['running', NODE_A, true])
  const { dir, listen, peers, mdns, logLevel, adopt, settleMs, name } = shell.lifecycle.config!
  assert.deepEqual(
    { dir, listen, peers, mdns, logLevel, adopt, settleMs, name },
    {
      dir: '/tmp',
      listen: ['/ip4/127.0.0.1/tcp/0', '/ip6/::1/tcp/0'],
      peers: ['/ip4/192.0.2.1/tcp/1'],
      mdns: false,
      logLevel: 'debug',
      adopt: 'cluster',
      settleMs: 10,
      name: 'x'
    }
  )
})

test('start on a live home is refused before anything is touched', async (t) => {
  const { run, lifecycle } = await shellWithDaemon(t)
  const { code, stderr } = await run('start')
  assert.equal(code, 3)
  assert.match(stderr, /^grapevine: home-locked: /)
  assert.deepEqual(lifecycle.calls, [])
})

test('a bad setting ends start before a home is made', async (t) => {
  const shell = await shellWithoutDaemon(t)
  for (const flags of [
    ['--listen', 'nowhere'],
    ['--settle-ms', '-1'],
    ['--settle-ms', 'x'],
    ['--log-level', 'loud'],
    ['--rescan-interval-ms', '999']
  ]) {
    const { code, stderr } = await shell.run('start', ...flags)
    assert.equal(code, 2, flags.join(' '))
    assert.match(stderr, /^grapevine: config-invalid: the setting \w+ in --/)
  }
  await writeFile(join(shell.home, 'config.json'), '{"lisen": []}')
  const { code, stderr } = await shell.run('start')
  assert.equal(code, 2)
  assert.match(stderr, /unknown setting "lisen"\n  next: did you mean listen\?/)
  assert.deepEqual(shell.lifecycle.calls, [])
})

test('a node that cannot start gives its error and leaves no socket', async (t) => {
  const shell = await shellWithoutDaemon(t)
  shell.lifecycle.fails = new GrapevineError('store-damaged', 'the log is damaged', { next: 'restore it' })
  const { code, stderr } = await shell.run('start')
  assert.equal(code, 11)
  assert.match(stderr, /store-damaged/)
  await assert.rejects(access(join(shell.home, 'control.sock')), { code: 'ENOENT' })
})

test('a daemon that is asked to stop over its socket ends with exit 0', async (t) => {
  const shell = await shellWithoutDaemon(t)
  const running = shell.run('start')
  await until(() => RUNNING.test(shell.soFar()))
  const other = await shellWithoutDaemon(t, { home: shell.home })
  // this process is the daemon here, so `stop` waits for it in vain: it names the process and gives up
  const { code, stderr } = await other.run('stop', '--timeout', '50ms')
  assert.equal(code, 3)
  assert.match(stderr, new RegExp(`process ${process.pid}`))
  assert.equal((await running).code, 0)
})

test('watch prints one line an event, escaped and short; --json one object a line', async (t) => {
  for (const flags of [[], ['--json']]) {
    const shell = await shellWithDaemon(t)
    const run = shell.run('watch', ...flags)
    await shell.target.subscribed(true)
    shell.target.emit('entry-changed', { path: 'a\u001b[2J b', author: NODE_A, size: 4 })
    shell.target.emit('peer-joined', { node: NODE_A, role: 'author' })
    await until(() => shell.soFar().split('\n').length === 3)
    shell.interrupt.abort()
    const { code, stdout, stderr } = await run
    assert.deepEqual([code, stderr], [0, ''])
    const lines = stdout.trimEnd().split('\n')
    if (flags.length > 0)
      assert.deepEqual(
        lines.map((line) => JSON.parse(line).event),
        ['entry-changed', 'peer-joined']
      )
    else
      assert.deepEqual(lines, [
        '19:13:05 entry-changed path="a\\u001b[2J b" author=12D3…c6iDEp size=4',
        '19:13:05 peer-joined node=12D3…c6iDEp role=author'
      ])
    await shell.target.subscribed(false)
  }
})

test('watch says that the daemon stopped, with exit 13', async (t) => {
  const { run, server, target } = await shellWithDaemon(t)
  const watching = run('watch')
  await target.subscribed(true)
  await server.stop()
  const { code, stderr } = await watching
  assert.equal(code, 13)
  assert.match(stderr, /^grapevine: stopped: the daemon stopped\n/)
})
