/**
 * A record of many edits is folded in steps, between which others run: nobody ever sees, writes upon or keeps a part of it.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { MemoryStore, type Store } from '../../src/store/index.js'
import type { SignedRecord } from '../../src/wire/index.js'
import { checkpoint } from './checkpointing.js'
import { forge, editOp, HandClock, Lab, LabNode, MemoryContents, meet } from './lab.js'

const EDITS = 500
/** Looks at the clock before work lets others run, where each takes a millisecond: each is behind one step. */
const STEPS_AT_ONCE = 4

/** A slow machine: whoever looks at the clock finds it a millisecond on. Others run when work pauses. */
class SlowClock extends HandClock {
  #looks = 0
  pauses = 0
  meanwhile: () => void | Promise<void> = () => undefined

  override monotonic(): number {
    return super.monotonic() + this.#looks++
  }

  override async pause(): Promise<void> {
    this.pauses += 1
    await this.meanwhile()
    await new Promise((resolve) => setImmediate(resolve))
  }
}

const catalogRecords = (node: LabNode): SignedRecord[] => node.records().filter(({ body }) => body.space === 'catalog')

/** Three that know each other, two of them on slow machines. */
async function three(contents = false): Promise<{
  readonly a: LabNode
  readonly b: LabNode
  readonly slow: LabNode
  readonly clock: SlowClock
  readonly clockOfB: SlowClock
}> {
  const [clockOfB, clock] = [new SlowClock(), new SlowClock()]
  const [a, b, slow] = (await new Lab().nodes(3, {
    each: (index) => ({
      clock: [new HandClock(), clockOfB, clock][index]!,
      ...(contents ? { contents: new MemoryContents() } : {})
    })
  })) as [LabNode, LabNode, LabNode]
  return { a, b, slow, clock, clockOfB }
}

/** One record: half of the edits are of entries that were there, in a directory that moves. */
async function large(a: LabNode, others: readonly LabNode[]): Promise<SignedRecord> {
  await Promise.all(Array.from({ length: EDITS / 2 }, (_, at) => a.put(`dir/f${at}`, 'before')))
  await meet([a, ...others])
  await Promise.all([
    a.move('dir', 'moved'),
    ...Array.from({ length: EDITS / 2 }, (_, at) => a.put(`moved/f${at}`, 'after')),
    ...Array.from({ length: EDITS / 2 }, (_, at) => a.put(`new/f${at}`, 'new'))
  ])
  const record = catalogRecords(a).at(-1)!
  assert.ok(record.body.ops.length >= EDITS, 'all of it is in one record')
  return record
}

interface Seen {
  readonly root: string
  readonly entries: number
  readonly waiting: number
}

const seen = ({ replica }: LabNode): Seen => ({
  root: replica.catalog.root(),
  entries: replica.catalog.entries,
  waiting: replica.waiting
})

async function copyOf(store: Store): Promise<MemoryStore> {
  const copy = new MemoryStore()
  const rows = new Map<string, Uint8Array>()
  for await (const [key, bytes] of store.iterate({ gte: '', lt: '\u{10ffff}' })) rows.set(key, bytes)
  await copy.write(rows)
  return copy
}

