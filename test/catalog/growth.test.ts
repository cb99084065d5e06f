/** What an entry costs after many edits: its size follows its authors, not its edits. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inspectDoc } from '../../src/catalog/index.js'
import { encodeEntry } from '../../src/catalog/entry.js'
import type { SignedRecord } from '../../src/wire/index.js'
import { Lab, type LabNode } from '../replica/lab.js'

const EDITS = 1_000
const MAX_STATE_BYTES = 1_500

async function sizes(
  node: LabNode,
  id: string
): Promise<{ doc: number; row: number; structs: number; tuples: number }> {
  const { state } = node.replica.reader.entry(id)!
  const doc = inspectDoc(state)
  return { doc: doc.bytes, row: encodeEntry(state).length, structs: doc.structs, tuples: doc.tuples.length }
}

test(`${EDITS} edits by two writers strictly in turns leave less than ${MAX_STATE_BYTES} B`, async () => {
  const [a, b] = (await new Lab().nodes(2)) as [LabNode, LabNode]
  const { result } = await a.put('f', 'start')
  await b.pull(a)
  for (let turn = 0; turn < EDITS; turn++) {
    const [writer, reader] = turn % 2 === 0 ? [b, a] : [a, b]
    await writer.put('f', `${turn}`)
    await reader.receive(newest(writer))
  }
  for (const node of [a, b]) {
    const { doc, tuples, structs } = await sizes(node, result.id)
    assert.ok(doc < MAX_STATE_BYTES, `${doc} B in ${structs} structs`)
    // place and body
    assert.equal(tuples, 2)
    assert.equal(node.text('f'), `${EDITS - 1}`)
  }
  assert.equal(a.replica.catalog.root(), b.replica.catalog.root())
})

test('deleting and writing again a hundred times leaves less than that, too', async () => {
  const [a] = (await new Lab().nodes(1)) as [LabNode]
  const { result } = await a.put('f', 'start')
  for (let turn = 0; turn < 100; turn++) {
    await a.remove('f')
    await a.put('f', `${turn}`)
  }
  const { doc, row } = await sizes(a, result.id)
  assert.ok(doc < MAX_STATE_BYTES, `${doc} B`)
  assert.ok(row < 2 * MAX_STATE_BYTES, `${row} B`)
})

/** The last record of each log that the node wrote. */
function newest(node: LabNode): SignedRecord[] {
  const { log, epoch } = node.replica
  return [...log.logs()]
    .filter((head) => head.epoch === epoch && head.space === 'catalog')
    .map((head) => log.read(head.log, head.seq))
}
