/** What `rotate key` says when the key has gone on as another that this home does not hold. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { keyPairOf, nodeIdOf, signAppointment } from '../../src/identity/index.js'
import { readHome } from '../../src/node/home.js'
import { KeyRotation } from '../../src/node/key-rotation.js'
import { nextKeyIn, switchToNextKey } from '../../src/node/next-key.js'
import { noTransport, openHome } from '../../src/node/open.js'
import { initHome } from '../../src/node/setup.js'
import { silentLogger } from '../../src/runtime.js'
import { systemClock } from '../../src/runtime-node.js'
import { bytesOf } from '../../src/wire/index.js'
import { until } from '../e2e/until.js'

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

test('keys a node had before are dropped, also when the root made an admin of it before it came to that', async (t) => {
  const path = mkdtempSync(join(tmpdir(), 'gv-rotate-'))
  t.after(() => rmSync(path, { recursive: true, force: true }))
  await initHome({ home: path })
  const root = keyPairOf(bytesOf(readFileSync(join(path, 'root.key'), 'utf8').trim()))
  const had: Uint8Array[] = []
  for (let life = 1; life <= 3; life++) {
    const home = await readHome(path)
    const { cluster } = home.cluster
    const { replica, close } = await openHome(home, noTransport(home.node), silentLogger)
    const rotation = new KeyRotation({
      home,
      nextKey: nextKeyIn(path),
      replica,
      clock: systemClock,
      logger: silentLogger,
      connected: () => [],
      switchKey: () => Promise.resolve()
    })
    try {
      if (life < 3) {
        await rotation.rotate()
        had.push(home.keys.publicKey)
        continue
      }
      const appointment = { key: home.keys.publicKey, name: 'n', serial: 1, overrides: [] }
      const signature = signAppointment(root, cluster, appointment)
      await replica.writeMembers(() => [{ k: 'appoint', ...appointment, signature }])
      rotation.start()
      const left = (): string[] => replica.members.list().map(({ key }) => nodeIdOf(key))
      await until('the old keys are dropped', () => left().length === 1)
      assert.deepEqual(left(), [home.node])
      for (const key of had) assert.equal(replica.members.get(key), undefined)
    } finally {
      rotation.stop()
      await close()
      if (life < 3) await switchToNextKey(path)
    }
  }
})
