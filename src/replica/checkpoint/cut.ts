/** How far a proposed checkpoint goes: all that its record builds on in the catalog, and itself. */
import { MEMBERS_SPACE, type Knows } from '../../identity/index.js'
import type { RecordLog } from '../../log/index.js'
import type { Dep } from '../../wire/index.js'

export interface Cut {
  /** Log of the catalog -> newest seq in it. */
  readonly seqs: ReadonlyMap<string, number>
  /** Whether the proposal, or a record that it builds on, is at this place of any log. */
  readonly covers: Knows
}

/** Of a proposal that is applied here. */
export function cutOf(log: RecordLog, proposal: Dep): Cut {
  const knowledge = log.knowledge(proposal.log, proposal.seq)
  const covers = (of: string, seq: number): boolean =>
    seq <= (of === proposal.log ? proposal.seq : (knowledge.get(of) ?? 0))
  const seqs = new Map<string, number>([[proposal.log, proposal.seq]])
  for (const [of, seq] of knowledge) if (of !== proposal.log && log.get(of)?.space !== MEMBERS_SPACE) seqs.set(of, seq)
  return { seqs, covers }
}
