/** Results as a run of the benchmark leaves them. */
import type { Line, ResultFile } from '../../scripts/bench-result.js'

export const lineOf = (peer: string, result: object, more: Partial<Line> = {}): Line => ({
  peer,
  version: '0',
  workload: 'W2',
  n: 3,
  params: { scale: 10_000, batch: 1 },
  result: result as Line['result'],
  ok: true,
  notes: '',
  foreign: 0,
  ...more
})

export const fileOf = (lines: readonly Line[], more: Partial<ResultFile> = {}): ResultFile => ({
  format: 1,
  at: '2025-06-15T00:00:00.000Z',
  version: '0.1.0',
  node: 'v20.20.0',
  machine: { cpu: 'one', cores: 2, memoryMiB: 2_048, system: 'linux' },
  command: 'npm run bench --',
  alone: true,
  lines,
  ...more
})
