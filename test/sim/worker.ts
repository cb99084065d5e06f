/** A process that runs the seeds it is told to, and says which one failed first. */
import { inspect } from 'node:util'
import { runSeed } from './run.js'

async function runBatch({ from, count }: { from: number; count: number }): Promise<unknown> {
  for (let seed = from; seed < from + count; seed++) {
    try {
      await runSeed(seed)
    } catch (error) {
      return { done: seed - from + 1, failed: { seed, error: inspect(error) } }
    }
  }
  return { done: count }
}

process.on('message', (batch: { from: number; count: number }) => {
  void runBatch(batch).then((answer) => process.send?.(answer))
})
