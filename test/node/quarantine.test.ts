/** Two daemons, one of which runs into a fault while it folds what the other wrote, or writes it to its directory. */
import '../../src/polyfill.js'
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { DirectoryAdapter } from '../../src/adapters/directory/index.js'
import { Catalog, PLACE } from '../../src/catalog/index.js'
import { GrapevineError } from '../../src/errors.js'
import { createNode, type RunningNode } from '../../src/index.js'
import { openOffline } from '../../src/node/offline.js'
import { quarantineOf } from '../../src/node/quarantine.js'
import type { Op } from '../../src/wire/index.js'
import { tempHome } from '../control/world.js'
import { until } from '../e2e/until.js'
import { withMethod } from '../faults/methods.js'
import { editOp, forge, Lab, type LabNode } from '../replica/lab.js'

const bytes = async function* (text: string): AsyncIterable<Uint8Array> {
  yield Buffer.from(text)
}

interface Pair {
  readonly a: RunningNode
  b: RunningNode
  readonly homeOfB: string
  /** Starts b again. */
  again(): Promise<RunningNode>
  textAtB(path: string): Promise<string>
}

async function pair(t: TestContext): Promise<Pair> {
  const running = new Set<RunningNode>()
  // before their homes are removed
  t.after(() => Promise.all([...running].map((node) => node.stop())))
  const place = await tempHome(t)
  const start = async (name: string, token?: string): Promise<RunningNode> => {
    const [home, dir] = [join(place, name, 'home'), join(place, name, 'catalog')]
    const peers = name === 'b' ? a.multiaddrs : []
    const listen = ['/ip4/127.0.0.1/tcp/0']
    const node = await createNode({ home, dir, listen, peers, mdns: false, ...(token === undefined ? {} : { token }) })
    running.add(node)
    return node
  }
  const a = await start('a')
  const { token } = await a.control.invite({ role: 'author', expiresMs: 60_000, uses: 1 })
  const b = await start('b', token)
  await a.control.put('before.txt', bytes('x'))
  assert.equal((await b.control.verify({ waitMs: 30_000 })).equal, true)
  return {
    a,
    b,
    homeOfB: join(place, 'b', 'home'),
    again: () => start('b'),
    textAtB: (path) => readFile(join(place, 'b', 'catalog', path), 'utf8').catch(() => '')
  }
}

const held = async (node: RunningNode): Promise<number> => (await node.control.quarantine()).records.length

test('a daemon that cannot fold a record says so, goes on with everything else, and is in sync again once it can', async (t) => {
  const { a, b, homeOfB, again, textAtB } = await pair(t)
  let b2!: RunningNode
  await withMethod(
    Catalog.prototype,
    'fold',
    (original) =>
      function fold(this: Catalog, record, knows) {
        if (record.body.ops.some((op) => op.k === 'body' && Buffer.from(op.bytes).toString() === 'poison'))
          throw new TypeError('boom')
        return original.call(this, record, knows)
      },
    async () => {
      const written = await a.control.put('dir/bad.txt', bytes('poison'))
      await a.control.put('behind.txt', bytes('y'))
      await until('the record is held', async () => (await held(b)) === 1)
      await until('another waits for it', async () => (await b.control.quarantine()).records[0]!.waiting === 1)
      const [record] = (await b.control.quarantine()).records
      assert.deepEqual(
        [record!.record, record!.author, record!.space, record!.reason, record!.paths.toSorted()],
        [written.record, a.node, 'catalog', 'TypeError: boom', ['dir', 'dir/bad.txt']]
      )
      const status = await b.control.status()
      assert.equal(status.state, 'running')
      assert.deepEqual(
        status.problems.map(({ code, since }) => [code, since]),
        [['record-quarantined', record!.since]]
      )
      assert.equal((await b.control.verify({ waitMs: 0 })).equal, false)
      assert.equal((await a.control.verify({ waitMs: 0 })).equal, false)
      assert.notEqual((await b.control.peers())[0]!.inSync, true)
      // it goes on writing, and others take that
      await b.control.put('own.txt', bytes('z'))
      await until('the other has it', async () => {
        for await (const { path } of a.control.list('')) if (path === 'own.txt') return true
        return false
      })
      for (const what of [record!.record, record!.record.slice(0, 8)])
        await assert.rejects(b.control.dropQuarantined(what), (error: { code: string; next: string }) => {
          assert.equal(error.code, 'drop-refused')
          assert.ok(error.next.includes(`grapevine revoke ${a.node} --since ${record!.seq}`), error.next)
          return true
        })
      for (const what of ['nothing', record!.record.slice(0, 7), 'ff'.repeat(32)]) {
        await assert.rejects(b.control.dropQuarantined(what), { code: 'not-found' })
        await assert.rejects(b.control.retryQuarantined(what), { code: 'not-found' })
      }
      assert.equal((await b.control.retryQuarantined(record!.record.slice(0, 8))).records.length, 1)
      await b.stop()
      const offline = await openOffline(homeOfB)
      assert.deepEqual(await offline.reader.quarantine(), { records: [{ ...record!, waiting: 1 }], entries: [] })
      await offline.close()
      b2 = await again()
      assert.equal(await held(b2), 1)
    }
  )
  const seen: unknown[] = []
  const stop = new AbortController()
  const watching = (async () => {
    for await (const { event, code } of b2.control.events(stop.signal)) if (event === 'problem-closed') seen.push(code)
  })()
  assert.deepEqual(await b2.control.retryQuarantined(), { records: [], entries: [] })
  assert.equal((await b2.control.verify({ waitMs: 30_000 })).equal, true)
  await until('the files are written', async () => (await textAtB('dir/bad.txt')) === 'poison')
  stop.abort()
  await watching
  assert.deepEqual(seen, ['record-quarantined'])
  assert.deepEqual((await b2.control.status()).problems, [])
})

