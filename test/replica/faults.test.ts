/** A replica whose store, disk or network fails. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { GrapevineError } from '../../src/errors.js'
import { answerRequest } from '../../src/replica/answers.js'
import { removalOf } from '../../src/replica/index.js'
import type { MemoryStore } from '../../src/store/index.js'
import { decodeAnswer, encodeRequest, logIdOf } from '../../src/wire/index.js'
import { recordingLogger } from '../control/world.js'
import { withMethod } from '../faults/methods.js'
import { forge, Lab, type LabNode } from './lab.js'

const SEGMENT = '00000001.seg'
const HARM = Uint8Array.of(255, 0, 255, 0)
const refuses = (code: 'store-failed' | 'store-damaged') => () => () =>
  Promise.reject(new GrapevineError(code, 'injected', { next: 'look' }))

async function written(): Promise<{ a: LabNode; log: string }> {
  const [a] = (await new Lab().nodes(1)) as [LabNode]
  for (let at = 1; at <= 4; at++) await a.put('f', `value ${at}`)
  return { a, log: logIdOf('catalog', a.keys.publicKey, a.replica.epoch) }
}

describe('an index that cannot be written', () => {
  test('keeps nobody from hearing of a record that was durable by then', async () => {
    const { a } = await written()
    const isTold = (): boolean => a.replica.engine.vector().every(({ log, seq }) => seq === a.replica.log.get(log)!.seq)
    await withMethod(a.store as MemoryStore, 'write', refuses('store-failed'), async () => {
      await assert.rejects(
        a.replica.writeMembers(() => [{ k: 'uninvite', invite: 'ab'.repeat(16) }]),
        { code: 'store-failed' }
      )
      assert.equal(isTold(), false)
      assert.equal(a.replica.failure?.code, 'store-failed')
    })
    await a.replica.recover()
    assert.equal(isTold(), true)
  })

  test('stops writing when its turn comes, while listings go on', async () => {
    const { a } = await written()
    a.clock.advance(60_000)
    await a.settled()
    await withMethod(a.store as MemoryStore, 'write', refuses('store-failed'), async () => {
      await a.put('g', 'x')
      // what is pending is not listed, but what was there is
      assert.deepEqual(await a.tree(), ['f=value 4'])
      assert.equal(a.text('g'), 'x')
      a.clock.advance(60_000)
      await a.settled()
      assert.equal(a.replica.failure?.code, 'store-failed')
      await assert.rejects(a.put('h', 'x'), { code: 'store-failed' })
    })
  })
})

test('a damaged row ends the pass of a scrub and is told', async () => {
  const { a } = await written()
  const found: unknown[] = []
  const broken = () =>
    async function* (): AsyncGenerator<never> {
      await Promise.resolve()
      yield* [] as never[]
      throw new GrapevineError('store-damaged', 'a row is damaged', { next: 'rebuild' })
    }
  await withMethod(a.store as MemoryStore, 'iterate', broken, async () => {
    for await (const line of a.replica.scrub(() => Promise.resolve())) if ('damaged' in line) found.push(line.damaged)
  })
  assert.ok(found.includes('index'))
})

test('an entry of the index that does not decode is told as damage of the index', async () => {
  const { a } = await written()
  a.clock.advance(60_000)
  await a.settled()
  const id = a.replica.reader.resolve('f')!.id
  const found: unknown[] = []
  const torn: (original: MemoryStore['iterate']) => MemoryStore['iterate'] = (original) =>
    async function* (this: MemoryStore, range) {
      for await (const [key, row] of original.call(this, range))
        yield [key, key.endsWith(id) ? row.subarray(0, row.length >> 1) : row]
    }
  await withMethod(a.store as MemoryStore, 'iterate', torn, async () => {
    for await (const line of a.replica.scrub(() => Promise.resolve())) if ('damaged' in line) found.push(line)
  })
  assert.ok(found.length > 0, JSON.stringify(found))
})

test('a record that is damaged while it waits for another is fetched again', async () => {
  const lab = new Lab()
  const [a, b, c] = (await lab.nodes(3)) as [LabNode, LabNode, LabNode]
  await a.put('f', 'x')
  await b.pull(a)
  await b.put('g', 'y')
  const of = (node: LabNode) =>
    node
      .records()
      .filter(({ body }) => Buffer.compare(body.author, node.keys.publicKey) === 0 && body.space === 'catalog')
  const waiting = of(b)
  await c.receive(waiting)
  assert.equal(c.replica.reader.resolve('g'), undefined)
  const { offset } = c.replica.log.row(waiting[0]!.log, 1)!.at
  c.disk.damage(SEGMENT, offset + 40, HARM)
  await c.receive(of(a))
  assert.equal(c.text('f'), 'x')
  assert.equal(c.replica.reader.resolve('g'), undefined)
})

describe('a damaged record', () => {
  async function damaged(seq: number): Promise<{ a: LabNode; log: string }> {
    const { a, log } = await written()
    a.disk.damage(SEGMENT, a.replica.log.row(log, seq)!.at.offset + 40, HARM)
    return { a, log }
  }

  test('is lost when the peers that are there do not answer', async () => {
    const { a, log } = await damaged(2)
    const peer = { node: 'x', addresses: [], found: 'given' as const, connectedAt: 0 }
    await withMethod(
      a.transport,
      'peers',
      () => () => [peer] as unknown as [],
      async () => assert.equal(await a.replica.repair(log, 2), 'lost')
    )
  })

  test('ends an answer before it, and fails one that begins with it', async () => {
    const { a, log } = await damaged(3)
    const deps = {
      ...a.replica,
      log: a.replica.log,
      catalog: a.replica.catalog,
      reader: a.replica.reader,
      base: { inForce: undefined },
      vector: () => []
    }
    const ask = async (from: number): Promise<number> => {
      const frame = encodeRequest({ t: 'pull', log, from, count: 10 })
      return decodeAnswer(await answerRequest(frame, deps), 'records').records.length
    }
    assert.equal(await ask(1), 2)
    await assert.rejects(ask(3), { code: 'store-damaged' })
  })
})

test('a removal that needs a damaged record waits for it, over a restart, and takes effect when it is back', async () => {
  const { logger, lines } = recordingLogger()
  const nodes = await new Lab().nodes(3, { each: (index) => (index === 2 ? { logger } : {}) })
  const [admin, evil, node] = nodes as [LabNode, LabNode, LabNode]
  await evil.put('x', 'evil')
  await admin.pull(evil)
  await node.pull(evil)
  const log = logIdOf('catalog', evil.keys.publicKey, evil.replica.epoch)
  node.disk.damage(SEGMENT, node.replica.log.row(log, 1)!.at.offset + 40, HARM)
  await admin.replica.writeMembers(() => [removalOf(admin.replica.log, evil.keys.publicKey, 1)])
  const removal = admin.records().filter((record) => record.body.ops.some(({ k }) => k === 'revoke'))
  await node.receive(removal)
  assert.ok(lines.some(({ message }) => /cannot take effect before a damaged record is back/.test(message)))
  assert.deepEqual(await node.tree(), ['x=evil'])
  await node.restart()
  assert.ok(node.replica.removals.isPending)
  assert.deepEqual(await node.tree(), ['x=evil'])
  node.transport.request = (_to, _lane, frame) => admin.replica.requested(frame)
  const peer = { node: admin.id, addresses: [], found: 'given' as const, connectedAt: 0 }
  await withMethod(
    node.transport,
    'peers',
    () => () => [peer] as unknown as [],
    async () => assert.equal(await node.replica.repair(log, 1), 'healed')
  )
  assert.deepEqual(await node.tree(), [])
  assert.equal(node.replica.catalog.root(), admin.replica.catalog.root())
  assert.ok(!node.replica.removals.isPending)
})

test('a record judged by a damaged one waits for that, the node writes on, and it goes on when the damage is healed', async () => {
  const { logger, lines } = recordingLogger()
  const nodes = await new Lab().nodes(4, { each: (index) => (index === 3 ? { logger } : {}) })
  const [admin, evil, honest, node] = nodes as [LabNode, LabNode, LabNode, LabNode]
  await evil.put('x', 'evil')
  for (const each of [admin, honest, node]) await each.pull(evil)
  await honest.put('x', 'built on it')
  await node.receive([await admin.replica.writeMembers(() => [removalOf(admin.replica.log, evil.keys.publicKey, 1)])])
  assert.deepEqual(await node.tree(), [])
  const log = logIdOf('catalog', evil.keys.publicKey, evil.replica.epoch)
  node.disk.damage(SEGMENT, node.replica.log.row(log, 1)!.at.offset + 40, HARM)
  await node.pull(honest)
  assert.ok(lines.some(({ message }) => message === 'A record waits for a damaged one that it is judged by.'))
  assert.equal(node.replica.failure, undefined)
  assert.equal(node.replica.waiting, 1)
  await node.put('y', 'goes on')
  node.transport.request = (_to, _lane, frame) => honest.replica.requested(frame)
  const peer = { node: honest.id, addresses: [], found: 'given' as const, connectedAt: 0 }
  await withMethod(
    node.transport,
    'peers',
    () => () => [peer] as unknown as [],
    async () => assert.equal(await node.replica.repair(log, 1), 'healed')
  )
  assert.equal(node.replica.waiting, 0)
  assert.deepEqual(await node.tree(), ['x=built on it', 'y=goes on'])
})

test('what cannot be gossiped is pulled later, a fork as well: nobody waits for it', async () => {
  const { logger, lines } = recordingLogger()
  const [a, b] = (await new Lab().nodes(2, { each: () => ({ logger }) })) as [LabNode, LabNode]
  await b.put('f', 'x')
  await a.pull(b)
  a.replica.start()
  const told = (what: RegExp): boolean => lines.some(({ message }) => what.test(message))
  await withMethod(
    a.transport,
    'publish',
    () => () => Promise.reject(new Error('no pubsub')),
    async () => {
      await a.put('g', 'x')
      a.clock.advance(1_000)
      await a.settled()
      assert.ok(told(/Gossip was not sent/))
      await a.receive([forge(a, b.keys, { epoch: b.replica.epoch, seq: 1, prev: null })])
      await a.settled()
      assert.ok(told(/fork was not told/))
    }
  )
  await a.replica.stop()
})
