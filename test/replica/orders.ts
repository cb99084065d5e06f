/** Whether a node's picture of everything depends on the order in which records reached it. */
import assert from 'node:assert/strict'
import { hexOf, type SignedRecord } from '../../src/wire/index.js'
import { SeededRandom } from '../sim/random.js'
import type { Lab, LabNode } from './lab.js'

/** Everything a node says of its catalog and members. */
export async function picture(node: LabNode): Promise<unknown> {
  const { members, removals, catalog, log } = node.replica
  const states = [...log.logs()].flatMap((head) =>
    Array.from({ length: head.applied }, (_, at) => `${head.log} ${at + 1} ${log.row(head.log, at + 1)!.state}`)
  )
  return {
    root: catalog.root(),
    tree: await node.tree(),
    members: members
      .list()
      .map(({ key, role, scope }) => `${hexOf(key)} ${role} ${scope?.join(',') ?? ''} ${members.certificateAge(key)}`)
      .toSorted(),
    secrets: members.secrets.list(),
    voids: [...removals.voids].map(({ log: id, seq, removedBy }) => `${id} ${seq} ${removedBy}`).toSorted(),
    states: states.toSorted()
  }
}

/** A node that gets `records` in this order, as often as it takes. */
export async function delivered(lab: Lab, name: string, records: readonly SignedRecord[]): Promise<LabNode> {
  const fresh = await lab.blank(name)
  for (let left = -1; left !== 0;) {
    const lacking = records.filter((record) => fresh.replica.log.find(record.id) === undefined)
    if (lacking.length === left) break
    left = lacking.length
    await fresh.receive(lacking)
  }
  return fresh
}

/** In another order; each log keeps its own, as a pull has it. */
export function shuffled(records: readonly SignedRecord[], random: SeededRandom): SignedRecord[] {
  const left = new Map<string, SignedRecord[]>()
  for (const record of records) left.set(record.log, [...(left.get(record.log) ?? []), record])
  const order: SignedRecord[] = []
  while (left.size > 0) {
    const log = random.pick([...left.keys()])
    order.push(left.get(log)!.shift()!)
    if (left.get(log)!.length === 0) left.delete(log)
  }
  return order
}

/** Other orders of arrival, a restart and a lost index all give what `node` has. */
export async function sameInEveryOrder(node: LabNode, random = new SeededRandom(7), orders = 4): Promise<void> {
  const expected = await picture(node)
  const records = node.records()
  for (let turn = 0; turn < orders; turn++) {
    const other = await delivered(node.lab, `order ${turn}`, shuffled(records, random))
    assert.deepEqual(await picture(other), expected)
    await other.restart()
    assert.deepEqual(await picture(other), expected, 'after a restart')
    await other.restart({ loseIndex: true })
    assert.deepEqual(await picture(other), expected, 'after its index was lost')
  }
}
