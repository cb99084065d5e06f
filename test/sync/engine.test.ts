/** The rules of sync/engine.ts, cited by number. Time is handed in; nothing runs by itself. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { SYNC_DEFAULTS, SyncEngine, type SyncEffect, type SyncOptions } from '../../src/sync/index.js'
import { MAX_UNKNOWN_LOGS } from '../../src/sync/options.js'
import { vectorDigest, type SyncNotice, type VectorEntry } from '../../src/wire/index.js'

const A = 'a'.repeat(32)
const B = 'b'.repeat(32)
const ROOT = '1'.repeat(64)
const OTHER_ROOT = '2'.repeat(64)

const at = (log: string, seq: number, head = `${seq}`.padStart(16, '0')): VectorEntry => ({ log, seq, head })

interface Rig {
  readonly engine: SyncEngine
  root: string | undefined
  backlog: number
  /** For how long nothing more of a log is to be asked for. */
  readonly rest: Map<string, number>
}

function rig(options: Partial<SyncOptions> = {}): Rig {
  const made: Omit<Rig, 'engine'> = { root: ROOT, backlog: 0, rest: new Map() }
  // random 0.5: announcements come exactly at their interval
  const engine = new SyncEngine(
    {
      root: () => made.root,
      backlogBytes: () => made.backlog,
      random: () => 0.5,
      restMs: (log) => made.rest.get(log) ?? 0
    },
    options
  )
  return Object.assign(made, { engine })
}

type Pull = Extract<SyncEffect, { do: 'pull' }>
type Notify = Extract<SyncEffect, { do: 'notify' }>

const pulls = (effects: readonly SyncEffect[]): Pull[] => effects.filter((effect) => effect.do === 'pull')
const asked = (effects: readonly SyncEffect[]): string[] =>
  pulls(effects).map(({ to, log, from }) => `${to} ${log[0]} ${from}`)
const said = (effects: readonly SyncEffect[]): string[] =>
  effects.filter((effect) => effect.do === 'notify').map((effect) => `${effect.to} ${effect.message.t}`)
const vector = (entries: readonly VectorEntry[], options: { full?: boolean; root?: string } = {}): SyncNotice => ({
  t: 'vector',
  full: options.full ?? true,
  vector: entries,
  ...(options.root === undefined ? {} : { root: options.root })
})

describe('rule 1: a peer is believed as far as it said, and asked only beyond what we hold or have asked for', () => {
  test('nothing is asked of a peer that said nothing', () => {
    const { engine } = rig()
    assert.deepEqual(asked(engine.peerUp('p', 0)), [])
    assert.deepEqual(asked(engine.evaluate(1_000)), [])
  })

  test('what it has and we lack is asked for, from the first we lack', () => {
    const { engine } = rig()
    engine.held([at(A, 3)], 0)
    engine.peerUp('p', 0)
    assert.deepEqual(asked(engine.heard('p', vector([at(A, 5), at(B, 1)]), 0)), ['p a 4', 'p b 1'])
  })

  test('what we hold, also when the peer holds less, is not asked for', () => {
    const { engine } = rig()
    engine.held([at(A, 5)], 0)
    engine.peerUp('p', 0)
    assert.deepEqual(asked(engine.heard('p', vector([at(A, 5)]), 0)), [])
    assert.deepEqual(asked(engine.heard('p', vector([at(A, 3)]), 0)), [])
  })

  test('what gossip brought already is not asked for, unless it could not be stored', () => {
    const { engine } = rig()
    engine.peerUp('p', 0)
    engine.fetching(A, 4)
    assert.deepEqual(asked(engine.heard('p', vector([at(A, 4)]), 0)), [])
    assert.deepEqual(asked(engine.refused(A, 'q', 0)), ['p a 1'])
  })

  test('a full vector replaces what it said before, a partial one adds to it', () => {
    const { engine } = rig({ maxPullsPerPeer: 1 })
    engine.peerUp('p', 0)
    const [pull] = pulls(engine.heard('p', vector([at(A, 5)]), 0))
    engine.heard('p', vector([at(B, 2)], { full: false }), 0)
    assert.deepEqual(asked(engine.pulled(pull!.id, 5, 5, 0)), ['p b 1'])
    const other = rig({ maxPullsPerPeer: 1 })
    other.engine.peerUp('p', 0)
    const [first] = pulls(other.engine.heard('p', vector([at(A, 5), at(B, 2)]), 0))
    other.engine.heard('p', vector([at(A, 5)]), 0)
    assert.deepEqual(asked(other.engine.pulled(first!.id, 5, 5, 0)), [])
  })

  test('what is said of somebody who is not connected has no effect', () => {
    const { engine } = rig()
    assert.deepEqual(engine.heard('p', vector([at(A, 5)]), 0), [])
    assert.deepEqual(engine.gossiped('p', [at(A, 5)], 0), [])
    assert.equal(engine.standing('p'), undefined)
  })
})

