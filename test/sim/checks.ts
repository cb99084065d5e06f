/** What must hold, at every moment or at the end. Each throws an AssertionError that says what is wrong. */
import assert from 'node:assert/strict'
import { inspectDoc, ROOT_ID, TOMBSTONE } from '../../src/catalog/index.js'
import type { Replica } from '../../src/replica/index.js'
import type { SimNode } from './node.js'

/**
 * At every moment, of a living node: it is not broken, what it acknowledged is there, and it holds of every log at least
 * what it ever said it holds, in this life or an earlier one.
 */
export function checkAlive(node: SimNode): void {
  const { replica } = node
  if (replica === undefined) return
  assert.equal(replica.failure, undefined, `node ${node.index} failed: ${String(replica.failure)}`)
  for (const record of node.acknowledged)
    assert.ok(replica.log.find(record) !== undefined, `node ${node.index} lost ${record}, which it had acknowledged`)
  for (const { log, seq } of replica.engine.vector()) {
    const before = node.held.get(log) ?? 0
    assert.ok(seq >= before, `node ${node.index} holds ${log} up to ${seq}, after it had said ${before}`)
    node.held.set(log, seq)
  }
  for (const log of node.held.keys())
    assert.ok(replica.log.get(log) !== undefined, `node ${node.index} no longer holds ${log} at all`)
}

/** Everything a person could see. */
export async function listing(replica: Replica): Promise<string[]> {
  const lines: string[] = []
  for await (const { path, entry } of replica.reader.walk(ROOT_ID, '')) {
    const body = entry.meaning.body
    const bytes = body === undefined ? undefined : replica.reader.inlineBody(body)
    if (body !== undefined) assert.ok(bytes !== undefined, `the bytes of ${path} are missing`)
    lines.push(`${path} ${entry.id} ${body?.hash ?? 'dir'} ${entry.meaning.conflicts.length}`)
    assert.equal(replica.reader.pathOf(entry.id), path)
    assert.equal(replica.reader.resolve(path)?.id, entry.id)
  }
  assert.equal(lines.length, replica.catalog.entries, 'the count of entries differs from the listing')
  return lines
}

/** The Yjs doc of every entry says the same as the row beside it, and nothing in it is pending. */
export async function checkDocs(replica: Replica): Promise<void> {
  for await (const id of replica.reader.ids()) {
    const { state } = replica.reader.entry(id)!
    const doc = inspectDoc(state)
    assert.equal(doc.pending, false)
    const live = state.tuples.map((tuple) => `${tuple.client}:${tuple.clock} ${tuple.field}`).toSorted()
    assert.deepEqual(doc.tuples.map((tuple) => `${tuple.client}:${tuple.clock} ${tuple.content[0]}`).toSorted(), live)
    for (const row of state.clients) assert.equal(doc.stateVector.get(row.client), row.clock)
    assert.ok(state.tuples.filter((tuple) => tuple.field === TOMBSTONE).length <= 9)
  }
}

/** Every record is held by everybody, with one verdict, and no log is frozen: nobody used a place twice. */
export function checkLogs(nodes: readonly SimNode[]): void {
  const first = nodes[0]!.replica!
  for (const head of first.log.logs()) {
    assert.equal(head.frozen, false, `${head.log} is frozen`)
    for (let seq = 1; seq <= head.seq; seq++) {
      const row = first.log.row(head.log, seq)!
      for (const { replica, index } of nodes) {
        const other = replica!.log.row(head.log, seq)
        assert.deepEqual(
          [other?.id, other?.state, other?.depth],
          [row.id, row.state, row.depth],
          `node ${index} judges ${head.log}/${seq} differently`
        )
      }
    }
  }
}
