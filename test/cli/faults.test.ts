/** Commands whose files fail: each call once, and what is said then. */
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { StreamOutput } from '../../src/cli/output.js'
import { ControlClient } from '../../src/control/index.js'
import { GrapevineError } from '../../src/errors.js'
import { callsOf, withFaults } from '../faults/files.js'
import { withMethod } from '../faults/methods.js'
import { shellWithDaemon } from './shell.js'

/** A backup and what it is first written to. */
const NAMES = /node\.backup/
const CODES = ['EIO', 'EEXIST', 'ENOTDIR', 'ENOSPC']

test('an export of which one call fails says so, and leaves no half file', async (t) => {
  const { run, home, target } = await shellWithDaemon(t)
  target.add('a/b.txt', 'b')
  target.add('c.txt', 'c')
  const out = join(home, 'out')
  const calls = (await callsOf(() => run('export', 'out'))).filter((call) => call.includes(out)).length
  assert.ok(calls > 8)
  for (const code of CODES)
    for (let skip = 0; skip < calls; skip++) {
      await rm(out, { recursive: true, force: true })
      const result = await withFaults({ path: out, skip, times: 1, code }, () => run('export', 'out'))
      assert.doesNotMatch(result.stderr, /internal:/, `${code} at call ${skip + 1}`)
      const files = existsSync(out) ? readdirSync(out, { recursive: true }).map(String) : []
      for (const [path, content] of [
        ['a/b.txt', 'b'],
        ['c.txt', 'c']
      ] as const) {
        if (files.includes(path)) assert.equal(readFileSync(join(out, path), 'utf8'), content)
        else if (code !== 'EEXIST') assert.notEqual(result.code, 0, `${code} at call ${skip + 1}`)
      }
    }
})

test('half a file of an export that cannot be removed either does not hide why it failed', async (t) => {
  const { run, target } = await shellWithDaemon(t)
  target.add('c.txt', 'c')
  const result = await withFaults(
    [
      { op: 'writeFile', path: 'c.txt' },
      { op: 'rm', path: 'c.txt', code: 'EACCES' }
    ],
    () => run('export', 'out')
  )
  assert.equal(result.code, 11)
  assert.match(result.stderr, /EIO/)
})

test('a backup of which one call fails says so, leaves nothing half, and an older one stays as it was', async (t) => {
  const { run, home } = await shellWithDaemon(t)
  const file = join(home, 'node.backup')
  await writeFile(file, 'gvbk of before')
  const names = (await callsOf(() => run('backup', 'node.backup'))).filter((call) => NAMES.test(call))
  const calls = names.length
  assert.ok(calls > 5, String(calls))
  for (const code of ['EIO', 'EISDIR', 'ENOSPC'])
    for (let skip = 0; skip < calls; skip++) {
      await writeFile(file, 'gvbk of before')
      await withFaults({ path: NAMES.source, skip, times: 1, code }, () => run('backup', 'node.backup'))
      assert.match(readFileSync(file, 'utf8'), /^(gvbk of before|backup)$/, `${code} at call ${skip + 1}`)
      const left = readdirSync(home).filter((name) => name.endsWith('.partial'))
      // only where removing it is what failed
      if (names[skip]!.startsWith('rm ')) for (const name of left) await rm(join(home, name))
      else assert.deepEqual(left, [], `${code} at call ${skip + 1}`)
    }
})

test('an export names the values of a conflict it could not have, and goes on', async (t) => {
  const { run, target } = await shellWithDaemon(t)
  target.add('c.txt', 'c')
  const hash = 'ab'.repeat(32)
  const entry = () => () => Promise.resolve({ tuples: [{ field: 'body', value: [hash, 1] }] } as never)
  const list: (original: ControlClient['list']) => ControlClient['list'] = (original) =>
    async function* (this: ControlClient, ...args) {
      for await (const line of original.apply(this, args)) yield { ...line, conflict: true }
    }
  const open: (original: ControlClient['open']) => ControlClient['open'] = (original) =>
    function (this: ControlClient, path, options) {
      if (options?.hash === undefined) return original.call(this, path, options)
      return Promise.reject(new GrapevineError('blob-missing', 'not here', { next: 'wait' }))
    }
  const { code, stdout, stderr } = await withMethod(ControlClient.prototype, 'entry', entry, () =>
    withMethod(ControlClient.prototype, 'list', list, () =>
      withMethod(ControlClient.prototype, 'open', open, () => run('export', 'out'))
    )
  )
  assert.notEqual(code, 0)
  assert.match(stdout + stderr, /conflict-abababab/)
})

test('a file that cannot be read is not put', async (t) => {
  const { run, home, target } = await shellWithDaemon(t)
  await writeFile(join(home, 'local'), 'x')
  for (const op of ['open', 'read']) {
    const result = await withFaults({ op, path: 'local' }, () => run('put', 'p', join(home, 'local')))
    assert.match(result.stderr, /^grapevine: file-unreadable: /)
  }
  assert.equal(target.files.has('p'), false)
})

test('a command whose words nobody can hear ends with its exit code', async (t) => {
  const { run } = await shellWithDaemon(t)
  const gone = () => () => Promise.reject(new Error('gone'))
  const { code } = await withMethod(StreamOutput.prototype, 'write', gone, () => run('status'))
  assert.equal(code, 1)
})

test('stop tells that a daemon is still there, also when its answer was lost and where there is no /proc', async (t) => {
  const { run } = await shellWithDaemon(t)
  const lost = () => () => Promise.reject(new GrapevineError('daemon-unreachable', 'gone', { next: 'start it' }))
  const { stderr } = await withMethod(ControlClient.prototype, 'shutdown', lost, () =>
    withFaults({ op: 'readFileSync', path: '/proc' }, () => run('stop', '--timeout', '50ms'))
  )
  assert.match(stderr, /still runs after/)
})