describe('rule 2: one pull a log at a time, different logs side by side', () => {
  test('two peers with the same log: one is asked', () => {
    const { engine } = rig()
    engine.peerUp('p', 0)
    engine.peerUp('q', 0)
    assert.deepEqual(asked(engine.heard('p', vector([at(A, 5)]), 0)), ['p a 1'])
    assert.deepEqual(asked(engine.heard('q', vector([at(A, 9)]), 0)), [])
  })

  test('two peers with two logs: both are asked', () => {
    const { engine } = rig({ maxPullsPerPeer: 1 })
    engine.peerUp('p', 0)
    engine.peerUp('q', 0)
    const both = vector([at(A, 5), at(B, 5)])
    assert.deepEqual(asked(engine.heard('p', both, 0)), ['p a 1'])
    assert.deepEqual(asked(engine.heard('q', both, 0)), ['q b 1'])
  })

  test('what was fetched and is not stored yet does not hold up the next pull', () => {
    const { engine } = rig()
    engine.peerUp('p', 0)
    const [pull] = pulls(engine.heard('p', vector([at(A, 9)]), 0))
    assert.deepEqual(asked(engine.pulled(pull!.id, 4, 9, 0)), ['p a 5'])
  })

  test('unless too much of it waits: then nothing is asked until it is stored', () => {
    const made = rig()
    made.engine.peerUp('p', 0)
    made.backlog = SYNC_DEFAULTS.maxBacklogBytes + 1
    assert.deepEqual(asked(made.engine.heard('p', vector([at(A, 9)]), 0)), [])
    made.backlog = SYNC_DEFAULTS.maxBacklogBytes
    assert.deepEqual(asked(made.engine.evaluate(0)), ['p a 1'])
  })

  test(`no peer has more than ${SYNC_DEFAULTS.maxPullsPerPeer} pulls under way`, () => {
    const { engine } = rig()
    engine.peerUp('p', 0)
    const logs = Array.from({ length: 9 }, (_, index) => at(`${index}`.repeat(32), 5))
    const first = pulls(engine.heard('p', vector(logs), 0))
    assert.equal(first.length, SYNC_DEFAULTS.maxPullsPerPeer)
    assert.equal(pulls(engine.evaluate(0)).length, 0)
    assert.equal(pulls(engine.pulled(first[0]!.id, 5, 5, 0)).length, 1)
  })

  test('logs take turns: one that never ends does not keep the others waiting', () => {
    const { engine } = rig({ maxPullsPerPeer: 2 })
    engine.peerUp('p', 0)
    const busy = ['1', '2'].map((digit) => digit.repeat(32))
    const calm = ['3', '4', '5'].map((digit) => digit.repeat(32))
    let open = pulls(engine.heard('p', vector([...busy.map((log) => at(log, 1)), ...calm.map((log) => at(log, 1))]), 0))
    const served = new Set<string>()
    for (let turn = 1; turn <= 6 && served.size < 5; turn++) {
      // before any answer comes, the busy logs have grown again
      engine.gossiped(
        'p',
        busy.map((log) => at(log, turn + 1)),
        turn
      )
      const answered = open
      open = []
      for (const pull of answered) {
        served.add(pull.log)
        open.push(...pulls(engine.pulled(pull.id, pull.from, 1_000, turn)))
      }
    }
    assert.equal(served.size, 5)
  })
})

