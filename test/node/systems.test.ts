/** GeoServers that are not alike are named, and nothing else comes of it. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { LOOK_BESIDE_MS, Systems, type SystemFacts, type SystemProblem } from '../../src/node/systems.js'
import { MAX_LACKS, MAX_SYSTEM_BYTES, type Beside } from '../../src/wire/index.js'
import { HandClock } from '../replica/lab.js'

interface World {
  readonly systems: Systems
  readonly clock: HandClock
  readonly told: Array<Beside | undefined>
  readonly changes: string[]
}

function world(own?: () => SystemFacts | undefined): World {
  const clock = new HandClock()
  const told: Array<Beside | undefined> = []
  const changes: string[] = []
  const systems = new Systems({
    clock,
    tell: (beside) => void told.push(beside),
    nameOf: (node) => (node === 'x' ? undefined : `node ${node}`),
    changed: ({ error }, open) => void changes.push(`${open ? 'open' : 'closed'} ${error.code}`)
  })
  if (own !== undefined) systems.watch(own)
  systems.start()
  systems.start()
  clock.advance(LOOK_BESIDE_MS)
  return { systems, clock, told, changes }
}

const beside = (version: string, ...lacks: string[]): Beside => ({ system: `GeoServer ${version}`, lacks })
const messages = ({ systems }: World): string[] => systems.problems.map(({ error }) => error.message)

describe('a GeoServer of another version', () => {
  test('is named on the node that has it and on every other that hears of it', () => {
    const mine = world(() => ({ version: '2.25.6', lacks: [] }))
    mine.systems.heard('b', beside('2.26.2'))
    mine.systems.heard('c', beside('2.26.2'))
    assert.deepEqual(messages(mine), ['this node runs beside GeoServer 2.25.6, 2 of 3 nodes beside GeoServer 2.26.2'])
    const theirs = world(() => ({ version: '2.26.2', lacks: [] }))
    theirs.systems.heard('a', beside('2.25.6'))
    theirs.systems.heard('c', beside('2.26.2'))
    assert.deepEqual(messages(theirs), ['node a runs beside GeoServer 2.25.6, 2 of 3 nodes beside GeoServer 2.26.2'])
    assert.equal(theirs.systems.problems[0]!.error.code, 'versions-unequal')
    assert.deepEqual(theirs.systems.of('a'), beside('2.25.6'))
  })

  test('of two as common ones the older is the odd one, by number and not by letter', () => {
    const made = world()
    made.systems.heard('b', beside('2.9.4'))
    made.systems.heard('x', beside('2.26.2'))
    assert.deepEqual(messages(made), ['node b runs beside GeoServer 2.9.4, 1 of 2 nodes beside GeoServer 2.26.2'])
  })

  test('is told once, with the time since when, and once more when it is over or out of sight', () => {
    const made = world(() => ({ version: '2.26.2', lacks: [] }))
    made.systems.heard('x', beside('2.25.6'))
    const [{ since }] = made.systems.problems as [SystemProblem]
    made.clock.advance(LOOK_BESIDE_MS * 3)
    made.systems.heard('y', beside('2.26.2'))
    assert.equal(made.systems.problems[0]!.since, since)
    assert.match(messages(made)[0]!, /^x runs beside/)
    made.systems.heard('x', beside('2.26.2'))
    made.systems.heard('x', beside('2.24.0'))
    made.systems.gone('x')
    assert.deepEqual(messages(made), [])
    assert.deepEqual(made.changes, [
      'open versions-unequal',
      'closed versions-unequal',
      'open versions-unequal',
      'closed versions-unequal'
    ])
  })
})

describe('a plugin that is not there', () => {
  test('is named for this node and for others, as long as it is missing', () => {
    let lacks = [{ plugin: 'css' }]
    const made = world(() => ({ version: '2.26.2', lacks }))
    made.systems.heard('b', beside('2.26.2', 'mongodb', 'netcdf'))
    assert.deepEqual(messages(made), [
      'the GeoServer 2.26.2 of this node lacks plugins that something in the catalog needs: css',
      'the GeoServer 2.26.2 of node b lacks plugins that something in the catalog needs: mongodb, netcdf'
    ])
    assert.equal(made.systems.problems[0]!.error.code, 'plugin-missing')
    lacks = []
    made.clock.advance(LOOK_BESIDE_MS)
    made.systems.heard('b', beside('2.26.2'))
    assert.deepEqual(messages(made), [])
  })
})

describe('what runs beside this node', () => {
  test('is told to peers when it is known and whenever it changes, and not in between', () => {
    let facts: SystemFacts | undefined
    const made = world(() => facts)
    made.clock.advance(LOOK_BESIDE_MS)
    facts = { lacks: [] }
    made.clock.advance(LOOK_BESIDE_MS)
    assert.deepEqual(made.told, [])
    facts = { version: '2.26.2', lacks: [{ plugin: 'css' }] }
    made.clock.advance(LOOK_BESIDE_MS * 3)
    facts = undefined
    made.clock.advance(LOOK_BESIDE_MS)
    assert.deepEqual(made.told, [beside('2.26.2', 'css'), undefined])
    made.systems.stop()
    facts = { version: '2.27.0', lacks: [] }
    made.clock.advance(LOOK_BESIDE_MS * 3)
    assert.equal(made.told.length, 2)
  })

  test('is told within the limits of a message: at the limit whole, past it without what does not fit', () => {
    const long = 'x'.repeat(MAX_SYSTEM_BYTES)
    const lacks = [
      { plugin: long },
      { plugin: `${long}x` },
      ...Array.from({ length: MAX_LACKS }, () => ({ plugin: 'css' }))
    ]
    const made = world(() => ({ version: long.slice('GeoServer '.length), lacks }))
    const [told] = made.told
    assert.equal(told!.system.length, MAX_SYSTEM_BYTES)
    assert.deepEqual(told!.lacks, [long, ...Array.from({ length: MAX_LACKS - 1 }, () => 'css')])
    assert.deepEqual(world(() => ({ version: long, lacks: [] })).told, [])
  })
})
