/** Answers to members' requests about records and hashes. Reading only. */
import type { Catalog, CatalogReader } from '../catalog/index.js'
import type { RecordLog } from '../log/index.js'
import {
  decodeRequest,
  encodeAnswer,
  encodePacked,
  MAX_PULL_BYTES,
  type PullAnswer,
  type PullRequest,
  type SyncAnswer,
  type SyncRequest,
  type VectorEntry
} from '../wire/index.js'
import type { Base } from './checkpoint/base.js'

export interface AnswerDeps {
  readonly log: RecordLog
  readonly catalog: Catalog
  readonly reader: CatalogReader
  readonly base: Pick<Base, 'inForce'>
  vector(): VectorEntry[]
}

export async function answerRequest(frame: Uint8Array, deps: AnswerDeps): Promise<Uint8Array> {
  const request = decodeRequest(frame)
  if (request.t !== 'pull') return encodeAnswer(await answer(request, deps))
  const records = pull(request, deps.log)
  return request.packed === true ? encodePacked(records) : encodeAnswer(records)
}

async function answer(
  request: Exclude<SyncRequest, PullRequest>,
  { catalog, reader, base, vector }: AnswerDeps
): Promise<SyncAnswer> {
  switch (request.t) {
    case 'root':
      return { t: 'root-is', root: catalog.root(), vector: vector() }
    case 'buckets':
      return { t: 'buckets-are', sums: catalog.buckets.sums() }
    case 'bucket':
      return { t: 'bucket-is', rows: await reader.bucketRows(request.index) }
    case 'checkpoint':
      return base.inForce?.offer === undefined
        ? { t: 'checkpoint-is' }
        : { t: 'checkpoint-is', offer: base.inForce.offer }
  }
}

/** Records from `from` on, as many as fit; at least one when there is one. */
function pull({ log, from, count }: PullRequest, records: RecordLog): PullAnswer {
  const { seq: head, floor } = records.get(log) ?? { seq: 0, floor: 0 }
  if (from <= floor) return { t: 'records', records: [], head, floor }
  const found: Uint8Array[] = []
  let bytes = 0
  for (let seq = from; seq <= head && found.length < count; seq++) {
    const row = records.row(log, seq)
    if (row === undefined || (found.length > 0 && bytes + row.at.length > MAX_PULL_BYTES)) break
    try {
      found.push(records.readBytes(row))
    } catch (error) {
      // what lies before the damage is still of use
      if (found.length > 0) break
      throw error
    }
    bytes += row.at.length + 4
  }
  return { t: 'records', records: found, head }
}
