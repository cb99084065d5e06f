/** A sweep in a few figures. */
import type { SweepResult } from './crash-sweep.js'

/** Times in ms but for `seconds`, the whole sweep's. */
export function summaryOf({ starts, failures, ...counts }: SweepResult, ms: number): object {
  const seconds = Math.round(ms / 1_000)
  return {
    ...counts,
    failedImages: failures.length,
    failedPoints: failures.reduce((sum, { points }) => sum + points, 0),
    warmStartMs: spread(starts.warm),
    realStartMs: spread(starts.real),
    realStartCpuMs: spread(starts.realCpu),
    recoveryOperations: spread(starts.operations),
    seconds,
    pointsPerSecond: Math.round((counts.judgedPoints / ms) * 10_000) / 10,
    failures: failures.map(({ image, points, what }) => `${image} (${points} points): ${what.split('\n')[0]}`)
  }
}

function spread(values: readonly number[]): object {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (share: number): number => Math.round(sorted[Math.floor((sorted.length - 1) * share)] ?? 0)
  return { count: sorted.length, median: at(0.5), p99: at(0.99), slowest: at(1) }
}
