/** Records of others on their way in: what is taken, what is refused and why, and what comes of it. */
import { HandClock } from '../net/hand-clock.js'
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { GrapevineError } from '../../src/errors.js'
import { Intake } from '../../src/replica/intake.js'
import {
  decodeRecord,
  decodeRequest,
  encodeAnswer,
  encodeGossip,
  encodeNotice,
  MAX_SEQ,
  type SignedRecord
} from '../../src/wire/index.js'
import { verify } from '../../src/identity/index.js'
import { SYNC_DEFAULTS } from '../../src/sync/index.js'
import { editOp, forge, Lab, type LabNode } from '../replica/lab.js'

const ENTRY = '1'.repeat(32)

const broken = (record: SignedRecord): SignedRecord => {
  const bytes = Uint8Array.from(record.bytes)
  bytes[5] = bytes[5]! ^ 0xff
  return decodeRecord(bytes)
}

const heldOf = (node: LabNode, log: string): number => node.replica.log.get(log)?.seq ?? 0

async function pair(roles?: readonly ('author' | 'public')[]): Promise<[LabNode, LabNode]> {
  return (await new Lab().nodes(2, roles === undefined ? {} : { roles })) as [LabNode, LabNode]
}

/** A writer's records, one a change, that the reader lacks. */
async function run(
  length: number
): Promise<{ writer: LabNode; reader: LabNode; records: SignedRecord[]; log: string }> {
  const [reader, writer] = await pair()
  for (let index = 0; index < length; index++) await writer.put('f', `${index}`)
  const records = writer.records().filter((record) => record.body.space === 'catalog')
  return { writer, reader, records, log: records[0]!.log }
}

/** Offers a run as a pull answers it, in one piece. */
async function offerTogether(node: LabNode, from: LabNode, records: readonly SignedRecord[]): Promise<void> {
  const { replica, transport } = node
  const newest = records.at(-1)!
  const { seq } = newest.body
  transport.request = async () =>
    encodeAnswer({ t: 'records', records: records.map((record) => record.bytes), head: seq })
  replica.start()
  replica.peerUp({ node: from.id, addresses: [], found: 'given', connectedAt: 0 })
  replica.notified(
    from.id,
    encodeNotice({ t: 'vector', full: true, vector: [{ log: newest.log, seq, head: newest.id.slice(0, 16) }] })
  )
  await node.settled()
  await replica.stop()
}

describe('a run of records', () => {
  test('whose newest signature is good is taken as a whole: it commits to all before it', async () => {
    const { reader, writer, records, log } = await run(5)
    let verified = 0
    const intake = new Intake({
      clock: new HandClock(),
      cluster: reader.lab.cluster,
      log: reader.replica.log,
      members: reader.replica.members,
      verify: async (key, bytes, signature) => {
        verified += 1
        return verify(key, bytes, signature)
      }
    })
    const proven = await intake.prove(records)
    assert.equal(proven.size, 5)
    assert.equal(verified, 1)
    await offerTogether(reader, writer, records)
    assert.equal(heldOf(reader, log), 5)
  })

  test('whose newest signature is bad is taken up to the last good one', async () => {
    const { reader, writer, records, log } = await run(5)
    await offerTogether(reader, writer, [...records.slice(0, 3), broken(records[3]!), broken(records[4]!)])
    assert.equal(heldOf(reader, log), 3)
  })

  test('none of whose signatures is good is refused', async () => {
    const { reader, writer, records, log } = await run(3)
    await offerTogether(reader, writer, records.map(broken))
    assert.equal(heldOf(reader, log), 0)
    assert.equal(reader.replica.failure, undefined)
  })

  test('with a changed body in the middle is taken up to there: the chain does not lead through it', async () => {
    const { reader, writer, records, log } = await run(5)
    const other = forge(writer, writer.keys, {
      epoch: records[2]!.body.epoch,
      seq: 3,
      prev: records[1]!.id,
      depth: records[2]!.body.depth,
      ops: []
    })
    await offerTogether(reader, writer, [...records.slice(0, 2), other, ...records.slice(3)])
    assert.ok(heldOf(reader, log) <= 3)
    assert.notEqual(reader.replica.log.row(log, 3)?.id, records[2]!.id)
  })

  test('split in any way, with repetitions, in any order of the pieces, ends with the same log', async () => {
    const { reader, records, log } = await run(8)
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(7), { minLength: 1, maxLength: 20 }), async (picks) => {
        const fresh = await reader.lab.blank('n0', { seed: 3 })
        await fresh.pull(reader)
        for (const pick of picks) await fresh.receive([records[pick]!])
        const reach = picks.reduce((seq, pick) => (pick === seq ? seq + 1 : seq), 0)
        assert.equal(heldOf(fresh, log), reach)
        await fresh.receive(records)
        await fresh.receive(records)
        assert.equal(heldOf(fresh, log), 8)
        assert.equal(fresh.text('f'), '7')
      }),
      { seed: 20_260_105, numRuns: 15, includeErrorInReport: true }
    )
  })
})

