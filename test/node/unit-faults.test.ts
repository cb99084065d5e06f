/** Parts of a node when what they stand on fails. */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { z } from 'zod'
import { encodeUpdate } from '../../src/catalog/index.js'
import { GrapevineError } from '../../src/errors.js'
import { keyPairOf } from '../../src/identity/index.js'
import { readJson } from '../../src/node/backup-format.js'
import { begin, holdUntilBegun } from '../../src/node/beginning.js'
import { readLastWords } from '../../src/node/last-words.js'
import { Recovery } from '../../src/node/recovery.js'
import { NodeControl } from '../../src/node/control.js'
import type { Home } from '../../src/node/home.js'
import { noTransport, openHome } from '../../src/node/open.js'
import { reissue } from '../../src/node/reissue.js'
import { verifyAll } from '../../src/node/verify.js'
import { WatchedStore } from '../../src/node/watched-store.js'
import { NodeDisk } from '../../src/runtime-node.js'
import { silentLogger, type Clock } from '../../src/runtime.js'
import { LevelStore, MemoryStore } from '../../src/store/index.js'
import { decodeRequest, decodeToken, encodeAnswer, encodeCbor, encodeOp, hexOf, sha256 } from '../../src/wire/index.js'
import { recordingLogger, tempHome } from '../control/world.js'
import { withFaults } from '../faults/files.js'
import { withMethod } from '../faults/methods.js'
import { Lab, type LabNode } from '../replica/lab.js'

const error = (code: ConstructorParameters<typeof GrapevineError>[0]): GrapevineError =>
  new GrapevineError(code, 'injected', { next: 'look' })
const rejects = (code: Parameters<typeof error>[0]) => () => () => Promise.reject(error(code))

/** Timers fire in the next turn of the event loop. */
const hasty: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  pause: () => Promise.resolve(),
  timer: (_ms, fn) => {
    const timer = setImmediate(fn)
    return () => clearImmediate(timer)
  }
}

async function one(): Promise<LabNode> {
  const [a] = (await new Lab().nodes(1)) as [LabNode]
  return a
}

test('a damaged row is told whoever asked for it, and any other failure is not', async () => {
  const store = new MemoryStore()
  const told: string[] = []
  const watched = new WatchedStore(store, (reason) => told.push(reason))
  for (const code of ['store-damaged', 'store-failed'] as const) {
    const fails = () => () => {
      throw error(code)
    }
    await withMethod(store, 'get', fails, async () => assert.throws(() => watched.get('a'), { code }))
    await withMethod(store, 'getMany', fails, () => assert.rejects(watched.getMany(['a']), { code }))
    await withMethod(store, 'iterate', fails, () =>
      assert.rejects(
        async () => {
          for await (const _ of watched.iterate({ gte: '', lt: 'z' }));
        },
        { code }
      )
    )
  }
  assert.equal(told.length, 3)
})

test('what stands in a backup and is no JSON damages it', () => {
  assert.throws(() => readJson(Buffer.from('{'), z.unknown()), { code: 'backup-damaged' })
})

test('a token whose checksum is right and whose content is not is refused', () => {
  const body = Buffer.from([0xff])
  const token = `gv1-${Buffer.concat([body, sha256(body).subarray(0, 4)]).toString('base64url')}`
  assert.throws(() => decodeToken(token), { code: 'token-malformed' })
})

test('a file of the log that cannot be measured is closed again', async (t) => {
  const disk = new NodeDisk(join(await tempHome(t), 'log'))
  await withFaults({ op: 'stat', path: '1.seg' }, () => assert.rejects(disk.open('1.seg'), { code: 'EIO' }))
  const file = await disk.open('1.seg')
  await file.close()
})

describe('a new life', () => {
  test('begins as soon as its epoch can be opened, and without one where the node may not write', async (t) => {
    for (const code of ['disk-full', 'role-forbids'] as const) {
      const home = await tempHome(t)
      const { logger, lines } = recordingLogger()
      const { replica } = await one()
      holdUntilBegun(replica, 'copied')
      let tries = 0
      await withMethod(
        replica,
        'openEpoch',
        (original) => () => (tries++ === 0 ? Promise.reject(error(code)) : original.call(replica)),
        () => begin({ home, replica, clock: hasty, logger, others: () => 0, ending: () => false }, 'copied')
      )
      assert.equal(tries, code === 'disk-full' ? 2 : 1)
      assert.equal(lines.filter(({ message }) => /could not begin yet/.test(message)).length, tries - 1)
    }
  })
})

