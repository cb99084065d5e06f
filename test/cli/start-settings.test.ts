/** What `start` writes into the settings outlives a power cut, whole. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { callsOf } from '../faults/files.js'
import { shellWithoutDaemon, until } from './shell.js'

test('the directory a first start writes into the settings is on the disk before it says that it runs', async (t) => {
  const shell = await shellWithoutDaemon(t)
  let made = 0
  const calls = await callsOf(async () => {
    const run = shell.run('start', '--dir', 'data')
    await until(() => /running node=/.test(shell.soFar()))
    shell.interrupt.abort()
    made = (await run).code
  })
  assert.equal(made, 0)
  const file = join(shell.home, 'config.json')
  const order = [`writeFile ${file}.new`, `sync ${file}.new`, `rename ${file}.new`, `sync ${shell.home}`]
  assert.deepEqual(
    calls.filter((call) => order.includes(call)),
    order
  )
})
