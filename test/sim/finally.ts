/** What must hold once faults have ended and all agree: everybody holds the same, and nothing acknowledged is lost. */
import assert from 'node:assert/strict'
import { inspectDoc, ROOT_ID, TOMBSTONE } from '../../src/catalog/index.js'
import type { Replica } from '../../src/replica/index.js'
import { bodyOf, SIGNATURE_BYTES, signedBytes } from '../../src/wire/index.js'
import type { SimNode } from './node.js'
import type { World } from './world.js'
import { verifyOnce } from './signatures.js'

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

/**
 * Every record is held by everybody, with one verdict, and no log is frozen: nobody used a place twice. The newest of each
 * log is signed; that proves all before it, which is why a peer may have altered a signature within a run unnoticed.
 */
export function checkLogs(nodes: readonly SimNode[]): void {
  const first = nodes[0]!.replica!
  for (const head of first.log.logs()) {
    assert.equal(head.frozen, false, `${head.log} is frozen`)
    const floor = Math.max(...nodes.map(({ replica }) => replica!.log.get(head.log)!.floor))
    for (let seq = floor + 1; seq <= head.seq; seq++) {
      const row = first.log.row(head.log, seq)!
      for (const { replica, index } of nodes) {
        const other = replica!.log.row(head.log, seq)
        assert.deepEqual(
          [other?.id, other?.state, other?.depth],
          [row.id, row.state, row.depth],
          `node ${index} judges ${head.log}/${seq} differently`
        )
        const bytes = replica!.log.readBytes(other!)
        if (seq === head.seq) assert.ok(isSigned(head.author, bytes), `node ${index} holds ${head.log} unsigned`)
      }
    }
  }
}

function isSigned(author: Uint8Array, bytes: Uint8Array): boolean {
  return verifyOnce(author, signedBytes(bodyOf(bytes)), bytes.subarray(0, SIGNATURE_BYTES))
}

/** What any of these nodes acknowledged, on whatever home it is counted, is on every node. */
export function checkNothingLost(world: World): void {
  const { nodes, faults, always } = world

  const acknowledged = nodes.flatMap(({ home, spare }) => [...home.acknowledged, ...(spare?.acknowledged ?? [])])
  for (const record of [...acknowledged, ...faults.atRisk]) {
    for (const { index, replica } of nodes)
      assert.ok(
        replica!.log.find(record) !== undefined || always.isSettled(replica!, record),
        `record ${record}, acknowledged, is not on node ${index}`
      )
  }
}