describe('refused by name', () => {
  async function whyNot(make: (a: LabNode, b: LabNode) => SignedRecord): Promise<string> {
    const [a, b] = await pair()
    await b.put('f', '1')
    await a.pull(b)
    const intake = new Intake({
      clock: new HandClock(),
      cluster: a.lab.cluster,
      log: a.replica.log,
      members: a.replica.members,
      verify: async (key, bytes, signature) => verify(key, bytes, signature)
    })
    const record = make(a, b)
    const judged = intake.judge([record], await intake.prove([record]))
    assert.equal(judged.accepted.length, 0)
    return judged.refused[0]?.why ?? (judged.forks.length > 0 ? 'fork' : 'known')
  }

  test('an author nobody admitted', async () => {
    assert.equal(await whyNot((a) => forge(a, a.lab.keysOf('stranger'))), 'unknown-author')
  })

  test('a bad signature', async () => {
    assert.equal(await whyNot((a, b) => broken(forge(a, b.keys))), 'bad-signature')
  })

  test('a space nobody knows', async () => {
    assert.equal(await whyNot((a, b) => forge(a, b.keys, { space: 'elsewhere' })), 'foreign')
  })

  test('a gap', async () => {
    assert.equal(await whyNot((a, b) => forge(a, b.keys, { seq: 7, prev: 'a'.repeat(64), depth: 9 })), 'gap')
  })

  test('a predecessor that is not ours', async () => {
    assert.equal(
      await whyNot((a, b) => forge(a, b.keys, { epoch: b.replica.epoch, prev: 'a'.repeat(64) })),
      'broken-chain'
    )
  })

  test('another record at a place we hold: a fork', async () => {
    assert.equal(await whyNot((a, b) => forge(a, b.keys, { epoch: b.replica.epoch, seq: 1, prev: null })), 'fork')
  })

  test('two different records at one place within one offer: a fork', async () => {
    const [a, b] = await pair()
    const intake = new Intake({
      clock: new HandClock(),
      cluster: a.lab.cluster,
      log: a.replica.log,
      members: a.replica.members,
      verify: async () => true
    })
    const twins = [forge(a, b.keys, { time: 1 }), forge(a, b.keys, { time: 2 })]
    const judged = intake.judge(twins, await intake.prove(twins))
    assert.deepEqual([judged.accepted.length, judged.forks.length], [1, 1])
  })

  test('a record of another cluster, by its own error', async () => {
    const [a, b] = await pair()
    const record = forge(a, b.keys, { cluster: 'c'.repeat(32) })
    await assert.rejects(a.receive([record]), { code: 'record-refused' })
    assert.equal(heldOf(a, record.log), 0)
  })

  test('bytes that are no record, by their own error', async () => {
    const [a] = await pair()
    for (const bytes of [new Uint8Array(), new Uint8Array(200), Buffer.from('x'.repeat(300))])
      await assert.rejects(a.replica.takeIn('lab', [bytes]), { code: 'record-malformed' })
  })
})

