import assert from 'node:assert/strict'
import { test } from 'node:test'
import { shellWithDaemon, shellWithoutDaemon, widest } from './shell.js'

const LONG = `workspaces/${'topp'.repeat(20)}/layergroups/all.xml`

test('waiting shows what waits, for what and since when, and what is broken, in 80 columns', async (t) => {
  const { run, target } = await shellWithDaemon(t, { columns: 80 })
  target.waitingRoom.waiting.push({
    path: LONG,
    id: '02'.repeat(16),
    state: 'coming',
    for: ['style Style-1 of styles/line.xml', 'store Ds-1'],
    since: '2026-11-21T19:13:05.123Z'
  })
  const { code, stdout } = await run('waiting')
  assert.equal(code, 0)
  assert.ok(widest(stdout) <= 80, stdout)
  assert.match(stdout, /^what +since \(UTC\) +waits for$/m)
  assert.match(stdout, /^workspaces\/top…roups\/all\.xml +2026-11-21 19:13:05 +nowhere, until…/m)
  assert.match(stdout, /style Style-1 ….* and 1 more$/m)
  assert.match(stdout, /^broken at its source +refers to$/m)
  assert.match(stdout, /default style StyleInfoImpl-5$/m)
})

test('waiting says so when nothing waits, how much more is broken than is named, and everything as JSON', async (t) => {
  const { run, target } = await shellWithDaemon(t)
  const json = await run('waiting', '--json')
  assert.deepEqual(JSON.parse(json.stdout), target.waitingRoom)
  target.waitingRoom.waiting = []
  target.waitingRoom.broken.count = 3
  assert.match((await run('waiting')).stdout, /^and 2 more$/m)
  target.waitingRoom.broken = { count: 0, references: [] }
  assert.equal((await run('waiting')).stdout, 'nothing waits\n')
})

test('waiting needs a daemon: a stopped node writes nothing', async (t) => {
  const { run } = await shellWithoutDaemon(t)
  const { code, stderr } = await run('waiting')
  assert.notEqual(code, 0)
  assert.match(stderr, /daemon-unreachable/)
})
