/** The small files of a home when they are damaged, or cannot be read or written. */
import assert from 'node:assert/strict'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import { SegmentLog } from '../../src/log/index.js'
import { AddressFile } from '../../src/node/address-file.js'
import { ensureKey, prepareHome, readHome, writeCluster, writePrivate } from '../../src/node/home.js'
import { epochsBegunHere, lifeBegan, newLifeOf, noteEpoch } from '../../src/node/life.js'
import { copyLogWithout } from '../../src/node/log-copy.js'
import { Losses } from '../../src/node/losses.js'
import { noteParted, readParted } from '../../src/node/parted.js'
import { readRoot, writeRoot } from '../../src/node/root-file.js'
import { NodeDisk, systemRandom } from '../../src/runtime-node.js'
import { silentLogger } from '../../src/runtime.js'
import { recordingLogger, tempHome } from '../control/world.js'
import { withFaults } from '../faults/files.js'

const SECRET = new Uint8Array(32)

async function madeHome(t: TestContext): Promise<string> {
  const home = await tempHome(t)
  await ensureKey(home, (length) => systemRandom.bytes(length))
  await writeCluster(
    home,
    { version: 1, cluster: 'c'.repeat(32), clusterName: 'c', nodeName: 'n', adopt: 'merge', peers: [], joined: false },
    [SECRET]
  )
  return home
}

/** Half of what was written there. */
async function spoil(file: string): Promise<void> {
  await writeFile(file, (await readFile(file, 'utf8')).slice(0, 5))
}

describe('a home', () => {
  test('that cannot be made is told as such', async (t) => {
    const home = join(await tempHome(t), 'home')
    await withFaults({ op: 'mkdir', path: home, code: 'ENOSPC' }, () =>
      assert.rejects(prepareHome(home), { code: 'disk-full' })
    )
    await withFaults({ op: 'mkdir', path: home }, () => assert.rejects(prepareHome(home), { code: 'store-failed' }))
    await prepareHome(home)
  })

  test('whose files cannot be read does not pass for an empty one', async (t) => {
    const home = await madeHome(t)
    await withFaults({ op: 'readFile', path: 'cluster.json' }, () =>
      assert.rejects(readHome(home), { code: 'store-failed' })
    )
    await withFaults({ op: 'readFile', path: 'home.sums' }, () =>
      assert.rejects(readHome(home), { code: 'store-failed' })
    )
    await readHome(home)
  })

  test('whose cluster file is damaged is named, with and without checksums', async (t) => {
    const home = await madeHome(t)
    await spoil(join(home, 'cluster.json'))
    await assert.rejects(readHome(home), { code: 'store-damaged' })
    await writeFile(join(home, 'home.sums'), '')
    await assert.rejects(readHome(home), { code: 'store-damaged' })
  })

  test('keeps a file as it was when writing it fails at any step', async (t) => {
    const file = join(await tempHome(t), 'file')
    await writePrivate(file, 'before')
    for (const op of ['create', 'writeFile', 'sync', 'chmod', 'rename'])
      await withFaults({ op, path: 'file', times: 1 }, async () => {
        await assert.rejects(writePrivate(file, 'after'), { code: 'store-failed' }, op)
        assert.equal(await readFile(file, 'utf8'), 'before', op)
      })
    await writePrivate(file, 'after')
    assert.equal(await readFile(file, 'utf8'), 'after')
  })
})

describe('the address book', () => {
  test('that is damaged counts as empty, and one that cannot be saved keeps nobody from working', async (t) => {
    const file = join(await tempHome(t), 'addresses.json')
    const { logger, lines } = recordingLogger()
    await writeFile(file, '[', { mode: 0o600 })
    const book = await new AddressFile(file, logger).open()
    assert.deepEqual(book.load(), [])
    await withFaults({ op: 'rename', path: 'addresses' }, async () => {
      book.save([{ node: 'n', address: '/ip4/127.0.0.1/tcp/1', lastOk: 1 }])
      await book.saved()
    })
    assert.equal(lines.filter(({ level }) => level === 'warn').length, 2)
  })
})

test('which directory was shared before is taken from the present one when it cannot be read', async (t) => {
  const home = await madeHome(t)
  await writeRoot(home, '/shared', { dev: '1', ino: '2' })
  assert.deepEqual(await readRoot(home, '/shared', silentLogger), { dev: '1', ino: '2' })
  await spoil(join(home, 'root-identity.json'))
  assert.equal(await readRoot(home, '/shared', silentLogger), undefined)
})

describe('a list of the home that is damaged is begun anew, and one that cannot be read stops', () => {
  test('losses', async (t) => {
    const home = await madeHome(t)
    const losses = new Losses(home)
    await losses.add([{ kind: 'record', log: 'a', seq: 1 } as never])
    await withFaults({ op: 'readFile', path: 'losses' }, () =>
      assert.rejects(new Losses(home).load(), { code: 'store-failed' })
    )
    await spoil(join(home, 'losses.json'))
    const again = new Losses(home)
    await again.load()
    assert.deepEqual(again.open, [])
  })

  test('logs of which peers hold another branch', async (t) => {
    const home = await madeHome(t)
    await noteParted(home, 'log', true)
    assert.deepEqual([...(await readParted(home))], ['log'])
    await withFaults({ op: 'readFile', path: 'parted' }, () =>
      assert.rejects(readParted(home), { code: 'store-failed' })
    )
    await spoil(join(home, 'parted.json'))
    assert.equal((await readParted(home)).size, 0)
  })
})

describe('the life of a home', () => {
  test('is another one when what tells so is damaged', async (t) => {
    const home = await madeHome(t)
    await lifeBegan(home, 'e1')
    assert.equal(await newLifeOf(home), undefined)
    assert.deepEqual([...(await epochsBegunHere(home))], ['e1'])
    await spoil(join(home, 'life.json'))
    assert.equal(await newLifeOf(home), 'copied')
    assert.equal((await epochsBegunHere(home)).size, 0)
    await noteEpoch(home, 'e2')
    assert.equal(await newLifeOf(home), undefined)
    await writeFile(join(home, 'new-life.json'), '{', { mode: 0o600 })
    assert.equal(await newLifeOf(home), 'copied')
  })

  test('is not judged while its files cannot be looked at', async (t) => {
    const home = await madeHome(t)
    await lifeBegan(home, 'e1')
    await withFaults({ op: 'stat', path: '/life$' }, () => assert.rejects(newLifeOf(home), { code: 'store-failed' }))
    for (const path of ['new-life.json', 'life.json'])
      await withFaults({ op: 'stat|readFile', path }, () => assert.rejects(newLifeOf(home), { code: 'store-failed' }))
  })
})

test('a log is copied with what this version cannot read', async (t) => {
  const home = await madeHome(t)
  const open = (): Promise<SegmentLog> => SegmentLog.open(new NodeDisk(join(home, 'log')), { logger: silentLogger })
  const log = await open()
  await log.append([Uint8Array.of(1, 2, 3)])
  await log.close()
  await mkdir(join(home, 'log.copying'))
  assert.deepEqual(await copyLogWithout(home, () => false), [])
  const copy = await open()
  const found: unknown[] = []
  for await (const scanned of copy.scan()) found.push('bytes' in scanned ? [...scanned.bytes] : scanned)
  assert.deepEqual(found, [[1, 2, 3]])
  await copy.close()
})
