/** The log of everybody's records; invariants of record-log.ts cited by number. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { keyPairOf } from '../../src/identity/index.js'
import { RecordLog, SegmentLog } from '../../src/log/index.js'
import { silentLogger } from '../../src/runtime.js'
import { MemoryStore, Overlay } from '../../src/store/index.js'
import { sealRecord, type Dep, type SignedRecord } from '../../src/wire/index.js'
import { SimDisk } from '../sim/disk.js'
import { SeededRandom } from '../sim/random.js'

const CLUSTER = 'c'.repeat(32)

class Rig {
  store = new MemoryStore()
  rows!: Overlay
  log!: RecordLog
  segments!: SegmentLog

  constructor(readonly disk = new SimDisk()) {}

  async open(): Promise<this> {
    this.segments = await SegmentLog.open(this.disk.mount(), { logger: silentLogger }, { maxSegmentBytes: 4_096 })
    this.rows = new Overlay({ store: this.store })
    this.log = new RecordLog({ segments: this.segments, rows: this.rows, store: this.store, logger: silentLogger })
    await this.log.open()
    return this
  }

  /** As the applier does: applies what can be, in whatever order the logs come. */
  drain(): string[] {
    const applied: string[] = []
    for (let moved = true; moved;) {
      moved = false
      for (const head of this.log.logs()) {
        while (head.applied < head.seq) {
          const record = this.log.read(head.log, head.applied + 1)
          if (this.log.missing(record) !== undefined) break
          const past = this.log.past(record.log, record.body.deps)
          if (past === undefined) break
          this.log.setApplied(
            record,
            past,
            record.body.depth === past.depth + 1 ? undefined : { state: 'rejected', reason: 'wrong depth' }
          )
          applied.push(record.id)
          moved = true
        }
      }
    }
    return applied
  }
}

const keys = [0, 1, 2, 3].map((index) => keyPairOf(createHash('sha256').update(`author ${index}`).digest()))

/** Makes records by hand; remembers depth and newest of each author. */
class Authors {
  readonly newest = new Map<number, SignedRecord>()
  readonly all: SignedRecord[] = []

  write(
    author: number,
    deps: readonly SignedRecord[] = [],
    changes: { depth?: number; prev?: string | null; seq?: number; time?: number } = {}
  ): SignedRecord {
    const last = this.newest.get(author)
    const { publicKey, sign } = keys[author]!
    const record = sealRecord(
      {
        cluster: CLUSTER,
        space: 'catalog',
        author: publicKey,
        epoch: '0'.repeat(16),
        seq: changes.seq ?? (last?.body.seq ?? 0) + 1,
        prev: changes.prev !== undefined ? changes.prev : (last?.id ?? null),
        deps: deps.map((dep): Dep => ({ log: dep.log, seq: dep.body.seq, id: dep.id })),
        depth: changes.depth ?? 1 + Math.max(0, last?.body.depth ?? 0, ...deps.map((dep) => dep.body.depth)),
        time: changes.time ?? this.all.length,
        ops: []
      },
      sign
    )
    if (changes.seq === undefined) this.newest.set(author, record)
    this.all.push(record)
    return record
  }
}

/** Records of four authors who saw each other's newest now and then. */
function drawn(seed: number, count: number): SignedRecord[] {
  const random = new SeededRandom(seed)
  const authors = new Authors()
  for (let index = 0; index < count; index++) {
    const author = random.below(4)
    const others = [0, 1, 2, 3].filter((other) => other !== author && random.chance(0.3))
    // not only heads: anything older that was seen may be named too
    const deps = others.flatMap((other) => {
      const theirs = authors.all.filter((record) => record.body.author === keys[other]!.publicKey)
      return theirs.length === 0 ? [] : [random.chance(0.7) ? theirs.at(-1)! : random.pick(theirs)]
    })
    authors.write(author, deps)
  }
  return authors.all
}

/** Everything in a record's past, by walking all edges. */
function ancestors(record: SignedRecord, byId: ReadonlyMap<string, SignedRecord>): Map<string, number> {
  const past = new Map<string, number>()
  const seen = new Set<string>()
  const work = [record.body.prev, ...record.body.deps.map((dep) => dep.id)]
  for (let id = work.pop(); id !== undefined; id = work.pop()) {
    if (id === null || seen.has(id)) continue
    seen.add(id)
    const found = byId.get(id)!
    past.set(found.log, Math.max(past.get(found.log) ?? 0, found.body.seq))
    work.push(found.body.prev, ...found.body.deps.map((dep) => dep.id))
  }
  return past
}

