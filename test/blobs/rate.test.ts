/** What the operator allows to go out and to come in each second. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { BlobServer } from '../../src/blobs/index.js'
import { MAX_HELD_BACK_MS } from '../../src/blobs/server.js'
import { GrapevineError } from '../../src/errors.js'
import { decodeBlobAnswer, encodeBlobRequest } from '../../src/wire/blob-messages.js'
import { bytesOf, ManualClock, once, SMALL, TINY, until, World } from './world.js'

const CHUNK = TINY.chunkBytes

/** All that can happen without the time going on has happened. */
async function quiet(): Promise<void> {
  for (let turn = 0; turn < 200; turn++) await new Promise((resolve) => setImmediate(resolve))
}

test('no more is asked for than may come in, and all of it comes', async (t) => {
  const world = new World(t)
  const a = await world.node('a', { layout: SMALL })
  const b = await world.node('b', { layout: SMALL, bytesPerSecond: 4 * CHUNK })
  world.connect('a', 'b')
  const refs: Array<{ hash: string; size: number }> = []
  for (let seed = 1; seed <= 12; seed++) refs.push(await a.store.put(once(bytesOf(CHUNK, seed))))
  for (const ref of refs) b.fetcher.want(ref)
  const completed = (): number => b.events.filter(({ type }) => type === 'completed').length
  const askedAt: number[] = []
  while (askedAt.length < refs.length && world.clock.monotonic() < 60_000) {
    // time goes on when all that was asked for has been written
    await quiet()
    await until('what was asked for is here', () => completed() === world.network.parts().length)
    while (askedAt.length < world.network.parts().length) askedAt.push(world.clock.monotonic())
    world.clock.advance(10)
  }
  // a quarter of a second was saved up, and a part may go while anything of it is left: two at once, then one a quarter
  for (const [at, ms] of askedAt.entries()) {
    const dueMs = Math.max(0, at - 1) * 250
    assert.ok(ms >= dueMs && ms <= dueMs + 200, `part ${at} at ${ms} ms instead of ${dueMs}`)
  }
  assert.equal(askedAt.length, refs.length)
  await until('all are here', () => refs.every(({ hash }) => b.store.has(hash)))
})

test('without a limit nothing waits', async (t) => {
  const world = new World(t)
  const a = await world.node('a', { layout: SMALL })
  const b = await world.node('b', { layout: SMALL })
  world.connect('a', 'b')
  const ref = await a.store.put(once(bytesOf(CHUNK * 40)))
  b.fetcher.want(ref)
  await until('it is here though no time went on', () => b.store.has(ref.hash))
})

/** A server that may send two parts a second, and what becomes of requests. */
function served(stored = true): { clock: ManualClock; ask(from?: string): { state: string; done: Promise<void> } } {
  const clock = new ManualClock()
  const store = {
    layout: TINY,
    sizeOf: () => 100,
    treeNode: async () => new Uint8Array(0),
    chunks: async () => {
      if (stored) return
      throw new GrapevineError('blob-missing', 'gone', { next: 'nothing' })
    }
  }
  const server = new BlobServer({ store, clock }, { bytesPerSecond: 2 * CHUNK })
  const frame = encodeBlobRequest({ t: 'chunk', hash: 'ff'.repeat(32), size: 100, index: 0 })
  return {
    clock,
    ask: (from = 'peer') => {
      const asked = { state: 'waiting', done: Promise.resolve() }
      asked.done = server.answer(from, frame).then(
        (answer) => void (asked.state = decodeBlobAnswer(answer).t),
        (error: GrapevineError) => void (asked.state = error.code)
      )
      return asked
    }
  }
}

test('answers go out as fast as they may, in the order of the requests', async () => {
  const { clock, ask } = served()
  const all = [ask('a'), ask('b'), ask('a'), ask('b')]
  const states = async (): Promise<string[]> => {
    await quiet()
    return all.map(({ state }) => state)
  }
  assert.deepEqual(await states(), ['bytes', 'waiting', 'waiting', 'waiting'])
  clock.advance(249)
  assert.deepEqual(await states(), ['bytes', 'waiting', 'waiting', 'waiting'])
  clock.advance(1)
  assert.deepEqual(await states(), ['bytes', 'bytes', 'waiting', 'waiting'])
  clock.advance(500)
  assert.deepEqual(await states(), ['bytes', 'bytes', 'bytes', 'waiting'])
  clock.advance(500)
  assert.deepEqual(await states(), ['bytes', 'bytes', 'bytes', 'bytes'])
})

test('what would wait for more than ten seconds is refused at once, and something else later is not', async () => {
  const { clock, ask } = served()
  const all = Array.from({ length: 30 }, (_, i) => ask(`peer ${i}`))
  await quiet()
  const refused = all.filter(({ state }) => state === 'peer-refused').length
  const waiting = all.filter(({ state }) => state === 'waiting').length
  // half a second each, the first of them a quarter: the last waits for 9.75 s
  assert.deepEqual([waiting, refused], [20, 9])
  clock.advance(2 * MAX_HELD_BACK_MS)
  await quiet()
  assert.equal(all.filter(({ state }) => state === 'bytes').length, 1 + waiting)
  const later = ask()
  await later.done
  assert.equal(later.state, 'bytes')
})

test('what was not sent uses nothing up', async () => {
  const { ask } = served(false)
  const all = []
  for (let i = 0; i < 5; i++) {
    const asked = ask()
    await quiet()
    all.push(asked.state)
  }
  assert.deepEqual(all, ['absent', 'absent', 'absent', 'absent', 'absent'])
})
