/** What a log lacked when it was opened: known places in logs, and bytes of which nobody can tell what they were. */
import type { LossView } from '../control/target.js'
import { nodeIdOf } from '../identity/index.js'
import type { DamagedRange, RecordLog } from '../log/index.js'
import type { HeldBefore } from './open.js'

/** Records of one hole that are named one by one. */
const MAX_NAMED_RECORDS = 1_000

/** `held` is what an index knew of that contradicted the log; `healed` tells places whose records lie elsewhere by now. */
export function lostAtOpen(
  log: RecordLog,
  held: readonly HeldBefore[],
  damaged: readonly DamagedRange[],
  healed: (range: DamagedRange) => boolean
): LossView[] {
  const records = [...log.holes(), ...lostEnds(log, held)].flatMap(({ log: of, author, from, to }) =>
    Array.from({ length: Math.min(to - from + 1, MAX_NAMED_RECORDS) }, (_, at): LossView => ({
      kind: 'record',
      log: of,
      author: nodeIdOf(author),
      seq: from + at,
      paths: []
    }))
  )
  const ranges = damaged
    .filter((range) => !healed(range))
    .map(({ segment, offset, length }): LossView => ({ kind: 'range', segment, offset, length }))
  return [...records, ...ranges]
}

/** What the index that was dropped knew of, and the log does not hold. */
function lostEnds(
  log: RecordLog,
  held: readonly HeldBefore[]
): Array<{ log: string; author: Uint8Array; from: number; to: number }> {
  return held.flatMap(({ log: of, author, seq }) => {
    const now = log.get(of)?.seq ?? 0
    return now < seq ? [{ log: of, author, from: now + 1, to: seq }] : []
  })
}
