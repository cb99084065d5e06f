import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { Bitmap } from '../../src/blobs/bitmap.js'
import { DueQueue } from '../../src/blobs/due.js'
import { KeyedLock, Slots } from '../../src/blobs/lock.js'
import { type Piece, Plan } from '../../src/blobs/plan.js'
import { MAX_ASK_AGAIN_MS, MIN_ASK_AGAIN_MS, Sources, WRONG_BYTES_MS } from '../../src/blobs/sources.js'
import { MAX_REST_MS, Transfer } from '../../src/blobs/transfer.js'
import { type NodeAddress, TreeShape } from '../../src/blobs/tree.js'
import { GrapevineError } from '../../src/errors.js'
import { TINY } from './world.js'

class Known {
  readonly #nodes = new Set<string>()
  add = ({ level, index }: NodeAddress): void => void this.#nodes.add(`${level}/${index}`)
  has = ({ level, index }: NodeAddress): boolean => this.#nodes.has(`${level}/${index}`)
}

function planFor(
  size: number,
  here: number[] = [],
  known = new Known()
): { plan: Plan; shape: TreeShape; known: Known } {
  const shape = new TreeShape(size, TINY)
  const chunks = new Bitmap(shape.chunks)
  for (const chunk of here) chunks.set(chunk)
  return { plan: new Plan(shape, chunks, known.has), shape, known }
}

function nameOf(piece: Piece | undefined): string | undefined {
  if (piece === undefined) return undefined
  return piece.kind === 'chunk' ? `chunk ${piece.index}` : `node ${piece.level}/${piece.index}`
}

test('a plan asks from the root down, each piece once, and no chunk before the node with its hash (rules 1 and 2)', () => {
  const { plan, known } = planFor(16 * 20)
  const ask = (): Piece | undefined => {
    const piece = plan.next()
    if (piece !== undefined) plan.asked(piece)
    return piece
  }
  const top = ask()
  assert.equal(nameOf(top), 'node 2/0')
  assert.equal(ask(), undefined)
  known.add({ level: 2, index: 0 })
  plan.arrived(top!, [])
  assert.equal(nameOf(ask()), 'node 1/0')
  assert.equal(ask(), undefined)
  known.add({ level: 1, index: 0 })
  assert.deepEqual(
    [nameOf(ask()), nameOf(ask()), nameOf(ask()), nameOf(ask())],
    ['node 0/0', 'node 0/1', 'node 0/2', undefined]
  )
  known.add({ level: 0, index: 1 })
  assert.equal(nameOf(ask()), 'chunk 4')
})

test('a plan runs at most two leaves ahead of the first chunk that is missing (rule 3)', () => {
  const { plan, known, shape } = planFor(16 * 64)
  for (let level = 0; level < shape.height; level += 1) {
    for (let index = 0; index < shape.nodes(level); index += 1) known.add({ level, index })
  }
  let asked = 0
  for (let piece = plan.next(); piece !== undefined; piece = plan.next()) {
    plan.asked(piece)
    if (piece.kind === 'chunk' && piece.index > 0) plan.arrived(piece, [])
    asked += 1
  }
  assert.equal(asked, 12)
  assert.equal(plan.inFlight, 1)
})

test('chunks are asked for together as far as they follow one another and are neither here nor asked for', () => {
  const { plan, known } = planFor(16 * 8 - 1, [2])
  for (const level of [0, 1]) for (const index of [0, 1]) known.add({ level, index })
  const ask = (most: number): Piece | undefined => {
    const piece = plan.next(most)
    if (piece !== undefined) plan.asked(piece)
    return piece
  }
  assert.deepEqual(ask(4), { kind: 'chunk', index: 0, count: 2, bytes: 32 })
  assert.deepEqual(ask(4), { kind: 'chunk', index: 3, count: 1, bytes: 16 }, 'the next is under another node')
  const last = ask(9)
  assert.deepEqual(last, { kind: 'chunk', index: 4, count: 4, bytes: 63 })
  assert.equal(ask(4), undefined)
  plan.lost({ kind: 'chunk', index: 5, count: 3, bytes: 47 })
  plan.arrived({ kind: 'chunk', index: 6, count: 1, bytes: 16 }, [])
  assert.deepEqual(
    [ask(4), ask(4)],
    [
      { kind: 'chunk', index: 5, count: 1, bytes: 16 },
      { kind: 'chunk', index: 7, count: 1, bytes: 15 }
    ]
  )
})

