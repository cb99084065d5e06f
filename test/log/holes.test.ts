/** Damage in the middle of the log: what lies behind it is kept, and joins once the hole is filled. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { logIdOf, type SignedRecord } from '../../src/wire/index.js'
import { Lab, type LabNode } from '../replica/lab.js'

const SEGMENT = '00000001.seg'

/** A node with five records of its own catalog log, and the log. */
async function written(): Promise<{ lab: Lab; a: LabNode; log: string; records: SignedRecord[] }> {
  const lab = new Lab()
  const [a] = (await lab.nodes(1)) as [LabNode]
  for (let at = 1; at <= 5; at++) await a.put('f', `value ${at}`)
  const log = logIdOf('catalog', a.keys.publicKey, a.replica.epoch)
  return { lab, a, log, records: a.records().filter((record) => record.log === log) }
}

/** Damages the bytes of (log, seq) on the disk of a node that has ended. */
async function damage(node: LabNode, log: string, seq: number): Promise<void> {
  const at = node.replica.log.row(log, seq)!.at
  await node.replica.stop()
  node.disk.kill()
  node.disk.damage(SEGMENT, at.offset + 40, Uint8Array.of(255, 0, 255, 0))
}

const reopened = (node: LabNode): Promise<LabNode> => node.lab.blank('n0', { disk: node.disk, seed: 5 })

describe('a record that is damaged in the middle of a log', () => {
  test('is named by log and seq when the index is rebuilt, and what lies before it is held', async () => {
    const { a, log } = await written()
    await damage(a, log, 3)
    const again = await reopened(a)
    assert.equal(again.replica.log.get(log)!.seq, 2)
    assert.deepEqual(
      again.replica.log.holes().map(({ log: of, from, to }) => [of, from, to]),
      [[log, 3, 3]]
    )
    assert.equal(again.report.damaged.length, 1)
  })

  test('brings back all that lies behind it as soon as somebody sends it', async () => {
    const { a, log, records } = await written()
    await damage(a, log, 3)
    const again = await reopened(a)
    await again.receive([records[2]!])
    assert.equal(again.replica.log.get(log)!.seq, 5)
    assert.equal(again.text('f'), 'value 5')
    assert.deepEqual(again.replica.log.holes(), [])
    assert.equal(again.replica.engine.vector().find((entry) => entry.log === log)!.seq, 5)
  })

  test('still brings it back after restarts with the index that was made in between, and after another rebuild', async () => {
    const { a, log, records } = await written()
    await damage(a, log, 2)
    const again = await reopened(a)
    await again.restart()
    assert.equal(again.replica.log.holes().length, 1)
    // damage that was reported when it was found is not reported with every start
    assert.deepEqual(again.report.damaged, [])
    // and the log that may have lost its end is not written to any more
    assert.notEqual(logIdOf('catalog', again.keys.publicKey, again.replica.epoch), log)
    await again.receive([records[1]!])
    assert.equal(again.replica.log.get(log)!.seq, 5)
    await again.restart({ loseIndex: true })
    assert.equal(again.replica.log.get(log)!.seq, 5)
    assert.equal(again.text('f'), 'value 5')
  })

  test('is stored anew in place of the damaged copy, and found there by every later rebuild', async () => {
    const { a, log, records } = await written()
    const row = a.replica.log.row(log, 3)!
    a.disk.damage(SEGMENT, row.at.offset + 40, Uint8Array.of(255, 0, 255, 0))
    const told: string[] = []
    assert.throws(() => a.replica.log.read(log, 3), { code: 'store-damaged' })
    await a.replica.log.replace(records[2]!)
    assert.equal(a.replica.log.read(log, 3).id, records[2]!.id)
    assert.deepEqual(told, [])
    await a.restart()
    assert.equal(a.replica.log.read(log, 3).id, records[2]!.id)
    await a.restart({ loseIndex: true })
    assert.equal(a.replica.log.get(log)!.seq, 5)
    assert.equal(a.replica.log.read(log, 3).id, records[2]!.id)
  })
})

test('what did not read back is remembered, also from before anybody listened, until it is stored anew', async () => {
  const { a, log, records } = await written()
  const row = a.replica.log.row(log, 3)!
  a.disk.damage(SEGMENT, row.at.offset + 40, Uint8Array.of(255, 0, 255, 0))
  assert.deepEqual([...a.replica.log.unread], [])
  assert.throws(() => a.replica.log.read(log, 3), { code: 'store-damaged' })
  assert.deepEqual([...a.replica.log.unread], [row.id])
  await a.replica.log.replace(records[2]!)
  assert.deepEqual([...a.replica.log.unread], [])
})

test('a record that is not the one held is never stored in its place', async () => {
  const { a, log } = await written()
  const other = (await written()).a
  await other.put('f', 'another')
  const wrong = other.replica.log.read(logIdOf('catalog', other.keys.publicKey, other.replica.epoch), 6)
  await assert.rejects(a.replica.log.replace(wrong), { code: 'internal' })
  assert.equal(a.replica.log.get(log)!.seq, 5)
})