describe('rule 3: who does not answer, or answers short, is left alone for a while; another is asked at once', () => {
  for (const [what, fail] of [
    ['does not answer', (engine: SyncEngine, id: number, now: number) => engine.pullFailed(id, now)],
    ['answers with nothing', (engine: SyncEngine, id: number, now: number) => engine.pulled(id, 0, 9, now)]
  ] as const) {
    test(`a peer that ${what}`, () => {
      const { engine } = rig()
      engine.peerUp('p', 0)
      engine.peerUp('q', 0)
      const [pull] = pulls(engine.heard('p', vector([at(A, 9)]), 0))
      engine.heard('q', vector([at(A, 9)]), 0)
      const next = fail(engine, pull!.id, 100)
      assert.deepEqual(asked(next), ['q a 1'])
      assert.deepEqual(asked(fail(engine, pulls(next)[0]!.id, 200)), [])
      assert.deepEqual(asked(engine.evaluate(100 + SYNC_DEFAULTS.retryMs - 1)), [])
      assert.deepEqual(asked(engine.evaluate(100 + SYNC_DEFAULTS.retryMs)), ['p a 1'])
    })
  }

  test('a peer that holds less than it said is not asked for the rest again', () => {
    const { engine } = rig()
    engine.peerUp('p', 0)
    const [pull] = pulls(engine.heard('p', vector([at(A, 9)]), 0))
    assert.deepEqual(asked(engine.pulled(pull!.id, 4, 4, 0)), [])
    assert.deepEqual(asked(engine.evaluate(SYNC_DEFAULTS.retryMs * 3)), [])
  })

  test('a peer that is gone is asked nothing more, and its pulls go to another', () => {
    const { engine } = rig()
    engine.peerUp('p', 0)
    engine.peerUp('q', 0)
    const [pull] = pulls(engine.heard('p', vector([at(A, 9)]), 0))
    engine.heard('q', vector([at(A, 9)]), 0)
    assert.deepEqual(asked(engine.peerDown('p', 0)), ['q a 1'])
    assert.deepEqual(engine.pulled(pull!.id, 9, 9, 0), [])
    assert.deepEqual(engine.pullFailed(pull!.id, 0), [])
  })

  test('what was refused is asked again when a member was admitted', () => {
    const { engine } = rig()
    engine.peerUp('p', 0)
    const [pull] = pulls(engine.heard('p', vector([at(A, 9)]), 0))
    engine.pulled(pull!.id, 9, 9, 0)
    assert.deepEqual(asked(engine.refused(A, 'p', 10)), [])
    assert.deepEqual(asked(engine.retryNow(20)), ['p a 1'])
  })

  test('a peer whose records are refused for ever is asked at most once in each while', () => {
    const { engine } = rig()
    engine.peerUp('p', 0)
    let requests = 0
    let open = pulls(engine.heard('p', vector([at(A, 9)]), 0))
    for (let now = 0; now < 60_000; now += 50) {
      for (const pull of open) {
        requests += 1
        open = [...pulls(engine.pulled(pull.id, 9, 9, now)), ...pulls(engine.refused(A, 'p', now))]
      }
      if (open.length === 0) open = pulls(engine.evaluate(now))
      else open = open.slice(-1)
    }
    assert.ok(requests <= 60_000 / SYNC_DEFAULTS.retryMs + 1, `${requests} requests in a minute`)
  })
})