test('any order of arrivals and losses ends with everything here and nothing asked for twice at once', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 1_200 }),
      fc.array(fc.nat(), { minLength: 1, maxLength: 50 }),
      (size, choices) => {
        const { plan, known } = planFor(size)
        const inFlight: Piece[] = []
        for (let step = 0; !plan.complete; step += 1) {
          assert.ok(step < 5_000)
          const choice = choices[step % choices.length]!
          const piece = choice % 3 === 0 && inFlight.length > 0 ? undefined : plan.next()
          if (piece !== undefined) {
            assert.ok(!inFlight.some((other) => nameOf(other) === nameOf(piece)))
            plan.asked(piece)
            inFlight.push(piece)
            continue
          }
          const [landed] = inFlight.splice(choice % inFlight.length, 1)
          if (choice % 5 === 1 && step < 2_000) plan.lost(landed!)
          else {
            if (landed!.kind === 'node') known.add(landed!)
            plan.arrived(landed!, [])
          }
        }
        assert.equal(plan.next(), undefined)
      }
    ),
    { numRuns: 200 }
  )
})

test('a transfer goes its way from queued to finishing, and each arrow refuses any other start', () => {
  const isInternal = (error: unknown): boolean => error instanceof GrapevineError && error.code === 'internal'
  const transfer = new Transfer()
  const { plan } = planFor(10)
  assert.equal(transfer.ask(), undefined)
  for (const arrow of [() => transfer.opened(plan), () => transfer.park(), () => transfer.rest(0)])
    assert.throws(arrow, isInternal)
  transfer.open()
  assert.throws(() => transfer.open(), isInternal)
  assert.equal(transfer.active, true)
  transfer.opened(plan)
  const piece = transfer.ask()!
  assert.equal(nameOf(piece), 'chunk 0')
  assert.equal(transfer.ask(), undefined)
  transfer.lost(piece)
  assert.equal(nameOf(transfer.ask()), 'chunk 0')
  transfer.arrived(piece)
  assert.equal(transfer.state.at, 'finishing')
  assert.throws(() => transfer.arrived(piece), isInternal)
  transfer.end()
  assert.equal(transfer.active, false)
})

test('a transfer of which all is here finishes as soon as it is opened', () => {
  const transfer = new Transfer()
  transfer.open()
  transfer.opened(planFor(10, [0]).plan)
  assert.equal(transfer.state.at, 'finishing')
})

test('rests grow from one second to thirty and start anew after progress', () => {
  const transfer = new Transfer()
  const rests: number[] = []
  for (let round = 0; round < 7; round += 1) {
    transfer.open()
    const dueMs = transfer.rest(0)
    rests.push(dueMs)
    assert.equal(transfer.wake(dueMs - 1), false)
    assert.equal(transfer.wake(dueMs), true)
  }
  assert.deepEqual(rests, [1_000, 2_000, 4_000, 8_000, 16_000, MAX_REST_MS, MAX_REST_MS])
  transfer.open()
  transfer.opened(planFor(40, [], new Known()).plan)
  transfer.arrived(transfer.ask()!)
  assert.equal(transfer.rest(0), 1_000)
})