test('a daemon that cannot write one entry to its directory names it, writes all others, and tries when asked', async (t) => {
  const { a, b, textAtB } = await pair(t)
  await withMethod(
    DirectoryAdapter.prototype,
    'apply',
    (original) =>
      function apply(this: DirectoryAdapter, items, ...rest) {
        if (items.some(({ path }) => path === 'stuck.txt')) return Promise.reject(new TypeError('boom'))
        return original.call(this, items, ...rest)
      },
    async () => {
      await a.control.put('stuck.txt', bytes('1'))
      await a.control.put('free.txt', bytes('2'))
      await until('the other is written', async () => (await textAtB('free.txt')) === '2')
      await until('it is held', async () => (await b.control.quarantine()).entries.length === 1)
      const [entry] = (await b.control.quarantine()).entries
      assert.deepEqual(
        [entry!.path, entry!.state, entry!.reason],
        ['stuck.txt', 'held', 'stuck.txt cannot be applied: TypeError: boom']
      )
      const problem = (await b.control.status()).problems.find(({ code }) => code === 'entry-quarantined')
      assert.equal(problem?.path, 'stuck.txt')
      // to the others this node holds the same catalog
      assert.equal((await a.control.verify({ waitMs: 10_000 })).equal, true)
      assert.equal((await b.control.dropQuarantined('stuck.txt')).entries[0]!.state, 'dropped')
    }
  )
  await b.control.retryQuarantined('stuck.txt')
  await until('it is written', async () => (await textAtB('stuck.txt')) === '1')
  assert.deepEqual((await b.control.quarantine()).entries, [])
})

test('the paths of a held record are told as far as it says them, whatever is in it', async () => {
  const [a, b] = (await new Lab().nodes(2)) as [LabNode, LabNode]
  const [x, y, z] = ['1a', '2b', '3c'].map((digits) => digits.repeat(16)) as [string, string, string]
  const place = (id: string, parent: string, name: string): Op =>
    editOp(b, a.keys, id, [[PLACE, [Buffer.from(parent, 'hex'), name, 'a0']]])
  const record = forge(b, a.keys, {
    // two that are in each other, one that is not an edit at all, one that says nothing of its place
    ops: [
      place(x, y, 'x'),
      place(y, x, 'y'),
      { k: 'edit', entry: z, update: Uint8Array.of(9, 9) },
      editOp(b, a.keys, 'aa'.repeat(16), [['exec', true]])
    ]
  })
  await withMethod(
    Catalog.prototype,
    'fold',
    () => () => {
      throw new TypeError('boom')
    },
    () => b.receive([record])
  )
  const paths = (): string[] => quarantineOf(b.replica).records[0]!.paths
  assert.deepEqual(paths(), ['y/x', 'x/y', `id:${z}`, `id:${'aa'.repeat(16)}`])
  const failing = (code: 'store-damaged' | 'store-failed') => () => () => {
    throw new GrapevineError(code, 'injected', { next: 'look' })
  }
  await withMethod(b.replica.log, 'read', failing('store-damaged'), async () => assert.deepEqual(paths(), []))
  await withMethod(b.replica.log, 'read', failing('store-failed'), async () =>
    assert.throws(paths, { code: 'store-failed' })
  )
})
