/** A log that is older than its index: what it lost is never written over, also when the node ends before its next write. */
import '../../src/polyfill.js'
import assert from 'node:assert/strict'
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
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
import { openBelow, watchCalls } from '../faults/files.js'

async function write(opened: Opened, path: string): Promise<void> {
  const { replica } = opened
  await replica.change((draft) => new PathEditor(draft, replica.reader).put(path, draft.body(Buffer.from(path))), 1_000)
}

async function opened(path: string, freshEpoch = false): Promise<Opened> {
  const home = await readHome(path)
  return openHome(home, noTransport(home.node), silentLogger, { freshEpoch })
}

/** A home whose log was put back to where it held one change less than the index knows; `changes` are kept. */
async function homeWithOlderLog(t: TestContext, changes = 1): Promise<{ path: string; epoch: string }> {
  const place = mkdtempSync(join(tmpdir(), 'gv-older-'))
  t.after(() => rmSync(place, { recursive: true, force: true }))
  const path = join(place, 'home')
  await initHome({ home: path })
  const first = await opened(path)
  for (let at = 0; at < changes; at++) await write(first, `kept ${at}`)
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

test('what is lost is named with its path, also when the process ended before anybody took note of it', async (t) => {
  const { path } = await homeWithOlderLog(t)
  for (let time = 0; time < 2; time++) await (await opened(path)).close()
  await (await openOffline(path)).close()
  assert.equal(existsSync(join(path, 'held-before.json')), false, 'it is noted among the losses now')
  const { reader, close } = await openOffline(path)
  const lost = await reader.acknowledgeLosses()
  await close()
  assert.deepEqual(
    lost.map((loss) => (loss.kind === 'record' ? loss.paths : loss)),
    [['lost']]
  )
})

test('the log that was opened before the index was found to know more is closed again', async (t) => {
  const { path } = await homeWithOlderLog(t)
  const { close } = await opened(path)
  await close()
  assert.deepEqual(openBelow(join(path, 'log')), [])
})

/**
 * The greatest table of a closed index loses its first half. Not to zeros: over those LevelDB ends the whole process.
 */
function rot(index: string): void {
  const tables = readdirSync(index)
    .filter((name) => name.endsWith('.ldb'))
    .map((name) => join(index, name))
  const [greatest] = tables.toSorted((a, b) => statSync(b).size - statSync(a).size)
  const bytes = readFileSync(greatest!)
  writeFileSync(greatest!, bytes.fill(0xff, 0, Math.floor(bytes.length / 2)))
}

test('an index that rots before it was asked what the log lost is made again all the same, under another epoch', async (t) => {
  // so many that what it is asked for does not lie beside what its opening reads
  const { path, epoch } = await homeWithOlderLog(t, 60)
  const index = join(path, 'index')
  let marks = 0
  const next = await watchCalls(
    (call) => {
      // it is marked as open, as closed once the log was found to hold less, and as open for a last time
      if (call === `rename ${join(index, 'open-state.json.new')}` && ++marks === 3) rot(index)
    },
    () => opened(path)
  )
  assert.notEqual(next.replica.epoch, epoch)
  assert.deepEqual(next.heldBefore, [], 'nothing could be read')
  assert.ok(next.replica.reader.resolve('kept 59') !== undefined)
  await next.close()
})
