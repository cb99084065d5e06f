/**
 * Everything that takes input from outside, fed with harmed input: 100,000 in all, by a seed. FUZZ=1000000 is the long run
 * and FUZZ_SEED another seed; `npm run fuzz` shows how it goes.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { GrapevineError } from '../../src/errors.js'
import { SeededRandom } from '../sim/random.js'
import { crashers } from './crashers.js'
import { runInProcess } from './processes.js'
import { MAX_BLOCK_MS, MAX_GROWTH_BYTES, runTarget } from './run.js'
import { shares, TARGETS } from './targets/index.js'
import type { Session, Target } from './target.js'

const INPUTS = Number(process.env['FUZZ'] ?? 100_000)
const SEED = Number(process.env['FUZZ_SEED'] ?? 20_261_122)

describe('harmed input is taken or refused by name, changes nothing then, and keeps nobody waiting', () => {
  for (const [target, inputs] of shares(INPUTS)) {
    test(`${target.name}, ${inputs} times`, { timeout: 7_200_000 }, async (t) => {
      const result = await runInProcess(target.name, inputs, SEED)
      t.diagnostic(JSON.stringify({ ...result, crashes: undefined }))
      assert.deepEqual(result.crashes, [])
      assert.equal(result.inputs, inputs)
      assert.ok(result.growthBytes < MAX_GROWTH_BYTES, `grew by ${result.growthBytes} bytes`)
    })
  }
})

describe('what once did harm does none any more', () => {
  for (const { file, target: name, input } of crashers()) {
    test(file, async () => {
      const target = TARGETS.find((each) => each.name === name)!
      const session = await target.open(new SeededRandom(SEED))
      try {
        const before = await session.state?.()
        const refused = await Promise.resolve()
          .then(() => session.take(input))
          .catch((error: unknown) => {
            assert.ok(error instanceof GrapevineError && target.codes.includes(error.code), String(error))
            return 'refused'
          })
        if (typeof refused === 'string') assert.equal(await session.state?.(), before)
        await session.check?.()
      } finally {
        await session.close?.()
      }
    })
  }
})

describe('the run notices', () => {
  const one = (take: Session['take'], state?: Session['state']): Target => ({
    name: 'planted',
    share: 1,
    codes: ['usage'],
    open: async () => ({ make: (random) => random.bytes(4), take, ...(state === undefined ? {} : { state }) })
  })
  const reasons = async (target: Target): Promise<string[]> =>
    (await runTarget(target, { inputs: 3, seed: 1 })).crashes.map(({ reason }) => reason.split('\n')[0]!)
  const refusal = (code: 'usage' | 'internal'): GrapevineError => new GrapevineError(code, 'no', { next: 'look' })

  test('what is thrown that refuses nothing', async () => {
    const thrown = one(() => {
      throw new TypeError('boom')
    })
    assert.deepEqual(
      await reasons(thrown),
      Array.from({ length: 3 }, () => 'TypeError: boom')
    )
    const internal = one(() => Promise.reject(refusal('internal')))
    assert.deepEqual(
      await reasons(internal),
      Array.from({ length: 3 }, () => 'internal: no')
    )
    const allowed = one(() => Promise.reject(refusal('usage')))
    assert.deepEqual(await reasons(allowed), [])
  })

  test('a rejection that nobody handles', async () => {
    const stray = one(async () => {
      void Promise.reject(new TypeError('stray'))
      await new Promise((resolve) => setImmediate(resolve))
    })
    // the test runner listens too, and would take it for a failure of its own
    const others = process.listeners('unhandledRejection')
    process.removeAllListeners('unhandledRejection')
    try {
      assert.match((await reasons(stray))[0]!, /^a rejection nobody handled: TypeError: stray/)
    } finally {
      for (const other of others) process.on('unhandledRejection', other)
    }
  })

  test('an event loop that is kept too long, each time it is looked at', async () => {
    // time of the processor, as it is looked at: others use the machine too
    const busy = (ms: number): void => {
      for (const before = process.cpuUsage(); process.cpuUsage(before).user < ms * 1_000;);
    }
    assert.match((await reasons(one(() => busy(MAX_BLOCK_MS * 3))))[0]!, /^kept the event loop for \d+ ms$/)
    let first = true
    const once = one(() => {
      if (first) busy(MAX_BLOCK_MS * 3)
      first = false
    })
    assert.deepEqual(await reasons(once), [])
  })

  test('something that changed although the input was refused', async () => {
    let taken = 0
    const writes = one(
      () => {
        taken += 1
        throw refusal('usage')
      },
      () => String(taken)
    )
    assert.match((await reasons(writes))[0]!, /^changed something although it was refused \(usage\)$/)
  })

  test('what is wrong at the end of a life', async () => {
    const target: Target = {
      ...one(() => undefined),
      open: async () => ({
        make: () => new Uint8Array(),
        take: () => undefined,
        check: () => Promise.reject(new Error('unequal'))
      })
    }
    assert.match((await reasons(target))[0]!, /^left something wrong: Error: unequal/)
  })

  test('a seed gives the same inputs again, and another seed others', async () => {
    const seen = async (seed: number): Promise<string[]> => {
      const inputs: string[] = []
      await runTarget(
        one((input) => void inputs.push(Buffer.from(input).toString('hex'))),
        { inputs: 5, seed }
      )
      return inputs
    }
    assert.deepEqual(await seen(1), await seen(1))
    assert.notDeepEqual(await seen(1), await seen(2))
  })
})
