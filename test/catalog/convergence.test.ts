/** The promise of the fold: the same records give the same catalog, in whatever order they came. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { GrapevineError } from '../../src/errors.js'
import { decodeUpdate, entryHash, inspectDoc, ROOT_ID, type Value } from '../../src/catalog/index.js'
import type { Replica } from '../../src/replica/index.js'
import { sha256, type Op, type SignedRecord } from '../../src/wire/index.js'
import { editOp, forge, Lab, meet, type LabNode } from '../replica/lab.js'
import { SeededRandom } from '../sim/random.js'

const SEED = 20_260_102
const REFUSALS = ['not-found', 'path-taken', 'not-a-directory', 'not-a-file', 'move-into-itself']
const PLACES = ['a', 'b', 'a/c', 'b/d', 'a/x', 'x', 'b/a', 'a/b', 'x/y']

/** One change of a kind drawn at random; what the catalog refuses is no change. */
async function act(node: LabNode, random: SeededRandom): Promise<void> {
  const path = random.pick(PLACES)
  const other = random.pick(PLACES)
  try {
    const what = random.float()
    if (what < 0.3) await node.put(path, `${random.below(4)}`)
    else if (what < 0.45) await node.mkdir(path)
    else if (what < 0.75) await node.move(path, other)
    else if (what < 0.9) await node.remove(path)
    else await node.put(path, `${random.below(4)}`, { seen: new Set(), exec: random.chance(0.5) })
  } catch (error) {
    assert.ok(error instanceof GrapevineError && REFUSALS.includes(error.code), String(error))
  }
}

/** Ids that a foreign implementation uses besides those that are there. */
const WILD_IDS = [1, 2, 3, 4, 5].map((each) => `${each}`.repeat(32))

/**
 * A record no editor of ours would write, but that is valid: entries placed below each other at will, several at once,
 * fields nobody knows, deletions of anything, edits that leave nothing.
 */
async function actWildly(node: LabNode, random: SeededRandom): Promise<void> {
  const { reader } = node.replica
  const ids = [...WILD_IDS]
  for await (const id of reader.ids()) ids.push(id)
  const ops: Op[] = []
  const clocks = new Map<string, number>()
  for (let left = 1 + random.below(3); left > 0; left--) {
    const id = random.pick(ids)
    const tuples: Array<[string, Value]> = []
    if (random.chance(0.6))
      tuples.push([
        'place',
        [
          Buffer.from(random.chance(0.2) ? ROOT_ID : random.pick(ids), 'hex'),
          random.pick(['a', 'b', 'c', 'x']),
          random.chance(0.3) ? 'a0' : null
        ]
      ])
    if (random.chance(0.3)) tuples.push(['body', [sha256(Buffer.from('')), 0]])
    if (random.chance(0.2)) tuples.push([random.pick(['custom', 'constructor', 'exec']), random.chance(0.5)])
    if (random.chance(0.15)) tuples.push(['!', { custom: 1, place: [Buffer.alloc(16), 'kept', null] }])
    const clients = (reader.entry(id)?.state.clients ?? []).toSorted((a, b) => b.client - a.client)
    const deletes = clients
      .filter(() => random.chance(0.5))
      .map(({ client, clock }) => ({ client, clock: random.below(clock), length: 1 + random.below(clock + 3) }))
    const before = clocks.get(id)
    // now and then a clock that jumps: the whole record counts for nothing
    const wrong = random.chance(0.04) ? { clock: 1_000 } : {}
    const op = editOp(node, node.keys, id, tuples, {
      deletes,
      ...(before === undefined ? {} : { clock: before }),
      ...wrong
    }) as Op & { k: 'edit' }
    const { client, clock } = decodeUpdate(op.update)
    if (client !== 0) clocks.set(id, clock + tuples.length)
    ops.push(op)
  }
  await node.receive([forge(node, node.keys, { ops })])
}

/** Several authors write apart and meet now and then; the last one is of another implementation. */
async function history(seed: number, authors: number): Promise<{ lab: Lab; nodes: LabNode[] }> {
  const random = new SeededRandom(seed)
  const lab = new Lab(seed)
  const nodes = await lab.nodes(authors)
  for (const node of nodes)
    node.clock.wall += random.chance(0.3) ? (random.float() - 0.5) * 4 * 365 * 86_400_000 : random.below(100)
  for (let step = 0; step < 30; step++) {
    const node = random.pick(nodes)
    if (random.chance(0.3)) await node.pull(random.pick(nodes.filter((other) => other !== node)))
    else if (node === nodes.at(-1)) await actWildly(node, random)
    else await act(node, random)
    node.clock.wall += random.below(50)
  }
  await meet(nodes)
  return { lab, nodes }
}

/** Any order that keeps each log in its own; records may come before what they build on. */
function shuffled(records: readonly SignedRecord[], random: SeededRandom): SignedRecord[] {
  const logs = new Map<string, SignedRecord[]>()
  for (const record of records.toSorted((a, b) => a.body.seq - b.body.seq))
    logs.set(record.log, [...(logs.get(record.log) ?? []), record])
  const order: SignedRecord[] = []
  while (logs.size > 0) {
    const [log, queue] = random.pick([...logs])
    order.push(queue.shift()!)
    if (queue.length === 0) logs.delete(log)
  }
  return order
}