describe('what is to be left alone for a while', () => {
  test('is not asked for, takes nothing from others of the same peer, and is looked at again by itself', () => {
    const made = rig({ maxPullsPerPeer: 2 })
    const { engine, rest } = made
    engine.held([at(A, 1), at(B, 1)], 0)
    engine.peerUp('p', 0)
    rest.set(A, 100)
    assert.deepEqual(asked(engine.heard('p', vector([at(A, 5), at(B, 5)]), 0)), ['p b 2'])
    assert.deepEqual(asked(engine.evaluate(127)), [])
    rest.delete(A)
    assert.ok(engine.nextTickMs(127) <= 1)
    assert.deepEqual(asked(engine.evaluate(128)), ['p a 2'])
  })

  test('is looked at again after a second at the latest and not more often than every 16 ms', () => {
    for (const [ms, after] of [
      [1, 16],
      [16, 16],
      [17, 32],
      [60_000, 1_024]
    ] as const) {
      const { engine, rest } = rig()
      engine.held([at(A, 1)], 0)
      engine.peerUp('p', 0)
      rest.set(A, ms)
      engine.heard('p', vector([at(A, 5)]), 0)
      rest.clear()
      assert.deepEqual(asked(engine.evaluate(after - 1)), [], `${ms}`)
      assert.deepEqual(asked(engine.evaluate(after)), ['p a 2'], `${ms}`)
    }
  })
})

describe('rule 4: whenever what we hold changes, every peer learns it in time', () => {
  test('after a quiet moment, once, and what changed only', () => {
    const { engine } = rig()
    engine.held([at(A, 1), at(B, 1)], 0)
    engine.evaluate(10_000)
    engine.peerUp('p', 10_000)
    engine.peerUp('q', 10_000)
    assert.deepEqual(said(engine.held([at(A, 2)], 10_000)), [])
    assert.deepEqual(said(engine.held([at(A, 3)], 10_100)), [])
    assert.deepEqual(said(engine.evaluate(10_299)), [])
    const effects = engine.evaluate(10_300)
    assert.deepEqual(said(effects), ['p vector', 'q vector'])
    assert.deepEqual((effects[0] as Notify).message, { t: 'vector', full: false, vector: [at(A, 3)], root: ROOT })
    assert.deepEqual(said(engine.evaluate(10_600)), [])
  })

  test('however busy we are, at the latest after the longest delay', () => {
    const { engine } = rig()
    engine.peerUp('p', 0)
    let first: number | undefined
    for (let now = 0, seq = 1; now <= 3_000 && first === undefined; now += 50, seq++)
      if (said(engine.held([at(A, seq)], now)).length > 0) first = now
    assert.equal(first, SYNC_DEFAULTS.vectorMaxDelayMs)
  })

  test('the next tick comes when it is due, whatever is asked of us meanwhile', () => {
    const { engine } = rig()
    engine.peerUp('p', 0)
    engine.held([at(A, 1)], 0)
    const due = engine.nextTickMs(0)
    assert.equal(due, SYNC_DEFAULTS.vectorQuietMs)
    engine.heard('p', { t: 'ask-vector' }, 150)
    assert.equal(engine.nextTickMs(150), SYNC_DEFAULTS.vectorQuietMs - 150)
    assert.equal(engine.nextTickMs(199), 1)
  })

  test('the next tick is no later than any deadline: of a change, of a retry, of an announcement', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.constantFrom('held', 'fail', 'ask', 'vector'), fc.integer({ min: 1, max: 260 })), {
          maxLength: 40
        }),
        (events) => {
          const { engine } = rig()
          let now = 0
          let seq = 1
          engine.peerUp('p', now)
          let open = pulls(engine.heard('p', vector([at(B, 9)]), now))
          let changedSince: number | undefined
          let deadline = now + SYNC_DEFAULTS.announceIntervalMs
          for (const [event, pause] of events) {
            const tick = now + engine.nextTickMs(now)
            assert.ok(tick <= deadline, 'an announcement would be late')
            if (changedSince !== undefined)
              assert.ok(
                tick <= changedSince + SYNC_DEFAULTS.vectorMaxDelayMs,
                `a change of ${changedSince} waits beyond ${tick}`
              )
            now = Math.min(now + pause, tick)
            const effects =
              now === tick
                ? engine.evaluate(now)
                : event === 'held'
                  ? engine.held([at(A, seq++)], now)
                  : event === 'ask'
                    ? engine.heard('p', { t: 'ask-vector' }, now)
                    : event === 'vector'
                      ? engine.heard('p', vector([at(B, 9)]), now)
                      : open.length > 0
                        ? engine.pullFailed(open[0]!.id, now)
                        : []
            if (now !== tick && event === 'held') changedSince ??= now
            for (const effect of effects) {
              if (effect.do === 'notify' && effect.message.t === 'vector' && !effect.message.full)
                changedSince = undefined
              if (effect.do === 'notify' && effect.message.t === 'digest')
                deadline = now + SYNC_DEFAULTS.announceIntervalMs
            }
            open = [...open.slice(1), ...pulls(effects)]
          }
        }
      ),
      { seed: 20_260_106, numRuns: 300, includeErrorInReport: true }
    )
  })

  test('the next tick comes no later than the longest delay, however often something changes', () => {
    const { engine } = rig()
    engine.peerUp('p', 0)
    for (let now = 0; now <= 900; now += 150) engine.held([at(A, 1 + now)], now)
    assert.equal(engine.nextTickMs(900), SYNC_DEFAULTS.vectorMaxDelayMs - 900)
  })

  test('a peer that failed is asked again without any event but the tick', () => {
    const { engine } = rig()
    engine.peerUp('p', 0)
    const [pull] = pulls(engine.heard('p', vector([at(A, 9)]), 0))
    engine.pullFailed(pull!.id, 100)
    const tick = 100 + engine.nextTickMs(100)
    assert.equal(tick, 100 + SYNC_DEFAULTS.retryMs)
    assert.deepEqual(asked(engine.evaluate(tick)), ['p a 1'])
  })

  test('while records wait no root is named', () => {
    const made = rig()
    made.engine.peerUp('p', 0)
    made.root = undefined
    made.engine.held([at(A, 1)], 0)
    const [effect] = made.engine.evaluate(SYNC_DEFAULTS.vectorQuietMs) as Notify[]
    assert.deepEqual(effect!.message, { t: 'vector', full: false, vector: [at(A, 1)] })
  })
})

