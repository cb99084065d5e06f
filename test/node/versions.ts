/** Every content a file ever had, so that an older one that is served can be held against what is named as lost. */
import type { LossView } from '../../src/control/target.js'

/** A content, and the record that says it. */
export interface Version {
  readonly content: string
  readonly log: string
  readonly seq: number
}

/** Whether `served` was the file's content once, and every record that changed it since is named as lost. */
export function isNewestKept(versions: readonly Version[], served: string, losses: readonly LossView[]): boolean {
  const at = versions.findLastIndex(({ content }) => content === served)
  const named = ({ log, seq }: Version): boolean =>
    losses.some((loss) => loss.kind === 'record' && loss.log === log && loss.seq === seq)
  return at >= 0 && versions.slice(at + 1).every(named)
}
