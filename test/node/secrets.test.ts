/** What an admin's node does by itself about the secret of the cluster: who lacks it is given it, and only then the old goes. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { keyPairOf, nodeIdOf, secretIdOf } from '../../src/identity/index.js'
import { readHome, writeSecrets } from '../../src/node/home.js'
import { noTransport, openHome } from '../../src/node/open.js'
import { HomeSecrets } from '../../src/node/secrets.js'
import { initHome } from '../../src/node/setup.js'
import { silentLogger } from '../../src/runtime.js'
import { systemClock, systemRandom } from '../../src/runtime-node.js'

test('the old secret goes only when who was given the new one late holds that as well', async (t) => {
  const path = mkdtempSync(join(tmpdir(), 'gv-secrets-'))
  await initHome({ home: path })
  const home = await readHome(path)
  const { replica, close } = await openHome(home, noTransport(home.node), silentLogger)
  t.after(async () => {
    await close()
    rmSync(path, { recursive: true, force: true })
  })
  const admit = async (byte: number): Promise<string> => {
    const key = keyPairOf(new Uint8Array(32).fill(byte)).publicKey
    await replica.writeMembers(() => [{ k: 'admit', key, role: 'author', name: `n${byte}` }])
    return nodeIdOf(key)
  }
  const holdsAll = (node: string): void => replica.engine.durable.said(node, replica.engine.vector())
  const secrets = new HomeSecrets({
    home,
    save: (all) => writeSecrets(path, all),
    replica,
    clock: systemClock,
    random: systemRandom,
    logger: silentLogger,
    changed: () => undefined
  })
  const [first] = secrets.secrets.open.map(secretIdOf)
  const early = await admit(1)
  await secrets.rotate()
  const late = await admit(2)
  for (const node of [early, late]) holdsAll(node)
  // both hold all there was until now, and the box of the second is made in this moment
  await secrets.look()
  const [newest] = secrets.view()
  assert.deepEqual([newest!.phase, newest!.missing.map(({ node }) => node)], ['published', [early, late]])
  assert.ok(secrets.secrets.open.map(secretIdOf).includes(first!))
  holdsAll(early)
  await secrets.look()
  assert.ok(secrets.secrets.open.map(secretIdOf).includes(first!))
  holdsAll(late)
  await secrets.look()
  assert.deepEqual(secrets.secrets.open.map(secretIdOf), [newest!.id])
  assert.deepEqual(secrets.secrets.closed.map(secretIdOf), [first])
})