describe('rule 5: every peer hears our digest, and who differs asks for the vector', () => {
  test('at once when it connects, then at every interval', () => {
    const { engine } = rig()
    assert.deepEqual(said(engine.peerUp('p', 0)), ['p digest'])
    assert.deepEqual(said(engine.evaluate(SYNC_DEFAULTS.announceIntervalMs - 1)), [])
    assert.deepEqual(said(engine.evaluate(SYNC_DEFAULTS.announceIntervalMs)), ['p digest'])
    assert.equal(engine.nextTickMs(SYNC_DEFAULTS.announceIntervalMs), SYNC_DEFAULTS.announceIntervalMs)
  })

  test('an equal digest is answered with nothing and makes the peer known in full', () => {
    const { engine } = rig()
    engine.held([at(A, 2)], 0)
    engine.evaluate(1_000)
    engine.peerUp('p', 1_000)
    assert.deepEqual(engine.heard('p', { t: 'digest', digest: vectorDigest([at(A, 2)]), root: ROOT }, 1_000), [])
    assert.deepEqual(engine.standing('p'), { inSync: true, behind: 0, ahead: 0, diverged: false })
  })

  test('a different one is answered with a question, and the question with everything', () => {
    const { engine } = rig()
    engine.held([at(A, 2), at(B, 1)], 0)
    engine.peerUp('p', 0)
    assert.deepEqual(said(engine.heard('p', { t: 'digest', digest: 'f'.repeat(64) }, 0)), ['p ask-vector'])
    const [answer] = engine.heard('p', { t: 'ask-vector' }, 0) as Notify[]
    assert.deepEqual(answer!.message, { t: 'vector', full: true, vector: [at(A, 2), at(B, 1)], root: ROOT })
  })

  test('nodes that are equal and idle exchange their digests and nothing else', () => {
    const nodes = ['p', 'q', 'r'].map((name) => ({ name, ...rig() }))
    let messages: string[] = []
    const perform = (from: string, effects: readonly SyncEffect[], now: number): void => {
      for (const effect of effects) {
        messages.push(effect.do === 'notify' ? effect.message.t : effect.do)
        const target = effect.do === 'notify' ? nodes.find(({ name }) => name === effect.to) : undefined
        if (effect.do === 'notify' && target !== undefined)
          perform(target.name, target.engine.heard(from, effect.message, now), now)
      }
    }
    for (const { engine } of nodes) engine.held([at(A, 3), at(B, 4)], 0)
    for (const { engine } of nodes) engine.evaluate(1_000)
    for (const { name, engine } of nodes)
      for (const other of nodes) if (other.name !== name) perform(name, engine.peerUp(other.name, 1_000), 1_000)
    messages = []
    const hour = 3_600_000
    for (let now = 1_000; now <= hour; now += 1_000)
      for (const { name, engine } of nodes) perform(name, engine.evaluate(now), now)
    assert.deepEqual([...new Set(messages)], ['digest'])
    assert.ok(
      messages.length <= 6 * (hour / SYNC_DEFAULTS.announceIntervalMs + 1),
      `${messages.length} messages in an hour`
    )
  })
})

