/** A log that is older than its index: what it lost is never written over, also when the node ends before its next write. */
import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { PathEditor } from '../../src/catalog/index.js'
import { readHome } from '../../src/node/home.js'
import { newLifeOf } from '../../src/node/life.js'
import { noTransport, openHome, type Opened } from '../../src/node/open.js'
import { openOffline } from '../../src/node/offline.js'
import { rebuildIndex } from '../../src/node/rebuild.js'
import { initHome } from '../../src/node/setup.js'
import { silentLogger } from '../../src/runtime.js'

async function write(opened: Opened, path: string): Promise<void> {
  const { replica } = opened
  await replica.change((draft) => new PathEditor(draft, replica.reader).put(path, draft.body(Buffer.from(path))), 1_000)
}

async function opened(path: string, freshEpoch = false): Promise<Opened> {
  const home = await readHome(path)
  return openHome(home, noTransport(home.node), silentLogger, { freshEpoch })
}

/** A home whose log was put back to where it held one change less than the index knows. */
async function homeWithOlderLog(t: TestContext): Promise<{ path: string; epoch: string }> {
  const place = mkdtempSync(join(tmpdir(), 'gv-older-'))
  t.after(() => rmSync(place, { recursive: true, force: true }))
  const path = join(place, 'home')
  await initHome({ home: path })
  const first = await opened(path)
  await write(first, 'kept')
  await first.close()
  cpSync(join(path, 'log'), join(place, 'log'), { recursive: true })
  const second = await opened(path)
  await write(second, 'lost')
  const { epoch } = second.replica
  await second.close()
  rmSync(join(path, 'log'), { recursive: true })
  cpSync(join(place, 'log'), join(path, 'log'), { recursive: true })
  return { path, epoch }
}

/** As the daemon opens a home. */
async function epochOfNext(path: string): Promise<string> {
  const next = await opened(path, (await newLifeOf(path)) !== undefined)
  const { epoch } = next.replica
  await next.close()
  return epoch
}

test('the node goes on under another epoch, and does so again when it ended before it wrote', async (t) => {
  const { path, epoch } = await homeWithOlderLog(t)
  for (const time of ['first', 'second', 'third']) assert.notEqual(await epochOfNext(path), epoch, `the ${time} time`)
})

test('who only looks into the stopped home, or makes its index again, does not wipe that out', async (t) => {
  const looked = await homeWithOlderLog(t)
  const { close } = await openOffline(looked.path)
  await close()
  assert.notEqual(await epochOfNext(looked.path), looked.epoch)
  const rebuilt = await homeWithOlderLog(t)
  await rebuildIndex({ home: rebuilt.path })
  assert.notEqual(await epochOfNext(rebuilt.path), rebuilt.epoch)
})