function interleaved(records: readonly SignedRecord[], random: SeededRandom): SignedRecord[] {
  const queues = new Map<string, SignedRecord[]>()
  for (const record of records) queues.set(record.log, [...(queues.get(record.log) ?? []), record])
  const order: SignedRecord[] = []
  while (queues.size > 0) {
    const [log, queue] = random.pick([...queues])
    order.push(queue.shift()!)
    if (queue.length === 0) queues.delete(log)
  }
  return order
}

describe('invariant 1: a log is held without a gap, each record naming the one before', () => {
  test('what a record is to us: next, known, beyond a gap, without our predecessor, or a fork', async () => {
    const { log } = await new Rig().open()
    const authors = new Authors()
    const [one, two, three] = [authors.write(0), authors.write(0), authors.write(0)]
    assert.equal(log.continues(one), 'next')
    assert.equal(log.continues(two), 'gap')
    await log.append([one])
    assert.equal(log.continues(one), 'known')
    assert.equal(log.continues(two), 'next')
    assert.equal(log.continues(three), 'gap')
    assert.equal(log.continues(authors.write(0, [], { seq: 2, prev: 'f'.repeat(64) })), 'broken')
    assert.equal(log.continues(authors.write(0, [], { seq: 1, prev: null, time: 99 })), 'fork')
    await log.append([two, three])
    assert.equal(log.continues(authors.write(0, [], { seq: 2, prev: one.id, time: 99 })), 'fork')
    assert.deepEqual(log.vector(), [{ log: one.log, seq: 3, head: three.id.slice(0, 16) }])
  })

  test('every record can be read back, by place and by id, and nothing else can', async () => {
    const { log } = await new Rig().open()
    const records = drawn(1, 60)
    await log.append(records)
    for (const record of records) {
      assert.deepEqual(Buffer.from(log.read(record.log, record.body.seq).bytes), Buffer.from(record.bytes))
      assert.deepEqual(log.find(record.id), { log: record.log, seq: record.body.seq })
    }
    assert.equal(log.find('0'.repeat(64)), undefined)
    assert.throws(() => log.read(records[0]!.log, 10_000), { code: 'not-found' })
  })
})

describe('invariant 2: held means fsynced', () => {
  for (const kind of ['append', 'sync'] as const) {
    test(`a failing ${kind} leaves the records unknown, here and after a restart`, async () => {
      const rig = await new Rig().open()
      const [one, two] = drawn(2, 2)
      await rig.log.append([one!])
      rig.disk.failNext(kind)
      await assert.rejects(rig.log.append([two!]), { code: 'store-failed' })
      assert.equal(rig.log.find(two!.id), undefined)
      await rig.rows.flush()
      rig.disk.crash(new SeededRandom(1))
      await rig.open()
      assert.ok(rig.log.find(one!.id) !== undefined)
      assert.equal(rig.log.find(two!.id), undefined)
      await rig.log.append([two!])
      assert.ok(rig.log.find(two!.id) !== undefined)
    })
  }

  test('after a power cut at any moment what was held is held, and the rest can be appended again', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 2 ** 31 }),
        fc.nat(20),
        fc.constantFrom('kept', 'behind', 'dropped'),
        async (seed, turns, index) => {
          const random = new SeededRandom(seed)
          const rig = await new Rig().open()
          const records = drawn(seed, 40)
          const half = records.slice(0, 20)
          await rig.log.append(half)
          if (index === 'kept') await rig.rows.flush()
          let held = half
          const more = rig.log.append(records.slice(20)).then(
            () => (held = records),
            () => undefined
          )
          for (let turn = 0; turn < turns; turn++) await Promise.resolve()
          rig.disk.crash(random)
          await more
          if (index === 'dropped') rig.store = new MemoryStore()
          await rig.open()
          for (const record of held) assert.ok(rig.log.find(record.id) !== undefined)
          await rig.log.append(records.filter((record) => rig.log.find(record.id) === undefined))
          assert.equal(rig.drain().length, 40)
        }
      ),
      { seed: 20_260_108, numRuns: 40, includeErrorInReport: true }
    )
  })
})

