/** What a report of scenarios goes by: who wrote which records, and what GeoServers say of themselves. */
import { existsSync, readFileSync } from 'node:fs'
import type { RecordLine, VectorView } from '../../src/control/target.js'
import type { Node } from './node.js'

/** Newest records looked through. */
const MAX_LOOKED_AT = 1_000

/** What a proposal of a checkpoint, and a vote for one, read like. */
const AGREEMENT = /^(?:checkpoint|attest)\b/

type Client = Pick<Node['client'], 'inspectLog' | 'record'>

/** Records of the catalog that are no mere agreement of nodes on what they hold, which they come to by themselves. */
export async function editsSince(client: Client, known: VectorView): Promise<RecordLine[]> {
  const edits: RecordLine[] = []
  for await (const record of client.inspectLog({ limit: MAX_LOOKED_AT })) {
    const { space, log, seq, ops } = record
    if (space !== 'catalog' || seq <= (known[log] ?? 0) || ops.every((op) => AGREEMENT.test(op))) continue
    edits.push(record)
  }
  return edits
}

/** Numbers of ops and texts of documents in a record. */
export async function textsOf(client: Client, id: string, ops: readonly string[]): Promise<string> {
  const { body } = await client.record(id)
  // bytes are hex, and a document begins with its root
  const documents = [...JSON.stringify(body).matchAll(/"(3c(?:[0-9a-f]{2})+)"/g)]
  return [ops.join(', '), ...documents.map(([, hex]) => Buffer.from(hex!, 'hex').toString())].join('\n')
}

const LEFT_OUT = /Failed to load (?!actual store)|Ignoring (workspace|feature ?type|coverage|data store)/i

/**
 * What a GeoServer says that it left out, each line once. It writes that to a file in its directory, or, where nobody gave it
 * a `logging.xml`, to its output: of these files some may not be there. Throws when none is, for then it is not known.
 */
export function complaintsIn(logs: readonly string[]): string[] {
  const there = logs.filter((path) => existsSync(path))
  if (there.length === 0) throw new Error(`no log of a GeoServer is there: ${logs.join(', ')}`)
  const lines = there.flatMap((path) => readFileSync(path, 'utf8').split('\n')).filter((line) => LEFT_OUT.test(line))
  return [...new Set(lines.map((line) => line.slice(0, 200)))]
}