describe('gossip of several records', () => {
  test('costs one signature a run, that of its newest, and what does not follow is checked by itself', async () => {
    const { reader, records } = await run(4)
    const { log, members } = reader.replica
    const checked: string[] = []
    const intake = new Intake({
      clock: new HandClock(),
      cluster: reader.lab.cluster,
      log,
      members,
      verifyNow: (...signed) => {
        const good = verify(...signed)
        checked.push(good ? 'good' : 'bad')
        return good
      }
    })
    assert.equal(intake.checkGossip(records.slice(0, 2)), 'accept')
    assert.deepEqual(checked, ['good'])
    const [first, , third, fourth] = records as [SignedRecord, SignedRecord, SignedRecord, SignedRecord]
    assert.equal(intake.checkGossip([third, broken(fourth)]), 'reject')
    assert.equal(intake.checkGossip([broken(first), fourth]), 'reject', 'it is not in the run of the other')
    assert.deepEqual(checked, ['good', 'bad', 'bad'])
  })
})

describe('another copy of a record, whose signature is not its own', () => {
  test('is not proven by the good one, whichever comes first', async () => {
    const { reader, records } = await run(1)
    const { log, members } = reader.replica
    const intake = new Intake({ clock: new HandClock(), cluster: reader.lab.cluster, log, members })
    const [good] = records as [SignedRecord]
    const bad = broken(good)
    assert.equal(bad.id, good.id)
    assert.equal(intake.checkGossip([good]), 'accept')
    assert.equal(intake.checkGossip([bad]), 'reject')
    const proven = new Set([...(await intake.prove([bad])), ...(await intake.prove([good]))])
    const judged = intake.judge([bad, good], proven)
    assert.deepEqual(judged.accepted, [good])
    assert.deepEqual(
      judged.refused.map(({ why }) => why),
      ['bad-signature']
    )
  })

  test('does not take the place of a damaged one', async () => {
    const { reader, writer, records, log } = await run(1)
    await reader.pull(writer)
    const { at } = reader.replica.log.row(log, 1)!
    reader.disk.damage('00000001.seg', at.offset + 40, Uint8Array.of(255, 0, 255, 0))
    const answer = encodeAnswer({ t: 'records', records: [broken(records[0]!).bytes], head: 1 })
    reader.transport.request = async () => answer
    reader.transport.peers = () => [{ node: writer.id, addresses: [], found: 'given', connectedAt: 0 }] as never
    assert.equal(await reader.replica.repair(log, 1), 'lost')
  })
})

describe('an author who is admitted later', () => {
  test('is refused first, and its records taken once its admission is known', async () => {
    const [a, b] = await pair()
    const late = await a.lab.blank('late')
    await late.pull(a)
    await a.replica.writeMembers(() => [{ k: 'admit', key: late.keys.publicKey, role: 'author', name: 'late' }])
    await late.pull(a)
    await late.put('f', 'x')
    const written = late.records().filter((record) => record.body.space === 'catalog')
    await b.receive(written)
    assert.deepEqual(await b.tree(), [])
    await b.pull(a)
    await b.receive(written)
    assert.deepEqual(await b.tree(), ['f=x'])
  })
})