describe('rule 6: a peer that is silent is hung up on', () => {
  test('after the silence, and not while it says anything at all', () => {
    const { engine } = rig()
    engine.peerUp('p', 0)
    engine.heard('p', { t: 'ask-vector' }, 1_000)
    const hangUps = (now: number): number => engine.evaluate(now).filter((effect) => effect.do === 'hang-up').length
    assert.equal(hangUps(1_000 + SYNC_DEFAULTS.silenceMs), 0)
    assert.equal(hangUps(1_001 + SYNC_DEFAULTS.silenceMs), 1)
    assert.equal(hangUps(1_002 + SYNC_DEFAULTS.silenceMs), 0)
  })

  test('an answer to a pull, and gossip, count as signs of life', () => {
    const { engine } = rig()
    engine.peerUp('p', 0)
    const [pull] = pulls(engine.heard('p', vector([at(A, 1)]), 0))
    engine.pulled(pull!.id, 1, 1, 50_000)
    engine.gossiped('p', [], 100_000)
    assert.deepEqual(
      engine.evaluate(100_000 + SYNC_DEFAULTS.silenceMs).filter((effect) => effect.do === 'hang-up'),
      []
    )
  })
})

describe('rule 7: in sync is said only when vectors and roots are equal', () => {
  function standing(ours: VectorEntry[], theirs: VectorEntry[], roots: [string | undefined, string | undefined]) {
    const made = rig()
    made.root = roots[0]
    made.engine.held(ours, 0)
    made.engine.peerUp('p', 0)
    made.engine.heard('p', vector(theirs, roots[1] === undefined ? {} : { root: roots[1] }), 0)
    const found = made.engine.standing('p')
    assert.equal(made.engine.isInSync('p'), found?.inSync === true)
    return found
  }

  test('equal vectors and equal roots', () => {
    assert.deepEqual(standing([at(A, 2)], [at(A, 2)], [ROOT, ROOT]), {
      inSync: true,
      behind: 0,
      ahead: 0,
      diverged: false
    })
  })

  test('equal vectors and different roots have diverged', () => {
    assert.deepEqual(standing([at(A, 2)], [at(A, 2)], [ROOT, OTHER_ROOT]), {
      inSync: false,
      behind: 0,
      ahead: 0,
      diverged: true
    })
  })

  test('equal roots by chance of time with different vectors are not in sync', () => {
    assert.deepEqual(standing([at(A, 2), at(B, 1)], [at(A, 5)], [ROOT, ROOT]), {
      inSync: false,
      behind: 1,
      ahead: 3,
      diverged: false
    })
  })

  test('while either has records that wait', () => {
    assert.equal(standing([at(A, 2)], [at(A, 2)], [undefined, ROOT])!.inSync, false)
    assert.equal(standing([at(A, 2)], [at(A, 2)], [ROOT, undefined])!.inSync, false)
    assert.equal(standing([at(A, 2)], [at(A, 2)], [undefined, undefined])!.inSync, false)
  })

  test('a peer of which only a part is known is unknown', () => {
    const { engine } = rig()
    engine.held([at(A, 2)], 0)
    engine.peerUp('p', 0)
    engine.heard('p', vector([at(A, 2)], { full: false, root: ROOT }), 0)
    assert.equal(engine.standing('p')!.inSync, null)
    assert.equal(engine.isInSync('p'), false)
    assert.equal(engine.isInSync('nobody'), false)
  })
})

