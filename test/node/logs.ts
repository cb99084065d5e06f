/** What the nodes of a test hold of each log. */
import assert from 'node:assert/strict'
import type { Node } from '../e2e/node.js'

export interface LogLine {
  log: string
  space: string
  author: string
  epoch: string
  seq: number
  head: string
  frozen: boolean
}

export async function logsOf(node: Node): Promise<LogLine[]> {
  const logs = (await node.client.inspect('vector')) as LogLine[]
  return logs
    .map(({ log, space, author, epoch, seq, head, frozen }) => ({ log, space, author, epoch, seq, head, frozen }))
    .toSorted((a, b) => (a.log < b.log ? -1 : 1))
}

/** The epoch a node writes under. */
export async function epochOf(node: Node): Promise<string> {
  return ((await node.client.inspect('store')) as { epoch: string }).epoch
}

/** Nobody has seen two records at one place. */
export async function noForks(nodes: readonly Node[]): Promise<void> {
  for (const node of nodes)
    for (const { log, frozen } of await logsOf(node))
      assert.equal(frozen, false, `${node.name} holds a forked log ${log}`)
}