describe('what is taken and counts for nothing', () => {
  test('a public node writes: held, passed on, without effect, the same everywhere', async () => {
    const [a, b] = await pair(['public'])
    const record = forge(a, b.keys, { ops: [editOp(a, b.keys, ENTRY, [['custom', 1]])] })
    await a.receive([record])
    await b.pull(a)
    for (const node of [a, b]) {
      assert.equal(node.replica.log.row(record.log, 1)!.state, 'rejected')
      assert.match(node.replica.log.row(record.log, 1)!.reason, /may not write/)
      assert.equal(node.replica.reader.entry(ENTRY), undefined)
    }
    assert.equal(a.replica.catalog.root(), b.replica.catalog.root())
  })

  test('a wrong depth: rejected by everybody, and what builds on it in the same log goes on', async () => {
    const [a, b] = await pair()
    for (const [seq, depth] of [
      [1, 7],
      [2, 2]
    ] as const) {
      const record = forge(a, b.keys, { depth, ops: [editOp(a, b.keys, ENTRY, [['custom', seq]], { seq })] })
      await a.receive([record])
      assert.equal(a.replica.log.row(record.log, seq)!.state, 'rejected')
      assert.match(a.replica.log.row(record.log, seq)!.reason, /depth/)
    }
    const good = forge(a, b.keys, { ops: [editOp(a, b.keys, ENTRY, [['custom', 3]])] })
    await a.receive([good])
    assert.equal(a.replica.log.row(good.log, 3)!.state, 'applied')
    await b.pull(a)
    assert.equal(b.replica.catalog.root(), a.replica.catalog.root())
  })

  test('a depth near the greatest there is: nobody who builds on it comes any deeper, and all go on writing', async () => {
    const [a, b] = await pair()
    const record = forge(a, b.keys, { depth: MAX_SEQ })
    await a.receive([record])
    assert.equal(a.replica.log.row(record.log, 1)!.state, 'rejected')
    const written = await a.put('f', 'still here')
    await b.pull(a)
    assert.equal(b.text('f'), 'still here')
    const after = a.replica.log.read(written.record!.log, written.record!.seq)
    assert.ok(after.body.deps.some(({ id }) => id === record.id))
    assert.ok(after.body.depth < 10, `its depth is ${after.body.depth}`)
    assert.equal(b.replica.catalog.root(), a.replica.catalog.root())
    await a.restart({ loseIndex: true })
    assert.equal(a.replica.log.row(record.log, 1)!.state, 'rejected')
    assert.equal(a.text('f'), 'still here')
  })

  test('one bad op in a record of many: none of it applies', async () => {
    const [a, b] = await pair()
    const good = editOp(a, b.keys, ENTRY, [['custom', 1]])
    const bad = editOp(a, b.keys, '2'.repeat(32), [['exec', 'perhaps']])
    const record = forge(a, b.keys, { ops: [{ k: 'body', bytes: Buffer.from('left behind?') }, good, bad] })
    const root = a.replica.catalog.root()
    await a.receive([record])
    assert.equal(a.replica.log.row(record.log, 1)!.state, 'rejected')
    assert.equal(a.replica.catalog.root(), root)
    assert.equal(a.replica.reader.entry(ENTRY), undefined)
  })

  test('ops of a later version: kept as they came, the rest of the record applies', async () => {
    const [a, b] = await pair()
    const record = forge(a, b.keys, {
      ops: [{ k: 'unknown', raw: { k: 'teleport', to: 'mars' } }, editOp(a, b.keys, ENTRY, [['custom', 1]])]
    })
    await a.receive([record])
    assert.equal(a.replica.log.row(record.log, 1)!.state, 'applied')
    assert.deepEqual(Buffer.from(a.replica.log.read(record.log, 1).bytes), Buffer.from(record.bytes))
    assert.ok(a.replica.reader.entry(ENTRY) !== undefined)
  })
})

