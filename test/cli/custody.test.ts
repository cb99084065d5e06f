/** Commands about keeping what is stored, over a fake node: words, exit codes, and what reaches the node. */
import assert from 'node:assert/strict'
import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { GrapevineError } from '../../src/errors.js'
import { NODE_A } from '../control/fake-target.js'
import { tempHome } from '../control/world.js'
import { shellWithDaemon, shellWithoutDaemon } from './shell.js'

test('backup writes what the daemon sends, private, and only after it was read back', async (t) => {
  const { run, home, lifecycle } = await shellWithDaemon(t)
  const { code, stdout } = await run('backup', 'node.backup')
  assert.equal(code, 0)
  assert.match(stdout, /holds +3 records, 1 blobs, 5\.7 MiB\n/)
  assert.match(stdout, /keep it where only you can read it/)
  const file = join(home, 'node.backup')
  assert.equal(await readFile(file, 'utf8'), 'backup')
  assert.equal((await stat(file)).mode & 0o777, 0o600)
  assert.deepEqual(lifecycle.calls, [['checkBackup', 'backup']])
})

test('a backup that breaks off, or does not read back, leaves nothing, and an older one as it was', async (t) => {
  const { run, home, target, lifecycle } = await shellWithDaemon(t)
  const file = join(home, 'node.backup')
  await writeFile(file, 'gvbk of before')
  target.failsLater = new GrapevineError('store-failed', 'the disk is gone', { next: 'look' })
  const broken = await run('backup', 'node.backup')
  assert.equal(broken.code, 4)
  target.failsLater = undefined
  lifecycle.checkBackup = async () => {
    throw new GrapevineError('backup-damaged', 'the backup is not usable: it is cut short', { next: 'again' })
  }
  const bad = await run('backup', 'node.backup')
  assert.equal(bad.code, 11)
  assert.equal(await readFile(file, 'utf8'), 'gvbk of before')
  assert.deepEqual(
    (await readdir(home)).filter((name) => name.includes('partial')),
    []
  )
})

test('scrub tells what it read and what is lost, with exit 11; --json has the report alone', async (t) => {
  const { run, target } = await shellWithDaemon(t)
  const { code, stdout, stderr } = await run('scrub')
  assert.equal(code, 11)
  assert.match(
    stdout,
    /^checked {2}3 records, 20 rows of the index, 1 blobs, 5\.7 MiB\ndamaged {2}1, of which 0 healed and 1 lost\nlost {5}record 2 of log (ef){16} by 12D3\S+\n {9}styles\/a\.sld\n$/
  )
  assert.match(stderr, /^grapevine: records-lost: 1 things .*\n {2}next: .*--acknowledge/)
  assert.equal((JSON.parse((await run('scrub', '--json')).stdout) as { damaged: number }).damaged, 1)
  target.lost = []
  const clean = await run('scrub')
  assert.deepEqual([clean.code, clean.stderr], [0, ''])
})

test('scrub says so when it breaks off half-way', async (t) => {
  const { run, target } = await shellWithDaemon(t)
  target.failsLater = new GrapevineError('stopped', 'the node is stopping', { next: 'start it' })
  assert.notEqual((await run('scrub')).code, 0)
})

test('scrub --acknowledge takes note of what is lost and prints it', async (t) => {
  const { run, target } = await shellWithDaemon(t)
  const { code, stdout } = await run('scrub', '--acknowledge')
  assert.equal(code, 0)
  assert.match(stdout, /^lost {5}record 2 .*\n {9}styles\/a\.sld\nacknowledged/)
  assert.ok(target.calls.includes('acknowledgeLosses'))
  target.lost = []
  assert.equal((await run('scrub', '--acknowledge')).stdout, 'nothing is lost\n')
})

test('restore, rebuild and reidentify work on a stopped home only, and say what to do with a running one', async (t) => {
  const { run, lifecycle } = await shellWithDaemon(t)
  for (const command of [['restore', 'x.backup'], ['rebuild'], ['reidentify']]) {
    const { code, stderr } = await run(...command)
    assert.equal(code, 3, command[0])
    assert.match(
      stderr,
      new RegExp(
        `^grapevine: home-locked: .*\\n {2}next: run \`grapevine stop --home \\S+\`, then \`grapevine ${command.join(' ')} --home \\S+\` again`
      )
    )
  }
  assert.deepEqual(lifecycle.calls, [])
})

test('on a stopped home they reach the node with what was given', async (t) => {
  const shell = await shellWithoutDaemon(t)
  const home = await tempHome(t)
  assert.equal((await shell.run('--home', join(home, 'new'), 'restore', 'x.backup')).code, 0)
  const rebuilt = await shell.run('rebuild')
  assert.match(rebuilt.stdout, /^indexed {2}1000 records, 10 entries\nroot +cdcdcdcdcdcd…\ndamaged +nothing\n$/)
  const cured = await shell.run('reidentify', '--token', ' gv1-token ', '--name', 'c', '--no-mdns', '--timeout', '5s')
  assert.match(cured.stdout, new RegExp(`^node +${NODE_A}\\n`))
  assert.match(cured.stdout, /set aside +2 records/)
  assert.deepEqual(shell.lifecycle.calls, [
    ['restoreHome', { file: join(shell.home, 'x.backup'), home: join(home, 'new') }],
    ['rebuildIndex', shell.home],
    ['reidentify', { home: shell.home, mdns: false, peers: [], timeoutMs: 5_000, token: 'gv1-token', name: 'c' }]
  ])
})

test('reidentify takes a token or makes the key itself, not both', async (t) => {
  const { run, lifecycle } = await shellWithoutDaemon(t)
  const { code, stderr } = await run('reidentify', '--token', 'x', '--new-key')
  assert.equal(code, 2)
  assert.match(stderr, /^grapevine: usage: /)
  assert.deepEqual(lifecycle.calls, [])
})

test('export writes the files of a listing, and removes one whose bytes break off', async (t) => {
  const { run, home, target } = await shellWithDaemon(t)
  target.add('a/b.txt', 'text')
  target.add('run', '#!', true)
  const { code, stdout } = await run('export', 'out')
  assert.equal(code, 0)
  assert.match(stdout, /^exported 2 files in 0 directories, 6 B, to /)
  assert.equal(await readFile(join(home, 'out/a/b.txt'), 'utf8'), 'text')
  assert.notEqual((await stat(join(home, 'out/run'))).mode & 0o100, 0)
  target.failsLater = new GrapevineError('blob-damaged', 'damaged', { next: 'wait' })
  const broken = await run('export', 'out2')
  assert.notEqual(broken.code, 0)
  const left = await readdir(join(home, 'out2'), { recursive: true, withFileTypes: true })
  assert.deepEqual(
    left.filter((entry) => entry.isFile()),
    []
  )
})