describe('the index', () => {
  test('can be dropped: everything is found again in the segments, in the same places', async () => {
    const rig = await new Rig().open()
    const records = drawn(3, 80)
    await rig.log.append(records)
    rig.drain()
    const before = records.map((record) => rig.log.row(record.log, record.body.seq))
    rig.store = new MemoryStore()
    await rig.open()
    rig.drain()
    assert.deepEqual(
      records.map((record) => rig.log.row(record.log, record.body.seq)),
      before
    )
  })

  test('that is behind is brought up to date from where it stands, without reading what it has', async () => {
    const rig = await new Rig().open()
    const records = drawn(4, 60)
    await rig.log.append(records.slice(0, 50))
    rig.drain()
    await rig.rows.flush()
    await rig.log.append(records.slice(50))
    rig.disk.kill()
    rig.segments = await SegmentLog.open(rig.disk.mount(), { logger: silentLogger }, { maxSegmentBytes: 4_096 })
    rig.rows = new Overlay({ store: rig.store })
    rig.log = new RecordLog({ segments: rig.segments, rows: rig.rows, store: rig.store, logger: silentLogger })
    assert.deepEqual(await rig.log.open(), { indexed: 10, damaged: [] })
    assert.equal(rig.log.waitingCount(), 10)
    rig.drain()
    assert.equal(rig.log.waitingCount(), 0)
  })

  test('that knows more than the log holds is refused, to be rebuilt: the log is the truth', async () => {
    const rig = await new Rig().open()
    const records = drawn(5, 20)
    await rig.log.append(records.slice(0, 10))
    const copy = new SimDisk()
    for (const name of await rig.disk.list()) copy.place(name, rig.disk.contentOf(name))
    await rig.log.append(records.slice(10))
    await rig.rows.flush()
    const older = new Rig(copy)
    older.store = rig.store
    await assert.rejects(older.open(), { code: 'store-damaged' })
    older.store = new MemoryStore()
    await older.open()
    assert.equal(
      [...older.log.logs()].reduce((sum, head) => sum + head.seq, 0),
      10
    )
  })

  test('of a log with a torn tail ends where the last whole record does', async () => {
    const rig = await new Rig().open()
    const authors = new Authors()
    const records = [authors.write(0), authors.write(0), authors.write(0)]
    await rig.log.append(records)
    rig.disk.kill()
    const name = (await rig.disk.list()).at(-1)!
    const bytes = rig.disk.contentOf(name)
    rig.disk.place(name, bytes.slice(0, bytes.length - 5))
    rig.store = new MemoryStore()
    await rig.open()
    assert.equal(rig.log.get(records[0]!.log)!.seq, 2)
    await rig.log.append([records[2]!])
    assert.equal(rig.drain().length, 3)
  })
})