describe('gossip', () => {
  test('is decoded no further than its hash where the record is held already', async () => {
    const { reader, records } = await run(3)
    const [held, ...rest] = records as [SignedRecord, ...SignedRecord[]]
    await reader.receive([held])
    const { log, members } = reader.replica
    const intake = new Intake({ clock: new HandClock(), cluster: reader.lab.cluster, log, members })
    const all = [held, broken(held), ...rest].map(({ bytes }) => bytes)
    assert.deepEqual(
      intake.decodeNew(all).map(({ id }) => id),
      rest.map(({ id }) => id)
    )
    assert.throws(() => intake.decodeNew([held.bytes.subarray(0, 64)]), { code: 'record-malformed' })
  })

  test('is passed on when every record is of a member and signed, ignored of strangers, rejected when forged', async () => {
    const [a, b] = await pair()
    const good = forge(a, b.keys)
    const gossip = (records: readonly SignedRecord[]): string =>
      a.replica.gossip(b.id, encodeGossip({ records: records.map((record) => record.bytes), heads: [] }))
    assert.equal(gossip([forge(a, a.lab.keysOf('stranger'))]), 'ignore')
    assert.equal(gossip([broken(good)]), 'reject')
    assert.equal(gossip([forge(a, b.keys, { cluster: 'c'.repeat(32) })]), 'reject')
    assert.equal(a.replica.gossip(b.id, Buffer.from('nonsense')), 'reject')
    assert.equal(gossip([good]), 'accept')
    await a.settled()
    assert.equal(heldOf(a, good.log), 1)
    assert.equal(gossip([good]), 'ignore', 'a repetition is not passed on: the others had it the first time')
    await a.settled()
    assert.equal(heldOf(a, good.log), 1)
  })

  test('with a gap before it makes the node pull from the one who told', async () => {
    const { reader, writer, records, log } = await run(3)
    const asked: unknown[] = []
    reader.transport.request = async (to, _lane, frame) => {
      asked.push([to, decodeRequest(frame)])
      throw new GrapevineError('peer-unreachable', 'gone', { next: 'wait' })
    }
    reader.replica.start()
    reader.replica.peerUp({ node: writer.id, addresses: [], found: 'given', connectedAt: 0 })
    const last = records[2]!
    assert.equal(
      reader.replica.gossip(
        writer.id,
        encodeGossip({ records: [last.bytes], heads: [{ log, seq: 3, head: last.id.slice(0, 16) }] })
      ),
      'accept'
    )
    assert.deepEqual(asked, [
      [writer.id, { t: 'pull', log, from: 1, count: SYNC_DEFAULTS.maxPullRecords, packed: true }]
    ])
    await reader.replica.stop()
  })
})

describe('a fork', () => {
  test('freezes the log at once, tells, and takes nothing more of the other branch', async () => {
    const told: unknown[] = []
    const nodes = await new Lab().nodes(2, {
      each: () => ({ events: { forkFound: (log, author) => told.push([log, author]) } })
    })
    const [a, b] = nodes as [LabNode, LabNode]
    await b.put('f', '1')
    await a.pull(b)
    const log = b.records().find((record) => record.body.space === 'catalog')!.log
    const twin = forge(a, b.keys, { epoch: b.replica.epoch, seq: 1, prev: null })
    await a.receive([twin])
    assert.equal(a.replica.log.get(log)!.frozen, true)
    assert.deepEqual(told, [[log, b.id]])
    await a.receive([forge(a, b.keys, { epoch: b.replica.epoch, seq: 2, prev: twin.id })])
    assert.equal(heldOf(a, log), 1)
    // what its author added before it learned of the fork is not lost
    await b.put('f', '2')
    await a.pull(b)
    assert.equal(heldOf(a, log), 2)
    assert.equal(a.text('f'), '2')
  })

  test('stays known after a restart, and after the index was dropped', async () => {
    const [a, b] = await pair()
    await b.put('f', '1')
    await a.pull(b)
    const log = b.records().find((record) => record.body.space === 'catalog')!.log
    const twin = forge(a, b.keys, { epoch: b.replica.epoch, seq: 1, prev: null })
    await a.receive([twin])
    for (const loseIndex of [false, true]) {
      await a.restart({ loseIndex })
      assert.equal(a.replica.log.get(log)!.frozen, true, `index lost: ${loseIndex}`)
    }
  })
})