/** Everything that can be seen of a catalog. */
async function picture({ catalog, reader }: Replica): Promise<unknown> {
  const lines: string[] = []
  for await (const { path, entry } of reader.walk(ROOT_ID, '')) {
    const { meaning } = entry
    lines.push(
      `${path} ${entry.id} ${meaning.body?.hash ?? 'dir'} ${String(meaning.exec)} ${String(meaning.editDelete)} ${meaning.conflicts.map(({ field, tuples }) => `${field}: ${tuples.map(({ log, seq, clock }) => `${log.slice(0, 6)}/${seq}/${clock}`).join(' ')}`).join()}`
    )
    assert.equal(reader.pathOf(entry.id), path)
    assert.equal(reader.resolve(path)?.id, entry.id)
  }
  assert.equal(lines.length, catalog.entries, 'the count of entries differs from the listing')
  return { lines, root: catalog.root(), conflicts: catalog.conflicts }
}

/** The rows beside a doc say what the doc says, and the buckets are the sums of what is there. */
async function checkRows({ reader, catalog }: Replica): Promise<void> {
  const sums = new Map<number, bigint>()
  for await (const id of reader.ids()) {
    const { state } = reader.entry(id)!
    const doc = inspectDoc(state)
    assert.equal(doc.pending, false)
    const rows = state.tuples.map(({ client, clock, field, time, seq }) => `${client}:${clock} ${field} ${time} ${seq}`)
    assert.deepEqual(
      doc.tuples
        .map(({ client, clock, content: [field, , time, seq] }) => `${client}:${clock} ${field} ${time} ${seq}`)
        .toSorted(),
      rows.toSorted()
    )
    assert.deepEqual(new Map([...doc.stateVector]), new Map(state.clients.map(({ client, clock }) => [client, clock])))
    const bucket = Number.parseInt(id.slice(0, 3), 16)
    if (state.tuples.length > 0)
      sums.set(
        bucket,
        (sums.get(bucket) ?? 0n) + BigInt(`0x${Buffer.from(entryHash(id, state)).reverse().toString('hex')}`)
      )
  }
  const all = Buffer.alloc(4_096 * 32)
  for (const [bucket, sum] of sums)
    Buffer.from((sum % 2n ** 256n).toString(16).padStart(64, '0'), 'hex')
      .reverse()
      .copy(all, bucket * 32)
  assert.equal(sha256(all).toString('hex'), catalog.root())
}

/** What the drawn histories contained, so that the test cannot pass by drawing only dull ones. */
const met = { cycles: 0, conflicts: 0, editDeletes: 0, rejected: 0, nameConflicts: 0 }

async function count(node: LabNode): Promise<void> {
  const { reader, log } = node.replica
  for await (const id of reader.ids()) {
    const { state, meaning } = reader.entry(id)!
    if (state.level > 0) met.cycles += 1
    if (meaning.editDelete) met.editDeletes += 1
    if (meaning.conflicts.length > 0) met.conflicts += 1
  }
  for (const line of await node.tree()) if (line.includes('.conflict-')) met.nameConflicts += 1
  for (const head of log.logs())
    for (let seq = 1; seq <= head.seq; seq++) if (log.row(head.log, seq)!.state === 'rejected') met.rejected += 1
}

test('any order of delivery gives the same root, listing and conflicts, and the rows beside each doc equal the doc', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: 2 ** 31 }), fc.integer({ min: 2, max: 5 }), async (seed, authors) => {
      const { lab, nodes } = await history(seed, authors)
      const expected = await picture(nodes[0]!.replica)
      for (const node of nodes.slice(1)) assert.deepEqual(await picture(node.replica), expected)
      await count(nodes[0]!)
      const random = new SeededRandom(seed + 1)
      const records = nodes[0]!.records()
      const members = records.filter((record) => record.body.space === 'members')
      const rest = records.filter((record) => record.body.space !== 'members')
      for (let turn = 0; turn < 3; turn++) {
        const fresh = await lab.blank(`fresh ${turn}`)
        await fresh.receive([...members, ...shuffled(rest, random)])
        assert.equal(fresh.replica.waiting, 0)
        assert.deepEqual(await picture(fresh.replica), expected)
        await checkRows(fresh.replica)
      }
    }),
    { seed: SEED, numRuns: 30, includeErrorInReport: true }
  )
  for (const [what, times] of Object.entries(met)) assert.ok(times > 0, `no history had any ${what}`)
})

test('a catalog built anew from the log alone, or opened again, is the same catalog', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: 2 ** 31 }), async (seed) => {
      const { nodes } = await history(seed, 3)
      const expected = await picture(nodes[0]!.replica)
      await nodes[1]!.restart({ loseIndex: true })
      assert.deepEqual(await picture(nodes[1]!.replica), expected)
      await nodes[2]!.restart()
      assert.deepEqual(await picture(nodes[2]!.replica), expected)
      await checkRows(nodes[1]!.replica)
    }),
    { seed: SEED, numRuns: 10, includeErrorInReport: true }
  )
})
