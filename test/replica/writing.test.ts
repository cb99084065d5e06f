/** Local changes on their way out: packed, fsynced, acknowledged, and nothing half done when the disk refuses. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { GrapevineError } from '../../src/errors.js'
import { decodeGossip, decodeRecord, MAX_RECORD_BYTES, MAX_RECORD_OPS } from '../../src/wire/index.js'
import { diskFailure, SimDisk } from '../sim/disk.js'
import { Lab, meet, type LabNode } from '../replica/lab.js'

const catalogRecords = (node: LabNode) => node.records().filter((record) => record.body.space === 'catalog')

async function alone(): Promise<LabNode> {
  return (await new Lab().nodes(1))[0]!
}

async function pair(): Promise<[LabNode, LabNode]> {
  return (await new Lab().nodes(2)) as [LabNode, LabNode]
}

describe('packing', () => {
  test('changes that arrive together travel in one record, with one fsync', async () => {
    const a = await alone()
    const before = a.disk.counts.sync
    const written = await Promise.all(Array.from({ length: 100 }, (_, index) => a.put(`f${index}`, `${index}`)))
    assert.equal(new Set(written.map(({ record }) => record!.id)).size, 1)
    assert.equal(a.disk.counts.sync - before, 1)
    assert.equal(catalogRecords(a).length, 1)
  })

  test('more than one record can carry go into as many as it takes, each within the caps, in order', async () => {
    const [a, b] = await pair()
    const text = 'x'.repeat(10_000)
    await Promise.all(Array.from({ length: 300 }, (_, index) => a.put(`d/f${index}`, `${index} ${text}`)))
    const records = catalogRecords(a)
    assert.ok(records.length >= 6, `${records.length}`)
    for (const { bytes } of records) {
      assert.ok(bytes.length <= MAX_RECORD_BYTES)
      assert.ok(decodeRecord(bytes).body.ops.length <= MAX_RECORD_OPS)
    }
    await meet([a, b])
    assert.equal(b.replica.catalog.entries, 301)
    assert.equal(b.replica.catalog.root(), a.replica.catalog.root())
  })

  test('a change that brings more than it said does not spoil those packed with it', async () => {
    const [a, b] = await pair()
    const bulky = (name: string) =>
      a.edit((edit, draft) => {
        for (let index = 0; index < 20; index++)
          edit.put(`${name}/${index}`, draft.body(Buffer.from(`${name} ${index} ${'x'.repeat(15_000)}`)))
      }, 10)
    await Promise.all([a.put('first', '1'), bulky('one'), bulky('two'), a.put('last', '2')])
    await meet([a, b])
    assert.equal(b.replica.catalog.entries, 2 + 2 * 21)
    for (const record of catalogRecords(a)) assert.ok(record.bytes.length <= MAX_RECORD_BYTES)
  })

  test('a change that writes nothing makes no record and names none', async () => {
    const a = await alone()
    await a.put('f', 'x')
    const again = await a.put('f', 'x')
    assert.equal(again.record, null)
    assert.equal(catalogRecords(a).length, 1)
  })

  test('what a change throws reaches its caller, and nobody else', async () => {
    const a = await alone()
    const results = await Promise.allSettled([a.put('f', '1'), a.move('nowhere', 'g'), a.put('h', '2')])
    assert.deepEqual(
      results.map(({ status }) => status),
      ['fulfilled', 'rejected', 'fulfilled']
    )
    assert.deepEqual(await a.tree(), ['f=1', 'h=2'])
  })

  test('changes with a time of their own do not share a record with others', async () => {
    const a = await alone()
    await Promise.all([
      a.put('f', '1'),
      a.replica.change((draft) => draft.create('0'.repeat(32), 'old', { kind: 'dir' }), 100, 0),
      a.put('g', '2')
    ])
    assert.deepEqual(
      catalogRecords(a).map(({ body }) => body.time === 0),
      [false, true, false]
    )
  })

  /** Changes of which each takes longer than a piece of work may; `meanwhile` is what others do between the first two. */
  function slowChanges(a: LabNode, meanwhile: () => void = () => undefined) {
    const happened: string[] = []
    a.clock.pause = () => {
      if (happened.push('pause') === 2) meanwhile()
      return Promise.resolve()
    }
    const written = ['x', 'y', 'z'].map((name) =>
      a.edit((edit, draft) => {
        happened.push(name)
        a.clock.advance(5)
        edit.put(name, draft.body(Buffer.from(name)))
      })
    )
    return { happened, written }
  }

  test('of many changes in one record each that takes long lets others run', async () => {
    const a = await alone()
    const { happened, written } = slowChanges(a)
    await Promise.all(written)
    assert.deepEqual(happened, ['x', 'pause', 'y', 'pause', 'z', 'pause'])
    assert.equal(catalogRecords(a).length, 1)
  })

  test('when another epoch begins while changes are drafted, they are written under that', async () => {
    const a = await alone()
    await a.put('before', '1')
    const { written } = slowChanges(a, () => a.replica.renewEpoch())
    await Promise.all(written)
    assert.deepEqual(await a.tree(), ['before=1', 'x=x', 'y=y', 'z=z'])
    const [old, ...later] = catalogRecords(a).map(({ body }) => body.epoch)
    assert.ok(later.length > 0)
    assert.ok(!later.includes(old!))
  })

  test('when writing ends while changes are drafted, none of them is written', async () => {
    const a = await alone()
    const { written } = slowChanges(a, () =>
      a.replica.halt(new GrapevineError('disk-full', 'for the test', { next: 'nothing' }))
    )
    for (const outcome of await Promise.allSettled(written)) {
      assert.equal(outcome.status, 'rejected')
      assert.equal((outcome as PromiseRejectedResult).reason.code, 'disk-full')
    }
    assert.equal(catalogRecords(a).length, 0)
    assert.deepEqual(await a.tree(), [])
  })
})

