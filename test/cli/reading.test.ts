import assert from 'node:assert/strict'
import { test } from 'node:test'
import { NODE_A, NODE_B, RECORD } from '../control/fake-target.js'
import { shellWithDaemon, shellWithoutDaemon, widest } from './shell.js'

const HOSTILE = 'a\u001b[2J\u009b31m\u202ecod.xml'

test('status tells node, cluster, role, state, peers and spaces as JSON', async (t) => {
  const { run, target } = await shellWithDaemon(t)
  target.add('a', '1')
  const { code, stdout } = await run('status', '--json')
  assert.equal(code, 0)
  const status = JSON.parse(stdout)
  for (const key of ['node', 'cluster', 'role', 'state', 'peers', 'spaces']) assert.ok(key in status, key)
  assert.deepEqual(Object.keys(status.spaces[0]), ['name', 'entries', 'conflicts', 'waiting', 'root', 'vector'])
})

test('status, peers, history, inspections and verify fit 80 columns and print no control characters', async (t) => {
  const { run, target } = await shellWithDaemon(t)
  target.add(HOSTILE, '1')
  const lines = [
    ['status'],
    ['peers'],
    ['ls'],
    ['history', HOSTILE],
    ['verify'],
    ['inspect', 'log'],
    ['inspect', 'heads'],
    ['inspect', 'vector'],
    ['inspect', 'gossip'],
    ['inspect', 'store'],
    ['inspect', 'record', RECORD],
    ['inspect', 'entry', HOSTILE],
    ['inspect', 'doc', HOSTILE]
  ]
  for (const argv of lines) {
    const { code, stdout, stderr } = await run(...argv)
    assert.equal(code, 0, `${argv.join(' ')}: ${stderr}`)
    assert.ok(stdout.length > 0, argv.join(' '))
    assert.ok(widest(stdout) <= 80, `${argv.join(' ')} is ${widest(stdout)} wide:\n${stdout}`)
    assert.doesNotMatch(stdout, /[^\x20-\x7e\n…]/, argv.join(' '))
  }
})

test('every listing and inspection answers --json with one JSON value that has ids in full', async (t) => {
  const { run, target } = await shellWithDaemon(t)
  target.add(HOSTILE, '1')
  target.add('b', '2')
  const lines = [
    ['status'],
    ['peers'],
    ['ls'],
    ['history', 'b'],
    ['verify'],
    ['inspect', 'log'],
    ['inspect', 'heads'],
    ['inspect', 'vector'],
    ['inspect', 'gossip'],
    ['inspect', 'store'],
    ['inspect', 'record', RECORD],
    ['inspect', 'entry', 'b'],
    ['inspect', 'doc', 'b']
  ]
  for (const argv of lines) {
    const { code, stdout } = await run(...argv, '--json')
    assert.equal(code, 0, argv.join(' '))
    assert.doesNotMatch(stdout, /[^\x20-\x7e\n]/, argv.join(' '))
    assert.ok(typeof JSON.parse(stdout) === 'object')
  }
  assert.deepEqual(
    (JSON.parse((await run('ls', '--json')).stdout) as Array<{ path: string }>).map(({ path }) => path),
    [HOSTILE, 'b']
  )
  assert.equal(JSON.parse((await run('peers', '--json')).stdout)[0].node, NODE_B)
  assert.equal(JSON.parse((await run('--json', 'inspect', 'log')).stdout)[0].id, RECORD)
})

test('an empty listing is an empty array, or nothing', async (t) => {
  const { run } = await shellWithDaemon(t)
  assert.deepEqual(JSON.parse((await run('ls', '--json')).stdout), [])
  assert.equal((await run('ls')).stdout, '')
})

