/**
 * One change again and again, each time with another of the calls for files it causes failing once: the first, the
 * second, and so on until the change is made without a failure.
 */
import type { Node } from '../e2e/node.js'
import { until } from '../e2e/until.js'
import type { DaemonFaults } from './daemon.js'
import { RESUME_MS, type Changes } from './outage.js'

export interface SweepResult {
  /** Calls that failed, each once, as `op path`. */
  readonly failed: string[]
  /** Of the changes under which one failed: refused, with why. */
  readonly refused: string[]
}

/** Numbers that are tried before the sweep is taken for endless. */
const MAX_CALLS = 400

export async function sweepCalls(
  node: Node,
  changes: Changes,
  faults: DaemonFaults,
  options: { op: string; large?: boolean; step?: number; code?: string }
): Promise<SweepResult> {
  const { pid } = node
  const before = faults.hits().length
  const refused: string[] = []
  for (let skip = 0; skip < MAX_CALLS; skip += options.step ?? 1) {
    const hits = faults.hits().length
    faults.set({ op: options.op, path: '/(home|catalog)/', skip, times: 1, code: options.code ?? 'EIO' })
    const why = await changes.make(options.large)
    if (why !== undefined) refused.push(why)
    else await changes.inDirectory(RESUME_MS)
    faults.clear()
    await until('a change is acknowledged', async () => (await changes.make()) === undefined, RESUME_MS)
    if (node.pid !== pid || !node.running) throw new Error(`call ${skip + 1} ended the daemon:\n${node.tail()}`)
    if (faults.hits().length === hits) break
  }
  await changes.inDirectory(RESUME_MS)
  return { failed: faults.hits().slice(before), refused }
}
