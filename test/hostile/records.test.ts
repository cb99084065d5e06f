/** Attacks by records: whatever a member signs, every honest node says the same of it, and goes on. */
import '../../src/polyfill.js'
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { randomBytes } from 'node:crypto'
import { clientIdOf, entryIdOfPath, ROOT_ID } from '../../src/catalog/index.js'
import { encodeCbor, MAX_RECORD_BYTES, MAX_SEQ, type SignedRecord } from '../../src/wire/index.js'
import { until } from '../e2e/until.js'
import { anywhere, edit, file, Forger, newEntry, place, watch, type Forged } from './forger.js'
import { attacks, sized } from './world.js'

const attack = attacks()

for (const role of ['public', 'relay'] as const)
  attack(`what a ${role} node writes counts nowhere`, async (world) => {
    const unscathed = await watch(world)
    const forger = await Forger.at(world, await world.member(role))
    const told = world.said('A record was rejected.')
    const line = await forger.give(await forger.seal({ ops: file(`of-${role}.txt`) }))
    assert.equal(line.state, 'rejected')
    assert.match(line.reason!, /may not write/)
    assert.ok(world.said('A record was rejected.') > told)
    await unscathed()
    assert.equal(anywhere(world, `of-${role}.txt`), false)
  })

attack('an author with a scope writes to no path outside it, however much it looks like one inside', async (world) => {
  const unscathed = await watch(world)
  const [{ client }] = world.honest
  const bytes = async function* (): AsyncIterable<Uint8Array> {
    yield Buffer.from('honest')
  }
  for (const path of ['road/x.txt', 'roads/x.txt', 'secret.txt']) await client.put(path, bytes())
  const [road, roads] = ['road', 'roads'].map((name) => entryIdOfPath(ROOT_ID, name, 'dir', 0))
  const secret = entryIdOfPath(ROOT_ID, 'secret.txt', 'file', 0)
  const forger = await Forger.at(world, await world.member('author', ['road']))
  const cases: ReadonlyArray<readonly [state: string, what: string, ops: Forged['ops']]> = [
    ['applied', 'inside', file('mine.txt', road)],
    ['rejected', 'a path that begins like it', file('mine.txt', roads)],
    ['rejected', 'beside it', file('mine.txt')],
    ['rejected', 'a name like a path', file('road/mine.txt')],
    ['rejected', 'a name like a way out', file('..', road)],
    ['rejected', 'the scope as a file', file('road ')],
    ['rejected', 'below what is nowhere', file('mine.txt', newEntry())],
    ['rejected', 'a file of others', (at) => [edit(at, secret, [['exec', true]])]],
    ['rejected', 'a file of others moved into it', (at) => [edit(at, secret, [place('secret.txt', road)])]],
    ['rejected', 'the scope moved over another', (at) => [edit(at, road!, [place('roads')])]]
  ]
  for (const [state, what, ops] of cases)
    assert.equal((await forger.give(await forger.seal({ ops }))).state, state, what)
  await unscathed()
  for (const { dir } of world.honest) {
    assert.equal(readFileSync(join(dir, 'secret.txt'), 'utf8'), 'honest')
    assert.deepEqual([existsSync(join(dir, 'roads/mine.txt')), existsSync(join(dir, 'road/mine.txt'))], [false, true])
  }
})

const DAY_US = 86_400_000_000
const TIMES: ReadonlyArray<readonly [string, () => number]> = [
  ['an hour ahead', () => Date.now() * 1_000 + DAY_US / 24],
  ['ten years ahead', () => Date.now() * 1_000 + 3_652 * DAY_US],
  ['the greatest integer', () => Number.MAX_SAFE_INTEGER],
  ['thirty days back', () => Date.now() * 1_000 - 30 * DAY_US],
  ['the beginning of time', () => 0]
]

attack('a time that is not now wins nothing over who saw it, and moves nobody’s clock', async (world) => {
  const unscathed = await watch(world)
  const [a, b] = world.honest
  const forger = await Forger.at(world, await world.member())
  for (const [at, [what, time]] of TIMES.entries()) {
    const path = `time-${at}.txt`
    const line = await forger.give(await forger.seal({ time: time(), ops: file(path) }))
    assert.equal(line.state, 'applied', what)
    const body = Buffer.from(`honest ${at}`)
    const { record } = await b.client.put(
      path,
      (async function* () {
        yield body
      })()
    )
    for (const { dir } of world.honest)
      await until(`the honest change wins over ${what}`, () => readFileSync(join(dir, path)).equals(body))
    const age = Date.now() - Date.parse((await b.client.record(record!)).time)
    assert.ok(Math.abs(age) < 60_000, `${what} moved the clock by ${age} ms`)
    assert.equal((await a.client.entry(path)).conflicts.length, 0)
  }
  for (const words of [['inspect', 'log'], ['history', 'time-2.txt'], ['ls']])
    assert.equal((await a.cli(...words)).code, 0, words.join(' '))
  await unscathed()
})

