import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { GrapevineError } from '../../src/errors.js'
import { MAX_PATH_CACHE_CHARS, PathCache } from '../../src/catalog/path-cache.js'
import { Lab, meet, type LabNode } from '../replica/lab.js'
import { SeededRandom } from '../sim/random.js'

describe('directories by path', () => {
  test('what leaves its name, or comes to share it, takes all paths with it; what is on none takes nothing', () => {
    const cache = new PathCache()
    cache.set('a', '1')
    cache.set('a/b', '2')
    cache.forget(['3'])
    assert.equal(cache.get('a/b'), '2')
    assert.equal(cache.pathOf('2'), 'a/b')
    cache.forget(['3', '1'])
    assert.equal(cache.pathOf('2'), undefined)
    assert.deepEqual([cache.get('a'), cache.get('a/b')], [undefined, undefined])
  })

  test('no more is kept than the limit', () => {
    const cache = new PathCache()
    const path = (at: number): string => `${at}`.padEnd(808, 'x')
    const room = Math.ceil((MAX_PATH_CACHE_CHARS + 1) / 1_000)
    for (let at = 0; at < room; at++) cache.set(path(at), 'id')
    assert.equal([...cache].length, room)
    cache.set(path(room), 'id')
    assert.equal([...cache].length, 1, 'one more begins it anew')
    assert.equal(cache.get(path(room)), 'id')
  })

  test('what one change of a record has moved, the next one finds where it is', async () => {
    const [node] = await new Lab().nodes(1)
    await node!.put('a/f', 'first')
    await node!.put('a/g', 'known by its path')
    // in one record
    await Promise.all([node!.move('a', 'b'), node!.put('a/f', 'second')])
    assert.deepEqual([node!.text('a/f'), node!.text('b/f')], ['second', 'first'])
  })

  test('of two that share a name the one that came first is found and shown so, whoever that is by now', async () => {
    const [a, b] = await new Lab().nodes(2)
    for (const [node, dir] of [
      [a!, 'one'],
      [b!, 'two']
    ] as const) {
      await node.put(`${dir}/f`, dir)
      await node.move(dir, 'shared')
    }
    await meet([a!, b!])
    const found = a!.text('shared/f')
    const inside = a!.at('shared/f').id
    const { id, parent, name } = a!.at('shared')
    assert.equal(a!.replica.reader.pathOf(inside), 'shared/f')
    // put at the very same place again it is no longer the first there
    await a!.replica.change((draft) => draft.move(id, parent, name, { order: 'a1' }))
    assert.equal(a!.text('shared/f'), found === 'one' ? 'two' : 'one')
    assert.match(a!.replica.reader.pathOf(inside)!, /^shared\.conflict-[0-9a-f]{8}\/f$/)
  })

  test('every path leads where its names lead, whatever is made, moved, removed and heard from others', async () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const random = new SeededRandom(seed)
      const nodes = await new Lab(seed).nodes(2)
      for (let round = 0; round < ROUNDS; round++) {
        const node = random.pick(nodes)
        // several at once share a record: what one has staged, the next must see
        await Promise.all([...Array(1 + random.below(4))].map(() => act(node, random)))
        if (random.chance(0.4)) await random.pick(nodes).pull(node)
        for (const each of nodes) assertSame(each, `seed ${seed}, round ${round}`)
      }
    }
  })
})

const SEEDS = 25
const ROUNDS = 25
const PLACES = ['a', 'b', 'a/c', 'b/d', 'a/x', 'x', 'b/a', 'a/b', 'x/y', 'a/b/c', 'b/a/b']
const REFUSALS = ['not-found', 'path-taken', 'not-a-directory', 'not-a-file', 'move-into-itself']

/** One change of a kind drawn at random; what the catalog refuses is no change. */
async function act(node: LabNode, random: SeededRandom): Promise<void> {
  const path = random.pick(PLACES)
  const what = random.float()
  try {
    if (what < 0.4) await node.put(`${path}/f`, `${random.below(4)}`)
    else if (what < 0.5) await node.mkdir(path)
    else if (what < 0.8) await node.move(path, random.pick(PLACES))
    else await node.remove(path)
  } catch (error) {
    assert.ok(error instanceof GrapevineError && REFUSALS.includes(error.code), String(error))
  }
}

/** Every path leads where it leads when nothing is remembered. */
function assertSame({ replica }: LabNode, when: string): void {
  const stage = replica.catalog.stage()
  const forgetful = replica.reader.over({
    get: (key) => stage.get(key),
    entry: (id) => stage.entry(id),
    claimants: (key) => stage.claimants(key),
    directoryAt: () => undefined,
    pathOfDirectory: () => undefined,
    noteDirectory: () => undefined
  })
  for (const path of PLACES.flatMap((place) => [place, `${place}/f`])) {
    const id = replica.reader.resolve(path)?.id
    assert.equal(id, forgetful.resolve(path)?.id, `${path}: ${when}`)
    if (id !== undefined) assert.equal(replica.reader.pathOf(id), forgetful.pathOf(id), `${path}: ${when}`)
  }
}
