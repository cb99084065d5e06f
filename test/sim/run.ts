/** Runs worlds by their seeds: for the tests and for `npm run sim`. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { World } from './world.js'

export interface SeedResult {
  readonly seed: number
  /** Over every message, fault and the final root. */
  readonly trace: string
  readonly messages: number
  readonly acknowledged: number
}

/** Lives through one world; throws with the seed and how to replay it. */
export async function runSeed(seed: number, log?: (line: string) => void): Promise<SeedResult> {
  const world = new World({ seed, ...(log === undefined ? {} : { log }) })
  const unhandled = (error: unknown): void => world.failed(error)
  process.on('unhandledRejection', unhandled)
  try {
    await world.begin()
    await world.live()
    await world.settle()
  } catch (error) {
    throw new Error(`seed ${seed} fails; replay it with: npm run sim -- --seed ${seed} --trace`, { cause: error })
  } finally {
    process.off('unhandledRejection', unhandled)
  }
  const acknowledged = world.nodes.reduce((sum, { home }) => sum + home.acknowledged.length, 0)
  const { messages } = world.network
  return { seed, trace: await world.end(), messages, acknowledged }
}

/** Seeds a test runs together: small enough that a failure is found without reading far. */
const SEEDS_PER_TEST = 10

/** Declares the tests of `count` seeds from `from` on. */
export function simulationTests(from: number, count: number): void {
  describe(`the simulated cluster, seeds ${from} to ${from + count - 1}`, () => {
    for (let first = from; first < from + count; first += SEEDS_PER_TEST) {
      const last = Math.min(first + SEEDS_PER_TEST, from + count) - 1
      test(`ends equal and loses nothing it acknowledged, seeds ${first} to ${last}`, async () => {
        let acknowledged = 0
        for (let seed = first; seed <= last; seed++) acknowledged += (await runSeed(seed)).acknowledged
        assert.ok(acknowledged > 0, 'nothing happened in any of them')
      })
    }
  })
}