describe('what is to be written again', () => {
  test('is set aside when the list is damaged, and holds up nothing when it may not be said any more', async (t) => {
    const home = await tempHome(t)
    const { logger, lines } = recordingLogger()
    const { replica } = await one()
    await writeFile(join(home, 'reissue.json'), '{', { mode: 0o600 })
    await reissue(home, replica, logger)
    assert.match(lines[0]!.message, /set aside/)
    // a value of an entry, and an op of the members
    const update = encodeUpdate({ client: 1, clock: 0, tuples: [['exec', true, 1, 1]], deletes: [] })
    const edits = [{ entry: '00'.repeat(16), update: hexOf(update), bodies: [] }]
    await writeFile(join(home, 'reissue.json'), JSON.stringify({ version: 1, edits, members: [] }), { mode: 0o600 })
    await withMethod(replica, 'change', rejects('role-forbids') as never, () => reissue(home, replica, logger))
    assert.ok(lines.some(({ message }) => /could not be written again/.test(message)))
    const op = { k: 'admit', key: new Uint8Array(32), role: 'author', name: 'n' } as const
    const members = [hexOf(encodeCbor(encodeOp(op)))]
    await writeFile(join(home, 'reissue.json'), JSON.stringify({ version: 1, edits: [], members }), { mode: 0o600 })
    await withMethod(replica, 'writeMembers', rejects('role-forbids') as never, () => reissue(home, replica, logger))
    assert.ok(lines.some(({ message }) => /Admissions that nobody else had/.test(message)))
  })
})

test('a daemon that is asked to stop and cannot leaves its end to whoever waits for it', async () => {
  let asked = 0
  const stop = (): Promise<never> => ((asked += 1), Promise.reject(error('store-failed')))
  await new NodeControl({ stop, views: {} } as never).shutdown()
  await new Promise((done) => setImmediate(() => setImmediate(done)))
  assert.equal(asked, 1)
})

test('why a home cannot be opened is told even when its index cannot be closed', async (t) => {
  const path = await tempHome(t)
  const home = { path, keys: keyPairOf(new Uint8Array(32)), cluster: { cluster: 'c'.repeat(32) } } as unknown as Home
  const faults = [
    { op: 'readdir', path: '/blobs' },
    { op: 'sync', path: '/index', skip: 2 }
  ]
  await withFaults(faults, () => assert.rejects(openHome(home, noTransport('n'), silentLogger), /blob store/))
})

test('of an index that is damaged as much is heard as reads back, and any other failure is told', async (t) => {
  const path = join(await tempHome(t), 'index')
  const a = await one()
  await a.put('heard.txt', 'x')
  await a.replica.stop()
  const rows = new Map<string, Uint8Array>()
  for await (const [key, bytes] of a.store.iterate({ gte: '', lt: '~' })) rows.set(key, bytes)
  const store = await LevelStore.open(path)
  await store.write(rows)
  await store.close()
  const heard = async (): Promise<number[]> => {
    const { heldBefore, membersBefore } = await readLastWords(path, a.replica.members.cluster)
    return [
      heldBefore.length,
      heldBefore.flatMap(({ paths }) => [...paths.values()].flat()).length,
      membersBefore.list().length
    ]
  }
  const logs = [...a.replica.log.logs()].length
  assert.deepEqual(await heard(), [logs, 1, 1])
  // the first range is that of the logs, the second that of the members
  const failing = (code: Parameters<typeof error>[0]) => {
    let ranges = 0
    return (original: LevelStore['iterate']): LevelStore['iterate'] =>
      function (this: LevelStore, range) {
        if (++ranges === 2) throw error(code)
        return original.call(this, range)
      }
  }
  await withMethod(LevelStore.prototype, 'iterate', failing('store-damaged'), async () =>
    assert.deepEqual(await heard(), [logs, 0, 0])
  )
  await withMethod(LevelStore.prototype, 'iterate', failing('store-failed'), () =>
    assert.rejects(heard(), { code: 'store-failed' })
  )
})

test('a store that still refuses is tried again', async () => {
  const { logger, lines } = recordingLogger()
  let tries = 0
  const { replica } = await one()
  const store = { failure: error('disk-full'), reopen: () => ((tries += 1), Promise.reject(error('disk-full'))) }
  const recovery = new Recovery({ clock: hasty, logger, replica, stores: [store as never] })
  recovery.start()
  while (tries < 3) await new Promise((done) => setImmediate(done))
  recovery.stop()
  assert.ok(lines.some(({ message }) => /still refuses/.test(message)))
})

test('a member that does not answer, or breaks off, does not keep the others from being compared', async () => {
  const { logger, lines } = recordingLogger()
  const { replica, id } = await one()
  const transport = {
    peers: () => ['mute', 'torn'].map((node) => ({ node, addresses: [], found: 'given', connectedAt: 0 })),
    request: (node: string, _lane: string, frame: Uint8Array) => {
      if (node === 'mute' || decodeRequest(frame).t !== 'root') return Promise.reject(error('peer-unreachable'))
      return Promise.resolve(encodeAnswer({ t: 'root-is', root: '00'.repeat(32), vector: [] }))
    }
  }
  const members = () => ['mute', 'torn']
  const deps = { replica, transport: transport as never, clock: hasty, logger, nameOf: () => undefined, members }
  const view = await verifyAll(deps, { waitMs: 0 })
  assert.deepEqual(
    view.nodes.map(({ node, reachable }) => [node, reachable]),
    [
      [id, true],
      ['mute', false],
      ['torn', true]
    ]
  )
  assert.deepEqual(
    lines.map(({ level }) => level),
    ['debug', 'warn']
  )
})
