/** Turns of nodes that never ask each other. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { reloadWaitMs, WINDOW_MS } from '../../../../src/adapters/geoserver/tell/windows.js'

const STEP_MS = 500

describe('when a node may reload', () => {
  for (const [nodes, share, together] of [
    [1, 0.34, 1],
    [2, 0.34, 1],
    [3, 0.34, 1],
    [7, 0.34, 2],
    [7, 0.01, 1],
    [12, 0.5, 6],
    [5, 1, 5]
  ] as const)
    test(`of ${nodes} nodes at most ${together} at a time, at a share of ${share}, and each in time`, () => {
      const round = Math.ceil(nodes / together) * WINDOW_MS
      const free = Array.from({ length: nodes }, () => 0)
      for (let now = 1_700_000_000_000; now < 1_700_000_000_000 + round; now += STEP_MS) {
        const may = free.map((_, rank) => reloadWaitMs({ rank, nodes, share }, now) === 0)
        assert.ok(may.filter(Boolean).length <= together)
        may.forEach((each, rank) => (free[rank]! += each ? 1 : 0))
      }
      assert.ok(free.every((steps) => steps > 0))
    })

  test('it begins in the first half of its window, and is told exactly how long to wait', () => {
    const turn = { rank: 1, nodes: 3, share: 0.34 }
    const begins = 3 * WINDOW_MS * 1_000 + WINDOW_MS
    assert.equal(reloadWaitMs(turn, begins), 0)
    assert.equal(reloadWaitMs(turn, begins - 1), 1)
    assert.equal(reloadWaitMs(turn, begins + WINDOW_MS / 2 - 1), 0)
    assert.equal(reloadWaitMs(turn, begins + WINDOW_MS / 2), 2.5 * WINDOW_MS)
  })
})