test('ls escapes hostile names, marks conflicts and keeps paths whole in a pipe', async (t) => {
  const { run, target } = await shellWithDaemon(t)
  const long = `workspaces/${'x'.repeat(120)}/featuretype.xml`
  target.add(HOSTILE, '1', true)
  target.add(long, '12')
  target.conflict = true
  const [first, second] = (await run('ls')).stdout.split('\n')
  assert.match(first!, /^-x +1  2026-11-21 19:13:05  12D3…c6iDEp !  ?a\\x1b\[2J\\x9b31m\\u\{202e\}cod\.xml$/)
  assert.ok(second!.endsWith(long))
})

test('ls cuts long paths to the width of a terminal', async (t) => {
  const { run, target } = await shellWithDaemon(t, { isTTY: true, columns: 70 })
  target.add(`workspaces/${'x'.repeat(120)}/featuretype.xml`, '12')
  const { stdout } = await run('ls')
  assert.equal(widest(stdout), 70)
  assert.match(stdout, /…/)
})

test('ls of 50,000 entries streams through', async (t) => {
  const { run, target } = await shellWithDaemon(t)
  target.madeUp = 50_000
  const { stdout } = await run('ls')
  assert.equal(stdout.split('\n').length, 50_001)
  assert.equal((JSON.parse((await run('ls', '--json')).stdout) as unknown[]).length, 50_000)
})

test('paths may be typed with leading ./ or / and trailing /', async (t) => {
  const { run, target } = await shellWithDaemon(t)
  target.add('styles/a.sld', 'x')
  for (const path of ['styles', './styles/', '/styles', 'styles//'])
    assert.match((await run('ls', path)).stdout, /styles\/a\.sld/)
  for (const root of ['.', '/', './']) assert.equal((await run('ls', root)).code, 0)
  assert.equal((await run('cat', '/styles/./a.sld')).stdout, 'x')
  assert.deepEqual(['cat', '../a'].length && (await run('cat', '../a')).code, 5)
  assert.equal((await run('cat', '/')).code, 2)
})

test('cat writes the bytes of a file exactly, even those that drive a terminal', async (t) => {
  const { run, target } = await shellWithDaemon(t)
  target.files.set('raw', { bytes: Buffer.from([0, 27, 91, 255, 10, 13, 128]), exec: false })
  assert.deepEqual((await run('cat', 'raw')).bytes, Buffer.from([0, 27, 91, 255, 10, 13, 128]))
  await run('cat', 'raw', '--hash', 'ab'.repeat(32))
  assert.ok(target.calls.includes(`open raw ${'ab'.repeat(32)}`))
  assert.equal((await run('cat', 'raw', '--hash', 'xyz')).code, 2)
})

test('what is not there is not-found, exit 5, told on stderr with the next step', async (t) => {
  const { run } = await shellWithDaemon(t)
  const { code, stdout, stderr } = await run('cat', 'none\u001b[31m')
  assert.equal(code, 5)
  assert.equal(stdout, '')
  assert.equal(stderr, 'grapevine: not-found: there is nothing at none\\x1b[31m\n  next: see `grapevine ls`\n')
  const json = await run('history', 'none', '--json')
  assert.equal(json.code, 5)
  assert.equal(JSON.parse(json.stderr).error.code, 'not-found')
})

test('verify exits 0 when all are equal and 10 when not, naming entries and nodes', async (t) => {
  const { run, target } = await shellWithDaemon(t)
  assert.equal((await run('verify')).code, 0)
  assert.ok(target.calls.includes('verify 0'))
  target.equal = false
  const { code, stdout, stderr } = await run('verify', '--wait', '30s')
  assert.equal(code, 10)
  assert.ok(target.calls.includes('verify 30000'))
  assert.match(stdout, /differs  styles\/a\.sld  on 12D3…CVe2Xo/)
  assert.match(stderr, /^grapevine: not-in-sync: 1 of 2 nodes differ in 1 entries\n  next: /)
  const json = await run('verify', '--json')
  assert.equal(json.code, 10)
  assert.equal(JSON.parse(json.stdout).equal, false)
  assert.equal(JSON.parse(json.stderr).error.code, 'not-in-sync')
})

test('a member that is not reached is shown and does not count against equality', async (t) => {
  const { run, target } = await shellWithDaemon(t)
  target.reachable = false
  const { code, stdout } = await run('verify')
  assert.equal(code, 0)
  assert.match(stdout, /not reached/)
})

test('a record is found by the beginning of its id that listings show', async (t) => {
  const { run } = await shellWithDaemon(t)
  for (const id of [RECORD, RECORD.slice(0, 12) + '…', RECORD.slice(0, 6)]) {
    assert.equal(JSON.parse((await run('inspect', 'record', id, '--json')).stdout).id, RECORD)
  }
  assert.equal((await run('inspect', 'record', 'ab')).code, 2)
  assert.equal((await run('inspect', 'record', 'zzzzzzzz')).code, 2)
  assert.equal((await run('inspect', 'record', '123456789')).code, 5)
})

test('inspect log passes its limit and log on and refuses others', async (t) => {
  const { run, target } = await shellWithDaemon(t)
  await run('inspect', 'log', '--limit', '5', '--log', 'ef'.repeat(16))
  assert.ok(target.calls.includes(`inspectLog 5 ${'ef'.repeat(16)}`))
  for (const bad of [
    ['--limit', '0'],
    ['--limit', 'x'],
    ['--log', 'zz']
  ])
    assert.equal((await run('inspect', 'log', ...bad)).code, 2)
})

test('ls, cat, history, status, inspect and verify read a stopped home; the home is closed again', async (t) => {
  const { run, lifecycle } = await shellWithoutDaemon(t)
  lifecycle.target.add('a', 'bytes')
  const lines = [
    ['ls'],
    ['cat', 'a'],
    ['history', 'a'],
    ['status'],
    ['inspect', 'heads'],
    ['inspect', 'log'],
    ['inspect', 'entry', 'a'],
    ['inspect', 'doc', 'a'],
    ['inspect', 'record', RECORD],
    ['verify']
  ]
  for (const argv of lines) {
    const { code, stderr } = await run(...argv)
    assert.equal(code, 0, `${argv.join(' ')}: ${stderr}`)
    assert.equal(stderr, '')
  }
  assert.equal(lifecycle.closed, lines.length)
  assert.equal((await run('cat', 'none')).code, 5)
  assert.equal(lifecycle.closed, lines.length + 1)
})

test('what needs a daemon says so with exit 4 when none runs, and exit 3 when there is no home', async (t) => {
  const { run, home } = await shellWithoutDaemon(t)
  for (const argv of [['put', 'a'], ['rm', 'a'], ['mv', 'a', 'b'], ['peers'], ['watch'], ['stop']]) {
    const { code, stderr } = await run(...argv)
    assert.equal(code, 4, argv.join(' '))
    assert.match(stderr, /^grapevine: daemon-unreachable: .*\n  next: .*grapevine start/)
    assert.equal((await run('--home', `${home}/none`, ...argv)).code, 3)
  }
  assert.equal((await run('ls', '--home', `${home}/none`)).code, 3)
})

test('the home is taken from --home, then GRAPEVINE_HOME', async (t) => {
  const { run, home } = await shellWithDaemon(t)
  const other = await shellWithoutDaemon(t)
  assert.equal((await run('peers')).code, 0)
  assert.equal((await run('peers', '--home', other.home)).code, 4)
  assert.equal((await other.run('--home', home, 'peers')).code, 0)
  assert.equal(JSON.parse((await run('status', '--json')).stdout).node, NODE_A)
})