describe('a record of many edits', () => {
  test('lets others run every few steps, and shows itself whole or not at all', async () => {
    const { a, slow, clock } = await three()
    const record = await large(a, [slow])
    const before = seen(slow)
    const shown: Seen[] = []
    clock.pauses = 0
    clock.meanwhile = () => void shown.push(seen(slow))
    await slow.receive([record])
    clock.meanwhile = () => undefined
    assert.ok(shown.length * STEPS_AT_ONCE >= EDITS, `${shown.length} pauses`)
    const during = { ...before, waiting: 1 }
    for (const each of shown) assert.deepEqual(each, each.waiting === 0 ? seen(a) : during)
    assert.deepEqual(seen(slow), seen(a))
    assert.deepEqual(await slow.tree(), await a.tree())
  })

  test('that is written here does so too, and is shown when it is in the log', async () => {
    const { a, slow, clock } = await three()
    const before = seen(slow)
    const shown: Seen[] = []
    clock.meanwhile = () => void shown.push(seen(slow))
    await Promise.all(Array.from({ length: EDITS }, (_, at) => slow.put(`f${at}`, 'x')))
    clock.meanwhile = () => undefined
    assert.equal(catalogRecords(slow).length, 1)
    // once while it is drafted, and once more while what it changes is worked out
    assert.ok(shown.length * STEPS_AT_ONCE >= 2 * EDITS, `${shown.length} pauses`)
    for (const each of shown) assert.deepEqual(each, before)
    await a.pull(slow)
    assert.deepEqual(seen(slow), seen(a))
  })

  test('that is refused at its last edit leaves nothing behind', async () => {
    const { a, b, slow, clock } = await three()
    const record = await large(a, [b, slow])
    await meet([a, b, slow])
    const bad = forge(a, a.keys, {
      ops: [
        ...record.body.ops
          .flatMap((op, at) => (op.k === 'edit' ? [editOp(a, a.keys, op.entry, [['exec', at % 2 === 0]])] : []))
          .slice(0, EDITS),
        { k: 'edit', entry: 'ab'.repeat(16), update: Uint8Array.of(9, 9) }
      ]
    })
    const before = seen(slow)
    clock.pauses = 0
    await slow.receive([bad])
    assert.ok(clock.pauses > 0)
    assert.equal(slow.replica.log.row(bad.log, bad.body.seq)?.state, 'rejected')
    assert.deepEqual(seen(slow), before)
    await b.receive([bad])
    assert.deepEqual(seen(slow), seen(b))
  })

  test('is folded after a crash at whatever moment, with the index written in between', async () => {
    const { a, slow, clock } = await three()
    const record = await large(a, [slow])
    const copies: Array<Promise<MemoryStore>> = []
    clock.pauses = 0
    clock.meanwhile = async () => {
      if (clock.pauses % 20 !== 0) return
      // a listing has everything written that is pending
      await slow.tree()
      copies.push(copyOf(slow.store))
    }
    await slow.receive([record])
    clock.meanwhile = () => undefined
    assert.ok(copies.length > 5)
    for (const copy of copies) {
      const again = await new LabNode(slow.lab, slow.keys, { disk: slow.disk, store: await copy }).open()
      assert.deepEqual(seen(again), seen(a))
      assert.deepEqual(await again.tree(), await a.tree())
    }
  })

  test('has whatever changes the catalog or the members wait, and all of it comes to the same everywhere', async () => {
    const { a, b, slow, clock } = await three(true)
    const record = await large(a, [b, slow])
    // of others, not knowing of it: to the same entries, where they were before
    await b.put('dir/f0', 'by b')
    await b.remove('dir/f1')
    await b.move('dir/f2', 'f2')
    const theirs = catalogRecords(b).slice(-3)
    const under: Array<Promise<unknown>> = []
    const doing = [
      () => slow.put('dir/f0', 'by slow'),
      () => slow.receive(theirs),
      () => slow.move('dir', 'elsewhere'),
      () => slow.replica.retryHeld(),
      () =>
        slow.replica.writeMembers(() => [
          { k: 'admit', key: a.lab.keysOf('late').publicKey, role: 'author', name: 'late' }
        ]),
      () => slow.tree(),
      () => slow.replica.checkpoints!.propose(),
      () => slow.replica.checkpoints!.advance(),
      () => slow.replica.checkpoints!.prune()
    ]
    clock.meanwhile = () => {
      const next = clock.pauses % 10 === 0 ? doing.shift() : undefined
      if (next !== undefined) under.push(next())
    }
    clock.pauses = 0
    await slow.receive([record])
    await Promise.all(under)
    clock.meanwhile = () => undefined
    assert.equal(doing.length, 0, 'all of it was begun meanwhile')
    await meet([a, b, slow])
    for (const node of [b, slow]) {
      assert.deepEqual(seen(node), seen(a))
      assert.deepEqual(await node.tree(), await a.tree())
    }
    const anew = await new LabNode(slow.lab, slow.keys, { disk: slow.disk, store: new MemoryStore() }).open()
    assert.deepEqual(seen(anew), seen(a))
  })

  test('is all there when a node has stopped that was asked to meanwhile', async () => {
    const { a, slow, clock } = await three()
    const record = await large(a, [slow])
    let stopped: Promise<Seen> | undefined
    clock.meanwhile = () => void (stopped ??= slow.replica.stop().then(() => seen(slow)))
    await slow.receive([record])
    clock.meanwhile = () => undefined
    assert.deepEqual(await stopped, seen(a))
    slow.disk.kill()
    const again = await new LabNode(slow.lab, slow.keys, { disk: slow.disk, store: slow.store }).open()
    assert.deepEqual(seen(again), seen(a))
  })

  test('is not in a checkpoint that does not cover it, and comes in while that is made', async () => {
    const { a, b, slow, clock, clockOfB } = await three(true)
    await large(a, [b, slow])
    await meet([a, b, slow])
    await a.replica.checkpoints!.propose()
    await meet([a, b, slow])
    await Promise.all(Array.from({ length: EDITS / 2 }, (_, at) => a.put(`moved/f${at}`, 'later')))
    const later = catalogRecords(a).at(-1)!
    clockOfB.pauses = clock.pauses = 0
    await b.receive([later])
    const attest = async (node: LabNode): Promise<void> => {
      const proposal = node.replica.checkpoints!.due(Number.POSITIVE_INFINITY)
      await node.replica.checkpoints!.attest(proposal!)
    }
    // it is looked what came later, and then at all entries, of which those change in the middle
    const moment = clockOfB.pauses - 20
    let made: Promise<void> | undefined
    clock.meanwhile = () => void (made ??= clock.pauses === moment ? attest(slow) : undefined)
    await slow.receive([later])
    clock.meanwhile = () => undefined
    await made!
    for (const node of [a, b]) await attest(node)
    await meet([a, b, slow])
    for (const { replica } of [a, b, slow])
      assert.equal(await replica.checkpoints!.advance(), true, 'all came to the same')
    await checkpoint([a, b, slow])
    for (const node of [b, slow]) assert.deepEqual(seen(node), seen(a))
  })
})