test('any order of events on any number of peers ends with everything fetched once each peer has answered', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.tuple(
          fc.constantFrom('p', 'q', 'r'),
          fc.constantFrom(A, B, 'c'.repeat(32), 'd'.repeat(32), 'e'.repeat(32)),
          fc.integer({ min: 1, max: 9 })
        ),
        { minLength: 1, maxLength: 12 }
      ),
      fc.array(fc.nat(5)),
      (claims, fates) => {
        const { engine } = rig({ maxPullsPerPeer: 2 })
        const want = new Map<string, number>()
        const open: Pull[] = []
        const bestOf = (node: string, log: string): number =>
          Math.max(0, ...claims.filter((claim) => claim[0] === node && claim[1] === log).map((claim) => claim[2]))
        for (const peer of ['p', 'q', 'r']) engine.peerUp(peer, 0)
        for (const [peer, log, seq] of claims) {
          want.set(log, Math.max(want.get(log) ?? 0, seq))
          open.push(...pulls(engine.gossiped(peer, [at(log, seq)], 0)))
        }
        let now = 0
        for (let turn = 0; turn < 200 && open.length + (turn < 50 ? 1 : 0) > 0; turn++) {
          const pull = open.shift()
          now += 700
          if (pull === undefined) open.push(...pulls(engine.evaluate(now)))
          else if (fates[turn] === 0) open.push(...pulls(engine.pullFailed(pull.id, now)))
          else {
            const head = bestOf(pull.to, pull.log)
            const last = Math.min(head, pull.from + 2)
            const effects = engine.pulled(pull.id, last >= pull.from ? last : 0, head, now)
            open.push(...pulls(effects), ...(last >= pull.from ? pulls(engine.held([at(pull.log, last)], now)) : []))
          }
          const logs = open.map(({ log }) => log)
          assert.equal(new Set(logs).size, logs.length, 'two pulls of one log are under way')
        }
        assert.deepEqual(
          Object.fromEntries(engine.vector().map(({ log, seq }) => [log, seq])),
          Object.fromEntries(want)
        )
      }
    ),
    { seed: 20_260_107, numRuns: 300, includeErrorInReport: true }
  )
})

test('of logs nobody has heard of a peer may claim only so many, and none is remembered that it does not have', () => {
  const { engine } = rig()
  engine.peerUp('p', 0)
  const made = (from: number, count: number): VectorEntry[] =>
    Array.from({ length: count }, (_, n) => at((from + n).toString(16).padStart(32, '0'), 1))
  engine.heard('p', vector(made(0, MAX_UNKNOWN_LOGS)), 0)
  assert.equal(engine.standing('p')!.ahead, MAX_UNKNOWN_LOGS)
  const over = engine.heard('p', vector(made(MAX_UNKNOWN_LOGS, 20_000), { full: false }), 0)
  assert.ok(
    engine.standing('p')!.ahead <= MAX_UNKNOWN_LOGS + SYNC_DEFAULTS.maxPullsPerPeer,
    'what is asked for is known'
  )
  engine.gossiped('p', made(40_000, 20_000), 0)
  assert.ok(engine.standing('p')!.ahead <= MAX_UNKNOWN_LOGS + SYNC_DEFAULTS.maxPullsPerPeer)
  assert.equal(over.length, 0, 'four pulls are under way already')
  engine.held([at(A, 1)], 0)
  engine.heard('p', vector([at(A, 7)], { full: false }), 0)
  assert.ok(pulls(engine.pullFailed(1, 0)).length === 1, 'a log we know is claimed all the same')
})
