/** What a log lacked when it was opened: known places in logs, and bytes of which nobody can tell what they were. */
import type { LossView } from '../control/target.js'
import { nodeIdOf } from '../identity/index.js'
import type { DamagedRange, RecordLog } from '../log/index.js'
import type { HeldBefore } from './last-words.js'

/** Records of one hole that are named one by one. */
const MAX_NAMED_RECORDS = 1_000

/** `held` is what an index knew of that contradicted the log; `healed` tells places whose records lie elsewhere by now. */
export function lostAtOpen(
  log: RecordLog,
  held: readonly HeldBefore[],
  damaged: readonly DamagedRange[],
  healed: (range: DamagedRange) => boolean
): LossView[] {
  const holes = log.holes().map((hole) => ({ ...hole, paths: undefined }))
  const records = [...holes, ...lostEnds(log, held)].flatMap(({ log: of, author, from, to, paths }) =>
    Array.from({ length: Math.min(to - from + 1, MAX_NAMED_RECORDS) }, (_, at): LossView => ({
      kind: 'record',
      log: of,
      author: nodeIdOf(author),
      seq: from + at,
      paths: [...(paths?.get(from + at) ?? [])]
    }))
  )
  const ranges = damaged
    .filter((range) => !healed(range))
    .map(({ segment, offset, length }): LossView => ({ kind: 'range', segment, offset, length }))
  return [...records, ...ranges]
}

/** What the index that was dropped knew of, and the log does not hold. */
function lostEnds(log: RecordLog, held: readonly HeldBefore[]): Array<HeldBefore & { from: number; to: number }> {
  return held.flatMap((head) => {
    const now = log.get(head.log)?.seq ?? 0
    return now < head.seq ? [{ ...head, from: now + 1, to: head.seq }] : []
  })
}