test('a checkpoint of many logs lets others run while it is written down what each of them knows', async () => {
  const { a, b, slow, clock } = await three(true)
  const LOGS = 100
  for (let at = 0; at < LOGS; at++) await a.receive([forge(a, b.keys, { epoch: at.toString(16).padStart(16, '0') })])
  await a.replica.checkpoints!.propose()
  await meet([a, b, slow])
  const proposal = slow.replica.checkpoints!.due(Number.POSITIVE_INFINITY)!
  clock.pauses = 0
  await slow.replica.checkpoints!.attest(proposal)
  assert.ok(clock.pauses * STEPS_AT_ONCE >= LOGS, `${clock.pauses} pauses`)
})

test('a checkpoint that is taken over lets others run within each of its pieces', async () => {
  const { a, b, slow, clock } = await three(true)
  await Promise.all(Array.from({ length: EDITS }, (_, at) => a.put(`dir/f${at}`, 'x')))
  await meet([a, b, slow])
  // the second takes the place of what the first covers
  for (let round = 0; round < 2; round++) await checkpoint([a, b, slow])
  const pieces = slow.replica.checkpoints!.manifests.floor!.chunks.length
  clock.pauses = 0
  await slow.restart({ loseIndex: true })
  // of each entry: put, placed, made into rows
  assert.ok(clock.pauses * STEPS_AT_ONCE >= 2 * EDITS, `${clock.pauses} pauses in ${pieces} pieces`)
  assert.deepEqual(seen(slow), seen(a))
})
