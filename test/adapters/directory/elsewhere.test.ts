/** The ways into the shared directory on systems that give an open directory no path by its descriptor. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Root } from '../../../src/adapters/directory/root.js'
import { withFaults } from '../../faults/files.js'

describe('a directory that is opened where descriptors have no paths', () => {
  let place = ''
  let root: Root

  before(async () => {
    const { existsSync } = fs
    fs.existsSync = (path) => path !== '/proc/self/fd' && existsSync(path)
    syncBuiltinESMExports()
    // the module asks once, when it is loaded
    const loaded = await import('../../../src/adapters/directory/root.js')
    fs.existsSync = existsSync
    syncBuiltinESMExports()
    place = await mkdtemp(join(tmpdir(), 'grapevine-test-'))
    await mkdir(join(place, 'd', 'e'), { recursive: true })
    await writeFile(join(place, 'd', 'f'), 'x')
    await symlink(join(place, 'd'), join(place, 'link'))
    root = new loaded.Root(place)
    await root.check()
  })
  after(() => rm(place, { recursive: true, force: true }))

  test('is reached by its path, and neither through a symlink nor through what is no directory', async () => {
    const dir = (await root.openDir('d/e'))!
    assert.equal(dir.at('name'), join(root.place, 'd/e/name'))
    assert.ok(await dir.inPlace())
    await dir.close()
    for (const path of ['link', 'link/e', 'd/f', 'd/f/below', 'missing', 'missing/below'])
      assert.equal(await root.openDir(path), null, path)
  })

  test('is no longer in place once it is gone', async () => {
    await mkdir(join(place, 'short'))
    const dir = (await root.openDir('short'))!
    await rm(join(place, 'short'), { recursive: true })
    assert.equal(await dir.inPlace(), false)
    await dir.close()
  })

  test('is used without a handle where the system opens no directories, and no other failure passes for that', async () => {
    await withFaults({ op: 'open', path: '/d/e$', code: 'EPERM' }, async () => {
      const dir = (await root.openDir('d/e'))!
      assert.ok((await dir.stat()).isDirectory())
      await dir.sync()
      await dir.close()
    })
    await withFaults({ op: 'open', path: '/d/e$' }, () => assert.rejects(root.openDir('d/e'), { code: 'EIO' }))
    await withFaults({ op: 'lstat', path: '/d$' }, () => assert.rejects(root.openDir('d/e'), { code: 'EIO' }))
  })
})