describe('roles', () => {
  test('a public node and a relay may not write; nor may who is no member yet', async () => {
    const nodes = await new Lab().nodes(3, { roles: ['public', 'relay'] })
    for (const node of [...nodes.slice(1), await nodes[0]!.lab.blank('stranger')])
      await assert.rejects(node.put('f', 'x'), { code: 'role-forbids' })
  })
})

describe('a disk that refuses', () => {
  for (const kind of ['append', 'sync'] as const) {
    test(`a failing ${kind} rejects the change and leaves nothing of it; after recover() writing goes on`, async () => {
      const [a, b] = await pair()
      await a.put('kept', '1')
      const root = a.replica.catalog.root()
      a.disk.failNext(kind)
      await assert.rejects(
        a.put('lost', '2'),
        (error: unknown) => error instanceof GrapevineError && error.code === 'store-failed'
      )
      assert.equal(a.replica.catalog.root(), root)
      assert.deepEqual(await a.tree(), ['kept=1'])
      assert.equal(a.replica.failure?.code, 'store-failed', 'whoever looks can see that nothing can be written')
      await assert.rejects(a.put('lost', '3'), { code: 'store-failed' })
      await a.replica.recover()
      assert.equal(a.replica.failure, undefined)
      await a.put('after', '4')
      await meet([a, b])
      assert.deepEqual(await b.tree(), ['after=4', 'kept=1'])
      await a.restart({ loseIndex: true })
      assert.deepEqual(await a.tree(), ['after=4', 'kept=1'])
    })
  }

  test('a full disk rejects with disk-full, and writing goes on by itself when there is room', async () => {
    const a = await alone()
    await a.put('kept', '1')
    a.disk.capacityBytes = a.replica.stats().bytes + 20
    await assert.rejects(a.put('lost', '2'), { code: 'disk-full' })
    assert.deepEqual(await a.tree(), ['kept=1'])
    a.disk.capacityBytes = Number.POSITIVE_INFINITY
    await a.put('after', '3')
    assert.deepEqual(await a.tree(), ['after=3', 'kept=1'])
  })

  test('that fails while records of others are taken in leaves them to be asked for again', async () => {
    const [a, b] = await pair()
    await a.put('f', '1')
    const records = catalogRecords(a)
    b.disk.failNext('sync')
    await b.receive(records)
    assert.deepEqual(await b.tree(), [])
    assert.equal(b.replica.failure?.code, 'store-failed')
    await b.receive(records)
    assert.deepEqual(await b.tree(), [], 'nothing is taken before the store has recovered')
    await b.replica.recover()
    await b.receive(records)
    assert.deepEqual(await b.tree(), ['f=1'])
  })

  test('what was acknowledged is there after a power cut, whatever the disk does to the rest', async () => {
    for (let seed = 1; seed <= 20; seed++) {
      const a = await alone()
      const random = a.lab.seedOf(`${seed}`)
      const acknowledged: string[] = []
      const writes = Array.from({ length: 30 }, (_, index) =>
        a.put(`f${String(index).padStart(2, '0')}`, `${index}`).then(
          ({ record }) => acknowledged.push(record!.id),
          () => undefined
        )
      )
      const batches = [0, 1, 2].map((turn) =>
        a.put(`g${turn}`, 'x').then(
          ({ record }) => acknowledged.push(record!.id),
          () => undefined
        )
      )
      for (let turns = random[0]! % 12; turns > 0; turns--) await Promise.resolve()
      a.disk.crash({ float: () => random[1]! / 256, bytes: (length) => random.slice(0, length) })
      await Promise.all([...writes, ...batches])
      const again = await a.lab.blank('n0', { disk: a.disk })
      for (const id of acknowledged) assert.ok(again.replica.log.find(id) !== undefined)
      await again.put('after', 'y')
    }
  })
})

