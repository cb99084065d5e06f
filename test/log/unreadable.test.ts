/** Stored records that do not read back when they are needed: they count as not there, and nothing else suffers. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SegmentLog } from '../../src/log/index.js'
import { silentLogger } from '../../src/runtime.js'
import { logIdOf } from '../../src/wire/index.js'
import { Lab, type LabNode } from '../replica/lab.js'

const SEGMENT = '00000001.seg'

async function written(): Promise<{ a: LabNode; log: string }> {
  const [a] = (await new Lab().nodes(1)) as [LabNode]
  for (let at = 1; at <= 5; at++) await a.put('f', `value ${at}`)
  return { a, log: logIdOf('catalog', a.keys.publicKey, a.replica.epoch) }
}

test('bytes that are no record this version knows are skipped when the index is made again', async () => {
  const { a, log } = await written()
  await a.replica.stop()
  a.disk.kill()
  const segments = await SegmentLog.open(a.disk, { logger: silentLogger })
  await segments.append([Uint8Array.of(1, 2, 3)])
  await segments.close()
  const again = await a.lab.blank('n0', { disk: a.disk, seed: 5 })
  assert.equal(again.replica.log.get(log)!.seq, 5)
  assert.equal(again.text('f'), 'value 5')
})

test('a record behind a hole that is damaged before the hole is filled becomes the next hole', async () => {
  const { a, log } = await written()
  const records = a.records().filter((record) => record.log === log)
  const offsets = [1, 2, 3].map((seq) => a.replica.log.row(log, seq)!.at.offset)
  await a.replica.stop()
  a.disk.kill()
  a.disk.damage(SEGMENT, offsets[1]! + 40, Uint8Array.of(255, 0, 255, 0))
  const again = await a.lab.blank('n0', { disk: a.disk, seed: 5 })
  assert.equal(again.replica.log.get(log)!.seq, 1)
  a.disk.damage(SEGMENT, offsets[2]! + 40, Uint8Array.of(255, 0, 255, 0))
  await again.receive([records[1]!])
  assert.equal(again.replica.log.get(log)!.seq, 2)
  await again.receive([records[2]!])
  assert.equal(again.replica.log.get(log)!.seq, 5)
})
