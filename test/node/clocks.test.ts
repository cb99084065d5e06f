/** Clocks that are off are told, and change nothing. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { describe, test } from 'node:test'
import { CLOCK_ALARM_MS, Clocks, TELL_CLOCK_MS, type ClockProblem } from '../../src/node/clocks.js'
import { decodeNotice, encodeNotice } from '../../src/wire/index.js'
import { withCluster } from '../e2e/cluster.js'
import { HandClock } from '../replica/lab.js'
import { FAKETIME_LIBRARY, wrongClocks } from './wrong-clocks.js'

function world(): { clocks: Clocks; clock: HandClock; told: string[]; changes: string[] } {
  const clock = new HandClock()
  const told: string[] = []
  const changes: string[] = []
  const clocks = new Clocks({
    clock,
    tell: () => void told.push('told'),
    nameOf: (node) => `node ${node}`,
    changed: ({ error }, open) => void changes.push(`${open ? 'open' : 'closed'}: ${error.message}`)
  })
  return { clocks, clock, told, changes }
}

const messages = (clocks: Clocks): string[] => clocks.problems.map(({ error }) => error.message)

describe('an alarm about a clock', () => {
  test('is raised one millisecond past the limit, either way, and not at it', () => {
    for (const sign of [1, -1]) {
      const { clocks } = world()
      clocks.heard('b', sign * CLOCK_ALARM_MS)
      assert.equal(clocks.problems.length, 0)
      clocks.heard('b', sign * (CLOCK_ALARM_MS + 1))
      assert.deepEqual(
        clocks.problems.map(({ error }) => error.code),
        ['clock-off']
      )
    }
  })

  test('names the peer when only that one differs, how, and since when', () => {
    const { clocks, clock } = world()
    clocks.heard('b', 3_600_000 * 3)
    clocks.heard('c', -40)
    assert.deepEqual(messages(clocks), ['the clock of node b is 3 hours ahead of the clock of this node'])
    const [{ since }] = clocks.problems as [ClockProblem]
    clock.advance(1_000)
    clocks.heard('b', -10 * 365.25 * 86_400_000)
    assert.deepEqual(messages(clocks), ['the clock of node b is 10 years behind the clock of this node'])
    assert.equal(clocks.problems[0]!.since, since)
  })

  test('is about this node when most of its peers agree against it', () => {
    const { clocks } = world()
    for (const node of ['b', 'c', 'd']) clocks.heard(node, 10 * 365.25 * 86_400_000)
    clocks.heard('e', 0)
    assert.deepEqual(messages(clocks), ['the clock of this node is 10 years behind those of 3 of 4 connected nodes'])
  })

  test('ends when the clock is right again or the peer is gone, and is told both times', () => {
    const { clocks, changes } = world()
    clocks.heard('b', 3_600_000 * 2)
    clocks.heard('b', 5)
    clocks.heard('b', -3_600_000 * 2)
    clocks.gone('b')
    assert.deepEqual(clocks.problems, [])
    assert.deepEqual(
      changes.map((line) => line.split(':')[0]),
      ['open', 'closed', 'open', 'closed']
    )
  })

  test('can come within 30 s: every peer hears our clock that often', () => {
    assert.ok(TELL_CLOCK_MS < 30_000)
    const { clocks, clock, told } = world()
    clocks.start()
    clocks.start()
    clock.advance(TELL_CLOCK_MS * 3)
    assert.equal(told.length, 3)
    clocks.stop()
    clock.advance(TELL_CLOCK_MS * 3)
    assert.equal(told.length, 3)
  })
})

test('a digest carries what a clock says, and one that does not is read all the same', () => {
  const digest = 'ab'.repeat(32)
  const said = decodeNotice(encodeNotice({ t: 'digest', digest, clock: 1_795_000_000_000 }))
  assert.deepEqual(said, { t: 'digest', digest, clock: 1_795_000_000_000 })
  assert.deepEqual(decodeNotice(encodeNotice({ t: 'digest', digest })), { t: 'digest', digest })
})

test(
  'daemons whose clocks are an hour or ten years off, stepping or standing still, say so within 30 s and hold the same catalog',
  { skip: existsSync(FAKETIME_LIBRARY) ? false : 'libfaketime is not installed; scripts/clones.ts installs it' },
  withCluster(wrongClocks)
)