describe('announcing', () => {
  test('nothing is gossiped before it is fsynced, and nothing that failed is gossiped at all', async () => {
    const a = await alone()
    a.replica.start()
    a.disk.failNext('sync', diskFailure('EIO', 'gone'))
    await assert.rejects(a.put('lost', '1'))
    a.clock.advance(1_000)
    assert.deepEqual(a.transport.published, [])
    await a.replica.recover()
    await a.put('kept', '2')
    a.clock.advance(1_000)
    const gossiped = a.transport.published.flatMap((frame) => decodeGossip(frame).records)
    assert.deepEqual(
      gossiped.map((bytes) => decodeRecord(bytes).id),
      catalogRecords(a).map(({ id }) => id)
    )
    await a.replica.stop()
  })

  test('a burst is gathered: at once the first, the rest together; what is too much goes as heads alone', async () => {
    const a = await alone()
    a.replica.start()
    await a.put('f', '0')
    assert.equal(a.transport.published.length, 1)
    for (let index = 1; index < 10; index++) await a.put('f', `${index}`)
    assert.equal(a.transport.published.length, 1)
    a.clock.advance(20)
    assert.equal(a.transport.published.length, 2)
    assert.equal(decodeGossip(a.transport.published[1]!).records.length, 9)
    for (let index = 0; index < 8; index++) await a.put(`big${index}`, `${index}${'x'.repeat(14_000)}`)
    a.clock.advance(20)
    const last = decodeGossip(a.transport.published.at(-1)!)
    assert.equal(last.records.length, 0)
    assert.equal(last.heads[0]!.seq, 18)
    await a.replica.stop()
  })
})

test('a disk with no room for even a new segment is no reason to forget what was there', async () => {
  const disk = new SimDisk()
  const [a] = (await new Lab().nodes(1, { each: () => ({ disk }) })) as [LabNode]
  await a.put('f', '1')
  disk.capacityBytes = 0
  await a.restart()
  assert.deepEqual(await a.tree(), ['f=1'])
})
