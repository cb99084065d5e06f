import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Queue, type QueueDeps } from '../../src/publish/queue.js'

interface Ranked {
  readonly queue: Queue
  /** Paths the adapter was asked about. */
  readonly asked: string[]
  /** Runs whenever others are let run. */
  meanwhile: () => void
}

/** Entries called by their path; of those in `gone` only the target knows, and of the others only the catalog. */
function ranked(ids: readonly string[], gone: readonly string[] = [], has = { ranks: true }): Ranked {
  const asked: string[] = []
  const made = { asked, meanwhile: () => undefined as void } as Ranked & { queue: Queue }
  const rankOf = (path: string): number => {
    asked.push(path)
    return Number(/\d/.exec(path)![0])
  }
  const deps: QueueDeps = {
    reader: {
      entry: (id) => (gone.includes(id) ? undefined : ({ id } as ReturnType<QueueDeps['reader']['entry']>)),
      isDirectory: ({ id }) => id.startsWith('dir'),
      pathOfEntry: ({ id }) => id
    },
    base: { byId: (id) => (gone.includes(id) ? ({ path: id } as ReturnType<QueueDeps['base']['byId']>) : undefined) },
    adapter: has.ranks ? { rankOf } : {},
    clock: { pause: async () => made.meanwhile() }
  }
  const queue = new Queue(deps)
  for (const id of ids) queue.add(id)
  return Object.assign(made, { queue })
}

test('of more than fits one set what others refer to comes first, then directories, and removals last', async () => {
  const ids = ['gone1', 'gone2', 'dir0', 'f3', 'f1', 'f2']
  const { queue } = ranked(ids, ['gone1', 'gone2'])
  assert.deepEqual(await queue.take(3), ['f1', 'f2', 'f3'])
  assert.deepEqual(await queue.take(1), ['dir0'])
  assert.deepEqual(await queue.take(1), ['gone2'])
  assert.deepEqual(await queue.take(1), ['gone1'])
  assert.equal(queue.size, 0)
})

test('what fits one set is taken as it came, and so is all where nothing refers to anything', async () => {
  assert.deepEqual(await ranked(['f3', 'f1', 'f2']).queue.take(3), ['f3', 'f1', 'f2'])
  assert.deepEqual(await ranked(['f3', 'f1', 'f2'], [], { ranks: false }).queue.take(1), ['f3'])
})

test('the adapter is asked once about each entry, however many sets it waits, and again when it has changed', async () => {
  const { queue, asked } = ranked(Array.from({ length: 1_000 }, (_, at) => `${at % 10} ${at}`))
  while (queue.size > 100) await queue.take(10)
  assert.equal(asked.length, 1_000)
  const [changed] = [...queue]
  queue.add(changed!)
  await queue.take(10)
  assert.deepEqual(asked.slice(1_000), [changed])
})

test('others run while many are ranked, and what comes, changes or goes meanwhile counts', async () => {
  const world = ranked(Array.from({ length: 300 }, (_, at) => `5 ${at}`))
  const { queue } = world
  let times = 0
  world.meanwhile = () => {
    times += 1
    queue.add(`0 new ${times}`)
    if (times > 1) return
    for (const gone of ['5 0', '5 100', '5 299']) queue.delete(gone)
    queue.add('5 1')
  }
  const first = await queue.take(10)
  assert.ok(times > 1)
  assert.deepEqual(first.slice(0, 2), ['0 new 1', '0 new 2'])
  const all = [...first, ...(await queue.take(1_000))]
  assert.equal(new Set(all).size, all.length)
  assert.ok(all.includes('5 1') && !['5 0', '5 100', '5 299'].some((gone) => all.includes(gone)))
  assert.equal(all.length, 297 + times)
})
