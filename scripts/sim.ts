/**
 * Runs the simulated cluster over many seeds, or replays one of them.
 *
 *   npm run sim -- [--seeds N] [--from M]    N seeds from M on (100 from 1); ends at the first that fails
 *   npm run sim -- --seed N [--trace]        one seed; --trace prints every message, fault and acknowledgement
 */
import { parseArgs } from 'node:util'
import { runSeed } from '../test/sim/run.js'

/** How often progress is shown, ms. */
const PROGRESS_MS = 2_000

function wholeNumber(name: string, value: string | undefined, otherwise: number): number {
  if (value === undefined) return otherwise
  const number = Number(value)
  if (!Number.isSafeInteger(number) || number < 0)
    throw new Error(`--${name} needs a whole number, not ${JSON.stringify(value)}`)
  return number
}

async function replay(seed: number, trace: boolean): Promise<void> {
  const result = await runSeed(seed, trace ? (line) => console.log(line) : undefined)
  console.log(
    `seed ${seed}: ${result.messages} messages, ${result.acknowledged} acknowledged writes, trace ${result.trace}`
  )
}

async function runMany(from: number, count: number): Promise<void> {
  const began = performance.now()
  const rate = (done: number): string => `${((done / (performance.now() - began)) * 1_000).toFixed(1)} seeds/s`
  let shown = began
  for (let done = 0; done < count; done++) {
    await runSeed(from + done)
    if (performance.now() - shown < PROGRESS_MS) continue
    shown = performance.now()
    console.log(`${done + 1} of ${count} seeds, ${rate(done + 1)}`)
  }
  console.log(`seeds ${from} to ${from + count - 1} hold, ${rate(count)}`)
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string' },
      seeds: { type: 'string' },
      from: { type: 'string' },
      trace: { type: 'boolean', default: false }
    }
  })
  if (values.seed !== undefined) await replay(wholeNumber('seed', values.seed, 1), values.trace)
  else await runMany(wholeNumber('from', values.from, 1), wholeNumber('seeds', values.seeds, 100))
}

main().catch((error: unknown) => {
  console.error(error)
  process.exitCode = 1
})