describe('invariant 3: causal order', () => {
  test('in every order of arrival each record is applied after its past, once, and none is left', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 2 ** 31 }), async (seed) => {
        const rig = await new Rig().open()
        const records = drawn(seed, 40)
        const byId = new Map(records.map((record) => [record.id, record]))
        const applied: string[] = []
        for (const record of interleaved(records, new SeededRandom(seed + 1))) {
          await rig.log.append([record])
          applied.push(...rig.drain())
        }
        assert.equal(new Set(applied).size, 40)
        const place = new Map(applied.map((id, index) => [id, index]))
        for (const record of records) {
          for (const before of [record.body.prev, ...record.body.deps.map((dep) => dep.id)]) {
            if (before !== null) assert.ok(place.get(before)! < place.get(record.id)!)
          }
        }
        assert.equal(rig.log.waitingCount(), 0)
        for (const record of records) assert.equal(byId.get(record.id), record)
      }),
      { seed: 20_260_109, numRuns: 40, includeErrorInReport: true }
    )
  })

  test('what a record knows of others is exactly its past, also after a restart', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 2 ** 31 }), fc.boolean(), async (seed, restart) => {
        const rig = await new Rig().open()
        const records = drawn(seed, 50)
        const byId = new Map(records.map((record) => [record.id, record]))
        for (const [index, record] of records.entries()) {
          await rig.log.append([record])
          const past = rig.log.past(record.log, record.body.deps)!
          const expected = ancestors(record, byId)
          expected.delete(record.log)
          assert.deepEqual(new Map([...past.knowledge].toSorted()), new Map([...expected].toSorted()))
          assert.equal(past.depth + 1, record.body.depth)
          rig.drain()
          if (!restart || index % 17 !== 0) continue
          await rig.rows.flush()
          rig.disk.kill()
          await rig.open()
        }
      }),
      { seed: 20_260_110, numRuns: 30, includeErrorInReport: true }
    )
  })

  test('a record that names another record at a place than the one we hold can never be judged', async () => {
    const rig = await new Rig().open()
    const authors = new Authors()
    const real = authors.write(0)
    await rig.log.append([real])
    rig.drain()
    const wrong = { ...real, id: 'f'.repeat(64) }
    assert.equal(rig.log.past(authors.write(1, [wrong]).log, [{ log: real.log, seq: 1, id: wrong.id }]), undefined)
  })

  test('waiting records are counted by space, and a log that waits is found when what it waits for moves', async () => {
    const rig = await new Rig().open()
    const authors = new Authors()
    const first = authors.write(0)
    const second = authors.write(1, [first])
    const third = authors.write(2, [second])
    await rig.log.append([third, second])
    assert.deepEqual(rig.drain(), [])
    assert.equal(rig.log.waitingCount(), 2)
    assert.equal(rig.log.waitingCount('catalog'), 2)
    assert.equal(rig.log.waitingCount('members'), 0)
    assert.deepEqual(rig.log.missing(third), { log: second.log, seq: 1, id: second.id })
    rig.log.blocked.add(third.log, { log: second.log, seq: second.body.seq })
    rig.log.blocked.add(second.log, first)
    const all = (): boolean => true
    assert.ok(rig.log.blocked.awaits(second.log, second.body.seq, all))
    assert.ok(!rig.log.blocked.awaits(second.log, second.body.seq - 1, all), 'it waits for a later one')
    assert.ok(!rig.log.blocked.awaits(second.log, second.body.seq, (waiting) => waiting !== third.log))
    assert.ok(!rig.log.blocked.awaits(third.log, third.body.seq, all))
    assert.deepEqual([...rig.log.blocked.take(first.log)], [second.log])
    assert.deepEqual([...rig.log.blocked.take(first.log)], [])
    await rig.log.append([first])
    assert.deepEqual(rig.drain(), [first.id, second.id, third.id])
  })

  test('a record that was rejected still counts as past: what follows it is one deeper than it ought to be', async () => {
    const rig = await new Rig().open()
    const authors = new Authors()
    const bad = authors.write(0, [], { depth: 9 })
    const next = authors.write(0, [], { depth: 2 })
    await rig.log.append([bad, next])
    rig.drain()
    assert.equal(rig.log.row(bad.log, 1)!.state, 'rejected')
    assert.equal(rig.log.row(bad.log, 1)!.reason, 'wrong depth')
    assert.equal(rig.log.row(next.log, 2)!.state, 'applied')
    assert.equal(rig.log.waitingCount(), 0)
  })
})

describe('invariant 4: two records at one place freeze the log, and both are kept', () => {
  test('also after a restart and without the index; the branch held goes on, and so do other logs', async () => {
    const rig = await new Rig().open()
    const authors = new Authors()
    const [one, two] = [authors.write(0), authors.write(0)]
    const twin = authors.write(0, [], { seq: 1, prev: null, time: 77 })
    const behindTwin = authors.write(0, [], { seq: 2, prev: twin.id })
    const other = authors.write(1)
    await rig.log.append([one])
    await rig.log.freeze(twin)
    for (const index of ['as it was', 'kept', 'dropped']) {
      if (index !== 'as it was') {
        await rig.rows.flush()
        rig.disk.kill()
        if (index === 'dropped') rig.store = new MemoryStore()
        await rig.open()
      }
      assert.equal(rig.log.get(one.log)!.frozen, true, index)
      assert.equal(rig.log.continues(behindTwin), 'frozen')
      assert.equal(rig.log.continues(two), 'next')
      assert.deepEqual(
        rig.log.twins(one.log).map(({ id }) => id),
        [twin.id]
      )
      assert.equal(rig.log.read(one.log, 1).id, one.id)
      assert.equal(rig.log.continues(other), 'next')
    }
  })

  test('more contradictions of one log than are worth keeping are forgotten', async () => {
    const rig = await new Rig().open()
    const authors = new Authors()
    const one = authors.write(0)
    await rig.log.append([one])
    for (let time = 1; time <= 50; time++) await rig.log.freeze(authors.write(0, [], { seq: 1, prev: null, time }))
    assert.ok(rig.log.twins(one.log).length <= 8)
  })
})
