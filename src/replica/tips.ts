/** Small questions about records that just came in. */
import type { RecordLog } from '../log/index.js'
import type { SignedRecord, VectorEntry } from '../wire/index.js'

/** How far the logs of these records are held now; what lay behind a hole may have joined them. */
export function tipsOf(log: RecordLog, records: readonly SignedRecord[]): VectorEntry[] {
  return [...new Set(records.map((record) => record.log))].map((name) => {
    const { seq, id } = log.get(name)!
    return { log: name, seq, head: id.slice(0, 16) }
  })
}

/** Records by their place, so that folding need not read them back. */
export function atHand(records: readonly SignedRecord[]): Map<string, SignedRecord> {
  return new Map(records.map((record) => [`${record.log}/${record.body.seq}`, record]))
}
