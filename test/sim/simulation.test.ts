import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runSeed } from './run.js'

test('the same seed gives the same messages, faults and roots, another seed others', async () => {
  const traces = new Set<string>()
  for (const seed of [1_001, 1_002, 1_003]) {
    const { trace } = await runSeed(seed)
    assert.equal((await runSeed(seed)).trace, trace, `seed ${seed} is not repeatable`)
    traces.add(trace)
  }
  assert.equal(traces.size, 3)
})
