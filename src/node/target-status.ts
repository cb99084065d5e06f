/** What the status says of the shared directory and of the system that runs over it. */
import type { TellingView } from '../adapters/index.js'
import type { StatusView, TellingStatus } from '../control/target.js'
import type { TargetSync } from '../publish/index.js'
import type { Broken } from './waiting.js'

export interface TargetParts {
  readonly target: TargetSync
  readonly dir: string
  /** What kind of target it is. */
  readonly adapter: string
  /** See `NodeTarget.telling`. */
  readonly telling: () => TellingView | undefined
  /** References in the target that lead nowhere. */
  readonly broken: (limit: number) => Broken
}

export function targetStatus({
  target,
  dir,
  adapter,
  telling,
  broken
}: TargetParts): NonNullable<StatusView['target']> {
  const { lastScan } = target
  const told = telling()
  return {
    adapter,
    dir,
    state: target.state,
    drift: target.drift.paths(),
    ...(lastScan && { lastScan: { ...lastScan, at: dateOf(lastScan.at) } }),
    broken: broken(0).count,
    ...(told && { telling: tellingStatus(told) })
  }
}

function tellingStatus({ lastReload, failed, lacks, leftOut, ...view }: TellingView): TellingStatus {
  return {
    ...view,
    ...(lastReload && { lastReload: { ...lastReload, at: dateOf(lastReload.at) } }),
    failed: failed.map((each) => ({ ...each, since: dateOf(each.since) })),
    lacks: lacks.map(({ about, ...lack }) => ({ ...lack, about: [...about] })),
    leftOut: leftOut.map(({ path, elements }) => ({ path, elements: [...elements] }))
  }
}

const dateOf = (ms: number): string => new Date(ms).toISOString()
