/**
 * Runs the simulated cluster over many seeds, replays one of them, or proves that the simulation sees.
 *
 *   npm run sim -- [--seeds N] [--from M] [--jobs J]   N seeds from M on (100 from 1) in J processes; ends at the first
 *                                                      that fails, --keep-going runs them all
 *   npm run sim -- --seed N [--trace]                  one seed; --trace prints every message, fault and acknowledgement
 *   npm run sim -- --planted [--only NAME] [--jobs J]  every planted bug until a seed finds it, at most --seeds (1,000) each
 */
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { runSeed } from '../test/sim/run.js'
import { hunt } from './sim-planted.js'
import { runMany } from './sim-pool.js'

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

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string' },
      seeds: { type: 'string' },
      from: { type: 'string' },
      jobs: { type: 'string' },
      only: { type: 'string' },
      planted: { type: 'boolean', default: false },
      'keep-going': { type: 'boolean', default: false },
      trace: { type: 'boolean', default: false }
    }
  })
  const jobs = Math.max(1, wholeNumber('jobs', values.jobs, availableParallelism()))
  if (values.seed !== undefined) return replay(wholeNumber('seed', values.seed, 1), values.trace)
  if (values.planted) return hunt({ seeds: wholeNumber('seeds', values.seeds, 1_000), jobs, only: values.only })
  await runMany({
    from: wholeNumber('from', values.from, 1),
    count: wholeNumber('seeds', values.seeds, 100),
    jobs,
    keepGoing: values['keep-going']
  })
}

main().catch((error: unknown) => {
  console.error(error)
  process.exitCode = 1
})
