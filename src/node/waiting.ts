/** What waits before the target, and what is broken in it, for people. */
import type { Adapter } from '../adapters/index.js'
import type { WaitingView } from '../control/target.js'
import type { TargetSync } from '../publish/index.js'

/** References that are named; all are counted. */
const MAX_BROKEN = 1_000

export type Broken = ReturnType<NonNullable<Adapter['broken']>>

export function waitingOf(target: TargetSync | undefined, brokenUpTo: (limit: number) => Broken): WaitingView {
  const waiting = (target?.waiting.list() ?? []).map(({ since, until, for: words, ...entry }) => ({
    ...entry,
    for: [...words],
    since: new Date(since).toISOString(),
    ...(until !== undefined && { until: new Date(until).toISOString() })
  }))
  const { count, references } = brokenUpTo(MAX_BROKEN)
  return { waiting, broken: { count, references: references.map((each) => ({ ...each })) } }
}
