/** What `rotate key` says when the key has gone on as another that this home does not hold. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { nodeIdOf } from '../../src/identity/index.js'
import { readHome } from '../../src/node/home.js'
import { KeyRotation } from '../../src/node/key-rotation.js'
import { nextKeyIn } from '../../src/node/next-key.js'
import { noTransport, openHome } from '../../src/node/open.js'
import { initHome } from '../../src/node/setup.js'
import { silentLogger } from '../../src/runtime.js'
import { systemClock } from '../../src/runtime-node.js'

test('a node whose next key was lost after it was published is told so, and may ask again as long as it is there', async (t) => {
  const path = mkdtempSync(join(tmpdir(), 'gv-rotate-'))
  await initHome({ home: path })
  const home = await readHome(path)
  const { replica, close } = await openHome(home, noTransport(home.node), silentLogger)
  t.after(async () => {
    await close()
    rmSync(path, { recursive: true, force: true })
  })
  const switchKey = (): Promise<void> => Promise.resolve()
  const rotation = new KeyRotation({
    home,
    nextKey: nextKeyIn(path),
    replica,
    clock: systemClock,
    logger: silentLogger,
    connected: () => [],
    switchKey
  })
  const { next } = await rotation.rotate()
  assert.equal((await rotation.rotate()).next, next)
  assert.ok(readFileSync(join(path, 'node.key.next')).length > 0)
  rmSync(join(path, 'node.key.next'))
  await assert.rejects(rotation.rotate(), { code: 'role-forbids', message: new RegExp(next) })
  assert.deepEqual(
    replica.members
      .list()
      .map(({ key }) => nodeIdOf(key))
      .toSorted(),
    [home.node, next].toSorted()
  )
})
