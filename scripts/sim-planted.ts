/** Runs the simulation over copies of the sources with one known bug each, until a seed finds it. */
import { fileURLToPath } from 'node:url'
import { plant, PLANTED, type PlantedBug } from '../test/sim/planted/index.js'
import { ask, worker } from './sim-pool.js'

const REPOSITORY = fileURLToPath(new URL('../', import.meta.url))
/** A seed that takes longer hangs: a bug found too, ms. */
const MAX_SEED_MS = 120_000

interface Found {
  readonly bug: PlantedBug
  readonly seed: number | undefined
  readonly said: string
}

async function huntOne(bug: PlantedBug, seeds: number): Promise<Found> {
  const { root, remove } = plant(REPOSITORY, bug)
  const child = worker(root)
  let hangs: NodeJS.Timeout | undefined
  const from = bug.from ?? 1
  let seed = from
  try {
    for (; seed < from + seeds; seed++) {
      hangs = setTimeout(() => child.kill('SIGKILL'), MAX_SEED_MS)
      const { failed } = await ask(child, { from: seed, count: 1 })
      clearTimeout(hangs)
      if (failed !== undefined) return { bug, seed, said: causeOf(failed.error) }
    }
    return { bug, seed: undefined, said: '' }
  } catch (error) {
    return { bug, seed, said: String(error) }
  } finally {
    clearTimeout(hangs)
    if (child.connected) child.disconnect()
    remove()
  }
}

/** The first line of what failed, below the line that names the seed. */
function causeOf(error: string): string {
  const [, cause = error] = /\[cause\]: (?:\w+ )*\[?(?:\w+)?\]?:? ?([^\n]+)/.exec(error) ?? []
  return cause.slice(0, 100)
}

/** Hunts all planted bugs, or the one named, and prints a table. At least one that no seed finds is a failure. */
export async function hunt(options: { seeds: number; jobs: number; only: string | undefined }): Promise<void> {
  const bugs = PLANTED.filter((bug) => options.only === undefined || bug.name === options.only)
  if (bugs.length === 0)
    throw new Error(`there is no planted bug ${options.only}; they are ${PLANTED.map((bug) => bug.name).join(', ')}`)
  const queue = [...bugs]
  const found: Found[] = []
  const work = async (): Promise<void> => {
    for (let bug = queue.shift(); bug !== undefined; bug = queue.shift()) {
      const result = await huntOne(bug, options.seeds)
      found.push(result)
      console.log(
        `${bug.name.padEnd(30)} ${result.seed === undefined ? 'not found' : `seed ${result.seed}`.padEnd(9)} ${result.said}`
      )
    }
  }
  await Promise.all(Array.from({ length: Math.min(options.jobs, bugs.length) }, work))
  const missed = found.filter(({ seed }) => seed === undefined).map(({ bug }) => bug.name)
  console.log(
    `${found.length - missed.length} of ${bugs.length} found${missed.length > 0 ? `; not ${missed.join(', ')}` : ''}`
  )
  if (missed.length > 0) process.exitCode = 1
}