attack('a depth that is not the next one counts nowhere, and nobody comes any deeper by it', async (world) => {
  const unscathed = await watch(world)
  const forger = await Forger.at(world, await world.member())
  const { deps, depth } = await world.past()
  for (const wrong of [depth + 1_000_000, MAX_SEQ, 1]) {
    const line = await forger.give(await forger.seal({ deps, depth: wrong, ops: file('deep.txt') }))
    assert.equal(line.state, 'rejected')
    assert.match(line.reason!, /depth/)
  }
  await unscathed()
  assert.ok((await world.past()).depth < depth + 100)
  assert.equal(anywhere(world, 'deep.txt'), false)
})

attack('what is no record, or none of this cluster and this log, is not stored, and it is told of', async (world) => {
  const unscathed = await watch(world)
  const forger = await Forger.at(world, await world.member())
  const good = await forger.seal({ ops: file('good.txt') })
  const padded = await forger.seal({
    ops: () => [{ k: 'unknown', raw: { k: 'later', x: Buffer.alloc(MAX_RECORD_BYTES) } }]
  })
  const foreign = await forger.seal({ cluster: randomBytes(16).toString('hex'), ops: file('foreign.txt') })
  const other = await forger.seal({ space: 'elsewhere', ops: file('elsewhere.txt') })
  await forger.refused(padded.bytes.subarray(0, MAX_RECORD_BYTES + 1))
  await forger.refused(padded.bytes, padded.log)
  for (const nested of [33, 12_000]) await forger.refused(inside(nested))
  // 4 GiB are declared, and 2^63
  for (const length of [
    [0x5a, 255, 255, 255, 255],
    [0x5b, 127, 255, 255, 255, 255, 255, 255, 255],
    [0x9a, 255, 255, 255, 255]
  ])
    await forger.refused(Buffer.concat([Buffer.alloc(64), Uint8Array.from([0xa1, 0x61, 0x76, ...length])]))
  await forger.refused(foreign.bytes, foreign.log)
  await forger.refused(other.bytes, other.log)
  // the same record again, as if it were of another epoch
  assert.equal((await forger.give(good)).state, 'applied')
  await forger.refused(good.bytes)
  assert.ok(world.said('A pull failed; another peer is asked.') > 0)
  await unscathed()
  for (const name of ['foreign.txt', 'elsewhere.txt']) assert.equal(anywhere(world, name), false)
})

/** A signed map with so many lists in one another. */
function inside(levels: number): Uint8Array {
  const map = encodeCbor({ v: 1 })
  const nested = Buffer.concat([Buffer.alloc(levels, 0x81), Uint8Array.of(0)])
  return Buffer.concat([Buffer.alloc(64), Uint8Array.of(0xa1), map.subarray(1, 3), nested])
}

attack('files that are made and deleted without end leave nothing behind but their records', async (world) => {
  const unscathed = await watch(world)
  const forger = await Forger.at(world, await world.member())
  const pairs = sized(2_000, 100_000)
  const each = 200
  const entry = newEntry()
  let clock = 0
  const ops: Forged['ops'] = (at) =>
    Array.from({ length: each }, () => {
      const deletes =
        clock === 0 ? [] : [{ client: clientIdOf(at.author, at.epoch, entry), clock: clock - 1, length: 1 }]
      const made = edit(at, entry, [place('blink.txt')], { clock, deletes })
      const gone = edit(at, entry, [['!', {}]], {
        clock: clock + 1,
        deletes: [{ client: clientIdOf(at.author, at.epoch, entry), clock, length: 1 }]
      })
      clock += 2
      return [made, gone]
    }).flat()
  const records: SignedRecord[] = [await forger.seal({ ops })]
  while (records.length * each < pairs) records.push(forger.next(records.at(-1)!, { ops }))
  assert.equal((await forger.give(...records)).state, 'applied')
  await unscathed()
  assert.equal(anywhere(world, 'blink.txt'), false)
})

attack('what waits for a record that does not exist waits alone', async (world) => {
  const unscathed = await watch(world)
  const forger = await Forger.at(world, await world.member())
  const nowhere = { log: randomBytes(16).toString('hex'), seq: 7, id: randomBytes(32).toString('hex') }
  const record = await forger.seal({ deps: [nowhere], depth: 8, ops: file('waiting.txt') })
  forger.offer(record.log, [record.bytes], record.id.slice(0, 16))
  for (const node of world.honest)
    await until(`it waits at ${node.name}`, async () => (await node.client.record(record.id)).state === 'waiting')
  await unscathed({ waiting: 1 })
  assert.equal(anywhere(world, 'waiting.txt'), false)
})
