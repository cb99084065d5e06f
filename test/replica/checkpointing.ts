/** How nodes of the lab come to a checkpoint. */
import assert from 'node:assert/strict'
import { meet, type LabNode } from './lab.js'

/** One node proposes, all vouch, and all hear of it. */
export async function checkpoint(nodes: readonly LabNode[], by = nodes[0]!): Promise<void> {
  await by.replica.checkpoints!.propose()
  await meet(nodes)
  for (const { replica } of nodes) {
    const proposal = replica.checkpoints!.due(Number.POSITIVE_INFINITY)
    assert.ok(proposal !== undefined, 'there is something to vouch for')
    await replica.checkpoints!.attest(proposal)
  }
  await meet(nodes)
  for (const { replica } of nodes) {
    assert.equal(await replica.checkpoints!.advance(), true, 'it is in force')
    await replica.checkpoints!.prune()
  }
}
