/** Peers that claim to have a blob and do not answer: they delay a part once, by little, and then nobody. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { MIN_PATIENCE_MS, Paces, PATIENCE_TIMES, QUICK_MS, SLOW_MS, STALLED_MS } from '../../src/blobs/pace.js'
import { REQUEST_TIMEOUT_MS } from '../../src/blobs/requests.js'
import { bytesOf, once, SMALL, until, World, type TestNode } from './world.js'

const BODY = bytesOf(16 * 30)
const MUTE = 'mute'

/** Two that have the same blob, of which one answers no request for a part, and a third that wants it. */
async function three(t: test.TestContext, others = ['a']): Promise<{ world: World; holders: TestNode[]; b: TestNode }> {
  const world = new World(t)
  const holders = []
  for (const name of [MUTE, ...others]) holders.push(await world.node(name, { layout: SMALL }))
  const b = await world.node('b', { layout: SMALL })
  world.network.before = ({ to, request }) =>
    to === MUTE && request.t !== 'have' ? new Promise<never>(() => {}) : undefined
  world.connect(MUTE, 'b')
  return { world, holders, b }
}

async function shared({ holders }: { holders: TestNode[] }, body: Buffer): Promise<{ hash: string; size: number }> {
  for (const { store } of holders.slice(1)) await store.put(once(body))
  return holders[0]!.store.put(once(body))
}

/** All that can happen without the time going on has happened. */
async function quiet(world: World): Promise<void> {
  for (let before = -1; before !== world.network.asked.length;) {
    before = world.network.asked.length
    for (let turn = 0; turn < 200; turn++) await new Promise((resolve) => setImmediate(resolve))
  }
}

test('a part that is not answered in three seconds is asked of another, and who kept it waiting is asked last for a minute', async (t) => {
  const all = await three(t)
  const { world, b } = all
  const ref = await shared(all, bytesOf(10))
  b.fetcher.want(ref)
  await until('the mute one is asked', () => world.network.parts({ to: MUTE }).length === 1)
  world.connect('a', 'b')
  await quiet(world)
  world.clock.advance(MIN_PATIENCE_MS - 1)
  await quiet(world)
  assert.equal(b.store.has(ref.hash), false)
  const asked = world.network.parts({ to: MUTE }).length
  world.clock.advance(1)
  await until('it is here', () => b.store.has(ref.hash))
  for (const [seed, ms] of [
    [2, 0],
    [3, STALLED_MS - 10_000]
  ] as const) {
    world.clock.advance(ms)
    const next = await shared(all, bytesOf(16 * 30, seed))
    b.fetcher.want(next)
    await until('it comes without waiting', () => b.store.has(next.hash))
  }
  assert.equal(world.network.parts({ to: MUTE }).length, asked)
  world.clock.advance(STALLED_MS)
  const later = await shared(all, bytesOf(16 * 30, 4))
  b.fetcher.want(later)
  await until('it is asked again', () => world.network.parts({ to: MUTE }).length > asked)
})

test('a part is late on its own, whatever else happens', async (t) => {
  const all = await three(t)
  const { world, b } = all
  const ref = await shared(all, bytesOf(10))
  let first: string | undefined
  world.network.before = ({ to, request }) =>
    request.t !== 'have' && (first ??= to) === to ? new Promise<never>(() => {}) : undefined
  world.connect('a', 'b')
  b.fetcher.want(ref, [MUTE, 'a'])
  await until('one is asked', () => world.network.parts().length > 0)
  await quiet(world)
  world.clock.advance(MIN_PATIENCE_MS)
  await until('it is here', () => b.store.has(ref.hash))
  assert.deepEqual(world.network.parts(), ['chunk 0', 'chunk 0'])
})

test('who alone has a blob is waited for, and is like others again when it answers', async (t) => {
  const all = await three(t, [])
  const { world, b } = all
  let answer: () => void = () => undefined
  const slow = new Promise<void>((resolve) => (answer = resolve))
  world.network.before = ({ request }) => (request.t === 'have' ? undefined : slow)
  const ref = await shared(all, BODY)
  b.fetcher.want(ref)
  await until('it is asked', () => world.network.parts().length > 0)
  world.clock.advance(REQUEST_TIMEOUT_MS - 1)
  await quiet(world)
  answer()
  await until('it is here', () => b.store.has(ref.hash))
  const parts = world.network.parts()
  assert.equal(new Set(parts).size, parts.length)
})

test('who sends a part quickly is asked for more chunks at once, and who is slow for one', () => {
  const paces = new Paces(() => 0, 4)
  const after = (tookMs: number): number => {
    paces.answered('a', tookMs)
    return paces.chunks('a')
  }
  assert.equal(paces.chunks('a'), 1)
  assert.deepEqual([after(QUICK_MS), after(0), after(0)], [2, 4, 4])
  assert.deepEqual([after(QUICK_MS + 1), after(SLOW_MS - 1), after(SLOW_MS), after(QUICK_MS + 1)], [4, 4, 1, 1])
  assert.equal(after(0), 2)
  paces.stalled('a')
  assert.equal(paces.chunks('a'), 1)
  assert.equal(paces.chunks('b'), 1)
})

test('patience is a multiple of what a peer usually takes, within bounds', () => {
  let now = 0
  const paces = new Paces(() => now, 1)
  assert.equal(paces.patience('a'), MIN_PATIENCE_MS)
  paces.answered('a', MIN_PATIENCE_MS / PATIENCE_TIMES)
  assert.equal(paces.patience('a'), MIN_PATIENCE_MS)
  paces.answered('b', 1_000)
  assert.equal(paces.patience('b'), 1_000 * PATIENCE_TIMES)
  paces.answered('b', 2_000)
  assert.equal(paces.patience('b'), 1_200 * PATIENCE_TIMES)
  paces.answered('c', REQUEST_TIMEOUT_MS)
  assert.equal(paces.patience('c'), REQUEST_TIMEOUT_MS)
  paces.stalled('b')
  now = STALLED_MS - 1
  assert.equal(paces.isStalled('b'), true)
  assert.equal(paces.patience('b'), 1_200 * PATIENCE_TIMES)
  now += 1
  assert.equal(paces.isStalled('b'), false)
  paces.stalled('b')
  paces.answered('b', 1_200)
  assert.equal(paces.isStalled('b'), false)
  for (let count = 0; count < 5_000; count++) paces.stalled(`${count}`)
  assert.equal(paces.isStalled('0'), false)
  assert.equal(paces.isStalled('4999'), true)
})