test('a peer without the blob is asked again after pauses from one to thirty seconds, and at once on word', () => {
  const sources = new Sources()
  assert.equal(sources.connected('a'), true)
  assert.equal(sources.connected('a'), false)
  const pauses: number[] = []
  for (let round = 0; round < 7; round += 1) {
    const dueMs = sources.absent('a', 0, 0)!
    pauses.push(dueMs)
    assert.equal(sources.absent('a', 0, 0), undefined)
    assert.equal(sources.due('a', dueMs - 1), false)
    assert.equal(sources.due('a', dueMs), true)
  }
  assert.deepEqual(pauses, [1_000, 2_000, 4_000, 8_000, 16_000, MAX_ASK_AGAIN_MS, MAX_ASK_AGAIN_MS])
  assert.equal(sources.mayHave('a'), false)
  sources.absent('a', 0, 0)
  assert.equal(sources.mayHave('a'), true)
  assert.equal(sources.absent('a', 0, 0), MIN_ASK_AGAIN_MS)
  assert.equal(sources.mayHave('unheard of'), false)
})

test('a peer that sent wrong bytes stays out for ten minutes, even when it reconnects', () => {
  const sources = new Sources()
  sources.connected('liar')
  sources.has('liar')
  const dueMs = sources.wrong('liar', 0)
  assert.equal(dueMs, WRONG_BYTES_MS)
  sources.disconnected('liar')
  assert.equal(sources.connected('liar'), false)
  sources.has('liar')
  assert.deepEqual([...sources.usable], [])
  assert.equal(sources.due('liar', dueMs - 1), false)
  assert.equal(sources.due('liar', dueMs), true)
  sources.has('liar')
  assert.deepEqual([...sources.usable], ['liar'])
})

test('the least busy peer that has it is picked, then the one used longest ago', () => {
  const sources = new Sources()
  const busy: Record<string, number> = { a: 0, b: 0, c: 0 }
  for (const node of ['a', 'b', 'c']) {
    sources.connected(node)
    sources.has(node)
  }
  const pick = (): string | undefined =>
    sources.pick(
      (node) => busy[node]! < 4,
      (node) => busy[node]!
    )
  assert.deepEqual([pick(), pick(), pick(), pick()], ['a', 'b', 'c', 'a'])
  Object.assign(busy, { a: 3, b: 1, c: 2 })
  assert.equal(pick(), 'b')
  Object.assign(busy, { a: 4, b: 4, c: 4 })
  assert.equal(pick(), undefined)
})

test('what is due comes out in order of time and nothing comes early', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(100)), fc.nat(100), (times, nowMs) => {
      const queue = new DueQueue<number>()
      for (const atMs of times) queue.push(atMs, atMs)
      const sorted = times.toSorted((a, b) => a - b)
      assert.deepEqual(
        queue.take(nowMs),
        sorted.filter((atMs) => atMs <= nowMs)
      )
      assert.equal(
        queue.nextMs,
        sorted.find((atMs) => atMs > nowMs)
      )
      assert.deepEqual(
        queue.take(100),
        sorted.filter((atMs) => atMs > nowMs)
      )
      assert.equal(queue.length, 0)
    })
  )
})

test('a lock runs tasks of one key in turn, a failing one does not stop the next', async () => {
  const lock = new KeyedLock()
  const seen: string[] = []
  const first = lock.run('a', async () => {
    await new Promise((resolve) => setImmediate(resolve))
    seen.push('a1')
    throw new Error('no')
  })
  const second = lock.run('a', async () => void seen.push('a2'))
  await lock.run('b', async () => void seen.push('b'))
  await assert.rejects(first)
  await second
  assert.deepEqual(seen, ['b', 'a1', 'a2'])
  await lock.idle()
})

test('no more tasks run at once than there are slots', async () => {
  const slots = new Slots(2)
  let running = 0
  let most = 0
  for (let round = 0; round < 2; round += 1) {
    await Promise.all(
      Array.from({ length: 9 }, () =>
        slots.run(async () => {
          most = Math.max(most, ++running)
          await new Promise((resolve) => setImmediate(resolve))
          running -= 1
        })
      )
    )
  }
  assert.equal(most, 2)
})
